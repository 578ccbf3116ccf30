"""Asking a run to stop, from whatever shows it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from launcher.runs.folder import RunFolder
from launcher.runs.state import read_state


def send_stop(folder: RunFolder) -> None:
    """Ask the supervisor of a run to stop; nothing happens when it is gone.

    The first time it saves and ends after the step it is in, the second time it ends at once.
    """
    state = read_state(folder)
    if state is not None and state.supervisor().alive():
        with suppress(ProcessLookupError):
            os.kill(state.supervisor_pid, signal.SIGTERM)
