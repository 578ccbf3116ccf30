"""What a condition made of each row it was asked, as it is kept in a run folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from launcher.runs.atomic_file import replace_text

Condition = Literal["base", "few-shot", "tuned"]
CONDITIONS: tuple[Condition, ...] = ("base", "few-shot", "tuned")

FOLDER_NAME = "evaluation"
REPORT_NAME = "evaluation.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One row under one condition; scores are None where they were not taken."""

    key: int
    """Of the row, so that conditions are compared row by row."""
    expected: str
    answer: str | None = None
    ended: bool | None = None
    """Whether the answer ended by itself, not at the limit."""
    exact: float | None = None
    rouge: float | None = None
    loss: float | None = None
    """Mean loss of a learned token."""


def write_outcomes(run: Path, condition: Condition, outcomes: Sequence[Outcome]) -> None:
    """Keep them as RUN/evaluation/CONDITION.jsonl, put in place by one rename."""
    folder = run / FOLDER_NAME
    folder.mkdir(exist_ok=True)
    text = "".join(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in outcomes)
    replace_text(folder / f"{condition}.jsonl", text, durable=False)


def read_outcomes(run: Path, condition: Condition) -> list[Outcome]:
    """What was kept, nothing where nothing was."""
    try:
        text = (run / FOLDER_NAME / f"{condition}.jsonl").read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [Outcome(**json.loads(line)) for line in text.splitlines()]
