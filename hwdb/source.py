"""Where the numbers come from."""

from __future__ import annotations

from typing import NamedTuple


class Source(NamedTuple):
    """One place facts were taken from."""

    key: str
    """Citation key."""
    what: str
    """What it is."""
    licence: str | None
    """Terms of the source; None where no file was taken from it."""
    age: str | None
    """Date or version; None: unknown."""
    looked_up: bool
    """Whether it was opened. False: general knowledge of it, which counts as one source at
    most."""


def keys_of(cited: str) -> tuple[str, ...]:
    """Citation keys in "skypilot-catalog@2c3d7ea (gcp);aws-price-list-public"."""
    return tuple(part.split("@")[0].strip() for part in cited.split(";"))
