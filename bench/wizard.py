"""How fast the wizard is: first paint against the bare import of Textual, and a key's redraw.

    python -m bench.wizard [--keys-only]

Starts are interleaved and the best of several is taken, since other work on the machine only
makes them slower. Keys are typed into a terminal with every model listed: from the byte of the key
to the last frame that it changed, which is what a person waits for, beside the CPU time the
program took meanwhile, which other work on the machine leaves as it is.
"""

from __future__ import annotations

import os
import pty
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.fake_nvml import no_driver_environment
from tests.frames import Frames

STARTS = 9
QUIET_SECONDS = 0.12
"""A key's redraw is over when nothing came for so long."""
IDLE_SECONDS, IDLE_CPU_SECONDS = 0.4, 0.02
DOWN, UP, PAGE_DOWN, BACKSPACE = "\x1b[B", "\x1b[A", "\x1b[6~", "\x7f"
KEYS = {
    "a letter of 201": ["a"],  # models of every task, not of language alone
    "down": [DOWN] * 40,
    "up": [UP] * 40,
    "page down": [PAGE_DOWN] * 8,
    "no letter again": [BACKSPACE],
    "other letters": list("llama"),
    "backspace": [BACKSPACE] * 5,
}
BARE = "from textual.app import App; from textual.widgets import Input, Static; Input, Static"


def seconds_of_import() -> float:
    """A process that imports Textual and ends."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", BARE], check=True)
    return time.perf_counter() - began


def seconds_to_first_paint() -> float:
    """From the start of `tlplan` to the first words of its screen on the terminal."""
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="80", LINES="24")
        os.execv(sys.executable, [sys.executable, "-m", "launcher"])
    seen = b""
    try:
        while b"Method" not in seen:
            if select.select([terminal], [], [], 10)[0]:
                seen += os.read(terminal, 65536)
        return time.perf_counter() - began
    finally:
        os.write(terminal, b"\x11")  # Ctrl-Q
        try:
            while os.read(terminal, 65536):
                pass
        except OSError:
            pass
        os.waitpid(pid, 0)


def key_seconds(size: tuple[int, int]) -> Iterator[tuple[str, float, float]]:
    """Name of a key, seconds until its redraw was read, seconds of CPU meanwhile."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Frames(
            [sys.executable, "-m", "launcher"],
            folder=Path(folder),
            size=size,
            environment={
                "PYTHONPATH": str(Path(__file__).parents[1]),
                "XDG_DATA_HOME": folder,
                "LD_LIBRARY_PATH": no_driver_environment()["LD_LIBRARY_PATH"],
            },
        ) as terminal,
    ):
        terminal.wait_for("plan for this machine")
        terminal.press("\r", "Which model?")
        terminal.wait_for("models on", gone="…       ")
        _wait_until_idle(terminal)
        for _ in range(3):
            for name, keys in KEYS.items():
                for key in keys:
                    before = _cpu_seconds(terminal.pid)
                    seconds = terminal.seconds_of(key, quiet_seconds=QUIET_SECONDS)
                    yield name, seconds, _cpu_seconds(terminal.pid) - before


def _wait_until_idle(terminal: Frames) -> None:
    """Until the verdicts of the models out of sight are known too."""
    computed, before = _cpu_seconds(terminal.pid), -1.0
    while computed - before > IDLE_CPU_SECONDS:
        terminal.seconds_of("", quiet_seconds=IDLE_SECONDS)
        computed, before = _cpu_seconds(terminal.pid), computed


def _cpu_seconds(pid: int) -> float:
    """What all threads of a process computed so far; to the nanosecond, unlike stat."""
    times = (each.read_text().split()[0] for each in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(map(int, times)) / 1e9


def print_keys(size: tuple[int, int]) -> None:
    """One line for each kind of key."""
    found: dict[str, list[tuple[float, float]]] = {}
    for name, seconds, cpu_seconds in key_seconds(size):
        found.setdefault(name, []).append((1000 * seconds, 1000 * cpu_seconds))
    print(f"{size[0]}x{size[1]}, ms    median    95 %   worst   of CPU: median   worst")
    for name, all_times in found.items():
        # A key that changes nothing there has no redraw.
        times = [each for each in all_times if each[0]]
        if not times:
            continue
        walls, cpus = (sorted(each) for each in zip(*times, strict=True))
        most = walls[round(0.95 * (len(walls) - 1))]
        print(f"{name:17}{statistics.median(walls):9.1f}{most:8.1f}{walls[-1]:8.1f}"
              f"{statistics.median(cpus):17.1f}{cpus[-1]:8.1f}")  # fmt: skip


def main() -> None:
    """Print the figures."""
    for size in ((80, 24), (120, 40)):
        print_keys(size)
    if "--keys-only" in sys.argv:
        return
    seconds_of_import(), seconds_to_first_paint()
    pairs = [(seconds_of_import(), seconds_to_first_paint()) for _ in range(STARTS)]
    bare, paint = (min(times) for times in zip(*pairs, strict=True))
    print(f"import of Textual {1000 * bare:.0f} ms, first paint {1000 * paint:.0f} ms: "
          f"{paint / bare:.2f} times")  # fmt: skip


if __name__ == "__main__":
    main()
