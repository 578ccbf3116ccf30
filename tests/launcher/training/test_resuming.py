"""launcher/training/resuming.py: an optimizer goes on from the moments of another."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch

from launcher.training.resuming import fit_to_plan

RATE = 1e-2


def take_steps(optimizer: Any, steps: range) -> None:
    """The same gradients at the same step, whichever the optimizer."""
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = 1e-3 * torch.randn(parameter.shape, generator=generator)
        optimizer.step()


def copies(parameters: list[torch.nn.Parameter]) -> list[torch.nn.Parameter]:
    """Parameters of the same values, trained apart."""
    return [torch.nn.Parameter(each.detach().clone()) for each in parameters]


@pytest.mark.parametrize("name", ["AdamW8bit", "PagedAdamW8bit"])
def test_moments_of_adam_are_taken_over_in_8_bit(name: str) -> None:
    """The next steps are those of torch's Adam within a few percent; a fresh one is far off."""
    optimizers: Any = pytest.importorskip("bitsandbytes").optim
    torch.manual_seed(0)
    # The second one is too small for bitsandbytes to quantize.
    trained = [torch.nn.Parameter(torch.randn(128, 64)), torch.nn.Parameter(torch.randn(8))]
    adam = torch.optim.AdamW(trained, lr=RATE)
    take_steps(adam, range(20))
    start, moments = copies(trained), deepcopy(adam.state_dict())

    taken_over, fresh = copies(start), copies(start)
    in_8_bit = getattr(optimizers, name)(taken_over, lr=RATE)
    in_8_bit.load_state_dict(moments)
    schedule = torch.optim.lr_scheduler.LambdaLR(in_8_bit, lambda _: 1.0)
    fit_to_plan(in_8_bit, schedule, learning_rate=RATE)
    for optimizer in (adam, in_8_bit, getattr(optimizers, name)(fresh, lr=RATE)):
        take_steps(optimizer, range(20, 23))

    for wanted, found, other, before in zip(trained, taken_over, fresh, start, strict=True):
        moved = float((wanted - before).detach().abs().max())
        assert float((wanted - found).detach().abs().max()) < 0.05 * moved
        assert float((wanted - other).detach().abs().max()) > 0.5 * moved
    assert in_8_bit.state[taken_over[0]]["state1"].dtype == torch.uint8
