"""How many tokens each row takes, for planning memory and time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.data.dataset import DataSet, Row
from launcher.data.generic_template import generic_template
from launcher.data.tokenizer_files import chat_template_source, special_tokens

if TYPE_CHECKING:
    from launcher.data.token_count import TokenCounter

BYTES_PER_TOKEN = 3.0
"""Cautious: English text is nearer 4 to 4.5 UTF-8 bytes a token, so rows come out too long."""

TOKENS_PER_MESSAGE = 8
"""What a chat template adds around a message: role, start, end, line breaks. Most add 4 to 7."""

END_TOKEN = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Tokens of each row, in the order of the rows."""

    per_row: tuple[int, ...]
    exact: bool
    """Whether training will see exactly these lengths."""
    how: str
    """How they were found, to be shown beside them."""

    def __post_init__(self) -> None:
        if not self.per_row:
            raise ValueError("lengths need at least one row")

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max(self.per_row)

    @property
    def mean(self) -> float:
        """Tokens of a row on average."""
        return sum(self.per_row) / len(self.per_row)

    def percentile(self, percent: float) -> int:
        """The smallest length that at least `percent` % of the rows do not exceed."""
        if not 0 <= percent <= 100:
            raise ValueError(f"percent must be within 0 and 100, got {percent}")
        rank = max(1, math.ceil(len(self.per_row) * percent / 100))
        return sorted(self.per_row)[rank - 1]

    def share_above(self, limit_tokens: int) -> float:
        """The fraction of rows, 0 to 1, longer than the limit."""
        return sum(tokens > limit_tokens for tokens in self.per_row) / len(self.per_row)


def measure_lengths(data: DataSet, tokenizer_file: Path | None) -> Lengths:
    """Count with the tokenizer.json of the model where there is one, else estimate.

    The chat template is looked for beside the tokenizer. Never raises for what is wrong with
    either: the lengths are then estimated and `how` says why.
    """
    if tokenizer_file is None:
        return _from_bytes(data, "without the model's tokenizer")
    try:
        # tokenizers: about 10 ms.
        from launcher.data.token_count import TokenCounter, TokenizerUnreadableError
    except ImportError:
        return _from_bytes(data, "the tokenizers package is not installed")
    try:
        counter = TokenCounter(tokenizer_file)
    except TokenizerUnreadableError as error:
        return _from_bytes(data, str(error))
    if data.layout == "messages":
        return _chats(data, counter, tokenizer_file.parent)
    return _documents(data, counter, tokenizer_file.parent)


def _documents(data: DataSet, counter: TokenCounter, model_folder: Path) -> Lengths:
    """As TRL prepares them: an end token is added where the text does not bring it."""
    end_token = special_tokens(model_folder).get("eos_token")
    texts = [_plain_text(row) for row in data.rows]
    return Lengths(
        per_row=tuple(
            tokens if end_token and text.endswith(end_token) else tokens + END_TOKEN
            for text, tokens in zip(texts, counter.count_documents(texts), strict=True)
        ),
        exact=True,
        how="counted with the model's tokenizer",
    )


def _chats(data: DataSet, counter: TokenCounter, model_folder: Path) -> Lengths:
    try:
        # jinja2: about 40 ms.
        from launcher.data.chat_template import ChatTemplate, TemplateFailedError
    except ImportError:
        return _from_contents(data, counter, "the jinja2 package is not installed")
    own = chat_template_source(model_folder)
    source = generic_template() if own is None else own
    try:
        template = ChatTemplate(source, special_tokens(model_folder))
    except TemplateFailedError as error:
        return _from_contents(data, counter, f"the chat template is broken: {error}")
    rendered = []
    for row, line in zip(data.rows, data.row_lines, strict=True):
        try:
            rendered.append(template.render(row["messages"]))
        except TemplateFailedError as error:
            why = f"the chat template refuses line {line}: {error}"
            return _from_contents(data, counter, why)
    return Lengths(
        per_row=tuple(counter.count_rendered(rendered)),
        exact=True,
        how=f"counted with the model's tokenizer and {'a generic ' if own is None else ''}chat "
        "template",
    )


def _from_contents(data: DataSet, counter: TokenCounter, why: str) -> Lengths:
    contents = (message["content"] for row in data.rows for message in row["messages"])
    counts = iter(counter.count_rendered(contents))
    return Lengths(
        per_row=tuple(
            sum(next(counts) + TOKENS_PER_MESSAGE for _ in row["messages"]) for row in data.rows
        ),
        exact=False,
        how=f"counted with the model's tokenizer, plus {TOKENS_PER_MESSAGE} a message ({why})",
    )


def _from_bytes(data: DataSet, why: str) -> Lengths:
    return Lengths(
        per_row=tuple(map(_estimated_tokens, data.rows)),
        exact=False,
        how=f"estimated at {BYTES_PER_TOKEN:g} bytes a token ({why})",
    )


def _estimated_tokens(row: Row) -> int:
    if "messages" in row:
        return sum(
            _tokens_of_bytes(message["content"]) + TOKENS_PER_MESSAGE for message in row["messages"]
        )
    return _tokens_of_bytes(_plain_text(row)) + END_TOKEN


def _tokens_of_bytes(text: str) -> int:
    return math.ceil(len(text.encode("utf-8")) / BYTES_PER_TOKEN)


def _plain_text(row: Row) -> str:
    """What is learned from a row that is no chat: prompt and completion run into each other."""
    text: str = row["text"] if "text" in row else row["prompt"] + row["completion"]
    return text
