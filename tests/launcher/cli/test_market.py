"""compare, choose, cost and prices as people call them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from launcher.errors import UsageError
from launcher.prices import prices_from
from tests.launcher.cli.program import tlplan

_MODEL = ("--model", "llama-3.1-8b")
_HEAD = "provider,card_id,gpus,on_demand_usd_per_hour,as_of\n"


def _json(*words: str) -> Any:
    answer = tlplan(*words, "--json")
    assert answer.code in (0, 3), answer.err
    return json.loads(answer.out)


def _prices(tmp_path: Path, rows: str, head: str = _HEAD) -> str:
    file = tmp_path / "prices.csv"
    file.write_text(head + rows)
    return str(file)


def _data(tmp_path: Path) -> str:
    file = tmp_path / "train.jsonl"
    row = json.dumps({"prompt": "Where is the router? " * 6, "completion": "There. " * 20})
    file.write_text(f"{row}\n" * 400)
    return str(file)


def test_compare_shows_cards_in_the_order_they_were_named() -> None:
    """Verdict, method, hours and rent of each; unknown is null."""
    cards = _json("compare", "rtx-4090", "rtx-3060-12gb", "rx-7900-xtx", *_MODEL)["cards"]

    assert [card["card"] for card in cards] == ["rtx-4090", "rtx-3060-12gb", "rx-7900-xtx"]
    assert [card["verdict"] for card in cards] == ["comfortable", "trade-offs", "comfortable"]
    assert cards[0]["run_seconds"]["expected"] > 60
    assert cards[2]["run_seconds"] is cards[2]["time_evidence"] is None


def test_compare_keeps_to_eighty_columns_and_says_when_nothing_runs() -> None:
    """A 70B model on small cards ends in 3."""
    answer = tlplan("compare", "rtx-3060-12gb", "rtx-2060", "--model", "llama-3.1-70b")

    assert answer.code == 3
    assert max(map(len, answer.out.splitlines())) <= 80


def test_choose_by_hand(tmp_path: Path) -> None:
    """Three offers: what is cheapest, fastest and best value follows from hours times price."""
    file = _prices(
        tmp_path,
        "a,l4,1,0.30,2026-11-01\nb,rtx-4090,1,1.50,2026-11-01\nc,h100-sxm5-80gb,1,20,2026-11-01\n",
    )
    answer = _json("choose", *_MODEL, "--prices", file, "--rent")

    picked = answer["picks"]
    assert picked["cheapest"]["card"] == "l4"
    assert picked["best_value"]["card"] == "rtx-4090"
    assert picked["fastest"]["card"] == "h100-sxm5-80gb"
    for one in answer["rent"]:
        hours, cost = one["paid_hours"]["expected"], one["cost_usd"]["expected"]
        assert cost == pytest.approx(hours * one["usd_per_hour"], rel=1e-3)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (("--rent", "--budget", "0.001"), "the cheapest is"),
        (("--hours", "0.0001"), "the fastest is"),
        (("--buy", "--budget", "5"), "Buy: nothing within the limits"),
    ],
)
def test_limits_that_nothing_keeps_end_in_3_with_the_nearest(
    limits: tuple[str, ...], says: str
) -> None:
    """A budget below everything, hours that are impossible."""
    answer = tlplan("choose", *_MODEL, *limits)

    assert answer.code == 3
    assert says in answer.out


@pytest.mark.parametrize("budget", ["5EUR", "€5", "5 GBP", "0", "-3", "much"])
def test_a_budget_is_an_amount_of_usd(budget: str) -> None:
    """Another currency is refused, not taken for dollars."""
    answer = tlplan("choose", *_MODEL, "--budget", budget)

    assert answer.code == 2
    assert answer.err.startswith("error: --budget")


@pytest.mark.parametrize(
    ("head", "rows", "says"),
    [
        (
            "provider,card,on_demand_usd_per_hour,as_of\n",
            "a,l4,1,2026\n",
            ':1: unknown column "card"',
        ),
        ("provider,card_id,as_of\n", "a,l4,2026\n", ":1: column on_demand_usd_per_hour is missing"),
        (_HEAD, "a,l4,1,cheap,2026-01-01\n", ":2: on_demand_usd_per_hour must be a number"),
        (_HEAD, "a,l4,1,0.3,2026-01-01\na,l44,1,1,2026-01-01\n", ":3: no card named"),
        (_HEAD, "a,l4,1,0.3,someday\n", ":2: someday is no date"),
        (_HEAD, "a,l4,1,9000,2026-01-01\n", ":2: on_demand_usd_per_hour 9000"),
        (_HEAD, "a,l4,1\n", ":2: 3 values for 5 columns"),
        (_HEAD, "", ":1: no price in it"),
        (
            _HEAD.replace("gpus", "currency"),
            "a,l4,EUR,0.3,2026-01-01\n",
            ':2: currency "EUR" cannot be reckoned with',
        ),
    ],
)
def test_a_price_file_is_refused_with_its_line(
    tmp_path: Path, head: str, rows: str, says: str
) -> None:
    """file:line, and nothing is computed with it."""
    answer = tlplan("prices", "--prices", _prices(tmp_path, rows, head))

    assert answer.code == 2
    assert f"prices.csv{says}" in answer.err


def test_prices_in_another_currency_come_with_their_rate(tmp_path: Path) -> None:
    """Two euros an hour at 1.10 are 2.20 dollars; a rate for dollars is a slip."""
    file = tmp_path / "prices.csv"
    head = "provider,card_id,currency,usd_per_unit,on_demand_usd_per_hour,as_of\n"
    file.write_text(head + "a,l4,EUR,1.10,2.00,2026-11-01\n")
    assert prices_from(str(file)).offers[0].on_demand_usd_per_hour == 2.2

    file.write_text(head + "a,l4,USD,1.10,2.00,2026-11-01\n")
    with pytest.raises(UsageError, match="usd_per_unit of USD is 1"):
        prices_from(str(file))


def test_prices_carry_date_and_source() -> None:
    """Old ones are marked, in words and in JSON."""
    answer = tlplan("prices", "rtx-4090")
    assert answer.code == 0
    assert "older than 90 days" in answer.err
    assert all(offer["source"] and offer["as_of"] for offer in _json("prices")["offers"])


def test_cost_sets_the_own_card_against_renting(tmp_path: Path) -> None:
    """Energy and purchase of the plan's card, and every offer."""
    plan = tmp_path / "plan.yaml"
    made = tlplan("plan", *_MODEL, "--gpu", "rtx-4090", "--data", _data(tmp_path), "-o", str(plan))
    assert made.code == 0, made.err
    assert "adapter 168 MB" in made.out

    answer = _json("cost", str(plan), "--purchase", "1000", "--kwh-price", "0.4")

    own = answer["own"]
    assert own["card"] == "rtx-4090"
    assert own["purchase_usd"] == 1000
    kwh, usd = own["energy_kwh"]["expected"], own["energy_cost_usd"]["expected"]
    assert usd == pytest.approx(0.4 * kwh, rel=1e-3)
    rent = answer["picks"]["cheapest"]["cost_usd"]["expected"]
    assert own["break_even_runs"] == pytest.approx(1000 / (rent - usd), rel=0.01)
    page = tmp_path / "cost.html"
    assert "Own card: rtx-4090" in tlplan("cost", str(plan), "--html", str(page)).out
    assert "Own card: rtx-4090; time " in page.read_text()


def test_plan_and_compare_name_the_same_rent(tmp_path: Path) -> None:
    """The cheapest offer of the card for a whole run, its download included, with its source."""
    job = (*_MODEL, "--data", _data(tmp_path), "--method", "lora")
    plan = _json("plan", *job, "--gpu", "rtx-4090")
    (card,) = _json("compare", "rtx-4090", *job)["cards"]

    (lora,) = (one for one in plan["advice"]["options"] if one["approach"] == "lora")
    assert lora["rent"] == card["cheapest_rent"]
    assert lora["usd"] == pytest.approx(card["cheapest_rent"]["cost_usd"]["expected"], rel=1e-3)
    assert card["cheapest_rent"]["source"]
    assert card["cheapest_rent"]["as_of"]


def test_an_old_price_is_marked_wherever_it_is_used(tmp_path: Path) -> None:
    """Rents of compare, choose and cost, what cards and power cost; a new one has no mark."""
    plan = str(tmp_path / "plan.yaml")
    data = ("--data", _data(tmp_path))
    made = tlplan("plan", *_MODEL, "--gpu", "rtx-4090", *data, "-o", plan)
    assert ", an old price); the download" in made.out
    old = _prices(tmp_path, "a,rtx-4090,1,0.30,2025-01-01\n")

    for words in (("compare", "rtx-4090", *_MODEL), ("choose", *_MODEL), ("cost", plan)):
        answer = tlplan(*words, "--prices", old)
        assert "1 of 1 prices are older than 90 days and marked with !" in answer.err
        assert re.search(r"\$0\.\d\d!", answer.out)
        assert "EIA" in answer.out
        assert max(map(len, answer.out.splitlines())) <= 80
    assert "launch price, 2022-10!" in tlplan("cost", plan).out

    today = f"{datetime.now(UTC).date()}"
    new = _prices(tmp_path, f"a,rtx-4090,1,0.30,{today}\n")
    assert "!" not in tlplan("choose", *_MODEL, "--rent", "--prices", new).out.partition("!:")[0]


def test_the_price_of_power_is_the_one_asked_for() -> None:
    """Compare and choose reckon and say so: twice the price, twice the cost."""
    for words in (("compare", "rtx-4090"), ("choose", "--buy")):
        usual = _json(*words, *_MODEL)
        mine = _json(*words, *_MODEL, "--kwh-price", "0.34")
        assert usual["kwh_price"]["older_than_90_days"] is True
        assert mine["kwh_price"]["usd"] == 0.34
        assert mine["kwh_price"]["source"] == "--kwh-price"
        costs = [_energy(document) for document in (usual, mine)]
        assert costs[1] == pytest.approx(2 * costs[0], rel=1e-3)


def _energy(document: Any) -> float:
    owned = document["cards"][0]["owned"] if "cards" in document else document["buy"][0]
    return float(owned["energy_cost_usd"]["expected"])


def test_a_long_name_leaves_every_column_in_eighty() -> None:
    """It stands on a line of its own; nothing is cut."""
    answer = tlplan("compare", "rtx-pro-6000-blackwell-server", "rtx-2060", *_MODEL)

    lines = answer.out.splitlines()
    assert "rtx-pro-6000-blackwell-server" in lines
    assert max(map(len, lines)) <= 80
    assert "..." not in answer.out


def test_cost_without_a_plan_says_so(tmp_path: Path) -> None:
    """The name of the file and how to get one."""
    answer = tlplan("cost", str(tmp_path / "none.yaml"))

    assert answer.code == 2
    assert "there is no such plan file\nhint:  tlplan plan --model" in answer.err


@pytest.mark.parametrize(
    "words", [("compare", "rtx-4090", "t4", "rtx-2060", "rx-7900-xtx"), ("choose", "--rent")]
)
def test_the_picture_is_one_file_that_loads_nothing(words: tuple[str, ...], tmp_path: Path) -> None:
    """Bars, points and the map of what fits, without script or address; never over a file."""
    file = tmp_path / "cards.html"
    made = tlplan(*words, *_MODEL, "--html", str(file))
    assert made.code == 0, made.err

    page = file.read_text()

    for mark in ("<script", "http:", "https:", "src=", "url(", "@import"):
        assert mark not in page
    assert page.count("<svg") >= 2
    assert "runs comfortably, lora" in page
    assert "What fits where on" in page
    assert re.search(r">\$\d+\.\d\d!?</td><td>\w+( spot)?, \d+\.\d\d USD/h \(20\d\d", page)
    again = tlplan(*words, *_MODEL, "--html", str(file))
    assert again.code == 2
    assert "exists already" in again.err


def test_own_prices_stand_beside_those_of_hwdb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """prices.csv in the config folder, refused with its line where it is wrong."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "tlplan").mkdir()
    _prices(tmp_path / "tlplan", "my-lab,l4,1,0.05,2026-11-01\n")

    providers = {offer["provider"] for offer in _json("prices", "l4")["offers"]}
    assert "my-lab" in providers
    assert len(providers) > 1

    _prices(tmp_path / "tlplan", "my-lab,l4,1,cheap,2026-11-01\n")
    assert "prices.csv:2: on_demand_usd_per_hour must be" in tlplan("prices").err
