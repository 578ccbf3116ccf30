"""The settings a step can have, as structures (what decides memory's form) times light choices.

A structure is a method with its weights, checkpointing, loss, attention and optimizer; each comes
with every batch, rows padded, grouped or packed, compiled or not. The rows a step are the same in
all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import NamedTuple

from planner.advice.settings import Asked, DataFacts, request_for
from planner.budget import Budget
from planner.request import METHODS, Method, RequestError, TrainingRequest
from planner.shape import ModelShape

WEIGHTS: dict[Method, tuple[str, ...]] = {
    "full": ("bf16",),
    "lora": ("bf16",),
    "qlora": ("nf4", "nf4-dq", "int8"),
}
CHECKPOINTING = ("none", "full", "offloaded")
LOSSES = ("torch", "chunked", "liger")
ATTENTION = ("sdpa", "flash2", "eager")
OPTIMIZERS = ("adamw-fused", "adamw", "adamw-8bit", "paged-adamw-8bit", "adafactor")

_RUNNABLE = {
    "checkpointing": ("none", "full"),
    "loss": ("torch", "chunked"),
    "attention": ("sdpa", "eager"),
}
"""What a launch runs with what a plain installation brings."""


class Structure(NamedTuple):
    """Settings that change the form of a step; `request` has one row at once."""

    method: Method
    weights: str
    checkpointing: str
    loss: str
    attention: str
    optimizer: str
    request: TrainingRequest

    @property
    def runnable(self) -> bool:
        """Whether a launch takes it without another package."""
        return self.request.gpus == 1 and all(
            getattr(self, name) in words for name, words in _RUNNABLE.items()
        )

    @property
    def aside(self) -> tuple[str, str]:
        """What the whole space has in common: tokens of the longest row, and sharding."""
        request = self.request
        shared = request.gpus > 1
        sharding = f"{request.sharding} on {request.gpus}" if shared else "none"
        return str(request.sequence_tokens), sharding


def structures(
    shape: ModelShape, asked: Asked, budget: Budget, data: DataFacts | None
) -> Iterator[Structure]:
    """Every structure that keeps what the user asked for."""
    methods = METHODS if asked.method is None else (asked.method,)
    for method in methods:
        usual = request_for(method, asked=asked, shape=shape, budget=budget, data=data)
        usual = replace(usual, micro_batch=1, padded=data is not None, batching="random")
        half = "bf16" if budget.supports_bf16 else usual.weights
        axes = (
            _kept(asked.weights, tuple(half if w == "bf16" else w for w in WEIGHTS[method])),
            _kept(asked.checkpointing, CHECKPOINTING),
            _kept(asked.loss, LOSSES),
            _kept(asked.attention, ATTENTION),
            _kept(asked.optimizer, OPTIMIZERS),
        )
        for weights, checkpointing, loss, attention, optimizer in product(*axes):
            try:
                request = replace(
                    usual,
                    weights=weights,  # type: ignore[arg-type]
                    checkpointing=checkpointing,  # type: ignore[arg-type]
                    loss=loss,  # type: ignore[arg-type]
                    attention=attention,  # type: ignore[arg-type]
                    optimizer=optimizer,
                )
            except RequestError:
                continue
            yield Structure(method, weights, checkpointing, loss, attention, optimizer, request)


def _kept(asked: str | None, words: tuple[str, ...]) -> tuple[str, ...]:
    return words if asked is None else (asked,)


def micro_batches(rows: int) -> tuple[int, ...]:
    """Rows at once that divide the rows of a step."""
    return tuple(micro for micro in range(1, rows + 1) if rows % micro == 0)
