"""What a rehearsal takes the whole run to be."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from launcher.training.rehearsal import _steps_of, _units
from tests.launcher.training.plans import make_plan


class _Row(NamedTuple):
    tokens: int


def test_packed_rows_are_counted_as_they_are_packed(tmp_path: Path) -> None:
    """Five rows of 23 tokens fill 115 of 128: a sixth has no room, so twenty make four."""
    plan = make_plan(
        model=tmp_path, data=tmp_path, run=tmp_path, packing=True, max_steps=None,
        epochs=1.0, micro_batch_rows=2,
    )  # fmt: skip
    rows = [_Row(23)] * 20

    assert _units(plan, rows) == 4
    assert _steps_of(plan, rows) == 2
