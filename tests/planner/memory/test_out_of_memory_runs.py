"""Runs of other people that ran out of memory: none of them may be said to fit.

The rows are those of public benchmark tables, each with its id there and its source, stated as
cases of `tlplan estimate`: two libraries, one to eight cards.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import hwdb
from planner.case_answer import answer_case
from tests.planner.samples import shape_of_config

_ROWS = json.loads(Path(__file__).with_name("out_of_memory_runs.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("run", _ROWS["runs"], ids=lambda run: run["id"])
def test_a_run_that_ran_out_is_never_said_to_fit(run: dict[str, Any]) -> None:
    """The smallest budget is above the card's memory; of several cards at least its upper end."""
    shape = shape_of_config(_ROWS["configs"][run["model"]])
    answer = answer_case(run["case"], lambda _case: shape, hwdb.find_card)

    wrong = ("yes", "tight") if run["case"]["gpus"] == 1 else ("yes",)

    assert answer["verdict"]["fits"] not in wrong, answer["memory"]["needed_bytes"]


def test_every_row_names_where_it_was_published() -> None:
    """A row without a source is no evidence."""
    assert all(run["source"].startswith("github:") for run in _ROWS["runs"])
