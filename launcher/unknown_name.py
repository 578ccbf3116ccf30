"""A name that hwdb does not know, told with the closest ones and what else would do."""

from __future__ import annotations

import hwdb
from launcher.errors import UsageError

_WHAT_ELSE = {
    "model": "a Hub name such as org/model or a folder with a config.json works too",
    "card": "a size such as --gpu 24GiB works too; tlplan gpus WORDS looks for cards",
    "word": "tlplan explain lists every word; the text of an error or a log file works too",
}

_SHOWN = 80


def unknown_name(failure: hwdb.NotFound) -> UsageError:
    """The usage error for a model or card that hwdb does not know, or knows several of."""
    what_else = _WHAT_ELSE[failure.kind]
    if isinstance(failure, hwdb.Ambiguous):
        return UsageError(str(failure), "write one of these names")
    close = failure.suggestions
    if failure.known_bytes:
        return UsageError(str(failure), what_else)
    name = failure.name if len(failure.name) <= _SHOWN else f"{failure.name[:_SHOWN]}..."
    return UsageError(
        f'no {failure.kind} named "{name}" in hwdb '
        f"({hwdb.VERSION}, {failure.known_count} {failure.kind}s)",
        *((f"did you mean {', '.join(close)}?",) if close else ()),
        what_else,
    )
