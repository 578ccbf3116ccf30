"""Held-out rows as prompts: as they stand, and with examples of training rows before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from launcher.data.dataset import DataSet, Row


class Question(NamedTuple):
    """A row to answer."""

    key: int
    row: Row
    expected: str
    prompt: tuple[int, ...]
    """Tokens, ready to be continued."""


def questions_of(
    data: DataSet, indices: Sequence[int], tokenizer: Any, *, limit: int
) -> list[Question]:
    """The first `limit` of these rows in the order of their keys, which is as good as chance."""
    chosen = sorted(indices, key=lambda index: data.row_keys[index])[:limit]
    return [
        Question(
            key=data.row_keys[index],
            row=data.rows[index],
            expected=expected_of(data.rows[index]),
            prompt=prompt_of(data.rows[index], tokenizer),
        )
        for index in chosen
    ]


def with_examples(
    questions: Sequence[Question],
    examples: Sequence[Row],
    tokenizer: Any,
    *,
    room_tokens: int,
) -> tuple[list[Question], int]:
    """The same questions behind as many of the examples as all of them have room for.

    `room_tokens` is what a prompt may have. Returns the questions and the number of examples,
    0 when not even one fits.
    """
    for count in range(len(examples), 0, -1):
        prompted = [
            each._replace(prompt=prompt_of(each.row, tokenizer, examples[:count]))
            for each in questions
        ]
        if all(len(each.prompt) <= room_tokens for each in prompted):
            return prompted, count
    return [], 0


def expected_of(row: Row) -> str:
    """The answer that the row gives."""
    answer: str = row["messages"][-1]["content"] if "messages" in row else row["completion"]
    return answer.strip()


def prompt_of(row: Row, tokenizer: Any, examples: Sequence[Row] = ()) -> tuple[int, ...]:
    """Everything before the answer, as tokens."""
    if "messages" in row:
        asked = row["messages"][:-1]
        system = [each for each in asked if each["role"] == "system"]
        shown = [
            message
            for example in examples
            for message in example["messages"]
            if message["role"] != "system"
        ]
        rest = [each for each in asked if each["role"] != "system"]
        encoded: Any = tokenizer.apply_chat_template(
            [*system, *shown, *rest], tokenize=True, return_dict=True, add_generation_prompt=True
        )
        return tuple(encoded["input_ids"])
    before = "".join(f"{each['prompt']}{each['completion']}\n\n" for each in examples)
    return tuple(tokenizer(before + row["prompt"])["input_ids"])
