"""From the data file to rows to train on, rows to measure on and one question to ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.data.dataset import DataSet, Row
from launcher.data.named import data_path
from launcher.data.rows import held_out_data, read_data
from launcher.data.split import hold_out
from launcher.data.suitable import require_suitable
from launcher.errors import DataError
from launcher.runs.events import EventLog
from launcher.training.answers import Question, question_of
from launcher.training.dataset import RowTokenizer, TokenRow
from planner.run_plan import RunPlan

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_LINES_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRows:
    """Tokenized rows on either side of the split."""

    train: tuple[TokenRow, ...]
    held_out: tuple[TokenRow, ...]
    question: Question | None
    """Asked before and after; None when no row is held out."""
    measured: DataSet
    """What the held-out rows stand in."""
    measured_indices: tuple[int, ...]
    token_rows: Mapping[int, TokenRow]
    """Held-out rows by their key, those with something to learn."""
    examples: tuple[Row, ...]
    """Training rows that can be shown in a prompt."""


def prepare_rows(
    plan: RunPlan, tokenizer: PreTrainedTokenizerBase, events: EventLog
) -> PreparedRows:
    """Read, tokenize and split the plan's data, and write what was found as events.

    Raises DataError naming the line of a row that cannot be used.
    """
    data = read_data(data_path(plan.data.train), labels_aside=True)
    require_suitable(data, plan.training.task, plan.model.name)
    other = held_out_data(data, data_path(plan.data.held_out) if plan.data.held_out else None)
    row_tokenizer = RowTokenizer(
        tokenizer,
        model_name=plan.model.name,
        loss_on=plan.data.loss_on,
        sequence_tokens=plan.training.sequence_tokens,
    )
    tokenize = row_tokenizer.tokenize
    rows = tokenize(data)
    for note in row_tokenizer.notes:
        events.append("warning", code="TEMPLATE", message=note)
    if other is not None:
        train_indices = tuple(range(len(rows)))
        measured, indices, tokens = other, tuple(range(len(other.rows))), tokenize(other)
    else:
        split = hold_out(data.row_keys, plan.data.held_out_fraction)
        train_indices, indices = split.train_indices, split.held_out_indices
        measured, tokens = data, rows
    kept = [rows[index] for index in train_indices]
    train = _with_something_to_learn(kept, data.path)
    by_key = {
        measured.row_keys[index]: tokens[index] for index in indices if tokens[index].learned_tokens
    }
    held_out = tuple(tokens[index] for index in indices if tokens[index].learned_tokens)
    asked_of = measured.rows[indices[0]] if indices else None
    shown = sorted(train_indices, key=data.row_keys.__getitem__)[
        : plan.evaluation.few_shot_examples
    ]
    _report(events, rows, train=train, held_out=held_out)
    return PreparedRows(
        train=train,
        held_out=held_out,
        question=None if asked_of is None else question_of(asked_of, data.layout, tokenizer),
        measured=measured,
        measured_indices=indices,
        token_rows=by_key,
        examples=tuple(data.rows[index] for index in shown),
    )


def _with_something_to_learn(rows: Sequence[TokenRow], path: Path) -> tuple[TokenRow, ...]:
    kept = tuple(row for row in rows if row.learned_tokens)
    if not kept:
        longest = max(row.uncut_tokens for row in rows)
        raise DataError(
            f"{path}:{rows[0].line}: cut at sequence_tokens, this row and every other "
            "has nothing left to learn",
            f"raise sequence_tokens; the longest row has {longest} tokens",
        )
    return kept


def _report(
    events: EventLog,
    rows: Sequence[TokenRow],
    *,
    train: Sequence[TokenRow],
    held_out: Sequence[TokenRow],
) -> None:
    tokens = sum(len(row.input_ids) for row in train)
    events.append(
        "data",
        rows=len(train),
        held_out_rows=len(held_out),
        trained_token_fraction=round(sum(row.learned_tokens for row in train) / tokens, 4),
        longest_row_tokens=max(row.uncut_tokens for row in rows),
        truncated_rows=sum(row.uncut_tokens > len(row.input_ids) for row in rows),
    )
    emptied = [row.line for row in rows if not row.learned_tokens]
    if emptied:
        named = ", ".join(map(str, emptied[:_LINES_NAMED]))
        more = ", ..." if len(emptied) > _LINES_NAMED else ""
        events.append(
            "warning",
            code="ROWS_LEFT_OUT",
            message=f"{len(emptied)} rows are left out: cut at sequence_tokens, nothing of them "
            f"is left to learn (lines {named}{more})",
        )
