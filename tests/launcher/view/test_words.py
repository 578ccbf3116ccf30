"""launcher/view/words.py: numbers as people say them."""

from __future__ import annotations

import pytest

from launcher.view.words import duration, file_size, gib, percent, rough_duration

GIB = 1024**3


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0:00"), (59.6, "1:00"), (271, "4:31"), (3723, "1:02:03")]
)
def test_durations(seconds: float, expected: str) -> None:
    """Minutes and seconds, hours only when there are any."""
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(1, "5 s"), (42, "40 s"), (58, "1 min"), (1000, "17 min"), (9000, "2.5 h")],
)
def test_a_time_left_is_round(seconds: float, expected: str) -> None:
    """It claims no more than is known."""
    assert rough_duration(seconds) == expected


@pytest.mark.parametrize(
    ("count_bytes", "expected"),
    [(None, "-"), (int(0.05 * GIB), "0.05"), (int(19.44 * GIB), "19.4"), (141 * GIB, "141")],
)
def test_gib_have_three_digits(count_bytes: int | None, expected: str) -> None:
    """Small models need two decimals, big cards none; unknown is a dash."""
    assert gib(count_bytes) == expected


@pytest.mark.parametrize(
    ("count_bytes", "expected"),
    [(999, "999 B"), (4096, "4.0 KiB"), (168 * 1024**2, "168 MiB"), (1400 * 1024**2, "1.4 GiB")],
)
def test_file_sizes(count_bytes: int, expected: str) -> None:
    """The unit that needs the fewest digits."""
    assert file_size(count_bytes) == expected


@pytest.mark.parametrize(("share", "expected"), [(0.123, "+12 %"), (-0.03, "-3 %"), (0.001, "0 %")])
def test_differences_carry_their_sign(share: float, expected: str) -> None:
    """Above is +, below is -, nothing is plain."""
    assert percent(share) == expected
