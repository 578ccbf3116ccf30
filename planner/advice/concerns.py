"""What to know before launching: one item for each fact that changes what to expect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from planner.advice.situation import (
    FAR_NATS,
    FEW_EXAMPLES,
    FEWEST_OF_A_CLASS,
    FEWEST_TO_MEASURE,
    MANY_EXAMPLES,
    NEAR_NATS,
    AdviceItem,
    Approach,
    Situation,
)

_IN_PROMPT_AT_MOST = 32
_ANSWER_SHARE = 0.25


def concerns(facts: Situation, advised: Approach) -> Iterator[AdviceItem]:
    """Each with its code, a sentence or two, and the numbers behind it."""
    yield _amount(facts, advised)
    yield from _base_or_instruct(facts)
    yield from _distance(facts)
    yield from _facts_or_form(facts)
    yield from _lengths(facts)
    yield from _classes(facts)
    # That none is held out is said by the plan itself.
    if facts.held_out_rows and facts.held_out_rows < FEWEST_TO_MEASURE:
        yield AdviceItem(
            "FEW_ROWS_TO_MEASURE",
            "warning",
            f"{_rows_are(facts.held_out_rows)} held out: too few to tell a gain from chance; "
            f"{FEWEST_TO_MEASURE} or more make an interval that says something.",
            {"held_out_rows": facts.held_out_rows, "wanted": FEWEST_TO_MEASURE},
        )


def examples_that_fit(facts: Situation) -> int | None:
    """Examples that a prompt can hold beside the question and its answer; None when unknown."""
    if facts.context_tokens is None or not facts.mean_tokens:
        return None
    room = facts.context_tokens * (1 - _ANSWER_SHARE) - (facts.longest_tokens or facts.mean_tokens)
    return max(0, min(_IN_PROMPT_AT_MOST, int(room // facts.mean_tokens), facts.examples))


def _rows_are(count: int) -> str:
    return "1 row is" if count == 1 else f"{count} rows are"


def _examples(facts: Situation) -> str:
    return "1 example" if facts.examples == 1 else f"{facts.examples} examples"


def _amount(facts: Situation, advised: Approach) -> AdviceItem:
    data: dict[str, Any] = {"examples": facts.examples}
    if advised == "in-context":
        fit = examples_that_fit(facts)
        data["examples_in_prompt"] = fit
        more = f" About {fit} of them fit into a prompt." if fit and facts.examples > 1 else ""
        if facts.examples >= FEW_EXAMPLES:  # enough to train with, and nothing to train that fits
            text = f"{facts.examples} examples, but no way to train fits here.{more}"
            return AdviceItem("IN_CONTEXT_FIRST", "warning", text, data)
        return AdviceItem(
            "IN_CONTEXT_FIRST",
            "warning",
            f"{_examples(facts)}: try them in the prompt first; from about "
            f"{FEW_EXAMPLES} on, fine-tuning starts to pay.{more}",
            data,
        )
    if advised == "head-only":
        text = (
            f"{_examples(facts)}: train the head alone; from about {FEW_EXAMPLES} on, "
            "the layers below it can learn too."
        )
        return AdviceItem("HEAD_ONLY_FIRST", "advice", text, data)
    if facts.examples < FEW_EXAMPLES:
        text = f"{_examples(facts)} of plain text: little to learn from; more text teaches more."
        return AdviceItem("FEW_TEXTS", "warning", text, data)
    if facts.examples <= MANY_EXAMPLES:
        most = f"{MANY_EXAMPLES:,}".replace(",", " ")
        text = f"{facts.examples} examples suit adapters ({FEW_EXAMPLES} to {most})."
        return AdviceItem("ADAPTERS_SUIT", "advice", text, data)
    if advised == "full":
        text = f"{facts.examples} examples can feed a full fine-tune, and the memory is there."
        return AdviceItem("FULL_CAN_PAY", "advice", text, data)
    if "full" not in facts.offers:
        text = f"{facts.examples} examples can feed a full fine-tune, where the memory allows it."
        return AdviceItem("FULL_CAN_PAY", "advice", text, data)
    text = (
        f"{facts.examples} examples could feed a full fine-tune, but it does not fit here; "
        "adapters of a higher rank come near it."
    )
    return AdviceItem("FULL_DOES_NOT_FIT", "advice", text, data)


def _base_or_instruct(facts: Situation) -> Iterator[AdviceItem]:
    if facts.task != "causal-lm":
        return
    data = {"model": facts.model, "sibling": facts.sibling}
    if facts.instruct is False and facts.layout in ("messages", "prompt_completion"):
        name = f": --model {facts.sibling}" if facts.sibling else ""
        yield AdviceItem(
            "INSTRUCT_RATHER_THAN_BASE",
            "warning" if facts.layout == "messages" else "advice",
            f"{facts.model or 'This model'} is a base model. For instructions start from its "
            f"instruct variant{name}: it already answers and stops, so fewer rows teach more.",
            data,
        )
    if facts.instruct and facts.layout == "text":
        yield AdviceItem(
            "BASE_RATHER_THAN_INSTRUCT",
            "advice",
            "Plain text teaches how a text goes on, and an instruct model forgets answering "
            "over it; a base model suits better.",
            data,
        )


def _distance(facts: Situation) -> Iterator[AdviceItem]:
    if facts.distance_nats is None:
        return
    data = {"distance_nats": facts.distance_nats}
    if facts.distance_nats >= FAR_NATS:
        yield AdviceItem(
            "DOMAIN_FAR",
            "advice",
            f"The rows surprise the model far more than general text (+{facts.distance_nats:.2f} "
            f"nats a token; from {FAR_NATS:g} on is far): it has much to learn here, so expect "
            "to need more rows, a higher rank or a full fine-tune.",
            data,
        )
    elif facts.distance_nats <= NEAR_NATS:
        yield AdviceItem(
            "DOMAIN_NEAR",
            "advice",
            f"The rows surprise the model no more than general text ({facts.distance_nats:+.2f} "
            "nats a token): it knows this domain, so a light method or a prompt may be enough.",
            data,
        )
    else:
        yield AdviceItem(
            "DOMAIN_BETWEEN",
            "advice",
            f"The rows surprise the model somewhat more than general text "
            f"(+{facts.distance_nats:.2f} nats a token; {FAR_NATS:g} is far).",
            data,
        )


def _facts_or_form(facts: Situation) -> Iterator[AdviceItem]:
    if facts.task == "causal-lm" and facts.layout == "text" and facts.examples < MANY_EXAMPLES:
        yield AdviceItem(
            "LOOK_UP_RATHER_THAN_LEARN",
            "advice",
            "Fine-tuning teaches form and style better than facts. If answers must quote these "
            "texts, or the texts change, look them up and put them into the prompt (retrieval).",
            {"examples": facts.examples},
        )


def _lengths(facts: Situation) -> Iterator[AdviceItem]:
    longest, context = facts.longest_tokens, facts.context_tokens
    if longest is not None and context is not None and longest > context:
        yield AdviceItem(
            "LONGER_THAN_CONTEXT",
            "warning",
            f"The longest row has {longest} tokens, the model was made for {context}: longer "
            "rows are cut.",
            {"longest_tokens": longest, "context_tokens": context},
        )


def _classes(facts: Situation) -> Iterator[AdviceItem]:
    if not facts.class_counts:
        return
    label, fewest = min(facts.class_counts.items(), key=lambda item: item[1])
    most = max(facts.class_counts.values())
    data = {"label": label, "rows": fewest, "most": most}
    if fewest < FEWEST_OF_A_CLASS:
        yield AdviceItem(
            "CLASS_TOO_SMALL",
            "warning",
            f'Class "{label}" has {fewest} rows: too few to learn and to measure; add some or '
            "merge it with another.",
            data,
        )
    elif most >= 10 * fewest:
        yield AdviceItem(
            "CLASSES_UNEVEN",
            "advice",
            f'The largest class has {most} rows, "{label}" {fewest}: look at macro-F1, since '
            "accuracy hides what happens to small classes.",
            data,
        )
