"""Every kind of injection by its name, and how one of them is carried out."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.laboratory import Laboratory

Injection = Callable[[Laboratory, random.Random], None]


class NotHere(Exception):
    """Something an injection needs is missing on this machine; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of injection."""

    name: str
    wanted: str
    """What has to come of it."""
    inject: Injection
    """Raises AssertionError when it does not."""


KINDS: dict[str, Kind] = {}


def kind(name: str, wanted: str) -> Callable[[Injection], Injection]:
    """Register a function as a kind of injection."""

    def register(inject: Injection) -> Injection:
        KINDS[name] = Kind(name=name, wanted=wanted, inject=inject)
        return inject

    return register


def all_kinds() -> dict[str, Kind]:
    """Every kind there is."""
    from tests.faults import (
        commands,
        damage,
        disks,
        downloads,
        driver,
        kills,
        memory,
        stops,
        surroundings,
    )

    assert all((commands, damage, disks, downloads, driver))
    assert all((kills, memory, stops, surroundings))
    return KINDS
