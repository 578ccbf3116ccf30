"""What is wrong with a data file, said so that the line can be found and mended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.data.dataset import LAYOUT_EXAMPLES
from launcher.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One bad row."""

    file: Path
    line: int
    """Counted from 1; the row's number in a file without lines; 0 where the file is one row."""
    field: str | None
    """Where in the row, such as `messages[2].content`; None for the row as a whole."""
    reason: str
    """Reads on from the field: `is missing`."""
    fix: str | None
    """What to do about it, as an order: `remove the row`."""

    def describe(self) -> str:
        """`train.jsonl:10: completion: is missing (add it or remove the row)`."""
        place = place_in(self.file, self.line)
        subject = f"{self.field}: " if self.field else ""
        remedy = f" ({self.fix})" if self.fix else ""
        return f"{place}: {subject}{self.reason}{remedy}"


def place_in(file: Path, line: int) -> str:
    """`train.jsonl:10`, or the file alone where the line is 0."""
    return f"{file}:{line}" if line else str(file)


def accepted_layouts() -> tuple[str, ...]:
    """Hints that show what a usable file looks like."""
    examples = (f"or {example}" for example in LAYOUT_EXAMPLES.values())
    return (
        "JSON Lines, JSON, CSV, TSV, Parquet or text; all rows of one layout, in JSON Lines:",
        *examples,
        "or Alpaca's instruction and output, ShareGPT's conversations, question and answer",
        "or a folder of pictures with one folder for each class",
    )


def unusable_file(path: Path, reason: str, *hints: str) -> DataError:
    """The file as a whole cannot be read; shows what would be accepted."""
    return DataError(f"{path}: {reason}", *hints, *accepted_layouts())


def bad_rows(problems: Sequence[Problem], *, stopped: bool, layout_known: bool) -> DataError:
    """The first bad row as the message, the others as hints.

    `stopped` says that reading ended before the end of the data; `layout_known` that at least
    one row was good, so that the layouts need no explaining.
    """
    first, *others = problems
    hints = [problem.describe() for problem in others]
    if hints:
        rows = "row" if len(hints) == 1 else "rows"
        hints[0] = f"{len(hints)} more bad {rows}: {hints[0]}"
    if stopped:
        hints.append(f"reading stopped at line {problems[-1].line}; there may be more")
        hints.append(f"tlplan data {first.file} names them all, and --fix OUT leaves them out")
    if not layout_known:
        hints.extend(accepted_layouts())
    return DataError(first.describe(), *hints)
