"""A 4-bit product and an 8-bit optimizer step, tried before gigabytes are loaded.

bitsandbytes is built for each CUDA version and kind of card; a build that does not match imports
without a word and fails at the first product.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch

from launcher.errors import MissingHere
from planner.run_plan import RunPlan

_WIDTH = 64


def try_quantized_kernels(plan: RunPlan) -> None:
    """Raise MissingHere when what the plan needs of bitsandbytes does not compute here."""
    try:
        if plan.method.weights in ("nf4", "nf4-dq"):
            _multiply_in_4_bit(plan.hardware.device)
        if "8bit" in plan.training.optimizer:
            _step_in_8_bit(plan.hardware.device)
    except Exception as problem:
        lines = str(problem).strip().splitlines() or [type(problem).__name__]
        raise MissingHere(
            f"bitsandbytes does not compute on this {plan.hardware.device}: {lines[0]}",
            "pip install -U bitsandbytes brings a build for newer cards and CUDA versions",
            "--method lora and --optimizer adamw do without it",
        ) from problem


def _multiply_in_4_bit(device: str) -> None:
    linear: Any = _module("bitsandbytes.nn").Linear4bit
    layer = linear(_WIDTH, _WIDTH, bias=False, quant_type="nf4").to(device)
    rows: Any = torch.ones(2, _WIDTH, device=device, requires_grad=True)
    product: Any = layer(rows)
    product.sum().backward()
    if rows.grad is None or not bool(torch.isfinite(product).all()):
        raise RuntimeError("a 4-bit product gave no finite numbers")


def _step_in_8_bit(device: str) -> None:
    adam: Any = _module("bitsandbytes.optim").AdamW8bit
    weight: Any = torch.nn.Parameter(torch.ones(_WIDTH, _WIDTH, device=device))
    optimizer = adam([weight], lr=0.1)
    weight.sum().backward()
    optimizer.step()
    if not bool((weight < 1).all()):
        raise RuntimeError("an 8-bit optimizer step changed nothing")


def _module(name: str) -> Any:
    """A part of bitsandbytes, whose functions carry no types."""
    return import_module(name)
