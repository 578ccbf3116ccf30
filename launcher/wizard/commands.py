"""Textual's command palette, made to bear keys that are faster than it is."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from textual.command import CommandPalette

from launcher.wizard.closing import ClosingModal


class Commands(CommandPalette, ClosingModal[None]):
    """Without an id of its own: one may be opened while the one before is being taken away."""

    def _gather_commands(self, search_value: str) -> Any:
        # A letter may come behind the Enter that closed it; there is no list any more.
        return None if self.closed else super()._gather_commands(search_value)

    def _action_command_list(self, action: str) -> None:
        # The list may not have been laid out yet; then there is no page to move by.
        with suppress(LookupError):
            super()._action_command_list(action)
