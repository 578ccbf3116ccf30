"""Optimizer and schedule of a checkpoint, fitted to a plan that recovery has changed since."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

_FIRST, _SECOND = "exp_avg", "exp_avg_sq"
"""What torch's Adam calls its moments."""


def no_step_is_left(checkpoint: Path) -> bool:
    """Whether a checkpoint was taken after the last step."""
    state = json.loads((checkpoint / "trainer_state.json").read_text())
    return bool(state["global_step"] >= state["max_steps"])


def fit_to_plan(optimizer: Any, scheduler: Any, *, learning_rate: float) -> None:
    """Make what a checkpoint brought back go on with this optimizer at this learning rate.

    `optimizer` is torch's or bitsandbytes' own, `scheduler` a LambdaLR.
    """
    if hasattr(optimizer, "init_state"):
        _into_8_bit(optimizer)
    groups = optimizer.param_groups
    before = groups[0].get("initial_lr", learning_rate)
    if before == learning_rate:
        return
    # The schedule keeps its shape, and groups their ratio; only the peak is another.
    for index, group in enumerate(groups):
        group["lr"] *= learning_rate / before
        group["initial_lr"] *= learning_rate / before
        scheduler.base_lrs[index] = group["initial_lr"]
        scheduler._last_lr[index] = group["lr"]  # noqa: SLF001  torch has no other name for it


def _into_8_bit(optimizer: Any) -> None:
    """Turn moments of torch's Adam, loaded under torch's names, into bitsandbytes' own.

    bitsandbytes loads them as they are, and would fail on the names at its first step.
    """
    for group_index, group in enumerate(optimizer.param_groups):
        for key, value in optimizer.defaults.items():
            group.setdefault(key, value)
        for index, parameter in enumerate(group["params"]):
            loaded = optimizer.state.get(parameter, {})
            if _FIRST not in loaded:
                continue
            del optimizer.state[parameter]
            optimizer.init_state(group, parameter, group_index, index)
            state = optimizer.state[parameter]
            state["step"] = int(loaded["step"])
            _fill(state, 1, loaded[_FIRST])
            _fill(state, 2, loaded[_SECOND])


def _fill(state: dict[str, Any], number: int, values: torch.Tensor) -> None:
    from bitsandbytes import functional

    target = state[f"state{number}"]
    values = values.to(target.device, torch.float32)
    if target.dtype != torch.uint8:
        target.copy_(values)
        return
    functional.quantize_blockwise(
        values.contiguous(),
        code=state[f"qmap{number}"],
        absmax=state[f"absmax{number}"],
        out=target,
        blocksize=256,
    )
