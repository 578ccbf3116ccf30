"""Optimizers as Trainer makes them; bitsandbytes' by what they keep.

bitsandbytes' kernels refuse tensors without data, and update in place: only their state counts.
"""

# torch and transformers leave much untyped.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from planner.request import TrainingRequest

Parameters = Sequence[torch.nn.Parameter]

_GROUP = 256
_SMALLEST_8BIT = 4096
_SMALLEST_PAGED = 100_000
"""bitsandbytes keeps smaller tensors' state on the card (optimizer.py, get_state_buffer)."""


def make_step(model: torch.nn.Module, request: TrainingRequest) -> Callable[[], None]:
    """A function that clips the gradients of what is trained, steps and forgets them.

    With an optimizer that steps inside backward, hooks do the work and the function does nothing.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    name = request.optimizer_name
    if request.device == "cpu":
        name = name.removeprefix("paged-")  # pages are moved between a card and the host
    if request.steps_in_backward:
        _step_in_backward(parameters, name)
        return lambda: None
    optimizer = _make(parameters, name, tables=_tables(model))

    def step() -> None:
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        optimizer.step()
        for parameter in parameters:
            parameter.grad = None

    return step


def paged_bytes(model: torch.nn.Module, request: TrainingRequest) -> int:
    """Moments that bitsandbytes keeps in pages: none of them is an allocation of the card's."""
    name = request.optimizer_name
    if not name.startswith("paged-") or request.device == "cpu":
        return 0
    tables = frozenset() if request.steps_in_backward else _tables(model)
    return sum(
        2 * parameter.numel() * (1 if _is_narrow(parameter, name, tables) else 4)
        for parameter in model.parameters()
        if parameter.requires_grad and parameter.numel() >= _SMALLEST_PAGED
    )


def _is_narrow(parameter: torch.nn.Parameter, name: str, tables: frozenset[int]) -> bool:
    """Whether its moments have one byte an element."""
    eight_bit = name.endswith("8bit") and id(parameter) not in tables
    return eight_bit and parameter.numel() >= _SMALLEST_8BIT


def _step_in_backward(parameters: Parameters, name: str) -> None:
    for parameter in parameters:
        optimizer = _make([parameter], name)

        def step(stepped: torch.nn.Parameter, optimizer: Any = optimizer) -> None:
            optimizer.step()
            stepped.grad = None

        parameter.register_post_accumulate_grad_hook(step)


def _tables(model: torch.nn.Module) -> frozenset[int]:
    """Trainer keeps the moments of every nn.Embedding in fp32 (create_optimizer)."""
    tables = (module for module in model.modules() if isinstance(module, torch.nn.Embedding))
    return frozenset(id(table.weight) for table in tables)


def _make(parameters: Parameters, name: str, tables: frozenset[int] = frozenset()) -> Any:
    if name == "adamw":
        return torch.optim.AdamW(parameters, lr=1e-4, foreach=True)
    if name == "adamw-fused":
        return torch.optim.AdamW(parameters, lr=1e-4, fused=True)
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=1e-4, foreach=True)
    if name == "adafactor":
        from transformers.optimization import Adafactor

        return Adafactor(parameters, lr=1e-4, scale_parameter=False, relative_step=False)
    return _BitsAndBytesAdam(parameters, name=name, paged=name.startswith("paged"), tables=tables)


class _BitsAndBytesAdam:
    """Two moments a parameter: one byte each and a scale per 256, or fp32."""

    def __init__(
        self, parameters: Parameters, *, name: str, paged: bool, tables: frozenset[int]
    ) -> None:
        self._parameters = parameters
        self._name = name
        self._paged = paged
        self._tables = tables
        self._state: dict[int, list[torch.Tensor]] = {}

    def step(self) -> None:
        for parameter in self._parameters:
            if parameter.grad is not None and id(parameter) not in self._state:
                self._state[id(parameter)] = self._moments(parameter)

    def _moments(self, parameter: torch.nn.Parameter) -> list[torch.Tensor]:
        elements = parameter.numel()
        narrow = _is_narrow(parameter, self._name, self._tables)
        state = []
        if not (self._paged and elements >= _SMALLEST_PAGED):
            dtype = torch.uint8 if narrow else torch.float32
            state += [torch.zeros_like(parameter, dtype=dtype) for _ in range(2)]
        if narrow:
            scales = -(-elements // _GROUP)
            state += [parameter.new_zeros(scales, dtype=torch.float32) for _ in range(2)]
        return state
