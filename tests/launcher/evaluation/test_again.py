"""Which rows of another file a finished run is measured on."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.errors import DataError
from launcher.evaluation.again import rows_to_measure
from tests.launcher.training.plans import ROWS, completion_row, make_plan, write_rows


def test_rows_that_were_learned_from_are_left_out(tmp_path: Path) -> None:
    """Right answers there prove nothing; rows that were held out of training may be asked."""
    rows = [completion_row(row) for row in ROWS]
    data = write_rows(tmp_path / "train.jsonl", rows)
    plan = make_plan(model=tmp_path, data=data, run=tmp_path / "run")
    train, held_out, _, _ = rows_to_measure(plan, None)
    kept_back = [rows[index] for index in held_out]
    learned = [row for index, row in enumerate(rows) if index not in held_out]
    new = {"prompt": "Ticket 99: the chair is broken.\n", "completion": "QUEUE=other | chair"}

    other = write_rows(tmp_path / "other.jsonl", [*learned[:3], *kept_back[:1], new])
    measured, indices, _, left_out = rows_to_measure(plan, other)

    assert ([measured.rows[index] for index in indices], left_out) == ([kept_back[0], new], 3)
    assert len(train.rows) == len(rows)
    with pytest.raises(DataError, match="learned from every row"):
        rows_to_measure(plan, write_rows(tmp_path / "same.jsonl", learned))
