"""A real terminal: programs in tmux, looked at as a person would."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

PATIENCE_SECONDS = 90.0
_EXITED = "exited with"

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Terminal:
    """One program in a terminal of its own, with a server of its own."""

    def __init__(
        self,
        words: Sequence[str],
        *,
        folder: Path,
        size: tuple[int, int] = (80, 24),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._socket = f"tlplan-{uuid.uuid4().hex[:12]}"
        columns, rows = size
        told = " ".join(f"{name}={shlex.quote(text)}" for name, text in (environment or {}).items())
        command = f"{told} {shlex.join(words)}; echo {_EXITED} $?; exec sleep 1000"
        plain = {
            key: value
            for key, value in os.environ.items()
            if key not in ("TMUX", "NO_COLOR", "COLORTERM", "COLUMNS", "LINES")
        }
        subprocess.run(
            [*self._tmux, "-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y",
             str(rows), "-c", str(folder), "sh", "-c", command],
            env=plain | {"LC_ALL": "C.UTF-8"},
            check=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)

    @property
    def _tmux(self) -> list[str]:
        return ["tmux", "-L", self._socket]

    def text(self, *, colours: bool = False) -> str:
        """What is on the screen; with `colours` the escape sequences too."""
        words = ["capture-pane", "-p", *(["-e"] if colours else [])]
        return subprocess.run(
            [*self._tmux, *words], capture_output=True, encoding="utf-8", check=True
        ).stdout

    def history(self) -> str:
        """Everything on the terminal, with what scrolled out of sight."""
        return subprocess.run(
            [*self._tmux, "capture-pane", "-p", "-S", "-"],
            capture_output=True, encoding="utf-8", check=True,
        ).stdout  # fmt: skip

    def press(self, *keys: str) -> None:
        """Keys as tmux names them."""
        subprocess.run([*self._tmux, "send-keys", *keys], check=True)

    def resize(self, columns: int, rows: int) -> None:
        """Another size."""
        subprocess.run(
            [*self._tmux, "resize-window", "-x", str(columns), "-y", str(rows)], check=True
        )

    def wait_for(self, *texts: str) -> str:
        """Look until all of them are there, and return the screen; fails when they never are."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            seen = self.text()
            if all(text in seen for text in texts):
                return seen
            assert time.monotonic() < deadline, f"{texts} never came; the screen is\n{seen}"
            time.sleep(0.05)

    def wait_for_exit(self) -> int:
        """Exit code of the program."""
        text = self.wait_for(_EXITED)
        return int(text.rpartition(_EXITED)[2].split()[0])
