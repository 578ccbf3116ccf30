"""Private data is told by its kind, and by check digits where it has them."""

from __future__ import annotations

import pytest

from launcher.data.json_line import excerpt
from launcher.data.private import personal_data_in, secrets_in


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


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ('{"password": "S3cretPass!"}', ["password"]),
        ("postgres://user:topsecret@db.example.org", ["password in an address"]),
        ("Authorization: Bearer abcdef0123456789abcdef", ["bearer token"]),
        ("export API_KEY=9f8a7b6c5d4e3f2a1b0c", ["API key"]),
        ("http://example.org:8080/a@b, forgot password? primary_key = user_id_of_the_table", []),
    ],
)
def test_secrets_are_told_by_their_kind(text: str, kinds: list[str]) -> None:
    """As they stand in settings and commands; a plain address or name is none."""
    assert secrets_in(text) == kinds


def test_what_shows_a_mistake_hides_a_secret_beside_it() -> None:
    """A broken line is named with the text around the break, unless that is private."""
    line = '{"prompt": "a" "sk-abcdefghijklmnopqrstuvwx"}'

    assert excerpt(line, 15) == "text that seems private and is not shown"
    assert excerpt('{"prompt": "a" "b"}', 15) == '\'{"prompt": "a" "b"}\''
