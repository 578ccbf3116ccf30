"""Whether a fine-tune helped: the same held-out rows answered by base, few-shot and tuned."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch

from launcher.evaluation.comparison import compare
from launcher.evaluation.forgetting import forgetting_report
from launcher.evaluation.generating import TOKENS_AT_ONCE, answers_to
from launcher.evaluation.likelihood import Likely, likely
from launcher.evaluation.outcomes import (
    CONDITIONS,
    FOLDER_NAME,
    REPORT_NAME,
    Condition,
    Outcome,
    read_outcomes,
    write_outcomes,
)
from launcher.evaluation.questions import Question, questions_of, with_examples
from launcher.evaluation.scores import exact_match, rouge_l
from launcher.runs.atomic_file import replace_json
from launcher.training.context import Context
from launcher.training.evaluating import autocast, evaluation_mode, row_losses
from launcher.training.preparing import PreparedRows
from launcher.training.trainer import RunTrainer

_SPARE_TOKENS = 8
_GENERAL_BEFORE = "general-before.json"
_LONGEST_PROMPT = {"cpu": 1024, "cuda": 4096}
"""Tokens; a prompt full of examples is what a few-shot question costs."""
_COUNTED: dict[Condition, str] = {
    "base": "base",
    "few-shot": "base with examples",
    "tuned": "tuned",
}


class Evidence(Protocol):
    """What is measured before the first step and after the last."""

    @property
    def is_wanted(self) -> bool:
        """Whether the plan asks for it and rows are held out."""

    def before(self) -> None:
        """Measure the untrained model and keep it in the run folder."""

    def after(self) -> dict[str, Any] | None:
        """Measure the result, write evaluation.json and return it; None when stopped."""


class LanguageEvidence:
    """Evidence for a language model."""

    def __init__(
        self,
        trainer: RunTrainer,
        rows: PreparedRows,
        context: Context,
    ) -> None:
        self._trainer = trainer
        self._rows = rows
        self._context = context
        self._plan, self._run = context.plan, context.run

    @property
    def is_wanted(self) -> bool:
        """Whether the plan asks for it and rows are held out."""
        return self._plan.evaluation.answer_rows > 0 and bool(self._rows.measured_indices)

    def before(self) -> None:
        """Base, base with examples, and the general suite."""
        questions = self._questions()
        write_outcomes(self._run, "base", self._outcomes("base", questions, losses=True))
        shown = self._with_examples(questions)
        if shown and not self._context.stop.requested:
            write_outcomes(self._run, "few-shot", self._outcomes("few-shot", shown, losses=False))
        if self._plan.evaluation.forgetting:
            found = self._general()
            if found is not None:
                replace_json(self._run / FOLDER_NAME / _GENERAL_BEFORE, found._asdict())

    def after(self) -> dict[str, Any] | None:
        """The tuned model, compared with what was kept."""
        write_outcomes(self._run, "tuned", self._outcomes("tuned", self._questions(), losses=True))
        if self._context.stop.requested:
            return None
        found = compare({name: read_outcomes(self._run, name) for name in CONDITIONS})
        report: dict[str, Any] = {} if found is None else found.document()
        forgetting = self._forgetting()
        if forgetting is not None:
            report["forgetting"] = forgetting
        if not report:
            return None
        replace_json(self._run / REPORT_NAME, report)
        return report

    def _questions(self) -> list[Question]:
        """Plain text asks nothing; its rows are compared by their loss alone."""
        rows, limit = self._rows, self._plan.evaluation.answer_rows
        if rows.measured.layout == "text":
            chosen = sorted(rows.measured_indices, key=rows.measured.row_keys.__getitem__)[:limit]
            return [
                Question(rows.measured.row_keys[i], rows.measured.rows[i], "", ()) for i in chosen
            ]
        tokenizer = self._trainer.processing_class
        found = questions_of(rows.measured, rows.measured_indices, tokenizer, limit=limit)
        room = self._room_tokens()
        return [each for each in found if len(each.prompt) <= room]

    def _with_examples(self, questions: list[Question]) -> list[Question]:
        if self._rows.measured.layout == "text" or not self._rows.examples:
            return []
        tokenizer = self._trainer.processing_class
        room = min(self._room_tokens(), _LONGEST_PROMPT[self._plan.hardware.device])
        # What a prompt keeps must not need more memory than the training was planned with.
        room = min(room, max(TOKENS_AT_ONCE, self._tokens_of_a_step()))
        shown, _ = with_examples(questions, self._rows.examples, tokenizer, room_tokens=room)
        if questions and not shown:
            self._context.events.append(
                "warning",
                code="NO_EXAMPLE_FITS",
                message=f"no example fits beside a question into {room} tokens, so the base model "
                "is asked without any",
            )
        return shown

    def _room_tokens(self) -> int:
        config = self._trainer.model.config
        context = getattr(config, "max_position_embeddings", None) or 2048
        return int(context) - self._plan.evaluation.answer_tokens

    def _outcomes(
        self, condition: Condition, questions: Sequence[Question], *, losses: bool
    ) -> list[Outcome]:
        found = [Outcome(key=each.key, expected=each.expected) for each in questions]
        if questions and questions[0].prompt:
            found = self._answered(condition, questions)
        if not losses:
            return found
        rows = [self._rows.token_rows.get(each.key) for each in found]
        taken = row_losses(self._trainer, rows, self._context)
        return [replace(each, loss=loss) for each, loss in zip(found, taken, strict=True)]

    def _answered(self, condition: Condition, questions: Sequence[Question]) -> list[Outcome]:
        settings = self._plan.evaluation
        with evaluation_mode(self._trainer.model), torch.no_grad(), autocast(self._plan):
            answers = answers_to(
                self._trainer.model,
                self._trainer.processing_class,
                [each.prompt for each in questions],
                longest_tokens=self._longest_answer(questions),
                tokens_at_once=max(TOKENS_AT_ONCE, self._tokens_of_a_step()),
                deadline=time.monotonic() + settings.answer_seconds,
                going_on=self._going_on,
                tell=self._context.counting(_COUNTED[condition]),
            )
        return [
            Outcome(
                key=each.key,
                expected=each.expected,
                answer=answer.text,
                ended=answer.ended,
                exact=exact_match(each.expected, answer.text),
                rouge=rouge_l(each.expected, answer.text),
            )
            for each, answer in zip(questions, answers, strict=False)
        ]

    def _tokens_of_a_step(self) -> int:
        training = self._plan.training
        return training.micro_batch_rows * training.sequence_tokens

    def _longest_answer(self, questions: Sequence[Question]) -> int:
        """Twice what any row answers is enough to see whether an answer ends."""
        tokenizer = self._trainer.processing_class
        longest = max(len(tokenizer(each.expected)["input_ids"]) for each in questions)
        return min(self._plan.evaluation.answer_tokens, 2 * longest + _SPARE_TOKENS)

    def _general(self) -> Likely | None:
        with evaluation_mode(self._trainer.model), autocast(self._plan):
            return likely(
                self._trainer.model,
                self._trainer.processing_class,
                going_on=self._going_on,
                tell=self._context.counting("general text"),
            )

    def _forgetting(self) -> dict[str, Any] | None:
        before = self._run / FOLDER_NAME / _GENERAL_BEFORE
        if not self._plan.evaluation.forgetting or not before.is_file():
            return None
        after = self._general()
        if after is None:
            return None
        kept = json.loads(before.read_text(encoding="utf-8"))
        return forgetting_report(
            tasks_before=kept["tasks"],
            tasks_after=after.tasks,
            losses_before=kept["losses"],
            losses_after=after.losses,
        )

    def _going_on(self) -> bool:
        self._context.pulse.beat()
        return not self._context.stop.requested
