"""Textual's own way to the terminal, made to bear a terminal that is taken away or stopped."""

from __future__ import annotations

from contextlib import suppress
from typing import IO, Any, cast

from textual.driver import Driver


def steady(base: type[Driver]) -> type[Driver]:
    """The driver for this machine, with the patience of `_Steady`."""
    return cast("type[Driver]", type(f"Steady{base.__name__}", (_Steady, base), {}))


class _Steady:
    """What is laid over a driver."""

    _suspended = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Textual's writer would end at the first failed write, and the app wait for it for ever.
        self._file: Any = _Forgiving(self._file)

    def suspend_application_mode(self) -> None:
        """Leave the terminal to others."""
        self._suspended = True
        super().suspend_application_mode()  # type: ignore[misc]

    def resume_application_mode(self) -> None:
        """Take it back; after `kill -STOP` it was never given away, and must not be taken twice."""
        if self._suspended:
            self._suspended = False
            super().resume_application_mode()  # type: ignore[misc]


class _Forgiving:
    """A file that may be gone."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> None:
        """Write what can be written."""
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        """The same."""
        with suppress(OSError):
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
