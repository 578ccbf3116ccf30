"""Garbage is looked for between keys: a look through all there is takes longer than a redraw."""

from __future__ import annotations

import gc
import time

LOOK_SECONDS = 0.5
_ALLOCATIONS = 50_000
"""Objects made since the last look that are worth the next one."""
_PAUSE_SECONDS = 1.0
"""Without a key for so long, nobody is in the middle of a word."""


class Garbage:
    """The process's garbage, looked for when this is asked to."""

    def __init__(self) -> None:
        """From now on Python itself does not look, and what is there by now is no garbage."""
        gc.disable()
        gc.freeze()
        self._key_at = time.monotonic()

    def key_came(self) -> None:
        """Somebody types."""
        self._key_at = time.monotonic()

    def look(self) -> None:
        """Collect, unless somebody types or little was made."""
        paused = time.monotonic() - self._key_at > _PAUSE_SECONDS
        if paused and gc.get_count()[0] > _ALLOCATIONS:
            gc.collect()
