"""One monkey of the many of `python -m tests.monkey.campaign`, which no timing surprises."""

from __future__ import annotations

from pathlib import Path

from tests.monkey.loose import let_loose


def test_a_monkey_breaks_nothing(tmp_path: Path) -> None:
    """It ends, with a code of its own and no report, and leaves the terminal as it was."""
    story = let_loose("watch an end", 118, tmp_path)

    assert not story.wrong, story.told()
