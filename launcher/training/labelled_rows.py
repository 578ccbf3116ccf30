"""Rows of text or pictures with labels, ready for a classifier, on either side of the split."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launcher.data.dataset import DataSet
from launcher.data.images import problem_with_picture
from launcher.data.named import data_path
from launcher.data.rows import held_out_data, read_data
from launcher.data.split import hold_out
from launcher.data.suitable import require_suitable
from launcher.errors import DataError
from launcher.runs.events import EventLog
from planner.run_plan import RunPlan

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from launcher.training.pictures import Prepare

_LINES_NAMED = 5
ROOM_FOR_PIXELS = {"cuda": 512 << 20, "cpu": 32 << 20}
"""Bytes of host memory: 900 pictures of 224 x 224, and few where a plan promises host memory."""
_SIDE_BY_SIDE = ThreadPoolExecutor(len(os.sched_getaffinity(0)), "pictures")
"""Pillow decodes and resizes without Python's lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledRow:
    """One row as the model takes it, without its label's word."""

    key: int
    """A hash of what the row holds, an order that has nothing to do with its class."""
    place: str
    content: str
    """The text, or the path of the picture."""
    inputs: Callable[[], dict[str, Any]]
    """Makes input_ids, or pixel_values."""
    label: int
    tokens: int
    uncut_tokens: int

    def example(self) -> dict[str, Any]:
        """The row as the collator takes it."""
        return {**self.inputs(), "labels": self.label, "tokens": self.tokens}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledRows:
    """What a classifier learns from and is measured on."""

    classes: tuple[str, ...]
    train: tuple[LabelledRow, ...]
    held_out: tuple[LabelledRow, ...]


def prepare_labelled_rows(plan: RunPlan, prepare: Preparation, events: EventLog) -> LabelledRows:
    """Read, prepare and split the plan's data, and write what was found as events.

    Raises DataError naming the place of a row that cannot be used, or when there is one class.
    """
    data = read_data(data_path(plan.data.train))
    require_suitable(data, plan.training.task, plan.model.name)
    other = held_out_data(data, data_path(plan.data.held_out) if plan.data.held_out else None)
    numbers = {label: index for index, label in enumerate(data.classes)}
    rows = prepare.all_rows(data, numbers)
    if other is None:
        split = hold_out(data.row_keys, plan.data.held_out_fraction)
        train = tuple(rows[index] for index in split.train_indices)
        held_out = tuple(rows[index] for index in split.held_out_indices)
    else:
        train = tuple(rows)
        held_out = tuple(prepare.all_rows(other, numbers))
    _report(events, train, held_out, data.classes)
    return LabelledRows(classes=data.classes, train=train, held_out=held_out)


class Preparation:
    """Makes a LabelledRow of a row of data."""

    def __call__(self, data: DataSet, index: int, numbers: dict[str, int]) -> LabelledRow:
        raise NotImplementedError

    def all_rows(self, data: DataSet, numbers: dict[str, int]) -> list[LabelledRow]:
        """Every row of the data."""
        return [self(data, index, numbers) for index in range(len(data.rows))]


class TextPreparation(Preparation):
    """Texts as tokens, cut at the plan's length."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, sequence_tokens: int) -> None:
        self._tokenizer = tokenizer
        self._limit = sequence_tokens

    def __call__(self, data: DataSet, index: int, numbers: dict[str, int]) -> LabelledRow:
        text, label = data.rows[index]["text"], data.rows[index]["label"]
        whole = len(self._tokenizer(text)["input_ids"])
        ids: list[int] = self._tokenizer(text, truncation=True, max_length=self._limit)["input_ids"]
        return LabelledRow(
            key=data.row_keys[index],
            place=data.place(index),
            content=text,
            inputs=lambda: {"input_ids": ids},
            label=numbers[label],
            tokens=len(ids),
            uncut_tokens=whole,
        )


class PicturePreparation(Preparation):
    """Pictures as pixels; `tokens` is what the model makes of each.

    Each is decoded here, so that one that breaks off is named before weights load; what finds no
    room in memory is prepared whenever its batch comes.
    """

    def __init__(self, prepare: Prepare, tokens: int, room_bytes: int) -> None:
        self._prepare = prepare
        self._tokens = tokens
        self._room_bytes = room_bytes
        self._kept: dict[str, Any] = {}
        self._kept_bytes = 0

    def __call__(self, data: DataSet, index: int, numbers: dict[str, int]) -> LabelledRow:
        row, place = data.rows[index], data.place(index)
        path = row["image"]
        try:
            self._keep(path)
        except DataError as error:
            # The row of a table says more than the file that its picture was put into.
            reason = error.message.removeprefix(f"{path}: ")
            raise DataError(
                f"{place}: {reason}",
                "replace the picture or remove the row",
                f"tlplan data {data.path} names them all, and --fix OUT leaves them out",
            ) from error
        return LabelledRow(
            key=data.row_keys[index],
            place=place,
            content=path,
            inputs=lambda: {"pixel_values": self._pixels(path)},
            label=numbers[row["label"]],
            tokens=self._tokens,
            uncut_tokens=self._tokens,
        )

    def all_rows(self, data: DataSet, numbers: dict[str, int]) -> list[LabelledRow]:
        """Every row of the data, decoded side by side."""
        return list(_SIDE_BY_SIDE.map(lambda i: self(data, i, numbers), range(len(data.rows))))

    def _keep(self, path: str) -> None:
        if self._kept_bytes < self._room_bytes:
            self._kept[path] = pixels = self._prepare(path)
            self._kept_bytes += pixels.nbytes
            return
        problem = problem_with_picture(Path(path))  # quicker, since nothing is resized
        if problem is not None:
            raise DataError(f"{path}: image: {problem}")

    def _pixels(self, path: str) -> Any:
        kept = self._kept.get(path)
        return self._prepare(path) if kept is None else kept


def examples_of(rows: Sequence[LabelledRow]) -> list[dict[str, Any]]:
    """Rows as the collator takes them; pictures are decoded side by side."""
    return list(_SIDE_BY_SIDE.map(LabelledRow.example, rows))


def _report(
    events: EventLog,
    train: Sequence[LabelledRow],
    held_out: Sequence[LabelledRow],
    classes: Sequence[str],
) -> None:
    rows = (*train, *held_out)
    events.append(
        "data",
        rows=len(train),
        held_out_rows=len(held_out),
        trained_token_fraction=1.0,
        longest_row_tokens=max(row.uncut_tokens for row in rows),
        truncated_rows=sum(row.uncut_tokens > row.tokens for row in rows),
        classes=list(classes),
    )
    seen = Counter(row.label for row in train)
    missing = [label for number, label in enumerate(classes) if not seen[number]]
    if missing:
        named = ", ".join(f'"{label}"' for label in missing[:_LINES_NAMED])
        events.append(
            "warning",
            code="CLASS_HELD_OUT",
            message=f"{len(missing)} classes have all their rows held out, and none to learn: "
            f"{named}",
        )
