"""How good the model is before, during and after: held-out loss and one answer, as events."""

from __future__ import annotations

import math
from typing import Literal

from launcher.errors import Diverged
from launcher.training.answers import greedy_answer
from launcher.training.context import Context
from launcher.training.evaluating import held_out_loss
from launcher.training.preparing import PreparedRows
from launcher.training.trainer import RunTrainer

When = Literal["before", "during", "after"]


class Measurements:
    """Measures one trainer's model on the rows held out of its training."""

    def __init__(
        self,
        trainer: RunTrainer,
        rows: PreparedRows,
        context: Context,
    ) -> None:
        self._trainer = trainer
        self._rows = rows
        self._context = context
        self.score: float | None = None
        """Of the last evaluation, higher is better."""

    def evaluate(self, when: When) -> float | None:
        """Mean held-out loss of a learned token; None without rows or when asked to stop.

        Raises Diverged when it is NaN or infinite.
        """
        if not self._rows.held_out:
            return None
        step = self._trainer.state.global_step
        self._context.events.append("phase", phase="evaluating")
        loss = held_out_loss(self._trainer, self._rows.held_out, self._context)
        if loss is None:
            return None
        self._context.events.append(
            "evaluation", step=step, loss=loss, when=when, rows=len(self._rows.held_out)
        )
        if not math.isfinite(loss):
            raise Diverged(
                f"training diverged: the loss on held-out rows is {loss} after step {step}",
                "lower learning_rate, for instance to a tenth",
            )
        self.score = -loss
        return loss

    def answer(self, when: When) -> None:
        """Let the model answer the question, where there is one."""
        question = self._rows.question
        if question is None:
            return
        self._context.events.append("phase", phase="answering")
        self._context.events.append(
            "answer",
            when=when,
            prompt=question.prompt,
            answer=greedy_answer(self._trainer, question, self._context.plan),
            expected=question.expected,
        )
