"""Time and price in the wizard: those of `tlplan plan` and `cost`, anew at each key."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.settling import ready_plan
from launcher.wizard.draft import final_plan, forecast, plan_of
from launcher.wizard.price import home_text, rented_text
from tests.launcher.cli.program import tlplan
from tests.launcher.wizard.driving import draft_of, run, wizard, write_chats


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file of chats."""
    monkeypatch.chdir(tmp_path)
    write_chats(tmp_path / "chats.jsonl", 300)
    return tmp_path


@pytest.mark.parametrize("batch", [None, 2])
def test_the_price_is_that_of_the_cost_command(here: Path, batch: int | None) -> None:
    """Energy at home always, the rent where the step is the one a rented card would take."""
    draft = draft_of(data="chats.jsonl", model="qwen2.5-7b")
    if batch is not None:
        asked = draft.asked
        draft = replace(draft, asked=replace(asked, micro_batch=batch, accumulation=8))
    ready = ready_plan(final_plan(draft), out="run")
    (here / "plan.yaml").write_text(ready.text)

    run_of = forecast(draft, ready.answer)
    told = json.loads(tlplan("cost", "plan.yaml", "--json", folder=here).out)

    energy = told["own"]["energy_cost_usd"]["expected"]
    assert run_of.price.home_usd == pytest.approx(energy, rel=1e-3)
    assert run_of.seconds == pytest.approx(ready.run_plan.expected.run_seconds, rel=1e-3)
    if batch is None:
        same_card = [one for one in told["rent"] if one["card"] == "rtx-4090"]
        rent = min(one["cost_usd"]["expected"] for one in same_card)
        assert run_of.price.rented_usd == pytest.approx(rent, rel=1e-3)


def test_unknown_stays_unknown(here: Path) -> None:
    """A bare size has no speed and no offers: neither a time nor a price is made up."""
    draft = draft_of(gpu="24GiB", data="chats.jsonl")
    plan = plan_of(draft)

    found = forecast(draft, plan.answers[1])

    assert (found.seconds, found.price.home_usd, found.price.rented_usd) == (None, None, None)
    assert "unknown" in home_text(found.price)
    assert "unknown" in rented_text(found.price)
    del here


def test_prices_of_the_users_own_are_taken_and_a_broken_file_is_told(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """prices.csv beside cards.json is read; what is wrong in it stands where the price would."""
    home = here / "config"
    (home / "tlplan").mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    prices = home / "tlplan" / "prices.csv"
    head = "provider,card_id,on_demand_usd_per_hour,as_of\n"
    draft = draft_of(data="chats.jsonl")
    answer = plan_of(draft).answers[1]

    prices.write_text(f"{head}mine,rtx-4090,0.01,2026-11-01\n")
    own = forecast(draft, answer).price
    prices.write_text(f"{head}mine,rtx-4090,cheap,2026-11-01\n")
    broken = forecast(draft, answer).price

    assert own.rented is not None
    assert own.rented.offer.provider == "mine"
    assert "prices.csv:2" in rented_text(broken)


def test_a_key_changes_memory_time_and_price(here: Path) -> None:
    """Twice the epochs: the table, the message and the Start step all say the new numbers."""
    write_chats(here / "many.jsonl", 3000)

    async def journey() -> None:
        async with wizard(draft=draft_of(data="many.jsonl")) as on:
            await on.go_to(3)
            before = on.text
            await on.press("tab", *["down"] * 7, "right")
            assert "changed: lora" in on.text
            assert "rented" in on.text.split("changed:")[1]
            assert _row(before) != _row(on.text)
            rented = _row(on.text).split()[-1]
            await on.go_to(4)
            assert f"{rented} rented at" in on.text

    run(journey())


def _row(text: str) -> str:
    return next(line for line in text.splitlines() if "▸ lora" in line)
