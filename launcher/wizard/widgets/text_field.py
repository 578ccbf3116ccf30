"""A one-line text field that passes on the keys it has no use for."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class TextField(Input):
    """An Input without a frame. Left and right at its ends are passed on as `Beyond`."""

    # Not a binding of the screen with priority: it would overtake letters typed before it.
    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "tab", show=False)]

    class Beyond(Message):
        """Left before the first letter (-1), or right behind the last one (1)."""

        def __init__(self, direction: int) -> None:
            super().__init__()
            self.direction = direction

    async def on_key(self, event: events.Key) -> None:
        """Obey keys in the order they came: Textual lets letters overtake Enter and Backspace."""
        action = None if event.is_printable else _ACTIONS.get(event.key)
        if action is not None:
            event.stop()
            event.prevent_default()
            await self.run_action(action)

    def complete(self) -> bool:
        """Add what can be added to the text; whether anything was."""
        return False

    def action_tab(self) -> None:
        """Complete the text while there is something to complete, then go to the next field."""
        if not self.complete():
            self.app.action_focus_next()

    def action_cursor_left(self, select: bool = False) -> None:
        """Move the cursor, or say that there is nothing to the left."""
        if self.cursor_position == 0 and not select:
            self.post_message(self.Beyond(-1))
        else:
            super().action_cursor_left(select)

    def action_cursor_right(self, select: bool = False) -> None:
        """Move the cursor or accept a completion, or say that there is nothing to the right."""
        before = (self.cursor_position, self.value)
        super().action_cursor_right(select)
        if before == (self.cursor_position, self.value) and not select:
            self.post_message(self.Beyond(1))


_ACTIONS = {
    key: binding.action
    for binding in (*Input.BINDINGS, *TextField.BINDINGS)
    if isinstance(binding, Binding)
    for key in binding.key.split(",")
}
