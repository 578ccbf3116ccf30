"""Cards side by side in 80 columns: verdict, hours, rent, purchase, and how well each is known."""

from __future__ import annotations

from collections.abc import Sequence

from launcher.output.columns import aligned
from launcher.output.numbers import count_text, gib
from planner.market.job import CardAnswer
from planner.market.pick import Picks
from planner.market.rent import Owned, Rented
from planner.units import duration_text

UNKNOWN = "-"

RUNGS = {
    "comfortable": "runs comfortably",
    "trade-offs": "runs with trade-offs",
    "no": "will not run",
    None: "unknown",
}


def money(usd: float | None) -> str:
    """Dollars with the digits that matter."""
    if usd is None:
        return UNKNOWN
    if 0 < usd < 0.005:
        return "<$0.01"
    return f"${usd:.2f}" if usd < 100 else f"${count_text(round(usd))}"


def hours_text(answer: CardAnswer) -> str:
    """The run on the card, a download left out."""
    return UNKNOWN if answer.time is None else duration_text(answer.time.on_card.expected)


def known(answer: CardAnswer) -> str:
    """How well the time is known, short enough for a column."""
    words = {"extrapolated": "extrap.", "estimated": "estim."}
    evidence = answer.time_evidence or UNKNOWN
    return words.get(evidence, evidence)


def compare_table(answers: Sequence[CardAnswer], rents: dict[str, Rented]) -> str:
    """One line a card."""
    rows = [("Card", "Verdict", "Method", "Needs", "of GiB", "Time", "Rent", "Known")]
    for answer in answers:
        chosen = answer.answer
        rented = rents.get(answer.card.id)
        capacity = answer.plan.budget.free_bytes if answer.plan.budget else None
        rows.append(
            (
                answer.card.id,
                RUNGS[answer.rung].removeprefix("runs ").removeprefix("with "),
                chosen.method if chosen else UNKNOWN,
                gib(chosen.memory.needed.expected_bytes) if chosen else UNKNOWN,
                UNKNOWN if capacity is None else gib(capacity),
                hours_text(answer),
                money(rented.cost.expected if rented else None),
                known(answer),
            )
        )
    return aligned(rows, right=(3, 4, 5, 6))


def rent_table(options: Sequence[Rented]) -> str:
    """One line an offer, cheapest first."""
    rows = [("Card", "Method", "Time", "Run", "USD/h", "Where", "Price of", "Known")]
    rows += [
        (
            one.answer.card.id,
            one.answer.answer.method if one.answer.answer else UNKNOWN,
            duration_text(one.hours.expected * 3600),
            money(one.cost.expected),
            f"{hourly(one):.2f}",
            f"{one.offer.provider}{' spot' if one.spot else ''}",
            f"{one.offer.as_of}{'!' if one.stale else ''}",
            known(one.answer),
        )
        for one in options
    ]
    return aligned(rows, right=(2, 3, 4))


def buy_table(cards: Sequence[Owned]) -> str:
    """One line a card, cheapest first."""
    rows = [("Card", "Method", "Time", "Price", "Energy a run", "Paid after", "Known")]
    rows += [
        (
            one.answer.card.id,
            one.answer.answer.method if one.answer.answer else UNKNOWN,
            hours_text(one.answer),
            money(one.purchase),
            money(one.energy_cost.expected if one.energy_cost else None),
            UNKNOWN
            if one.runs_until_paid is None
            else f"{count_text(round(one.runs_until_paid))} runs",
            known(one.answer),
        )
        for one in cards
    ]
    return aligned(rows, right=(2, 3, 4, 5))


def hourly(one: Rented) -> float:
    """USD an hour of the whole instance."""
    price = one.offer.spot_usd_per_hour if one.spot else one.offer.on_demand_usd_per_hour
    assert price is not None
    return price


def pick_lines(found: Picks) -> list[str]:
    """Cheapest, fastest, best value, and what spot means for each."""
    names = (
        ("Cheapest", found.cheapest),
        ("Fastest", found.fastest),
        ("Best value", found.best_value),
    )
    lines = []
    for name, one in names:
        if one is not None:
            lines.append(f"{name:12}{option_text(one)}")
            if one.spot:
                lines.append(f"{'':12}{_interruptions(one)}")
    return lines


def _interruptions(one: Rented) -> str:
    """What a spot price leaves unsaid."""
    expected = f"{one.interruptions:.2f}" if one.interruptions >= 0.005 else "under 0.01"
    return f"{expected} interruptions expected (assumed); what they repeat is in it"


def option_text(one: Rented) -> str:
    """Such as: a100-sxm4-80gb at lambda: 1.2 h, $2.15 ($1.90 to $2.50)."""
    spot = " spot" if one.spot else ""
    return (
        f"{one.answer.card.id} at {one.offer.provider}{spot}: "
        f"{duration_text(one.hours.expected * 3600)}, {money(one.cost.expected)} "
        f"({money(one.cost.low)} to {money(one.cost.high)})"
    )


def stale_note(options: Sequence[Rented]) -> str | None:
    """How many of the prices are old, None when none is."""
    old = sum(one.stale is True for one in options)
    if not old:
        return None
    return f"{old} of {len(options)} prices are older than 90 days and marked with !"
