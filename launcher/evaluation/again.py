"""The evidence of a finished run measured again, on its own held-out rows or on another file."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from launcher.data.dataset import DataSet
from launcher.data.named import data_path
from launcher.data.rows import held_out_data, read_data
from launcher.data.split import hold_out
from launcher.data.suitable import require_suitable
from launcher.errors import DataError
from launcher.evaluation.comparison import compare
from launcher.evaluation.generating import answers_to
from launcher.evaluation.nearest import Nearest, few_of_each, nearest_classes
from launcher.evaluation.outcomes import Condition, Outcome
from launcher.evaluation.questions import Question, questions_of, with_examples
from launcher.evaluation.run_models import RunModels
from launcher.evaluation.scores import exact_match, rouge_l
from planner.run_plan import RunPlan

_LONGEST_PROMPT = 2048
_FEW = 5
"""Examples, of each class or in a prompt, where the plan asked for none."""


def evaluate_again(run: Path, *, data: Path | None, rows: int, seconds: int) -> dict[str, Any]:
    """The same document as evaluation.json. Raises DataError when no row can be measured on.

    Rows of another file that the run learned from are left out and counted: they prove nothing.
    """
    models = RunModels(run)
    measured, indices, examples, learned = rows_to_measure(models.plan, data)
    indices = sorted(indices, key=measured.row_keys.__getitem__)[:rows]
    if models.is_classifier:
        outcomes = _classified(models, measured, indices, examples)
    else:
        outcomes = _answered(models, measured, indices, examples, seconds)
    found = compare(outcomes, classes=models.is_classifier)
    if found is None:
        raise DataError(f"{measured.path}: no row could be compared")
    return {**found.document(), "learned_rows_left_out": learned}


def rows_to_measure(plan: RunPlan, other: Path | None) -> tuple[DataSet, list[int], list[Any], int]:
    """(data, rows of it to measure on, training rows as examples, rows of it learned from).

    Raises DataError when there is none to measure on.
    """
    train = read_data(data_path(plan.data.train), labels_aside=plan.training.task == "causal-lm")
    require_suitable(train, plan.training.task, plan.model.name)
    named = other or (data_path(plan.data.held_out) if plan.data.held_out else None)
    apart = held_out_data(train, named)
    split = hold_out(train.row_keys, plan.data.held_out_fraction)
    learned = split.train_indices if apart is None else range(len(train.rows))
    # As the run took them: a classifier in the order of the file.
    shown = list(learned)
    if plan.training.task == "causal-lm":
        shown.sort(key=train.row_keys.__getitem__)
    if apart is not None:
        known = _learned_keys(plan, train) if other is not None else frozenset()
        fresh = [index for index, key in enumerate(apart.row_keys) if key not in known]
        if not fresh:
            raise DataError(
                f"{apart.path}: the run learned from every row of it, so it proves nothing",
                "name a file of other rows, or none for those that were held out",
            )
        examples = [train.rows[index] for index in shown]
        return apart, fresh, examples, len(apart.rows) - len(fresh)
    if not split.held_out_indices:
        raise DataError(
            f"{train.path}: no row was held out of training ({split.reason})",
            "tlplan eval RUN --data FILE measures on rows of another file",
        )
    return train, list(split.held_out_indices), [train.rows[index] for index in shown], 0


def _learned_keys(plan: RunPlan, train: DataSet) -> frozenset[int]:
    named = None if plan.data.held_out is None else data_path(plan.data.held_out)
    if held_out_data(train, named) is not None:
        return frozenset(train.row_keys)
    split = hold_out(train.row_keys, plan.data.held_out_fraction)
    return frozenset(train.row_keys[index] for index in split.train_indices)


def _answered(
    models: RunModels, data: DataSet, indices: Sequence[int], examples: Sequence[Any], seconds: int
) -> dict[Condition, list[Outcome]]:
    tokenizer, settings = models.preparation, models.plan.evaluation
    if data.layout == "text":
        raise DataError(
            f"{data.path}: plain text asks nothing that could be answered",
            "measured.json has its loss before and after",
        )
    questions = questions_of(data, indices, tokenizer, limit=len(indices))
    longest = max(len(tokenizer(each.expected)["input_ids"]) for each in questions)
    limit = min(max(settings.answer_tokens, 64), 2 * longest + 8)
    room = models.context_tokens - limit
    questions = [each for each in questions if len(each.prompt) <= room]
    if not questions:
        raise DataError(f"{data.path}: no question fits into the model's context")
    shown, _ = with_examples(
        questions, examples[: settings.few_shot_examples or _FEW], tokenizer,
        room_tokens=min(room, _LONGEST_PROMPT),
    )  # fmt: skip
    asked: list[tuple[Condition, list[Question]]] = [
        ("base", questions), ("few-shot", shown), ("tuned", questions),
    ]  # fmt: skip
    found: dict[Condition, list[Outcome]] = {}
    for condition, some in asked:
        if not some:
            continue
        with models.model("tuned" if condition == "tuned" else "base") as model:
            answers = answers_to(
                model,
                tokenizer,
                [each.prompt for each in some],
                longest_tokens=limit,
                deadline=time.monotonic() + seconds,
            )
        found[condition] = [
            Outcome(
                key=each.key,
                expected=each.expected,
                answer=answer.text,
                ended=answer.ended,
                exact=exact_match(each.expected, answer.text),
                rouge=rouge_l(each.expected, answer.text),
            )
            for each, answer in zip(some, answers, strict=False)
        ]
    return found


def _classified(
    models: RunModels, data: DataSet, indices: Sequence[int], examples: Sequence[Any]
) -> dict[Condition, list[Outcome]]:
    """Against the largest class of training, and the nearest by untrained features."""
    largest = Counter(row["label"] for row in examples).most_common(1)[0][0]
    found: dict[Condition, list[Outcome]] = {"base": [], "few-shot": [], "tuned": []}
    field = "text" if data.layout == "text_label" else "image"
    nearest = _nearest(models, examples, field)
    for index in indices:
        row = data.rows[index]
        guesses: dict[Condition, str] = {
            "base": largest,
            "few-shot": models.classes[nearest.guesses(models.features(row[field]))[0]],
            "tuned": models.chances(row[field])[0][0],
        }
        for condition, guess in guesses.items():
            found[condition].append(
                Outcome(
                    key=index,
                    expected=row["label"],
                    answer=guess,
                    exact=float(guess == row["label"]),
                )
            )
    return found


def nearest_of_run(models: RunModels) -> Nearest:
    """The classes of a finished run by untrained features. Raises DataError without its data."""
    train = read_data(data_path(models.plan.data.train))
    split = hold_out(train.row_keys, models.plan.data.held_out_fraction)
    field = "text" if train.layout == "text_label" else "image"
    return _nearest(models, [train.rows[index] for index in split.train_indices], field)


def _nearest(models: RunModels, rows: Sequence[Any], field: str) -> Nearest:
    most = models.plan.evaluation.few_shot_examples or _FEW
    examples = [rows[index] for index in few_of_each([row["label"] for row in rows], most)]
    features = torch.cat([models.features(row[field]) for row in examples])
    return nearest_classes(features, [models.classes.index(row["label"]) for row in examples])
