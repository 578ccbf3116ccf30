"""launcher/view/screen/layout.py: the run screen as lines, at the sizes people have."""

from __future__ import annotations

import pytest

from launcher.view.looking import Looking, Size
from launcher.view.screen.layout import run_lines
from launcher.view.spans import plain_text, width_of
from tests.launcher.view.replay import progress_of, whole_run


@pytest.mark.parametrize(("columns", "rows"), [(80, 23), (120, 39), (79, 22), (60, 15), (200, 60)])
@pytest.mark.parametrize("count", [0, 1, 6, 30, 80])
def test_the_screen_fills_its_terminal(columns: int, rows: int, count: int) -> None:
    """At every moment of a run it has exactly the rows and exactly the columns."""
    progress = progress_of(*whole_run()[:count])

    lines = run_lines(progress, Size(columns=columns, rows=rows), Looking(), folder="runs/a")

    assert len(lines) == rows
    assert {width_of(line) for line in lines} == {columns}


@pytest.mark.parametrize(("columns", "rows"), [(59, 23), (80, 14), (20, 5), (1, 1), (0, 0)])
def test_a_terminal_too_small_is_told_the_size_it_needs(columns: int, rows: int) -> None:
    """Below 60 by 16, keys included, one sentence stands there instead; nothing breaks at 0."""
    lines = run_lines(
        progress_of(*whole_run()), Size(columns=columns, rows=rows), Looking(), folder="runs/a"
    )

    assert len(lines) == rows
    if columns >= 20:
        assert "The screen needs" in plain_text(lines)
