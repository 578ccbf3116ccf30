"""One job on many cards: verdict, hours, rent and purchase, checked by hand arithmetic."""

from __future__ import annotations

from datetime import date

import pytest

import hwdb
from hwdb.offer import is_old
from planner.advice.settings import Asked, DataFacts
from planner.budget import budget_of_card
from planner.market.energy import energy_of
from planner.market.job import CardAnswer, Job, job_on
from planner.market.pick import affordable, allowed, best_per_card, picks
from planner.market.rent import Rented, owned, rented
from planner.plan import make_plan
from planner.speed.seconds import Seconds
from tests.planner.samples import planned

_TODAY = date(2026, 11, 26)
_DATA = DataFacts(
    path="train.jsonl",
    layout="prompt_completion",
    rows=2000,
    longest_tokens=512,
    lengths_exact=True,
    how="counted",
    lengths=(512,),
)
_UNEQUAL = _DATA._replace(rows=300, longest_tokens=3000, lengths=tuple(range(10, 3001, 10)))
_JOB = Job(planned("llama-3.1-8b"), Asked(), _DATA)


def _on(card: str) -> CardAnswer:
    return job_on(_JOB, hwdb.find_card(card))


def _offer(card: str, **changes: object) -> hwdb.Offer:
    found = next(o for o in hwdb.all_offers() if o.card_id == card and o.gpus == 1)
    return found._replace(**changes)


def _rented(card: str, **changes: object) -> list[Rented]:
    return rented(_on(card), _offer(card, **changes), False)


@pytest.mark.parametrize(
    ("card", "rung"),
    [
        ("rtx-4090", "comfortable"),
        ("rtx-3060-12gb", "trade-offs"),
        ("rtx-2060", "no"),
        ("m3-max-40c", None),
    ],
)
def test_the_ladder(card: str, rung: str | None) -> None:
    """16-bit with room; only quantized; not at all; unknown."""
    if card not in {row.id for row in hwdb.all_cards()}:
        card = next(row.id for row in hwdb.all_cards() if row.memory_bytes is None)

    assert _on(card).rung == rung


def test_every_number_says_how_it_is_known() -> None:
    """Near where runs of the card were learned from, extrapolated by its rates elsewhere."""
    assert _on("rtx-4090").time_evidence == "near"
    assert _on("l4").time_evidence == "extrapolated"
    assert _on("rx-7900-xtx").time_evidence is None
    assert _on("rx-7900-xtx").memory_evidence == "near"


def test_rent_is_hours_times_price() -> None:
    """The download is paid for too: 16 GB over the assumed line."""
    (one, *_) = _rented("rtx-4090", on_demand_usd_per_hour=0.5, spot_usd_per_hour=None)
    time = one.answer.time
    assert time is not None

    download = 2 * 8_030_261_248 / 30e6
    hours = (time.on_card.expected + download) / 3600
    assert one.hours.expected == pytest.approx(hours)
    assert one.cost.expected == pytest.approx(0.5 * hours)
    assert one.cost.low < one.cost.expected < one.cost.high


def test_spot_pays_for_what_interruptions_repeat() -> None:
    """A twentieth of an interruption an hour, each half a checkpoint interval and a start."""
    whole, spot = _rented("rtx-4090", on_demand_usd_per_hour=1.0, spot_usd_per_hour=0.5)

    assert spot.interruptions == pytest.approx(whole.hours.expected * 0.05)
    assert spot.hours.expected > whole.hours.expected
    assert spot.cost.expected == pytest.approx(0.5 * spot.hours.expected)


def test_a_card_without_a_speed_is_never_offered() -> None:
    """Unknown hours cost an unknown amount, not nothing."""
    offer = _offer("rtx-4090")._replace(card_id="rx-7900-xtx")

    assert rented(_on("rx-7900-xtx"), offer, None) == []


def test_energy_is_watts_times_time() -> None:
    """An hour at 85 % of 450 W is 0.3825 kWh; 50 to 100 % bound it."""
    energy = energy_of(Seconds(3600, 3000, 4000), 450)
    assert energy is not None

    assert energy.expected_kwh == pytest.approx(0.3825)
    assert energy.low_kwh == pytest.approx(0.1875)
    assert energy.high_kwh == pytest.approx(0.5)
    assert energy_of(Seconds(1, 1, 1), None) is None


def test_a_card_is_paid_after_price_over_what_a_run_saves() -> None:
    """1600 USD against 2 USD of rent less a few cents of power."""
    mine = owned(_on("rtx-4090"), 0.20, 2.0, 1600.0)
    assert mine.energy_cost is not None

    assert mine.runs_until_paid == pytest.approx(1600 / (2.0 - mine.energy_cost.expected))
    assert owned(_on("rtx-4090"), 0.20, 0.01, 1600.0).runs_until_paid is None
    assert owned(_on("rtx-4090"), 0.20, None, 1600.0).runs_until_paid is None


def test_cheapest_fastest_and_best_value() -> None:
    """Of three options each wins where it should."""
    slow = _rented("l4", on_demand_usd_per_hour=0.3, spot_usd_per_hour=None)[0]
    middle = _rented("rtx-4090", on_demand_usd_per_hour=1.0, spot_usd_per_hour=None)[0]
    fast = _rented("h100-sxm5-80gb", on_demand_usd_per_hour=20.0, spot_usd_per_hour=None)[0]

    found = picks([fast, slow, middle])

    assert (found.cheapest, found.fastest, found.best_value) == (slow, fast, middle)
    assert picks([]).cheapest is None
    assert best_per_card([fast, slow, slow]) == [slow, fast]


def test_limits_leave_only_what_keeps_both() -> None:
    """A budget below everything leaves nothing."""
    one = _rented("rtx-4090", on_demand_usd_per_hour=1.0, spot_usd_per_hour=None)[0]

    assert allowed([one], budget=one.cost.expected, hours=one.hours.expected) == [one]
    assert allowed([one], budget=one.cost.expected / 2, hours=None) == []
    assert allowed([one], budget=None, hours=one.hours.expected / 2) == []
    mine = owned(_on("rtx-4090"), 0.2, None, None)
    assert affordable([mine], budget=1600, hours=None) == [mine]
    assert affordable([mine], budget=100, hours=None) == []


@pytest.mark.parametrize(
    ("as_of", "stale"),
    [("2026-11", False), ("2026-08-27", True), ("2026", True), ("soon", None)],
)
def test_a_price_is_old_after_ninety_days(as_of: str, stale: bool | None) -> None:
    """Counted from the first day a month or year can mean."""
    assert is_old(as_of, _TODAY) is stale


def test_a_card_is_compared_by_the_step_that_its_plan_would_take() -> None:
    """Kernels included: on a V100 Gemma's windows are faster without torch's own attention."""
    job = Job(planned("gemma-3-270m"), Asked(method="lora"), _UNEQUAL)
    card = hwdb.find_card("v100-sxm2-16gb")

    plan = make_plan(job.model, budget_of_card(card), job.asked, job.data, weigh=True)
    compared = job_on(job, card)

    assert plan.chosen is not None
    assert compared.answer is not None
    assert compared.answer.request == plan.chosen.request
    assert compared.answer.request.attention == "eager"
