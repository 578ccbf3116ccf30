"""How much the run screen costs: opening a day of events, and a second of looking at a run.

    python bench/run_screen.py [--lines 200000] [--seconds 20]

Prints four figures: seconds to open the log, resident memory after a tenth of it and after all
of it, and the share of a core that the screen takes at two refreshes a second, in a terminal of
120 by 40 that is drawn to for real.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import struct
import sys
import tempfile
import termios
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))

from launcher.runs.folder import RunFolder  # noqa: E402
from launcher.runs.process_identity import this_process  # noqa: E402
from launcher.runs.state import write_state  # noqa: E402
from launcher.view.reader import RunReader  # noqa: E402
from tests.launcher.run_samples import sample_run, sample_state  # noqa: E402
from tests.launcher.view.recordings import day_of_events  # noqa: E402

_MIB = 2**20
COLUMNS, ROWS = 120, 40
_SCREEN = """
import sys
from pathlib import Path
from launcher.wizard.run.app import RunApp
RunApp(Path(sys.argv[1])).run()
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        folder = sample_run(Path(root) / "runs" / "day-01")
        me = this_process()
        state = replace(sample_state(), supervisor_pid=me.pid, supervisor_started=me.started)
        write_state(folder, state)
        lines = list(day_of_events(options.lines))
        reading(folder, lines)
        drawing(folder, lines[-1], options.seconds)


def reading(folder: RunFolder, lines: list[str]) -> None:
    """Open a tenth of the log and all of it."""
    process = psutil.Process()
    for part in (len(lines) // 10, len(lines)):
        folder.events.write_text("".join(f"{line}\n" for line in lines[:part]))
        before = process.memory_info().rss
        reader, started, computed = RunReader(folder), time.perf_counter(), time.process_time()
        while not reader.caught_up:
            reader.read()
        seconds, computed = time.perf_counter() - started, time.process_time() - computed
        grown = (process.memory_info().rss - before) / _MIB
        size = folder.events.stat().st_size / _MIB
        print(
            f"open {part:>7} lines ({size:5.1f} MiB): {seconds:5.2f} s, of which computing "
            f"{computed:.2f} s, {grown:+.1f} MiB resident"
        )
        del reader


def drawing(folder: RunFolder, line: str, seconds: float) -> None:
    """Show the run in a terminal while two events a second come in."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update({"PYTHONPATH": str(REPOSITORY), "TERM": "xterm-256color"})
        os.execv(sys.executable, [sys.executable, "-c", _SCREEN, str(folder.path)])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    written = [0]

    def drain() -> None:
        while True:
            try:
                written[0] += len(os.read(terminal, 65536))
            except OSError:
                return

    threading.Thread(target=drain, daemon=True).start()
    process = psutil.Process(child)
    _wait_until_idle(process)
    event = json.loads(line)
    times, bytes_before, started = process.cpu_times(), written[0], time.monotonic()
    tick = 0
    with folder.events.open("a") as log:
        while time.monotonic() - started < seconds:
            tick += 1
            event["seconds"] += 0.5
            event["device_bytes"] = int(event.get("device_bytes") or 19e9) + tick % 5 * 10**8
            log.write(json.dumps(event) + "\n")
            log.flush()
            time.sleep(max(0.0, started + tick * 0.5 - time.monotonic()))
    used = process.cpu_times()
    spent = used.user + used.system - times.user - times.system
    elapsed = time.monotonic() - started
    resident = process.memory_info().rss / _MIB
    print(
        f"look {elapsed:.0f} s, {tick} refreshes: {100 * spent / elapsed:.2f} % of a core, "
        f"{1000 * spent / tick:.1f} ms each, {(written[0] - bytes_before) / tick:.0f} bytes each, "
        f"{resident:.0f} MiB resident"
    )
    process.terminate()
    os.waitpid(child, 0)


def _wait_until_idle(process: psutil.Process) -> None:
    """Until a second went by in which nearly nothing was computed: the log is read, all drawn."""
    before = None
    while True:
        time.sleep(1.0)
        times = process.cpu_times()
        now = times.user + times.system
        if before is not None and now - before < 0.1:
            return
        before = now


if __name__ == "__main__":
    main()
