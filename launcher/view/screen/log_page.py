"""The log on the whole screen: one page of it, with what was searched for marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from launcher.view.spans import Line, Span, between, cut, cut_text, fitted, line


@dataclass(slots=True, kw_only=True)
class LogPlace:
    """Where in the log a person looks."""

    first: int = 0
    """Number of the line on top."""
    follow: bool = True
    """Whether new lines push the old ones up."""
    find: str = ""
    hit: int | None = None
    """Number of the line that was found last."""

    def settle(self, count: int, rows: int) -> None:
        """Keep the place inside `count` lines shown `rows` at a time."""
        last = max(0, count - rows)
        self.first = last if self.follow else max(0, min(self.first, last))

    def move(self, by: int, *, count: int, rows: int) -> None:
        """Scroll; at the end the log is followed again."""
        self.follow = False
        self.first = max(0, min(self.first + by, count - rows))
        self.follow = self.first >= count - rows

    def go_to(self, hit: int | None, *, count: int, rows: int) -> None:
        """Show a line that was found in the middle of the page."""
        self.hit = hit
        if hit is not None:
            self.follow = False
            self.first = max(0, min(hit - rows // 2, count - rows))


def log_page(
    lines: Sequence[str], place: LogPlace, *, columns: int, rows: int, title: str, note: str = ""
) -> list[Line]:
    """A title line and `rows` - 1 lines of the log."""
    shown = lines[place.first : place.first + rows - 1]
    last = place.first + len(shown)
    where = f"{place.first + 1}-{last} of {len(lines)}" if lines else "nothing yet"
    state = "following" if place.follow else "end follows"
    right = line(Span(f"{note or where}, {state} ", "dim"))
    page = [between(line(Span(f" {cut_text(title, columns // 2)}", "title")), right, columns)]
    for offset, text in enumerate(shown):
        page.append(_marked(text, place, place.first + offset == place.hit, columns))
    page += [()] * (rows - len(page))
    return [fitted(each, columns) for each in page[:rows]]


def _marked(text: str, place: LogPlace, hit: bool, columns: int) -> Line:
    at = text.lower().find(place.find.lower()) if place.find else -1
    if at < 0:
        return cut((Span(f" {text}"),), columns)
    end = at + len(place.find)
    before = text[:at]
    if end > columns - 2:
        # What was found must be in sight.
        before = "…" + before[end - columns + 3 :]
    return cut(
        (
            Span(f" {before}", "strong" if hit else "plain"),
            Span(text[at:end], "chosen"),
            Span(text[end:], "strong" if hit else "plain"),
        ),
        columns,
    )
