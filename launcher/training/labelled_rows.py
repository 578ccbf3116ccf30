"""Rows of text or pictures with labels, ready for a classifier, on either side of the split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launcher.data.dataset import DataSet
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledRow:
    """One row as the model takes it, without its label's word."""

    place: str
    content: str
    """The text, or the path of the picture."""
    inputs: dict[str, Any]
    """input_ids, or pixel_values."""
    label: int
    tokens: int
    uncut_tokens: int


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
    rows = [prepare(data, index, numbers) for index in range(len(data.rows))]
    if other is None:
        split = hold_out(data.row_keys, plan.data.held_out_fraction)
        train = tuple(rows[index] for index in split.train_indices)
        held_out = tuple(rows[index] for index in split.held_out_indices)
    else:
        train = tuple(rows)
        held_out = tuple(prepare(other, index, numbers) for index in range(len(other.rows)))
    _report(events, train, held_out, data.classes)
    return LabelledRows(classes=data.classes, train=train, held_out=held_out)


class Preparation:
    """Makes a LabelledRow of a row of data."""

    def __call__(self, data: DataSet, index: int, numbers: dict[str, int]) -> LabelledRow:
        raise NotImplementedError


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
            place=data.place(index),
            content=text,
            inputs={"input_ids": ids},
            label=numbers[label],
            tokens=len(ids),
            uncut_tokens=whole,
        )


class PicturePreparation(Preparation):
    """Pictures as pixels; `tokens` is what the model makes of each."""

    def __init__(self, prepare: Prepare, tokens: int) -> None:
        self._prepare = prepare
        self._tokens = tokens

    def __call__(self, data: DataSet, index: int, numbers: dict[str, int]) -> LabelledRow:
        row, place = data.rows[index], data.place(index)
        try:
            pixels = self._prepare(row["image"])
        except DataError as error:
            # The row of a table says more than the file that its picture was put into.
            reason = error.message.removeprefix(f"{row['image']}: ")
            raise DataError(
                f"{place}: {reason}", "replace the picture or remove the row"
            ) from error
        return LabelledRow(
            place=place,
            content=row["image"],
            inputs={"pixel_values": pixels},
            label=numbers[row["label"]],
            tokens=self._tokens,
            uncut_tokens=self._tokens,
        )


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
