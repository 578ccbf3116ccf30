"""launcher/view/spans.py: lines keep their columns, whatever is written in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.view.spans import (
    Span,
    as_ascii,
    between,
    cells,
    cut,
    cut_text,
    fitted,
    line,
    text_of,
    width_of,
)

_SIGNS = st.text(alphabet=st.characters(categories=["L", "M", "N", "P", "S", "Zs"]), max_size=30)


@given(texts=st.lists(_SIGNS, max_size=4), columns=st.integers(0, 40))
def test_a_fitted_line_has_exactly_its_columns(texts: list[str], columns: int) -> None:
    """Wide, combining and plain signs alike."""
    assert width_of(fitted(line(*texts), columns)) == columns


def test_wide_signs_take_two_columns_and_combining_ones_none() -> None:
    """As terminals draw them."""
    assert (cells("票据"), cells("e\u0301"), cells("abc"), cells("█┄")) == (4, 1, 3, 2)
    assert text_of(cut(line("票据票据"), 6)) == "票据…"
    assert cut_text("票据票据", 4) == "票…"


def test_the_right_edge_wins() -> None:
    """The left part gives way; the roles stay."""
    both = between(line("a long title"), line(Span("end", "strong")), 10)

    assert text_of(both) == "a lo…  end"
    assert both[-1].role == "strong"


@pytest.mark.parametrize("text", ["█▄▁┄·▓ ≈ 10 °C ▸ ━━╸──", "äß票"])
def test_ascii_is_as_wide_as_before(text: str) -> None:
    """One sign for one sign."""
    assert as_ascii(text).isascii()
    assert len(as_ascii(text)) == len(text)
