"""Why a plan is what it is: the front, the price of every choice, and why each other lost."""

from __future__ import annotations

from typing import Any

from launcher.exploring import Rent
from launcher.output.columns import aligned
from launcher.prices import is_old
from planner.search.answers import Priced, Rejected, front, rejected, toggles
from planner.search.explore import SETTINGS, Configuration, Explored
from planner.units import GIB, gib_text


def explain_text(explored: Explored, chosen: Configuration, rent: Rent | None) -> str:
    """Everything in 80 columns."""
    count = f"{len(explored.configurations):,}".replace(",", " ")
    head = (
        f"The plan's step, out of {count} configurations: with the usual weights and\n"
        "optimizer the fastest that a launch runs and that leaves 8 % of the memory free"
    )
    parts = [
        f"{head}\n  {_sentence(chosen)}\n",
        f"{_front_title(rent)}\n\n{_front(front(explored, runnable=True), chosen, rent)}",
        f"The same with what no plain launch runs\n\n{_front(front(explored), chosen, rent)}",
        f"What each change would cost, all else as chosen\n\n{_toggles(toggles(explored, chosen))}",
        f"Why the others lost\n\n{_rejected(rejected(explored, chosen))}",
    ]
    return "\n".join(parts)


def explain_document(
    explored: Explored,
    chosen: Configuration | None,
    rent: Rent | None,
    smallest_change: dict[str, str] | None,
) -> dict[str, Any]:
    """The same as JSON; `smallest_change` is what would have to change where nothing fits."""
    known = explored.needed(chosen).expected_bytes if chosen else 0
    return {
        "schema_version": 1,
        "configurations": len(explored.configurations),
        "chosen": None if chosen is None else _document(chosen, known, rent),
        "smallest_change": smallest_change,
        "price": None if rent is None else _price(rent),
        "front": [_document(one, needed, rent) for one, needed in front(explored)],
        "front_of_launches": [
            _document(one, needed, rent) for one, needed in front(explored, runnable=True)
        ],
        "toggles": [] if chosen is None else [one._asdict() for one in toggles(explored, chosen)],
        "rejected": [] if chosen is None else [one._asdict() for one in rejected(explored, chosen)],
    }


def _price(rent: Rent) -> dict[str, Any]:
    return {
        "usd_per_hour": rent.usd_per_hour,
        "provider": rent.offer.provider,
        "card": rent.offer.card_id,
        "as_of": rent.offer.as_of,
        "old": is_old(rent.offer),
        "rows": rent.rows,
    }


def _document(one: Configuration, needed_bytes: int, rent: Rent | None) -> dict[str, Any]:
    return {
        **dict(zip(SETTINGS, one.words, strict=True)),
        "accumulation": one.accumulation,
        "seconds_per_row": float(f"{one.seconds_per_row:.4g}"),
        "needed_bytes": needed_bytes,
        "cost_usd": None if rent is None else float(f"{rent.usd(one):.4g}"),
        "runnable": one.runnable,
    }


def _sentence(one: Configuration) -> str:
    words = dict(zip(SETTINGS, one.words, strict=True))
    return (
        f"{words['method']}, {words['weights']}, checkpoints {words['checkpointing']}, "
        f"loss {words['loss']}, {words['attention']}, {words['optimizer']}, "
        f"{words['micro_batch']} x {one.accumulation} {words['batching']} rows"
    )


def _front_title(rent: Rent | None) -> str:
    if rent is None:
        return "Time against memory: nothing is faster and lighter"
    offer = rent.offer
    old = ", an old price" if is_old(offer) else ""
    return (
        "Time and money against memory: nothing is faster and lighter\n"
        f"  $: all steps on {offer.card_id} of {offer.provider}, "
        f"{rent.usd_per_hour:.2f} an hour ({offer.as_of}{old})"
    )


def _front(found: list[tuple[Configuration, int]], chosen: Configuration, rent: Rent | None) -> str:
    rows = [("Time", "$", "GiB", "Method", "Checkpoints", "Loss", "Rows", "With")]
    for one, needed in found:
        words = dict(zip(SETTINGS, one.words, strict=True))
        rows.append(
            (
                _percent(one.seconds_per_row / chosen.seconds_per_row - 1),
                "-" if rent is None else _dollars(rent.usd(one)),
                gib_text(needed),
                f"{words['method']} {words['weights']}",
                words["checkpointing"],
                words["loss"],
                words["micro_batch"],
                _extras(words),
            )
        )
    return aligned(rows, right=(0, 1, 2, 6))


def _dollars(usd: float) -> str:
    return f"{usd:.2f}" if usd >= 1 else f"{usd:.2g}"


def _extras(words: dict[str, str]) -> str:
    """What a plain launch lacks for it."""
    found = []
    if words["attention"] == "flash2":
        found.append("flash2")
    if words["batching"] != "padded":
        found.append(words["batching"])
    if words["compile"] == "yes":
        found.append("compile")
    return " ".join(found) or "-"


def _toggles(priced: list[Priced]) -> str:
    rows = [("Change", "to", "Time", "Memory", "Fits", "A launch runs it")]
    rows += [
        (
            one.setting.replace("_", " "),
            one.value,
            _percent(one.time_fraction),
            f"{one.memory_bytes / GIB:+.1f} GiB",
            "yes" if one.fits else "no",
            "yes" if one.runnable else "no",
        )
        for one in priced
    ]
    return aligned(rows, right=(2, 3))


def _rejected(found: list[Rejected]) -> str:
    return aligned(
        [("Setting", "value", "")]
        + [(one.setting.replace("_", " "), one.value, one.reason) for one in found]
    )


def _percent(fraction: float) -> str:
    return f"{100 * fraction:+.0f} %"
