"""How good a classifier is before, during and after: loss, accuracy and macro-F1 as events."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch

from launcher.errors import Diverged
from launcher.evaluation.scores import accuracy, macro_f1
from launcher.training.context import Context
from launcher.training.evaluating import autocast, evaluation_mode
from launcher.training.labelled_rows import LabelledRow, LabelledRows, examples_of

When = Literal["before", "during", "after"]
_SHOWN_CLASSES = 3


class ClassifierMeasurements:
    """Measures one trainer's model on the rows held out of its training."""

    def __init__(
        self,
        trainer: Any,
        rows: LabelledRows,
        context: Context,
    ) -> None:
        self._trainer = trainer
        self._rows = rows
        self._context = context
        self.score: float | None = None
        """Of the last evaluation, higher is better: macro-F1, equal ones parted by the loss."""

    def evaluate(self, when: When) -> float | None:
        """Mean held-out loss; None without rows or when asked to stop. Raises Diverged."""
        if not self._rows.held_out:
            return None
        step = self._trainer.state.global_step
        self._context.events.append("phase", phase="evaluating")
        chances = self.probabilities(self._rows.held_out)
        if chances is None:
            return None
        truth = [row.label for row in self._rows.held_out]
        picked = chances[torch.arange(len(truth)), torch.tensor(truth)]
        loss = float(-picked.clamp_min(torch.finfo(torch.float32).tiny).log().mean())
        if not math.isfinite(loss):
            raise Diverged(
                f"training diverged: the loss on held-out rows is {loss} after step {step}",
                "lower learning_rate, for instance to a tenth",
            )
        guessed: list[int] = chances.argmax(dim=-1).tolist()
        f1 = macro_f1(truth, guessed)
        self._context.events.append(
            "evaluation",
            step=step,
            loss=loss,
            when=when,
            rows=len(truth),
            accuracy=round(accuracy(truth, guessed), 4),
            macro_f1=round(f1, 4),
        )
        self.score = f1 - 1e-3 * min(loss, 100.0)
        return loss

    def answer(self, when: When) -> None:
        """Let the model judge one row, where one is held out."""
        if not self._rows.held_out:
            return
        row = self._rows.held_out[0]
        chances = self.probabilities([row])
        if chances is None:
            return
        self._context.events.append("phase", phase="answering")
        self._context.events.append(
            "answer",
            when=when,
            prompt=row.content,
            answer=shown_chances(chances[0].tolist(), self._rows.classes),
            expected=self._rows.classes[row.label],
        )

    def probabilities(self, rows: Sequence[LabelledRow]) -> torch.Tensor | None:
        """Rows x classes, on the CPU in fp32; None when a stop was asked for meanwhile."""
        found: list[torch.Tensor] = []
        tell, done = self._context.counting("held-out rows"), 0
        with evaluation_mode(self._trainer.model), torch.no_grad(), autocast(self._context.plan):
            for batch in self.batches(rows):
                if self._context.stop.requested:
                    return None
                self._context.pulse.beat()
                logits = self._trainer.model(**batch).logits
                found.append(torch.softmax(logits.float(), dim=-1).cpu())
                done += len(logits)
                tell(done, len(rows))
        return torch.cat(found)

    def batches(self, rows: Sequence[LabelledRow]) -> Iterator[dict[str, torch.Tensor]]:
        """What the model takes of these rows, batch by batch, without labels."""
        size = self._context.plan.training.micro_batch_rows
        for start in range(0, len(rows), size):
            batch = self._trainer.data_collator(examples_of(rows[start : start + size]))
            yield {
                name: tensor.to(self._trainer.args.device)
                for name, tensor in batch.items()
                if name not in ("labels", "tokens")
            }


def shown_chances(chances: Sequence[float], classes: Sequence[str]) -> str:
    """`cat: 93 %, dog: 6 %, bird: 1 %`: the most likely classes first."""
    ranked = sorted(zip(chances, classes, strict=True), reverse=True)[:_SHOWN_CLASSES]
    return ", ".join(f"{label}: {100 * chance:.0f} %" for chance, label in ranked)
