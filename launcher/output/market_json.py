"""Cards, offers and money as JSON."""

from __future__ import annotations

from typing import Any

from launcher.output.market_text import lightest
from launcher.prices import KwhPrice, is_old_date
from planner.case_answer import band_numbers, seconds_numbers
from planner.market.job import CardAnswer
from planner.market.pick import Picks
from planner.market.rent import Owned, Rented


def card_document(answer: CardAnswer) -> dict[str, Any]:
    """A job on a card; null where something is unknown."""
    chosen, time, expectation = answer.answer, answer.time, answer.expectation
    budget = answer.plan.budget
    return {
        "card": answer.card.id,
        "verdict": answer.rung,
        "capacity_bytes": None if budget is None else budget.free_bytes,
        "method": None if chosen is None else chosen.method,
        "needed_bytes": None if chosen is None else band_numbers(chosen.memory.needed),
        "least_needed_bytes": band_numbers(lightest(answer).memory.needed),
        "memory_evidence": answer.memory_evidence,
        "micro_batch": None if chosen is None else chosen.request.micro_batch,
        "accumulation": None if chosen is None else chosen.request.accumulation,
        "checkpointing": None if chosen is None else chosen.request.checkpointing,
        "steps": None if expectation is None else expectation.steps,
        "step_seconds": None if time is None else seconds_numbers(time.step),
        "run_seconds": None if time is None else seconds_numbers(time.on_card),
        "time_evidence": answer.time_evidence,
        "result_bytes": None if expectation is None else expectation.result_bytes,
        "checkpoint_bytes": None if expectation is None else expectation.checkpoint_bytes,
    }


def rented_document(one: Rented | None) -> dict[str, Any] | None:
    """A run on an offer; the hours are those paid for, a download included."""
    if one is None:
        return None
    offer = one.offer
    return {
        "card": one.answer.card.id,
        "provider": offer.provider,
        "instance": offer.instance,
        "gpus": offer.gpus,
        "spot": one.spot,
        "usd_per_hour": offer.spot_usd_per_hour if one.spot else offer.on_demand_usd_per_hour,
        "paid_hours": seconds_numbers(one.hours),
        "cost_usd": seconds_numbers(one.cost),
        "expected_interruptions": round(one.interruptions, 3),
        "evidence": one.answer.time_evidence,
        "region": offer.region,
        "as_of": offer.as_of,
        "older_than_90_days": one.stale,
        "source": offer.source,
    }


def owned_document(one: Owned) -> dict[str, Any]:
    """A run on a card of one's own."""
    energy = one.energy
    return {
        "card": one.answer.card.id,
        "run_seconds": None
        if one.answer.time is None
        else seconds_numbers(one.answer.time.on_card),
        "energy_kwh": None
        if energy is None
        else {"expected": energy.expected_kwh, "low": energy.low_kwh, "high": energy.high_kwh},
        "energy_cost_usd": None if one.energy_cost is None else seconds_numbers(one.energy_cost),
        "purchase_usd": one.purchase,
        "purchase_kind": one.purchase_kind,
        "purchase_as_of": one.purchase_as_of,
        "purchase_older_than_90_days": is_old_date(one.purchase_as_of),
        "break_even_runs": one.runs_until_paid,
        "evidence": one.answer.time_evidence,
    }


def kwh_document(price: KwhPrice) -> dict[str, Any]:
    """The price of power, with its date and source."""
    return {**price._asdict(), "older_than_90_days": is_old_date(price.as_of)}


def picks_document(found: Picks) -> dict[str, Any]:
    """The three answers."""
    return {name: rented_document(one) for name, one in found._asdict().items()}
