"""launcher/exploring.py: the smallest change with which a run fits, and what its steps cost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launcher.__main__ import main

_TIGHT = ("--model", "llama-3.1-8b", "--gpu", "rtx-3060-12gb")
_ROOMY = ("--model", "llama-3.1-8b", "--gpu", "rtx-4090")


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Twelve rows."""
    file = tmp_path / "train.jsonl"
    rows = [{"prompt": f"{n} + 1 =", "completion": f" {n + 1}"} for n in range(12)]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(file)


def _explained(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    main(["plan", *words, "--explain", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert isinstance(answer, dict)
    return answer


@pytest.mark.parametrize(
    ("words", "change"),
    [
        (("--method", "lora"), {"method": "qlora"}),
        (
            ("--method", "qlora", "--seq", "4096", "--checkpointing", "none"),
            {"checkpointing": "full"},
        ),
    ],
)
def test_the_smallest_change_is_shown_and_makes_it_fit(
    words: tuple[str, ...], change: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """In --explain's JSON and among the hints; with it, the plan is made."""
    assert _explained(capsys, *_TIGHT, *words)["smallest_change"] == change

    name, value = next(iter(change.items()))
    assert main([*_TIGHT, *words]) == 3
    assert f"--{name} {value}" in capsys.readouterr().out
    assert main([*_TIGHT, *words, f"--{name}", value]) == 0


@pytest.mark.parametrize("where", ["8GiB", "gtx-1080-ti"])
def test_a_change_that_fits_is_found_where_no_speed_is_known(
    where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A size, or a card nobody has timed; which of equal changes is fastest, another card says."""
    words = ["--model", "llama-3.1-8b", "--gpu", where, "--seq", "512"]
    assert main([*words, "--method", "lora"]) == 3
    assert "--method qlora" in capsys.readouterr().out

    assert main([*words, "--method", "qlora"]) == 0


def test_the_front_has_money_where_a_price_is_known(
    data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows of all steps, times seconds of a row, at the card's cheapest price."""
    answer = _explained(capsys, *_ROOMY, "--data", data)

    price, front = answer["price"], answer["front"]
    assert isinstance(price, dict)
    assert isinstance(front, list)
    for one in front:
        hours = price["rows"] * one["seconds_per_row"] / 3600
        assert one["cost_usd"] == pytest.approx(hours * price["usd_per_hour"], rel=2e-3)


def test_without_data_there_is_no_money(capsys: pytest.CaptureFixture[str]) -> None:
    """How long a run would be is unknown, which is not zero."""
    answer = _explained(capsys, *_ROOMY)

    assert answer["price"] is None
    assert answer["chosen"]["cost_usd"] is None  # type: ignore[index]


@pytest.mark.parametrize("batch", ["4", "16"])
def test_what_is_explained_is_the_step_of_the_plan(
    batch: str, data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same rows at once and a step, whatever was asked for."""
    words = (*_ROOMY, "--data", data, "--batch", batch)
    chosen = _explained(capsys, *words)["chosen"]
    main(["plan", *words, "--json"])
    training = json.loads(capsys.readouterr().out)["plan"]["training"]

    assert isinstance(chosen, dict)
    assert int(chosen["micro_batch"]) == training["micro_batch_rows"]
    assert chosen["accumulation"] == training["accumulation_steps"]
    assert chosen["checkpointing"] == training["checkpointing"]
