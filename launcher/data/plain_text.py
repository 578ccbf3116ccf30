"""Plain text: one row a paragraph, or one a line where no blank line parts any."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import IO

from launcher.data.dataset import Row
from launcher.data.row_problem import RowProblemError

_LINES_TO_JUDGE_BY = 2000


def paragraph_records(file: IO[bytes]) -> Iterator[tuple[int, Row | RowProblemError]]:
    """Each paragraph as {"text": ...} with the line it starts on."""
    head = list(islice(file, _LINES_TO_JUDGE_BY))
    whole_lines = not any(not line.strip() for line in head[:-1])
    start, gathered = 1, list[bytes]()
    for number, raw in enumerate(chain(head, file), start=1):
        if raw.strip():
            gathered.append(raw)
        if gathered and (whole_lines or not raw.strip()):
            yield start, _row(gathered)
            gathered = []
        if not gathered:
            start = number + 1
    if gathered:
        yield start, _row(gathered)


def _row(lines: list[bytes]) -> Row | RowProblemError:
    raw = b"".join(lines).removeprefix(b"\xef\xbb\xbf").rstrip()
    try:
        return {"text": raw.decode("utf-8")}
    except UnicodeDecodeError as error:
        return RowProblemError(
            None, f"is not UTF-8 at byte {error.start}", "save the file as UTF-8"
        )
