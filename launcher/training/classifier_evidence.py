"""Whether a classifier is worth its training: the largest class, the base's features, tuned.

What few examples alone would give is measured without training: each class is the mean of the
untrained model's features of a few rows, and a row belongs to the nearest mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch

from launcher.evaluation.comparison import compare
from launcher.evaluation.outcomes import (
    CONDITIONS,
    REPORT_NAME,
    Outcome,
    read_outcomes,
    write_outcomes,
)
from launcher.runs.atomic_file import replace_json
from launcher.training.classifier_measuring import ClassifierMeasurements
from launcher.training.context import Context
from launcher.training.evaluating import autocast, evaluation_mode
from launcher.training.labelled_rows import LabelledRow, LabelledRows


class ClassifierEvidence:
    """Evidence for a classifier of texts or pictures."""

    def __init__(
        self,
        trainer: Any,
        rows: LabelledRows,
        measurements: ClassifierMeasurements,
        context: Context,
    ) -> None:
        self._trainer = trainer
        self._rows = rows
        self._measurements = measurements
        self._context = context
        self._plan, self._run = context.plan, context.run

    @property
    def is_wanted(self) -> bool:
        """Whether the plan asks for it and rows are held out."""
        return self._plan.evaluation.answer_rows > 0 and bool(self._rows.held_out)

    def before(self) -> None:
        """The largest class, and the nearest class by untrained features."""
        counts = Counter(row.label for row in self._rows.train)
        largest = counts.most_common(1)[0][0]
        write_outcomes(self._run, "base", self._outcomes([largest] * len(self._asked())))
        if self._plan.evaluation.few_shot_examples:
            guessed = self._nearest()
            if guessed is not None:
                write_outcomes(self._run, "few-shot", self._outcomes(guessed))

    def after(self) -> dict[str, Any] | None:
        """The tuned model, compared with what was kept."""
        chances = self._measurements.probabilities(self._asked())
        if chances is None:
            return None
        write_outcomes(self._run, "tuned", self._outcomes(chances.argmax(dim=-1).tolist()))
        found = compare({name: read_outcomes(self._run, name) for name in CONDITIONS}, classes=True)
        if found is None:
            return None
        report = found.document()
        replace_json(self._run / REPORT_NAME, report)
        return report

    def _asked(self) -> Sequence[LabelledRow]:
        return self._rows.held_out[: self._plan.evaluation.answer_rows]

    def _outcomes(self, guessed: Sequence[int]) -> list[Outcome]:
        classes = self._rows.classes
        return [
            Outcome(
                key=number,
                expected=classes[row.label],
                answer=classes[guess],
                exact=float(row.label == guess),
            )
            for number, (row, guess) in enumerate(zip(self._asked(), guessed, strict=True))
        ]

    def _nearest(self) -> list[int] | None:
        examples: list[LabelledRow] = []
        taken: Counter[int] = Counter()
        for row in self._rows.train:
            if taken[row.label] < self._plan.evaluation.few_shot_examples:
                taken[row.label] += 1
                examples.append(row)
        shown, asked = self._features(examples), self._features(self._asked())
        if shown is None or asked is None:
            return None
        labels = torch.tensor([row.label for row in examples])
        present = sorted(taken)
        means = torch.stack([shown[labels == label].mean(dim=0) for label in present])
        means = torch.nn.functional.normalize(means, dim=-1)
        best = (asked @ means.T).argmax(dim=-1).tolist()
        return [present[index] for index in best]

    def _features(self, rows: Sequence[LabelledRow]) -> torch.Tensor | None:
        """Rows x width, of length 1: the mean of what the last layer makes of a row's tokens."""
        model = self._trainer.model
        base = getattr(model, "get_base_model", lambda: model)().base_model
        found = []
        with evaluation_mode(model), torch.no_grad(), autocast(self._plan):
            for batch in self._measurements.batches(rows):
                if self._context.stop.requested:
                    return None
                self._context.pulse.beat()
                hidden = base(**batch).last_hidden_state.float()
                if hidden.dim() == 4:
                    hidden = hidden.flatten(2).transpose(1, 2)
                mask = batch.get("attention_mask")
                weights = (
                    torch.ones(hidden.shape[:2], device=hidden.device) if mask is None else mask
                )
                weighted = (hidden * weights[..., None]).sum(dim=1) / weights.sum(dim=1)[:, None]
                found.append(torch.nn.functional.normalize(weighted, dim=-1).cpu())
        return torch.cat(found)
