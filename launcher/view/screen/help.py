"""What the names on a run screen mean, and its keys."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from launcher.view.spans import EMPTY, Line, Span, line

_NAMES = (
    ("measured", "what the driver says this run holds; ≈: what the card uses now less before"),
    ("predicted", "the plan's expected peak, with the band it should lie in"),
    ("allocated", "tensors, at the peak, as torch counts them"),
    ("cached", "torch keeps it for reuse; other programs cannot have it"),
    ("context", "CUDA itself, kernels and libraries: measured less what torch holds"),
    ("others", "what other programs hold now"),
    ("room left", "what this run could have, less its peak"),
)
_HOST_NAMES = (
    ("measured", "resident memory of the training process and its children"),
    ("predicted", "the plan's expected peak, with the band it should lie in"),
    ("others", "what other programs and the system hold now"),
    ("room left", "what is available and what this run holds, less its peak"),
)
_KEYS = (
    ("d", "leave it running and close this view; tlplan watch comes back"),
    ("s", "save and stop; asks first. tlplan resume RUN goes on"),
    ("l", "the log on the whole screen, / finds"),
    ("c", "chart: memory, loss, tokens/s"),
    ("left right", "look at a moment of the chart, esc returns to now"),
    ("up down", "scroll what happened, end returns to the newest"),
    ("g", "next GPU, where there are several"),
    ("space", "freeze the view; the run goes on"),
    ("y", "copy the path of the run folder"),
)


def run_help(width: int, *, device: str) -> list[Line]:
    """The names of memory and the keys."""
    names = _NAMES if device == "cuda" else _HOST_NAMES
    return [
        line(Span("What the numbers mean", "title")),
        *_table(names, width),
        EMPTY,
        line(Span("Keys", "title")),
        *_table(_KEYS, width),
    ]


_ENDED_KEYS = (
    ("enter", "do what is marked"),
    ("up down", "mark another choice"),
    ("esc", "close"),
    ("v", "the run screen with its charts, as it was"),
    ("l", "the log on the whole screen, / finds"),
    ("n", "plan another run, where the wizard is open"),
    ("y", "copy the path of the run folder"),
)


def ended_help(width: int) -> list[Line]:
    """The keys of a run that is over."""
    return [line(Span("Keys", "title")), *_table(_ENDED_KEYS, width)]


def _table(rows: Sequence[tuple[str, str]], width: int) -> Iterator[Line]:
    for name, text in rows:
        for number, part in enumerate(textwrap.wrap(text, max(20, width - 13))):
            yield line(Span(f"{name if number == 0 else '':<12} ", "strong"), part)
