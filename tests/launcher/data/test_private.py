"""Private data is told by its kind, and by check digits where it has them."""

from __future__ import annotations

import pytest

from launcher.data.private import personal_data_in


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Pay to DE89 3704 0044 0532 0130 00 today.", ["bank account"]),
        ("GB82WEST12345698765432", ["bank account"]),
        ("Part AB12 3456 7890 1234 5678 is out of stock.", []),
        ("My IBAN: DE00 3704 0044 0532 0130 00", ["bank account"]),
        ("Call +49 170 1234567 or write to ana@example.org.", ["e-mail address", "phone number"]),
    ],
)
def test_personal_data_is_told_by_its_kind(text: str, kinds: list[str]) -> None:
    """An account number needs no word beside it where its check digits are right."""
    assert personal_data_in(text) == kinds
