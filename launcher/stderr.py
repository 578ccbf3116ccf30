"""Everything tlplan writes to stderr: note, warning, error and hint lines, one each."""

from __future__ import annotations

import sys

from launcher.errors import TlplanError


def note(text: str) -> None:
    """Say something that changes nothing."""
    _line("note", text)


def warning(text: str) -> None:
    """Say something that may surprise later."""
    _line("warning", text)


def error(failure: TlplanError) -> None:
    """Say what failed and what to do next."""
    _line("error", failure.message)
    for hint in failure.hints:
        _line("hint", hint)


def _line(kind: str, text: str) -> None:
    one_line = " ".join(text.split())
    print(f"{kind + ':':<6} {one_line}", file=sys.stderr)
