"""`tlplan cost PLAN`: what a planned run costs on the own card and on every offer."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import hwdb
from launcher import stderr
from launcher.cli.choose import market_of
from launcher.cli.command_line import Parser
from launcher.cli.market_options import add_picture_option, add_price_options, usd
from launcher.exit_codes import ExitCode
from launcher.html_file import write_page
from launcher.jobs import job_text
from launcher.models import resolve_model
from launcher.output.check_json import json_text
from launcher.output.lines import filled
from launcher.output.market_json import (
    kwh_document,
    owned_document,
    picks_document,
    rented_document,
)
from launcher.output.market_text import (
    KNOWN,
    kwh_text,
    money,
    pick_lines,
    purchase_text,
    rent_table,
    stale_note,
)
from launcher.planning import data_facts
from launcher.prices import KwhPrice, kwh_price, prices_from
from launcher.runs.stored_plan import read_plan
from planner.advice.settings import Asked
from planner.market.job import Job, job_on
from planner.market.pick import best_per_card, picks
from planner.market.rent import Owned, owned
from planner.run_plan import RunPlan
from planner.units import duration_text

HELP = "what a plan costs on your own card and on every cloud offer"

_ROWS = 8


def add_arguments(parser: Parser) -> None:
    """The plan, the own card and the prices."""
    parser.usage = "tlplan cost PLAN [--own CARD] [--purchase USD] [options]"
    parser.add_argument("plan", metavar="PLAN", help="a plan file")
    own = parser.add_argument_group("own card")
    own.add_argument("--own", metavar="CARD", help="a card of hwdb; the plan's without it")
    own.add_argument(
        "--purchase",
        metavar="USD",
        type=usd("--purchase"),
        help="what the card cost; its launch or street price without it",
    )
    add_price_options(parser)
    add_picture_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare owning with renting."""
    run_plan = read_plan(arguments.plan)[1]
    job = job_of(run_plan)
    prices = prices_from(arguments.prices)
    per_kwh = kwh_price(arguments.kwh_price)
    market = market_of(job, prices, per_kwh.usd)
    rent = best_per_card(market.rentable)
    cheapest = rent[0].cost.expected if rent else None
    card = _own_card(arguments.own, run_plan)
    mine = None
    if card is not None:
        here = job if arguments.own else _with_step_of(run_plan, job)
        mine = owned(job_on(here, card), per_kwh.usd, cheapest, arguments.purchase)
    found = picks(market.rentable)
    if arguments.html is not None:
        from launcher.output.market_html import market_page

        answers = [one.answer for one in rent]
        if mine is not None:
            answers = [mine.answer, *(a for a in answers if a.card.id != mine.answer.card.id)]
        note = f"Prices of {prices.origin}, each with its own date. {_own_note(mine, per_kwh)}"
        write_page(arguments.html, market_page(job_text(job), answers, rent, note))
    if arguments.json:
        document = {
            "schema_version": 1,
            "hwdb_version": hwdb.VERSION,
            "plan": arguments.plan,
            "prices_from": prices.origin,
            "usd_per_kwh": per_kwh.usd,
            "kwh_price": kwh_document(per_kwh),
            "own": None if mine is None else owned_document(mine),
            "picks": picks_document(found),
            "rent": [rented_document(one) for one in rent],
        }
        sys.stdout.write(json_text(document))
        return ExitCode.DONE
    lines = [job_text(job), "", *_own_lines(mine, per_kwh), ""]
    if rent:
        lines += filled(f"Rent (offers of {prices.origin}; hours include the download)", 80)
        lines += [f"  {line}" for line in pick_lines(found)]
        lines += ["", rent_table(rent[:_ROWS]), KNOWN]
        stale = stale_note(rent)
        if stale:
            stderr.note(stale)
    else:
        lines += ["Rent: no offer is for a card that this runs on and whose speed is known", ""]
    sys.stdout.write("\n".join(lines))
    return ExitCode.DONE


def job_of(run_plan: RunPlan) -> Job:
    """The job of a plan: its model and data, its method fixed, its step left to each card."""
    model = resolve_model(run_plan.model.folder or run_plan.model.hub_id or run_plan.model.name)
    method, training = run_plan.method, run_plan.training
    asked = Asked(
        method=method.name,
        rank=method.rank,
        targets=method.targets,
        weights=method.weights,
        sequence_tokens=training.sequence_tokens,
        optimizer=training.optimizer,
        epochs=training.epochs,
        max_steps=training.max_steps,
    )
    return Job(model, asked, data_facts(run_plan.data.train, model))


def _with_step_of(run_plan: RunPlan, job: Job) -> Job:
    """The job as the plan runs it on its own card: with the step that was chosen for it."""
    training = run_plan.training
    asked = replace(
        job.asked,
        micro_batch=training.micro_batch_rows,
        accumulation=training.accumulation_steps,
        checkpointing=training.checkpointing,
        attention=training.attention,
        loss=training.loss,
        packing=training.packing or None,
        group_by_length=training.group_by_length or None,
    )
    return job._replace(asked=asked)


def _own_card(name: str | None, run_plan: RunPlan) -> hwdb.Card | None:
    if name is not None:
        return hwdb.find_card(name)
    if run_plan.hardware.gpu is None:
        return None
    try:
        return hwdb.find_card(run_plan.hardware.gpu)
    except hwdb.NotFound:
        return None


def _own_note(mine: Owned | None, per_kwh: KwhPrice) -> str:
    """The own card in one paragraph."""
    return "; ".join(" ".join(line.split()) for line in _own_lines(mine, per_kwh)) + "."


def _own_lines(mine: Owned | None, per_kwh: KwhPrice) -> list[str]:
    if mine is None:
        return ["Own card: the plan is for none that hwdb knows; --own NAME says which"]
    answer, energy = mine.answer, mine.energy
    if answer.answer is None:
        return [f"Own card: {answer.card.id}: it does not run there"]
    if answer.time is None or energy is None or mine.energy_cost is None:
        return [f"Own card: {answer.card.id}: its speed or its power limit is unknown"]
    run = answer.time.on_card
    time = f"{duration_text(run.expected)} ({duration_text(run.low)} to {duration_text(run.high)})"
    digits = 2 if energy.low_kwh >= 0.1 else 3
    low, high = f"{energy.low_kwh:.{digits}f}", f"{energy.high_kwh:.{digits}f}"
    kwh = f"{energy.expected_kwh:.{digits}f} kWh ({low} to {high})"
    lines = [
        f"Own card: {answer.card.id}",
        f"  time      {time}, {answer.time_evidence}",
        f"  energy    {kwh}, {money(mine.energy_cost.expected)}",
        "            the card alone; what share of its limit it draws is assumed",
        *(f"            {line}" for line in filled(kwh_text(per_kwh), 68)),
    ]
    if mine.purchase is None:
        return [*lines, "  purchase  unknown; --purchase USD says it"]
    if mine.runs_until_paid is None:
        return [*lines, f"  purchase  {_price(mine)}: renting stays cheaper"]
    runs = f"{mine.runs_until_paid:,.0f}".replace(",", " ")
    return [*lines, f"  purchase  {_price(mine)}: paid after {runs} such runs"]


def _price(mine: Owned) -> str:
    """Such as: $1 599 (launch price, 2022-10!)."""
    if mine.purchase_kind == "yours":
        return money(mine.purchase)
    return f"{money(mine.purchase)} ({mine.purchase_kind} price, {purchase_text(mine)})"
