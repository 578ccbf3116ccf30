"""The worker's own last word about its memory."""

from __future__ import annotations

import os

from hwdb.detect import process_memory
from launcher.runs.events import EventLog


def tell_memory(events: EventLog) -> None:
    """Tell what this process holds and what was its peak; its supervisor looks but now and then.

    Raises OSError when the disk is full.
    """
    memory = process_memory(os.getpid())
    if memory is not None:
        events.append("memory", host_bytes=memory.resident_bytes, host_peak_bytes=memory.peak_bytes)
