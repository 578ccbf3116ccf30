"""Asking a run to stop, from whatever shows it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from launcher.runs.folder import RunFolder
from launcher.runs.state import read_state


def send_stop(folder: RunFolder, *, at_once: bool = False) -> None:
    """Ask the supervisor of a run to stop; nothing happens when it is gone.

    It saves and ends after the step it is in. With `at_once`, when it was asked before, it ends
    without: by SIGINT, as a SIGTERM soon after the first is taken for the same request.
    """
    state = read_state(folder)
    if state is not None and state.supervisor().alive():
        with suppress(ProcessLookupError):
            os.kill(state.supervisor_pid, signal.SIGINT if at_once else signal.SIGTERM)
