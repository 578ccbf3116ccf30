"""What would fit where nothing does: the smallest changes, each one enough by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import hwdb
from launcher.errors import UsageError
from launcher.exploring import change_that_fits
from launcher.fitting_cards import cards_for
from launcher.models import resolve_model
from launcher.planning import lightest
from planner.budget import usable_bytes
from planner.plan import MethodAnswer, Plan, make_plan
from planner.request import Method, RequestError
from planner.units import gib_text


class WayOut(NamedTuple):
    """One change with which a fine-tune would fit."""

    option: str
    """What to add to the command, such as "--seq 704", or what to do, such as "free GPU 0"."""
    reason: str


def ways_out(plan: Plan) -> tuple[WayOut, ...]:
    """The smallest changes with which the lightest method fits, at most one of a kind."""
    answer = lightest(plan)
    found = (
        _freed_card(plan, answer),
        _shorter(answer),
        _fewer_rows(answer),
        _settings(plan, answer),
        _smaller_model(plan, answer),
        _card(answer),
    )
    return tuple(way for way in found if way is not None)


def _freed_card(plan: Plan, answer: MethodAnswer) -> WayOut | None:
    budget = plan.budget
    if budget is None or budget.source != "nvml":
        return None
    if budget.total_bytes is None or budget.free_bytes is None:
        return None
    usable = usable_bytes(budget.total_bytes)
    if answer.memory.needed.high_bytes > usable:
        return None
    held = gib_text(usable - budget.free_bytes)
    return WayOut(option=f"free GPU {budget.index}", reason=f"other programs hold {held} GiB of it")


def _shorter(answer: MethodAnswer) -> WayOut | None:
    tokens = answer.largest_sequence_tokens
    if not tokens:
        return None
    return WayOut(option=f"--seq {tokens}", reason="shorter rows; longer ones are cut")


def _fewer_rows(answer: MethodAnswer) -> WayOut | None:
    rows = answer.largest_micro_batch
    if not rows:
        return None
    return WayOut(option=f"--batch {rows}", reason="fewer rows at once, more batches a step")


def _settings(plan: Plan, answer: MethodAnswer) -> WayOut | None:
    """The fewest settings that have to change, unless that is the batch alone."""
    change = change_that_fits(plan, answer)
    if not change or set(change) == {"micro_batch"}:
        return None
    names = {"micro_batch": "batch"}
    option = " ".join(f"--{names.get(name, name)} {value}" for name, value in change.items())
    return WayOut(option=option, reason="fewest settings changed")


def _card(answer: MethodAnswer) -> WayOut | None:
    card = next(iter(cards_for(answer)), None)
    if card is None or card.memory_bytes is None:
        return None
    size = gib_text(card.memory_bytes)
    return WayOut(option=f"--gpu {card.id}", reason=f"{size} GiB, the smallest card that does")


def _smaller_model(plan: Plan, answer: MethodAnswer) -> WayOut | None:
    """The largest smaller model with the same leading name that fits with this method."""
    model = plan.model
    if model.source != "hwdb":
        return None
    for row in _smaller_siblings(model.id, model.shape.parameters):
        if _fits(row, answer.method, plan):
            billions = f"{row.parameters / 1e9:.3g} B parameters"
            return WayOut(option=f"--model {row.id}", reason=f"smaller, {billions}")
    return None


def _smaller_siblings(model_id: str, parameters: int) -> Sequence[hwdb.Model]:
    """Smaller models with the same leading word: of the same series first, then by size."""
    series, word = model_id.rpartition("-")[0], _leading_letters(model_id)
    rows = [
        row
        for row in hwdb.all_models()
        if _leading_letters(row.id) == word and row.parameters < parameters
    ]
    rows.sort(key=lambda row: row.release_date, reverse=True)  # of equal sizes the newest
    return sorted(rows, key=lambda row: (row.id.rpartition("-")[0] != series, -row.parameters))


def _leading_letters(model_id: str) -> str:
    """The word before any digit or sign: "qwen" of "qwen3-8b"."""
    end = next((i for i, sign in enumerate(model_id) if not sign.isalpha()), len(model_id))
    return model_id[:end]


def _fits(row: hwdb.Model, method: Method, plan: Plan) -> bool:
    try:
        model = resolve_model(row.id)
        smaller = make_plan(model, plan.budget, replace(plan.asked, method=method), plan.data)
    except (UsageError, RequestError):
        return False
    return smaller.answer(method).verdict.fits == "yes"
