"""What the quick check advises: the method, when to take another, and the next commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from launcher.output.check_table import verdict_text
from launcher.output.lines import filled, fitted
from launcher.output.numbers import count_text
from launcher.output.style import Style
from launcher.output.words import method_text
from launcher.planning import lightest
from launcher.quick_check import QuickCheck
from planner.plan import MethodAnswer

_DATA = {"--data": "train.jsonl"}
_MOST_ROWS = 4096
"""The planner looks no further for a larger batch."""


def explained(check: QuickCheck) -> MethodAnswer:
    """The method whose memory is taken apart: the one to run, else the lightest."""
    judged = any(answer.verdict.fits is not None for answer in check.plan.answers)
    if not judged and check.plan.asked.method is None:
        return check.plan.answer("lora")
    return check.plan.chosen or lightest(check.plan)


def recommended_lines(check: QuickCheck, style: Style) -> list[str]:
    """The method to take and why, or what to change when nothing fits."""
    recommended = check.plan.recommendation
    asked = check.plan.asked.method is not None
    title = style.paint("Asked for" if asked and recommended else "Recommended", "strong")
    if check.plan.budget is None:
        return [f"{title}: nothing yet; --gpu NAME judges a card"]
    if recommended is None and check.plan.fits:
        return [f"{title}: nothing, since the memory is unknown; --gpu 24GiB names one"]
    if recommended is None:
        return _nothing_fits_lines(check, style, title)
    answer = check.plan.answer(recommended.method)
    lines = [*filled(f"{title}: {method_text(answer.request)}", style.width)]
    for sentence in (recommended.reason, *_when_another(check, recommended.method)):
        lines += [f"  {line}" for line in filled(sentence, style.width - 2)]
    return lines


def _when_another(check: QuickCheck, method: str) -> Iterator[str]:
    answers = {answer.method: answer for answer in check.plan.answers}
    if method == "lora" and "qlora" in answers:
        limits = list(_limits(answers["lora"], check.plan.model.shape.max_context_tokens))
        if limits:
            yield f"Prefer qlora {' or '.join(limits)}."
    if method == "qlora" and "lora" in answers:
        yield f"lora: {verdict_text(answers['lora'])}."


def _limits(answer: MethodAnswer, max_context_tokens: int | None) -> Iterator[str]:
    tokens, rows = answer.largest_sequence_tokens, answer.largest_micro_batch
    if tokens and (max_context_tokens is None or tokens + 64 <= max_context_tokens):
        yield f"beyond {count_text(tokens)} tokens"
    if rows and rows < _MOST_ROWS:
        yield f"from batch {count_text(rows + 1)}"


def _nothing_fits_lines(check: QuickCheck, style: Style, title: str) -> list[str]:
    from launcher.ways_out import ways_out  # reads every card and model

    method = lightest(check.plan).method
    all_three = len(check.plan.answers) == 3
    first = f"{title}: {'none of the three fits' if all_three else f'{method} does not fit'}"
    ways = ways_out(check.plan)
    if not ways:
        return [first, "  No card of hwdb holds it, and no smaller model is known."]
    column = max(len(way.option) for way in ways) + 2
    other = any(way.option.startswith("--method") for way in ways)
    return [
        first,
        f"  Each of these alone makes {'it' if other else method} fit:",
        *(fitted(f"    {way.option:{column}}", [way.reason], style) for way in ways),
    ]


def next_lines(check: QuickCheck) -> list[str]:
    """Commands that go on from here; never cut, so that they can be copied."""
    again = {"--model": check.model_argument}
    if check.gpu_argument is not None:
        again["--gpu"] = check.gpu_argument
    again |= check.options
    if check.plan.budget is None:
        commands = _commands_without_card(check, again)
    elif not check.plan.fits:
        commands = _commands_that_fit(check, again)
    else:
        starts = ("plan",) if check.gpu_argument else ("plan", "launch")
        commands = [_command(word, again | _DATA) for word in starts]
    return [f"{'' if number else 'Next':6}{line}" for number, line in enumerate(commands)]


def _commands_without_card(check: QuickCheck, again: Mapping[str, str]) -> list[str]:
    from launcher.fitting_cards import cards_for  # reads every card

    card = next((card.id for card in cards_for(explained(check))), "24GiB")
    return [_command("", {**again, "--gpu": card}), _command("launch", {**again, **_DATA})]


def _commands_that_fit(check: QuickCheck, again: Mapping[str, str]) -> list[str]:
    from launcher.ways_out import ways_out  # reads every card and model

    changes = [way.option.split() for way in ways_out(check.plan) if way.option.startswith("--")]
    return [
        _command("", {**again, **dict(zip(words[::2], words[1::2], strict=True))})
        for words in changes[:2]
    ]


def _command(word: str, options: Mapping[str, str]) -> str:
    words = [f"{option} {shlex.quote(value)}" for option, value in options.items()]
    return " ".join(filter(None, ["tlplan", word, *words]))
