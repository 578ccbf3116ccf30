"""The largest of a pass's moments is found among all of them at once."""

from __future__ import annotations

from planner.memory.moments import Moments
from planner.memory.size import Dimensions, Size

_WIDTHS = Dimensions(h=8, q=4, i=20)


def _largest(tokens: int, length: int, *texts: str) -> tuple[str, int]:
    moments = Moments([(text, Size.of(text).packed, 0, 0) for text in texts])
    batch = Dimensions(N=tokens, S=length, r=4)
    moment, most = moments.largest(moments.totals(_WIDTHS), batch)
    return moment.name, most


def test_the_batch_decides_which_moment_is_the_largest() -> None:
    """Weights are larger than a few tokens, scores than all else once rows are long."""
    moments = ("hi", "Nq", "NS")

    assert _largest(3, 3, *moments) == ("hi", 160)
    assert _largest(100, 2, *moments) == ("Nq", 400)
    assert _largest(100, 50, *moments) == ("NS", 5000)


def test_no_batch_is_too_large_to_be_looked_at() -> None:
    """The most rows and tokens a case may have stay apart from the moment beside them."""
    most = 2**40

    assert _largest(most * most, most, "h", "NS", "q") == ("NS", most**3)


def test_the_first_of_equal_moments_is_taken() -> None:
    """A pass says where its peak is, always the same."""
    assert _largest(1, 4, "Nh", "2Nq") == ("Nh", 8)


def test_moments_that_another_exceeds_with_every_batch_are_left_out() -> None:
    """Adapters of rank 40 make more than h a token; of equal moments the first stays."""
    texts = ("h", "Nh", "Nr", "hi", "4Nq+NS", "NS+16N", "r")
    moments = Moments([(text, Size.of(text).packed, 0, 0) for text in texts])

    few = moments.ever_largest(moments.totals(_WIDTHS), 40)

    assert [(moment.name, bytes_) for moment, bytes_ in few] == [
        ("Nr", (0, 0, 40, 0)),
        ("hi", (160, 0, 0, 0)),
        ("4Nq+NS", (0, 0, 16, 1)),
    ]


def test_a_width_that_is_no_whole_number_is_rounded_up_with_those_beside_it() -> None:
    """A quarter of the rows of 8 numbers are 2 a token; with adapters of rank 4, one."""
    widths = Dimensions(h=8, r=4)
    widths.a_token = 0.25
    batch = Dimensions(N=10, S=10, r=4)

    for text, most in (("NYh", 20), ("NYr", 10), ("NY", 10)):
        moments = Moments([("only", Size.of(text).packed, 0, 0)])
        assert moments.largest(moments.totals(widths), batch)[1] == most
