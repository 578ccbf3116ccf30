"""How far rows are from what a model knows: its loss per token on them, against general text.

A text surprises most where it begins, and rows are as long as they please. So passages of equal
length are compared: up to 64 tokens from the middle of a row, with as many of general text.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from launcher.errors import UsageError
from launcher.evaluation.bootstrap import mean_interval
from launcher.evaluation.likelihood import general_suite, token_losses
from launcher.training.text_part import writing_class

PASSAGE_TOKENS = 64
_SECONDS = 45.0
"""After this no further row is measured, loading included."""
_FEWEST_ROWS = 16
_ROWS_AT_ONCE = 4


def distance_of(model_folder: Path, texts: Sequence[str]) -> dict[str, Any]:
    """Nats a token: on the rows, on general text, and the difference with its interval.

    Raises UsageError for a model that is no causal language model.
    """
    deadline = time.monotonic() + _SECONDS
    model, tokenizer = _loaded(model_folder)

    def losses_of(passages: Sequence[list[int]]) -> Iterator[list[float]]:
        return token_losses(model, tokenizer, passages, [1] * len(passages))

    tokens = [list(tokenizer(text)["input_ids"]) for text in (*general_suite()[1], *texts)]
    passages = [_middle(each) for each in tokens if len(each) > 1]
    count = len(general_suite()[1])
    usual = UsualLoss(list(losses_of(passages[:count])))
    rows = list(_measured(losses_of, passages[count:], deadline))
    if not rows:
        raise UsageError("no row has two tokens or more to measure a distance on")
    found = [sum(losses) / len(losses) for losses in rows]
    expected = [usual.of_first(len(losses)) for losses in rows]
    apart = mean_interval([a - b for a, b in zip(found, expected, strict=True)])
    return {
        "rows": len(rows),
        "loss_on_rows": sum(found) / len(rows),
        "loss_on_general_text": sum(expected) / len(rows),
        "distance_nats": apart._asdict(),
    }


class UsualLoss:
    """What a token of general text costs, by how many tokens of a passage are taken."""

    def __init__(self, losses: Sequence[Sequence[float]]) -> None:
        """`losses` are those of each token, one list a text."""
        self._sums = [list(accumulate(each)) for each in losses]

    def of_first(self, tokens: int) -> float:
        """Mean loss of a token over the first so many of each text, or all it has."""
        means = [sums[:tokens][-1] / len(sums[:tokens]) for sums in self._sums]
        return sum(means) / len(means)


def _measured(
    losses_of: Callable[[Sequence[list[int]]], Iterator[list[float]]],
    passages: Sequence[list[int]],
    deadline: float,
) -> Iterator[list[float]]:
    """Losses of the rows until the deadline, of the fewest rows in any case."""
    for start in range(0, len(passages), _ROWS_AT_ONCE):
        if start >= _FEWEST_ROWS and time.monotonic() > deadline:
            return
        yield from losses_of(passages[start : start + _ROWS_AT_ONCE])


def _middle(tokens: list[int]) -> list[int]:
    start = max(0, len(tokens) - PASSAGE_TOKENS) // 2
    return tokens[start : start + PASSAGE_TOKENS]


def _loaded(model_folder: Path) -> tuple[Any, Any]:
    import transformers

    loaders: Any = transformers
    source = str(model_folder)
    try:
        config = loaders.AutoConfig.from_pretrained(source, trust_remote_code=False)
        model = writing_class(config).from_pretrained(
            source, use_safetensors=True, trust_remote_code=False
        )
    except ValueError as problem:
        raise UsageError(f"{model_folder}: {str(problem).splitlines()[0]}") from None
    return model.float().eval(), loaders.AutoTokenizer.from_pretrained(source)
