"""Rows that a user adds stand beside those of hwdb, or are refused with their line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_CARD = {
    "id": "my-card",
    "name": "My Own Card",
    "memory_marketing_gb": 32,
    "bandwidth_bytes_per_second": 900_000_000_000,
    "bf16_tflops": 120,
    "fp16_tflops": 120,
    "tdp_watts": 350,
    "compute_capability": [8, 9],
}


def _look_up(folder: Path, kind: str, text: str, statement: str) -> str:
    """What a fresh process with this file prints; its last line of stderr where it fails."""
    own = folder / "tlplan"
    own.mkdir()
    (own / f"{kind}.json").write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", f"import hwdb; {statement}"],
        env={**os.environ, "XDG_CONFIG_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    return done.stdout if done.returncode == 0 else done.stderr.splitlines()[-1]


def test_an_own_card_is_found_like_any_other(tmp_path: Path) -> None:
    """By its id and name; what it does not say is unknown."""
    text = json.dumps({"rows": [_CARD]})
    found = "c = hwdb.find_card('my own card'); print(c.id, c.memory_bytes, c.msrp_usd)"

    assert _look_up(tmp_path, "cards", text, found) == f"my-card {32 * 2**30} None\n"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bandwith": 1}, 'unknown field "bandwith"'),
        ({"bf16_tflops": 10**9}, "bf16_tflops 1000000000 is outside"),
        ({"id": "rtx-4090"}, "hwdb has a row with this id already"),
        ({"name": None}, "name is missing"),
        ({"tdp_watts": "350"}, "tdp_watts must be a number, not '350'"),
    ],
)
def test_a_row_that_breaks_a_rule_is_named_with_its_line(
    change: dict[str, object], says: str, tmp_path: Path
) -> None:
    """file:line, the row and the rule."""
    text = '{"rows": [\n' + json.dumps({**_CARD, **change}) + "\n]}"

    told = _look_up(tmp_path, "cards", text, "hwdb.find_card('no-such-card')")

    assert "cards.json:2: " in told
    assert says in told


def test_a_file_that_is_no_json_says_where(tmp_path: Path) -> None:
    """The line of the first mistake."""
    told = _look_up(tmp_path, "models", '{"rows": [\n{]}', "hwdb.all_models()")

    assert "models.json:2: not JSON" in told


def test_a_model_without_its_sizes_names_them(tmp_path: Path) -> None:
    """What every model of hwdb has and this one lacks."""
    row = {"id": "mine", "hub_id": "me/mine", "architecture": "LlamaForCausalLM", "layers": 4}

    told = _look_up(tmp_path, "models", json.dumps({"rows": [row]}), "hwdb.all_models()")

    assert "mine: hidden_size, parameters missing" in told


def test_parameters_of_a_model_are_counted_where_they_are_not_said(tmp_path: Path) -> None:
    """Its sizes determine them; an architecture that hwdb does not know has to say them."""
    sizes = {"hidden_size": 576, "layers": 30, "heads": 9, "kv_heads": 3, "intermediate_size": 1536}
    more = {"vocabulary_size": 49152, "tied_embeddings": True}
    row = {"id": "mine", "hub_id": "me/mine", **sizes, **more}
    known = json.dumps({"rows": [{**row, "architecture": "LlamaForCausalLM"}]})
    unknown = json.dumps({"rows": [{**row, "architecture": "LoremForCausalLM"}]})
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    told = _look_up(tmp_path / "a", "models", known, "print(hwdb.find_model('mine').parameters)")

    assert told == "134515008\n"
    assert "mine: parameters missing" in _look_up(
        tmp_path / "b", "models", unknown, "hwdb.all_models()"
    )


def test_an_id_that_stands_twice_is_named_where_it_stands_again(tmp_path: Path) -> None:
    """Neither row would be meant for sure."""
    text = '{"rows": [\n' + ",\n".join([json.dumps(_CARD)] * 2) + "\n]}"

    told = _look_up(tmp_path, "cards", text, "hwdb.find_card('no-such-card')")

    assert "cards.json:3: my-card: a row above has this id already" in told
