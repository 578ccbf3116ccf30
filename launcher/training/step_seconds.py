"""How long the steps of a rehearsal take, and what passes between them."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import torch
from transformers import TrainerCallback

from planner.speed.rehearsed import MeasuredStep


class StepSeconds(TrainerCallback):
    """How long each step takes, and how many tokens it has, with all its micro-batches.

    `share` is how many times more micro-batches a step has than it has here.
    """

    def __init__(self, share: float) -> None:
        self.all: list[MeasuredStep] = []
        self._gaps: list[float] = []
        self.ended = 0.0
        self._share = share
        self._started = 0.0
        self._passed = 0.0
        self._tokens = 0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._started = _now()
        self._gaps.append(self._started - self.ended if self.all else 0.0)

    def between_steps(self, count: int) -> float:
        """Seconds from the end of a step to the next one, over the last `count` steps."""
        return median(self._gaps[-count:])

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        """The micro-batches are done; what is left happens once a step."""
        self._passed = _now()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ended = _now()
        seconds = self._share * (self._passed - self._started) + self.ended - self._passed
        self.all.append(MeasuredStep(seconds, None))

    def on_log(self, *_: Any, logs: dict[str, float] | None = None, **__: Any) -> None:
        """Behind a step: the tokens up to there."""
        if logs is None or "num_tokens" not in logs or not self.all:
            return
        tokens = int(logs["num_tokens"])
        taken = round(self._share * (tokens - self._tokens))
        self.all[-1] = self.all[-1]._replace(tokens=taken)
        self._tokens = tokens


def _now() -> float:
    """Seconds, once the card has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.monotonic()
