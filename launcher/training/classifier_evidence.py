"""Whether a classifier is worth its training: the largest class, the base's features, tuned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch

from launcher.evaluation.comparison import compare
from launcher.evaluation.nearest import features_of, few_of_each, nearest_classes
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
        # A folder of pictures stands class by class: the first rows would be of a few of them.
        by_chance = sorted(self._rows.held_out, key=lambda row: row.key)
        return by_chance[: self._plan.evaluation.answer_rows]

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
        rows = self._rows.train
        chosen = few_of_each([row.label for row in rows], self._plan.evaluation.few_shot_examples)
        examples = [rows[index] for index in chosen]
        shown, asked = self._features(examples), self._features(self._asked())
        if shown is None or asked is None:
            return None
        return nearest_classes(shown, [row.label for row in examples]).guesses(asked)

    def _features(self, rows: Sequence[LabelledRow]) -> torch.Tensor | None:
        model = self._trainer.model
        found = []
        with evaluation_mode(model), torch.no_grad(), autocast(self._plan):
            for batch in self._measurements.batches(rows):
                if self._context.stop.requested:
                    return None
                self._context.pulse.beat()
                found.append(features_of(model, batch))
        return torch.cat(found)
