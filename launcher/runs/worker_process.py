"""The worker as a process: started in a group of its own, stopped, and never left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

WORKER_COMMAND = (sys.executable, "-P", "-m", "launcher.training.worker")

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class WorkerProcess:
    """One attempt at training. Its streams go to the log, its children into its group."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: dict[str, str],
        log_path: Path,
        lock_descriptor: int,
    ) -> None:
        supervisor_pid = os.getpid()

        def end_with_supervisor() -> None:
            # Without its supervisor nobody watches the run: save and go.
            if _LIBC is not None:
                # The supervisor's own handler would swallow what comes before the exec.
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
                if os.getppid() != supervisor_pid:
                    os._exit(1)

        with log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock_descriptor,),
                process_group=0,
                preexec_fn=end_with_supervisor,  # noqa: PLW1509 - the supervisor has one thread
            )

    @property
    def pid(self) -> int:
        """Process id, which is also its group's."""
        return self._process.pid

    def ended(self) -> bool:
        """Whether it is over; its exit status is then waiting in `finish`."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, options) is not None

    def ask_to_stop(self) -> None:
        """Save and exit 75, please."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def ask_to_save(self) -> None:
        """Save a checkpoint after this step, and go on."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGUSR1)

    def kill(self) -> None:
        """End it and all its children at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def finish(self) -> int:
        """End what is left of its group and return its exit status, -N for signal N."""
        if self._process.returncode is None:
            # Before the status is collected, so that the group's number is still ours.
            self.kill()
        return self._process.wait()
