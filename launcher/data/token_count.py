"""Token counts by the model's own tokenizer.json, without transformers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer

_TEXTS_AT_ONCE = 1000
"""Bounds the memory of a count: an encoding is some fifty times the size of its text."""


class TokenizerUnreadableError(Exception):
    """A tokenizer.json is missing or broken; the message says which."""


class TokenCounter:
    """Counts tokens as training will see them."""

    def __init__(self, tokenizer_file: Path) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer_file))
        except Exception as error:  # the binding raises nothing narrower
            raise TokenizerUnreadableError(f"{tokenizer_file} cannot be read: {error}") from error
        # A file may ask for a fixed length; a count must not.
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def count_rendered(self, texts: Iterable[str]) -> Iterator[int]:
        """Tokens of texts that hold their special tokens already, such as rendered chats."""
        return self._count(texts, add_special_tokens=False)

    def count_documents(self, texts: Iterable[str]) -> Iterator[int]:
        """Tokens of plain texts with the start token, where the model has one."""
        return self._count(texts, add_special_tokens=True)

    def _count(self, texts: Iterable[str], *, add_special_tokens: bool) -> Iterator[int]:
        remaining = iter(texts)
        while batch := list(islice(remaining, _TEXTS_AT_ONCE)):
            for encoding in self._tokenizer.encode_batch_fast(
                batch, add_special_tokens=add_special_tokens
            ):
                yield len(encoding)
