"""No look for garbage holds up a key, and none is kept for good."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from launcher.wizard import garbage
from launcher.wizard.garbage import Garbage


class _Loop:
    """Something that only a look for garbage finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def looks() -> Iterator[Garbage]:
    """Python's own looks are on again afterwards."""
    gc.collect()
    yield Garbage()
    gc.unfreeze()
    gc.enable()


def _made_much() -> weakref.ref[_Loop]:
    gone = weakref.ref(_Loop())
    alive = [[] for _ in range(60_000)]  # type: ignore[var-annotated]
    assert gone() is not None, len(alive)
    return gone


def test_nothing_is_looked_for_while_somebody_types(looks: Garbage) -> None:
    """A key a moment ago puts it off."""
    gone = _made_much()
    looks.key_came()
    looks.look()

    assert gone() is not None


def test_it_is_looked_for_in_a_pause(looks: Garbage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then what loops back to itself is gone."""
    monkeypatch.setattr(garbage, "_PAUSE_SECONDS", -1.0)
    gone = _made_much()
    kept = [[] for _ in range(60_000)]  # type: ignore[var-annotated]
    looks.look()

    assert gone() is None, len(kept)
