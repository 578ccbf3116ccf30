"""How likely a language model finds texts and the ways a sentence may go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import torch

_TOKENS_AT_ONCE = 64
"""Of a batch: its logits are then smaller than those of a training step."""


class Likely(NamedTuple):
    """What a model makes of the general suite."""

    tasks: tuple[float, ...]
    """1.0 where the right way to go on is the likeliest, else 0.0; one a task."""
    losses: tuple[float, ...]
    """Mean loss of a token, one a text."""


def general_suite() -> tuple[list[dict[str, Any]], list[str]]:
    """(tasks, texts) of the bundled suite."""
    folder = files("launcher.evaluation.general")
    tasks = [json.loads(line) for line in folder.joinpath("tasks.jsonl").read_text().splitlines()]
    texts = folder.joinpath("texts.jsonl").read_text().splitlines()
    return tasks, [json.loads(line)["text"] for line in texts]


def likely(
    model: Any,
    tokenizer: Any,
    *,
    going_on: Callable[[], bool] = lambda: True,
    tell: Callable[[int, int], object] = lambda *_: None,
) -> Likely | None:
    """Run the suite; None when `going_on` fails meanwhile. The model must be in evaluation mode.

    `tell` hears how many sentences and texts are done, of how many.
    """
    tasks, texts = general_suite()
    rows, starts = [], []
    for task in tasks:
        prompt = list(tokenizer(task["prompt"])["input_ids"])
        for choice in task["choices"]:
            rows.append(list(tokenizer(f"{task['prompt']} {choice}")["input_ids"]))
            starts.append(_parting(prompt, rows[-1]))
    text_rows = [list(tokenizer(text)["input_ids"]) for text in texts]
    found: list[float] = []
    for some, begins in ((rows, starts), (text_rows, [1] * len(text_rows))):
        for loss in mean_losses(model, tokenizer, some, begins, going_on=going_on):
            found.append(loss)
            tell(len(found), len(rows) + len(text_rows))
    if len(found) < len(rows) + len(text_rows):
        return None
    scores, losses = found[: len(rows)], found[len(rows) :]
    right, first = [], 0
    for task in tasks:
        group = scores[first : first + len(task["choices"])]
        right.append(float(min(group) == group[0]))
        first += len(group)
    return Likely(tuple(right), tuple(losses))


def mean_losses(
    model: Any,
    tokenizer: Any,
    rows: Sequence[list[int]],
    starts: Sequence[int],
    *,
    going_on: Callable[[], bool] = lambda: True,
) -> Iterator[float]:
    """Mean loss of the tokens from `starts` on, one a row, fewer when `going_on` fails."""
    for losses in token_losses(model, tokenizer, rows, starts, going_on=going_on):
        yield sum(losses) / len(losses)


def token_losses(
    model: Any,
    tokenizer: Any,
    rows: Sequence[list[int]],
    starts: Sequence[int],
    *,
    going_on: Callable[[], bool] = lambda: True,
) -> Iterator[list[float]]:
    """Loss of each token from `starts` on, one list a row, fewer when `going_on` fails."""
    device = next(model.parameters()).device
    pad = tokenizer.pad_token_id or 0
    first = 0
    while first < len(rows) and going_on():
        batch = _batch_from(rows, first)
        width = max(map(len, batch))
        ids = torch.tensor([row + [pad] * (width - len(row)) for row in batch], device=device)
        mask = torch.tensor(
            [[1] * len(row) + [0] * (width - len(row)) for row in batch], device=device
        )
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        for number, row in enumerate(batch):
            span = slice(max(1, starts[first + number]) - 1, len(row) - 1)
            # Row by row: all logits in fp32 would be the largest tensor of the run.
            wanted = ids[number, 1:][span]
            losses: list[float] = torch.nn.functional.cross_entropy(
                logits[number, span].float(), wanted, reduction="none"
            ).tolist()
            yield losses
        first += len(batch)


def _batch_from(rows: Sequence[list[int]], first: int) -> Sequence[list[int]]:
    """The rows from `first` on that stay within _TOKENS_AT_ONCE, padding included; at least one."""
    width, end = len(rows[first]), first + 1
    while end < len(rows):
        width = max(width, len(rows[end]))
        if (end + 1 - first) * width > _TOKENS_AT_ONCE:
            break
        end += 1
    return rows[first:end]


def _parting(prompt: list[int], whole: list[int]) -> int:
    """The first token that is not the prompt's; tokens can merge across the border."""
    start = 0
    while start < min(len(prompt), len(whole) - 1) and prompt[start] == whole[start]:
        start += 1
    return start
