"""Secrets and personal data in a text, counted by kind and never shown."""

from __future__ import annotations

import re

_SECRETS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("AWS access key", "AKIA", re.compile(r"\bAKIA[0-9A-Z]{16}\b")),
    ("GitHub token", "gh", re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}")),
    ("Hugging Face token", "hf_", re.compile(r"\bhf_[A-Za-z0-9]{30,}")),
    ("API key", "sk-", re.compile(r"\bsk-[A-Za-z0-9_-]{20,}")),
    ("Slack token", "xox", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    ("Google key", "AIza", re.compile(r"\bAIza[0-9A-Za-z_-]{35}")),
    ("private key", "-----BEGIN", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("JSON web token", "eyJ", re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")),
    ("password", "assw", re.compile(r"assw(?:or)?d[\"']?\s*[:=]\s*[\"']?[^\s\"']{6,}")),
    ("password in an address", "://", re.compile(r"://[^\s/:@\"]+:[^\s/:@\"]{4,}@[\w.-]")),
    ("bearer token", "earer ", re.compile(r"[Bb]earer (?=\S*\d)[A-Za-z0-9._~+/-]{20,}")),
    ("API key", "_KEY", re.compile(r"[A-Z]_KEY[\"']?\s*[:=]\s*[\"']?(?=\S*\d)[\w+/-]{16,}")),
    ("API key", "_key", re.compile(r"[a-z]_key[\"']?\s*[:=]\s*[\"']?(?=\S*\d)[\w+/-]{16,}")),
    ("token", "_TOKEN", re.compile(r"[A-Z]_TOKEN[\"']?\s*[:=]\s*[\"']?(?=\S*\d)[\w+/-]{16,}")),
)
"""Kind, a part that must be there (which is far faster to look for), the whole pattern."""

_EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.-]*[a-zA-Z]\b")
_LONG_NUMBER = re.compile(r"\d[\d ()/.-]{7,20}\d")
_FEWEST_DIGITS = 9
"""Of a social security number or a phone number; card numbers have more."""
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")
_US_NUMBER = re.compile(r"\d{3}-\d{2}-\d{4}")


def secrets_in(text: str) -> list[str]:
    """The kinds of secrets that a text seems to hold."""
    found = []
    for kind, part, pattern in _SECRETS:
        if part in text and kind not in found and pattern.search(text):
            found.append(kind)
    return found


def personal_data_in(text: str) -> list[str]:
    """The kinds of personal data that a text seems to hold."""
    found = []
    if "@" in text and _EMAIL.search(text):
        found.append("e-mail address")
    if not _may_hold_number(text):
        return found
    number = _LONG_NUMBER.search(text)
    while number is not None:
        before = text[number.start() - 1 : number.start()]
        kind = _kind_of_number(number.group(), before)
        if kind is not None and kind not in found:
            found.append(kind)
        number = _LONG_NUMBER.search(text, number.end())
    account = _IBAN.search(text)
    if account is not None and ("IBAN" in text.upper() or _is_account(account.group())):
        found.append("bank account")
    return found


def is_private(text: str) -> bool:
    """Whether a text seems to hold a secret or personal data, and so must not be shown."""
    return bool(secrets_in(text) or personal_data_in(text))


def _may_hold_number(text: str) -> bool:
    """Whether there are digits enough for any kind; a fifth of the time that looking takes."""
    if not text.isascii():
        return True
    data = text.encode("ascii")
    return len(data) - len(data.translate(None, b"0123456789")) >= _FEWEST_DIGITS


def _kind_of_number(text: str, before: str) -> str | None:
    digits = re.sub(r"\D", "", text)
    if 13 <= len(digits) <= 19 and digits[0] in "3456" and _luhn(digits):
        return "card number"
    if _US_NUMBER.fullmatch(text):
        return "social security number"
    separated = len(re.findall(r"\d+", text)) >= 3
    if before == "+" and 9 <= len(digits) <= 15:
        return "phone number"
    if separated and (text.startswith("0") or before == "(") and 9 <= len(digits) <= 13:
        return "phone number"
    return None


def _is_account(text: str) -> bool:
    """Whether the check digits of an international account number are right (ISO 13616)."""
    signs = text.replace(" ", "")
    return int("".join(str(int(sign, 36)) for sign in signs[4:] + signs[:4])) % 97 == 1


def _luhn(digits: str) -> bool:
    """The check sum that card numbers carry (ISO/IEC 7812)."""
    doubled = [int(digit) * (2 - (index + len(digits)) % 2) for index, digit in enumerate(digits)]
    total = sum(value if value < 10 else value - 9 for value in doubled)
    return total % 10 == 0
