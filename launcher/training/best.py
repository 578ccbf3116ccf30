"""Which checkpoint was best on held-out rows, and when more steps are not worth taking."""

from __future__ import annotations

from pathlib import Path

from launcher.runs.checkpoints import checkpoint_of, verify
from launcher.runs.events import EventLog
from launcher.training.progress import Progress
from launcher.training.trainer import SafeSaving
from planner.run_plan import RunPlan


class BestSoFar:
    """Remembers in the run's progress, so that a resumed worker knows it too."""

    def __init__(self, plan: RunPlan, progress: Progress, events: EventLog) -> None:
        self._keeps = plan.training.keep_best
        self._patience = plan.training.stop_after_evaluations
        self._progress = progress
        self._events = events

    def take(self, step: int, score: float, loss: float) -> bool:
        """Take an evaluation, its score the higher the better; True when it is time to stop.

        As long as the loss still falls it is not: on few rows a share of right answers jumps by
        chance, while the loss tells that something is being learned.
        """
        progress = self._progress
        better = progress.best_score is None or score > progress.best_score
        if better and (self._keeps or self._patience):
            progress.best_step, progress.best_score = step, score
        falls = progress.lowest_loss is None or loss < progress.lowest_loss
        if falls:
            progress.lowest_loss = loss
        if better or falls:
            progress.worse_in_a_row = 0
            return False
        progress.worse_in_a_row += 1
        if not self.is_over:
            return False
        self._events.append(
            "phase",
            phase=f"stopping early: no better in {progress.worse_in_a_row} evaluations",
        )
        return True

    @property
    def is_over(self) -> bool:
        """Whether the run has stopped early."""
        return 0 < self._patience <= self._progress.worse_in_a_row

    def go_back(self, trainer: SafeSaving, run: Path, last_score: float | None) -> int | None:
        """Load the best checkpoint where it beats the last step; its step, None for staying."""
        step, score = self._progress.best_step, self._progress.best_score
        if not self._keeps or step is None or score is None or last_score is None:
            return None
        if score <= last_score:
            return None
        checkpoint = checkpoint_of(run, step)
        problems = verify(checkpoint)
        if problems:
            self._events.append(
                "warning",
                message=f"the best checkpoint cannot be taken, so the result is that of the last "
                f"step: {problems[0]}",
            )
            return None
        self._events.append("phase", phase=f"taking the best checkpoint, step {step}")
        trainer.load_weights(checkpoint)
        return step
