"""How answers stand side by side."""

from __future__ import annotations

from launcher.cli.chat import side_by_side


def test_two_columns_fit_the_width() -> None:
    """Long answers wrap in their column."""
    text = side_by_side("one two three " * 20, "four\nfive", 80)

    lines = text.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].split("|")[0].strip() == "base"
    assert [line.split("|")[1].strip() for line in lines[1:3]] == ["four", "five"]


def test_a_narrow_terminal_has_one_below_the_other() -> None:
    """Nothing is squeezed into columns of twenty letters."""
    assert side_by_side("a\nb", "c", 40) == "base   a b\ntuned  c\n\n"


def test_what_a_terminal_would_obey_is_not_printed() -> None:
    """An answer cannot move the cursor or change colours."""
    assert "\x1b" not in side_by_side("a\x1b[31mb", "c", 80)
