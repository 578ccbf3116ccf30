"""Lines of spans on the screen: the one widget behind every text of the wizard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from launcher.view.spans import EMPTY, Line, as_ascii, fitted, wrapped
from launcher.wizard.look import ROLE_CLASSES, role_css

Lines = Sequence[Line]


class LinesView(Widget):
    """Shows lines that keep to the width; as high as it has lines unless CSS says otherwise."""

    COMPONENT_CLASSES = ROLE_CLASSES
    DEFAULT_CSS = "LinesView { height: auto; width: 100%; }" + role_css("LinesView")

    def __init__(
        self,
        lines: Lines | Callable[[int], Lines] = (),
        *,
        id: str | None = None,  # noqa: A002 - the name textual gives it
        classes: str | None = None,
        wraps: bool = False,
    ) -> None:
        """`wraps` breaks lines that are too long; tables and pictures are cut instead."""
        super().__init__(id=id, classes=classes)
        self._wraps = wraps
        self._source: Lines | Callable[[int], Lines] = lines
        self._made: dict[int, Lines] = {}

    def show(self, lines: Lines | Callable[[int], Lines]) -> None:
        """Show other lines; a function is asked for those of a width.

        Lines that are as before are not painted again.
        """
        width = self.size.width
        before = self._made.get(width, ())
        self._source, self._made = lines, {}
        # What is not in sight is not worked out.
        if not self.is_attached:
            return
        now = self.lines(width) if width else ()
        if not width or len(now) != len(before):
            self.refresh(layout=True)
        elif changed := changed_rows(before, now, width):
            self.refresh(*changed)

    def lines(self, width: int) -> Lines:
        """The lines at a width."""
        if width not in self._made:
            made = self._source(width) if callable(self._source) else self._source
            if self._wraps:
                made = [part for each in made for part in wrapped(each, max(1, width))]
            self._made = {width: made}
        return self._made[width]

    def get_content_width(self, container: Size, _viewport: Size) -> int:
        """All there is."""
        return container.width

    def get_content_height(self, _container: Size, _viewport: Size, width: int) -> int:
        """One row a line."""
        return len(self.lines(width))

    def render_line(self, y: int) -> Strip:
        """One row."""
        width = self.size.width
        lines = self.lines(width)
        return strip_of(self, lines[y] if y < len(lines) else EMPTY, width)


def changed_rows(before: Lines, now: Lines, width: int) -> list[Region]:
    """Where two pictures of that width differ, row by row."""
    rows = zip_longest(before, now, fillvalue=EMPTY)
    return [Region(0, row, width, 1) for row, (old, new) in enumerate(rows) if old != new]


def strip_of(widget: Widget, spans: Line, width: int, extra: Style | None = None) -> Strip:
    """A line in the widget's colours, exactly `width` wide."""
    plain = getattr(widget.app, "ascii_only", False)
    segments = []
    for span in fitted(spans, width):
        style = widget.get_component_rich_style(f"role-{span.role}")
        text = as_ascii(span.text) if plain else span.text
        segments.append(Segment(text, style + extra if extra else style))
    return Strip(segments, width)
