"""When more steps are not worth taking, judged by real evaluations of a run."""

from __future__ import annotations

from pathlib import Path

from launcher.runs.events import EventLog
from launcher.training.best import BestSoFar
from launcher.training.progress import Progress
from tests.launcher.training.plans import make_plan

FALLING = ((0.57, 1.60), (0.63, 1.49), (0.60, 1.37), (0.57, 1.28), (0.61, 1.23), (0.60, 1.20))
"""(macro-F1, loss) of six classes of package descriptions on 50 held-out rows."""


def best_so_far(tmp_path: Path) -> BestSoFar:
    """Three evaluations of patience."""
    plan = make_plan(
        model=tmp_path,
        data=tmp_path,
        run=tmp_path,
        evaluate_every_steps=4,
        stop_after_evaluations=3,
        keep_best=True,
    )
    return BestSoFar(plan, Progress(), EventLog(tmp_path / "events.jsonl"))


def test_a_score_that_jumps_by_chance_ends_nothing_while_the_loss_falls(tmp_path: Path) -> None:
    """Fifty rows move a share by two points each; the loss says that it still learns."""
    best = best_so_far(tmp_path)

    assert not any(best.take(step, *found) for step, found in enumerate(FALLING))


def test_it_ends_when_neither_gets_better(tmp_path: Path) -> None:
    """Three evaluations in a row."""
    best = best_so_far(tmp_path)

    ended = [best.take(step, *found) for step, found in enumerate([(0.6, 1.0), *[(0.6, 1.1)] * 3])]

    assert ended == [False, False, False, True]
