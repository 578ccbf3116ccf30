"""A few monkeys of the many of `python -m tests.monkey.campaign`, the same ones each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.monkey.loose import let_loose


@pytest.mark.parametrize(
    ("scene", "seed"),
    [
        ("wizard", 127),
        ("watch an end", 118),
        ("watch a run", 7),
        ("launch", 112),
    ],
)
def test_a_monkey_breaks_nothing(scene: str, seed: int, tmp_path: Path) -> None:
    """It ends, with a code of its own and no report, and leaves the terminal as it was."""
    story = let_loose(scene, seed, tmp_path)

    assert not story.wrong, story.told()
