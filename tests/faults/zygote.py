"""Forks supervisors that fork their workers, so that torch is imported once for many runs.

    python -m tests.faults.zygote

One JSON line on stdin starts one supervisor: {"run": FOLDER, "resume": false, "fault": {...},
"grace": 30, "patience": 600, "umask": 18, "environment": {...}}; one line on stdout answers with
its pid. Processes, signals, sessions, locks and files are those of a real run; only the ten seconds
of imports are left out. Some injections use the real commands instead.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import launcher.runs.attempt
from launcher.runs import worker_process
from tests.faults import hooks


class ForkedWorker(worker_process.WorkerProcess):
    """A worker that is forked from here instead of started from its command."""

    fault: hooks.Fault | None = None

    def __init__(
        self,
        command: Any,
        *,
        environment: dict[str, str],
        log_path: Path,
        lock_descriptor: int,
    ) -> None:
        del lock_descriptor  # inherited, as every descriptor is
        supervisor_pid = os.getpid()
        self._returncode: int | None = None
        self._pid = os.fork()
        if self._pid == 0:
            code = 1
            try:
                code = self._work(command, environment, log_path, supervisor_pid)
            except BaseException:  # noqa: BLE001  a fork must never go on as its parent
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)

    def _work(
        self, command: Any, environment: dict[str, str], log_path: Path, supervisor_pid: int
    ) -> int:
        os.setpgid(0, 0)
        assert worker_process._LIBC is not None
        worker_process._LIBC.prctl(1, signal.SIGTERM)
        if os.getppid() != supervisor_pid:
            return 1
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        with log_path.open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        os.environ.clear()
        os.environ.update(environment)
        import torch

        from launcher.training import worker

        # As every process of its own does; a fork would begin with the numbers of its parent.
        torch.seed()
        random.seed()
        arguments = list(command)[command.index("launcher.training.worker") + 1 :]
        hooks.install(self.fault, Path(arguments[0]))
        return int(worker.main(arguments))

    @property
    def pid(self) -> int:
        return self._pid

    def finish(self) -> int:
        if self._returncode is None:
            self.kill()
            _, status = os.waitpid(self._pid, 0)
            self._returncode = os.waitstatus_to_exitcode(status)
        return self._returncode


def _supervise(order: dict[str, Any]) -> None:
    """Be the supervisor of one run."""
    os.setsid()
    os.umask(order.get("umask", 0o022))
    run = Path(order["run"])
    with (run / "log.txt").open("ab") as log, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.environ.update(order.get("environment") or {})
    ForkedWorker.fault = order.get("fault")
    launcher.runs.attempt.WorkerProcess = ForkedWorker  # type: ignore[misc]
    if (order.get("fault") or {}).get("kind") == "clock":
        hooks.jump_clock(order["fault"], run)
    if (order.get("fault") or {}).get("kind") == "memory":
        hooks.use_up_memory(run)
    from launcher.runs import supervisor

    arguments = [str(run), "--grace", str(order.get("grace", 30.0))]
    arguments += ["--patience", str(order.get("patience", 600.0))]
    arguments += ["--rehearse", order.get("rehearse", "no")]
    if order.get("resume"):
        arguments.append("--resume")
    os._exit(supervisor.main(arguments))


def main() -> None:
    """Import what is slow, then serve."""
    import launcher.training.run  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                _supervise(json.loads(line))
            except BaseException:  # noqa: BLE001  a fork must never go on as its parent
                traceback.print_exc()
            os._exit(99)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
