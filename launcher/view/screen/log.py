"""The log at the bottom of a run screen: what happened, newest last."""

from __future__ import annotations

from launcher.view.looking import Looking
from launcher.view.progress import RunProgress
from launcher.view.spans import Line, Role, Span, cut, line


def log_lines(
    progress: RunProgress, looking: Looking, *, columns: int, rows: int, trouble: str | None
) -> list[Line]:
    """The last lines, or those a person scrolled up to; trouble with reading comes last."""
    said: list[Line] = [_coloured(text) for text in progress.lines]
    if trouble is not None:
        said.append(line(Span(f"now       {trouble}", "tight")))
    scrolled = max(0, min(looking.scrolled, len(said) - rows))
    shown = said[max(0, len(said) - scrolled - rows) : len(said) - scrolled] if rows > 0 else []
    lines = [cut((Span(" "), *each), columns) for each in shown]
    if scrolled and lines:
        lines[-1] = line(Span(f" … {scrolled} newer lines, end shows them", "dim"))
    return [*lines, *[()] * (rows - len(lines))]


def _coloured(text: str) -> Line:
    """Time of day dimmed; warnings stand out."""
    clock, _, words = text.partition("  ")
    role: Role = "tight" if words.startswith("warning:") else "plain"
    return line(Span(f"{clock}  ", "dim"), Span(words, role))
