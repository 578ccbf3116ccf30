"""Answers of a language model to several prompts at once, each its most likely one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch

_ROWS_AT_ONCE = 8
TOKENS_AT_ONCE = 2048
"""Prompts and answers of a batch: its keys and values take less than a training step does."""


class Answer(NamedTuple):
    """What came out."""

    text: str
    ended: bool
    """Whether it ended by itself before the limit."""


def answers_to(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    *,
    longest_tokens: int,
    deadline: float,
    tokens_at_once: int = TOKENS_AT_ONCE,
    going_on: Callable[[], bool] = lambda: True,
    tell: Callable[[int, int], object] = lambda *_: None,
) -> list[Answer]:
    """An answer to each prompt, in order, until `deadline` (time.monotonic) or `going_on` fails.

    A batch holds up to `tokens_at_once` tokens, padding and answers included, or one prompt. At
    least one batch is answered. `tell` hears how many are, of how many. Prompts of like length
    should stand side by side.
    """
    found: list[Answer] = []
    for batch in _batches(prompts, longest_tokens, tokens_at_once):
        if found and (time.monotonic() > deadline or not going_on()):
            break
        found += _answers(model, tokenizer, batch, longest_tokens)
        tell(len(found), len(prompts))
    return found


def _batches(
    prompts: Sequence[Sequence[int]], longest_tokens: int, tokens_at_once: int
) -> Iterator[Sequence[Sequence[int]]]:
    start = 0
    while start < len(prompts):
        end, width = start + 1, len(prompts[start])
        while end < min(start + _ROWS_AT_ONCE, len(prompts)):
            width = max(width, len(prompts[end]))
            if (end + 1 - start) * (width + longest_tokens) > tokens_at_once:
                break
            end += 1
        yield prompts[start:end]
        start = end


def _answers(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], longest_tokens: int
) -> list[Answer]:
    width = max(map(len, prompts))
    pad = tokenizer.pad_token_id
    device = next(model.parameters()).device
    # Padding stands before the prompt: what is generated follows its last token.
    ids = torch.tensor([[pad] * (width - len(each)) + list(each) for each in prompts])
    mask = torch.tensor([[0] * (width - len(each)) + [1] * len(each) for each in prompts])
    output = model.generate(
        input_ids=ids.to(device),
        attention_mask=mask.to(device),
        max_new_tokens=longest_tokens,
        do_sample=False,
        use_cache=True,
        pad_token_id=pad,
    )
    ends = _end_tokens(model, tokenizer)
    return [_read(row[width:].tolist(), tokenizer, ends) for row in output]


def _read(tokens: list[int], tokenizer: Any, ends: frozenset[int]) -> Answer:
    length = next((i for i, token in enumerate(tokens) if token in ends), None)
    kept = tokens if length is None else tokens[:length]
    text = str(tokenizer.decode(kept, skip_special_tokens=True))
    return Answer(text.strip(), length is not None)


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    configured = getattr(model.generation_config, "eos_token_id", None)
    listed = configured if isinstance(configured, list) else [configured]
    return frozenset(each for each in (*listed, tokenizer.eos_token_id) if each is not None)
