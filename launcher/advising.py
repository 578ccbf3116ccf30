"""Advice on a planned fine-tune: the plan's own numbers, and which variant of the model it is."""

from __future__ import annotations

from pathlib import Path

import hwdb
from launcher import stderr
from launcher.data.checkup import Checkup
from launcher.data.known_distance import known_distance
from launcher.data.tokenizer_files import chat_template_source
from launcher.offers import head_only_offer, offers_of
from planner.advice.settings import TASK_OF_LAYOUT
from planner.advice.should_you import Advice, should_you
from planner.advice.situation import AdviceItem, Situation
from planner.loop import held_out_rows
from planner.plan import Plan, PlannedModel

_INSTRUCT_WORDS = ("instruct", "-it", "chat")


def advice_on(
    plan: Plan, *, distance_nats: float | None = None, all_at_their_fastest: bool = False
) -> Advice | None:
    """What to know before launching `plan`, with time and cost of each way; None without data.

    `distance_nats` is measured by `tlplan data --distance`, else looked up. A plan makes only the
    step that it chose fast; `all_at_their_fastest` does so for every method, which takes a moment.
    """
    data = plan.data
    if data is None:
        return None
    instruct, sibling = _variant(plan.model)
    return should_you(
        Situation(
            task=plan.asked.task or "causal-lm",  # type: ignore[arg-type]
            layout=data.layout,
            examples=data.rows,
            mean_tokens=data.mean_tokens,
            longest_tokens=data.longest_tokens,
            context_tokens=plan.model.shape.max_context_tokens,
            instruct=instruct,
            model=plan.model.id,
            sibling=sibling,
            distance_nats=_known_distance(plan) if distance_nats is None else distance_nats,
            held_out_rows=held_out_rows(data),
            class_counts=dict(data.class_counts) or None,
            offers=offers_of(plan, all_at_their_fastest=all_at_their_fastest),
            head_only=head_only_offer(plan),
        )
    )


def _known_distance(plan: Plan) -> float | None:
    if plan.data is None or plan.model.folder is None:
        return None
    return known_distance(Path(plan.data.path), Path(plan.model.folder))


def tell_advice(plan: Plan) -> Advice | None:
    """Say on stderr what to know before launching: warnings, and the advised way where it differs.

    Returns all of it.

    How far the rows are is told where it was measured. What merely agrees with the plan is left
    to the wizard and `tlplan data`.
    """
    advice = advice_on(plan)
    if advice is None:
        return None
    for item in advice.items:
        if item.level == "warning":
            stderr.warning(item.text)
        elif "distance_nats" in item.data:
            stderr.note(item.text)
    chosen = plan.chosen
    if chosen is not None and advice.advised not in (chosen.method, "in-context"):
        stderr.note(advice.reason)
    return advice


def advice_on_data(
    checkup: Checkup, model: PlannedModel | None, *, distance_nats: float | None = None
) -> tuple[AdviceItem, ...]:
    """What the data alone says, and the kind of model where one is named."""
    lengths = checkup.lengths
    instruct, sibling = (None, None) if model is None else _variant(model)
    return should_you(
        Situation(
            task=TASK_OF_LAYOUT.get(checkup.layout or "", "causal-lm"),
            layout=checkup.layout or "",
            examples=checkup.rows,
            mean_tokens=None if lengths is None else lengths.mean,
            longest_tokens=None if lengths is None else lengths.longest,
            context_tokens=None if model is None else model.shape.max_context_tokens,
            instruct=instruct,
            model="" if model is None else model.id,
            sibling=sibling,
            distance_nats=distance_nats,
        )
    ).items


def _variant(model: PlannedModel) -> tuple[bool | None, str | None]:
    """(whether it follows instructions already, the --model name of the variant that does)."""
    if model.folder is not None:
        return chat_template_source(Path(model.folder)) is not None, None
    name = model.hub_id or model.id
    try:
        row = hwdb.find_model(name)
    except hwdb.NotFound:
        words = name.lower()
        return (True if any(word in words for word in _INSTRUCT_WORDS) else None), None
    if row.instruct_hub_id is None:
        return None, None
    if name == row.instruct_hub_id:
        return True, None
    return False, row.instruct_hub_id
