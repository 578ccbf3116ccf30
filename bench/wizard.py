"""How fast the wizard is: first paint against the bare import of Textual, and a key's redraw.

    python -m bench.wizard

Starts are interleaved and the best of several is taken, since other work on the machine only
makes them slower. A key is timed from its event to the repaint, with every model listed.
"""

from __future__ import annotations

import asyncio
import os
import pty
import select
import statistics
import subprocess
import sys
import time

from textual import events

from launcher.wizard.draft import Draft
from tests.launcher.wizard.driving import draft_of, wizard

STARTS = 9
KEYS = 40
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


async def key_seconds() -> list[float]:
    """Down through the list with all its verdicts, then a filter typed letter by letter."""
    found = []
    async with wizard(draft=Draft(budget=draft_of().budget), size=(120, 40)) as on:
        await on.go_to(1)
        await on.verdicts_known()
        for key in (*["down"] * KEYS, *"llama", *["backspace"] * 5):
            began = time.perf_counter()
            on.app.screen.post_message(events.Key(key, key if len(key) == 1 else None))
            await on.pilot.pause()
            found.append(time.perf_counter() - began)
    return found


def main() -> None:
    """Print the figures."""
    seconds_of_import(), seconds_to_first_paint()
    pairs = [(seconds_of_import(), seconds_to_first_paint()) for _ in range(STARTS)]
    bare, paint = (min(times) for times in zip(*pairs, strict=True))
    print(f"import of Textual {1000 * bare:.0f} ms, first paint {1000 * paint:.0f} ms: "
          f"{paint / bare:.2f} times")  # fmt: skip
    keys = asyncio.run(key_seconds())
    print(f"a key with every model listed: median {1000 * statistics.median(keys):.1f} ms, "
          f"worst {1000 * max(keys):.1f} ms")  # fmt: skip


if __name__ == "__main__":
    main()
