"""Cards side by side in 80 columns: verdict, hours, rent, purchase, and how well each is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from launcher.output.columns import aligned
from launcher.output.numbers import count_text, gib
from launcher.prices import KwhPrice, is_old_date
from planner.market.job import CardAnswer, evidence_of_memory
from planner.market.pick import Picks
from planner.market.rent import Owned, Rented
from planner.plan import MethodAnswer
from planner.units import duration_text

UNKNOWN = "-"

RUNGS = {
    "comfortable": "runs comfortably",
    "trade-offs": "runs with trade-offs",
    "no": "will not run",
    None: "unknown",
}


KNOWN = (
    "Known: near: runs of this card were learned from; extrap.: by its rates; estim.:\n"
    "nothing measured is close. Best value: least cost times hours. !: old price.\n"
)


def money(usd: float | None) -> str:
    """Dollars with the digits that matter."""
    if usd is None:
        return UNKNOWN
    if 0 < usd < 0.005:
        return "<$0.01"
    return f"${usd:.2f}" if usd < 100 else f"${count_text(round(usd))}"


def rent_text(one: Rented | None) -> str:
    """What a run costs rented, marked where the price is old."""
    return UNKNOWN if one is None else f"{money(one.cost.expected)}{'!' if one.stale else ''}"


def origin_text(one: Rented) -> str:
    """Such as: runpod spot, 0.34 USD/h (2026-08-27, an old price)."""
    old = ", an old price" if one.stale else ""
    return f"{_where(one)}, {hourly(one):.2f} USD/h ({one.offer.as_of}{old})"


def _where(one: Rented) -> str:
    return f"{one.offer.provider}{' spot' if one.spot else ''}"


def _price_of(one: Rented) -> str:
    return f"{one.offer.as_of}{'!' if one.stale else ''}"


def purchase_text(one: Owned) -> str:
    """Of when the price of a card is: "2022-10!", or what else is known of it."""
    if one.purchase_as_of is None:
        return {"street": "undated", "yours": "yours"}.get(one.purchase_kind or "", UNKNOWN)
    return f"{one.purchase_as_of}{'!' if is_old_date(one.purchase_as_of) else ''}"


def kwh_text(price: KwhPrice) -> str:
    """The price of power, with its date and source."""
    if price.as_of is None:
        return f"Power at {price.usd:g} USD per kWh ({price.source})."
    of = f"{price.source} {price.as_of}{'!' if is_old_date(price.as_of) else ''}"
    return f"Power at {price.usd:g} USD per kWh ({of}); --kwh-price is yours."


def hours_text(answer: CardAnswer) -> str:
    """The run on the card, a download left out."""
    return UNKNOWN if answer.time is None else duration_text(answer.time.on_card.expected)


def known(answer: CardAnswer) -> str:
    """How well the time is known, short enough for a column."""
    words = {"extrapolated": "extrap.", "estimated": "estim."}
    evidence = answer.time_evidence or UNKNOWN
    return words.get(evidence, evidence)


def compare_table(
    answers: Sequence[CardAnswer], rents: Mapping[str, Rented], homes: Sequence[Owned]
) -> str:
    """One line a card; `rents` by card, `homes` in the order of the answers."""
    head = ("Card", "Verdict", "Method", "GiB", "Time", "Rent", "Power", "Known")
    rows = [head]
    for answer, home in zip(answers, homes, strict=True):
        chosen = answer.answer
        rows.append(
            (
                answer.card.id,
                RUNGS[answer.rung].removeprefix("runs ").removeprefix("with "),
                chosen.method if chosen else UNKNOWN,
                _needs(answer),
                hours_text(answer),
                rent_text(rents.get(answer.card.id)),
                energy_text(home),
                known(answer),
            )
        )
    return _table(rows, right=(3, 4, 5, 6))


def _table(rows: Sequence[tuple[str, ...]], *, right: Sequence[int]) -> str:
    """Columns within 80; a name that leaves no room for the rest has a line of its own."""
    others = sum(2 + max(map(len, column)) for column in list(zip(*rows, strict=True))[1:])
    room = max(80 - others, len(rows[0][0]))
    long = [len(row[0]) > room for row in rows]
    short = [("", *row[1:]) if own else row for row, own in zip(rows, long, strict=True)]
    lines = aligned(short, right=right).splitlines()
    names = [f"{row[0]}\n" if own else "" for row, own in zip(rows, long, strict=True)]
    return "".join(f"{name}{line}\n" for name, line in zip(names, lines, strict=True))


def _needs(answer: CardAnswer) -> str:
    """What the job needs, at least where it is too much, of what the card has: 17.2/23.6."""
    capacity = answer.plan.budget.free_bytes if answer.plan.budget else None
    needed = gib(lightest(answer).memory.needed.expected_bytes)
    return f"{needed}/{UNKNOWN if capacity is None else gib(capacity)}"


def lightest(answer: CardAnswer) -> MethodAnswer:
    """The method to run, and where nothing fits the one that needs least."""
    if answer.answer is not None:
        return answer.answer
    return min(answer.plan.answers, key=lambda one: one.memory.needed.expected_bytes)


def memory_known_text(answers: Sequence[CardAnswer]) -> str:
    """How well the memory of the cards is known, each card named only where they differ."""
    cards: dict[str, list[str]] = {}
    for answer in answers:
        cards.setdefault(evidence_of_memory(lightest(answer)), []).append(answer.card.id)
    if len(cards) == 1:
        return f"memory {next(iter(cards))}"
    return "memory " + ", ".join(f"{how} on {' '.join(ids)}" for how, ids in cards.items())


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
            _where(one),
            _price_of(one),
            known(one.answer),
        )
        for one in options
    ]
    return _table(rows, right=(2, 3, 4))


def buy_table(cards: Sequence[Owned]) -> str:
    """One line a card, cheapest first."""
    rows = [("Card", "Method", "Time", "Price", "Of", "Power", "Pays after", "Known")]
    rows += [
        (
            one.answer.card.id,
            one.answer.answer.method if one.answer.answer else UNKNOWN,
            hours_text(one.answer),
            money(one.purchase),
            purchase_text(one),
            energy_text(one),
            UNKNOWN if one.runs_until_paid is None else count_text(round(one.runs_until_paid)),
            known(one.answer),
        )
        for one in cards
    ]
    return _table(rows, right=(2, 3, 5, 6))


def energy_text(one: Owned) -> str:
    """What the power of a run costs."""
    return money(one.energy_cost.expected if one.energy_cost else None)


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
    return (
        f"{one.answer.card.id} at {_where(one)}: "
        f"{duration_text(one.hours.expected * 3600)}, {rent_text(one)} "
        f"({money(one.cost.low)} to {money(one.cost.high)})"
    )


def stale_note(options: Sequence[Rented]) -> str | None:
    """How many of the prices are old, None when none is."""
    old = sum(one.stale is True for one in options)
    if not old:
        return None
    return f"{old} of {len(options)} prices are older than 90 days and marked with !"
