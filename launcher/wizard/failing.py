"""What an app of Textual does when something in it fails: it ends, and the failure is told.

Textual itself would print a traceback with the values of every variable, tokens included.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from textual.app import App

Result = TypeVar("Result")


class TellingApp(App[Result], Generic[Result]):
    """Ends without a word; `run_and_tell` raises what went wrong."""

    def _fatal_error(self) -> None:
        """Instead of Textual's own, which prints."""
        self._close_messages_no_wait()

    def run_and_tell(self) -> Result | None:
        """Run until it is left; raises what made it fail, once the terminal is as before."""
        result = self.run()
        if self._exception is not None:
            raise self._exception
        return result
