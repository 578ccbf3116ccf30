"""Every tensor of a step: when it is born, when it dies, how large it is and who made it.

A dispatch mode sees each operation's outputs. A storage seen for the first time is a birth; its
Python object goes when nothing refers to it any more, and a weak reference tells when.
"""

# torch and transformers leave much untyped.
# mypy: allow-untyped-calls

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from planner.memory.allocator import Event

BLOCK_BYTES = 512
"""The CUDA caching allocator rounds every tensor up to this many bytes."""

Scratch = Callable[[Sequence[Any], Any], int]
"""Arguments and output of an operation to the bytes its kernel takes while it runs."""


Role = Literal["weights", "adapters", "runtime", "graph", "scratch"]
"""What a tensor was made as: a parameter or buffer, a library's workspace, within what autograd
records, or anywhere else."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who made a tensor."""

    segment: str
    maker: str
    """Name of the operation, or of the parameter."""
    shape: tuple[int, ...]
    dtype: str
    role: Role = "scratch"


@dataclass(frozen=True, slots=True)
class Mark:
    """From this event on, the step is in this segment."""

    position: int
    segment: str


@dataclass(frozen=True, slots=True)
class Workspace:
    """What a library keeps for ever once one of its operations ran in a thread."""

    size_bytes: int
    users: frozenset[Any]


class AllocationLog(TorchDispatchMode):
    """Logs births and deaths of all storages while it is active."""

    def __init__(
        self,
        *,
        scratch: Mapping[Any, Scratch] | None = None,
        replaced: Mapping[Any, Callable[..., Any]] | None = None,
        workspace: Workspace | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        """`scratch`: what kernels take inside. `replaced`: operations that run otherwise."""
        super().__init__()
        self.events: list[Event] = []
        self.marks: list[Mark] = []
        self.origins: list[Origin] = []
        """By tensor id."""
        self.owners: dict[int, int] = {}
        """Of tensors made while the optimizer steps: the tensor each was made for."""
        self.gradients: set[int] = set()
        """Tensors that are a parameter's gradient."""
        self.operations = 0
        self._scratch = scratch or {}
        self._replaced = replaced or {}
        self._workspace = workspace
        self._threads_with_workspace: set[bool] = set()
        self._block_bytes = block_bytes
        self._known: dict[int, weakref.ref[Any]] = {}
        self._numbers: dict[int, int] = {}
        self._owner: int | None = None
        self._segment = ""

    def enter(self, segment: str) -> None:
        """Begin a segment of the step."""
        if segment != self._segment:
            self._segment = segment
            self.marks.append(Mark(len(self.events), segment))

    @property
    def segment(self) -> str:
        """The segment the step is in."""
        return self._segment

    def add_model(self, model: torch.nn.Module) -> None:
        """Log parameters and buffers as births."""
        adapted = hasattr(model, "peft_config")
        for name, parameter in model.named_parameters():
            trained = adapted and parameter.requires_grad
            self.add(parameter, name, "adapters" if trained else "weights")
        for name, tensor in model.named_buffers():
            self.add(tensor, name, "weights")

    def is_gradient(self, tensor: torch.Tensor) -> None:
        """Note that a tensor is a parameter's gradient."""
        number = self._numbers.get(id(tensor.untyped_storage()))
        if number is not None:
            self.gradients.add(number)

    def add(self, tensor: torch.Tensor, maker: str, role: Role | None = None) -> None:
        """Log the birth of a tensor's storage unless it is known."""
        storage = tensor.untyped_storage()
        key = id(storage)
        known = self._known.get(key)
        if known is not None and known() is storage:
            return
        size_bytes = self._rounded(storage.nbytes())
        if not size_bytes:
            return
        number = self._birth(size_bytes, maker, tensor, role)
        gone = partial(self._death, key, number, size_bytes)
        self._known[key] = weakref.ref(storage, gone)
        self._numbers[key] = number

    def _rounded(self, count_bytes: int) -> int:
        return -(-count_bytes // self._block_bytes) * self._block_bytes

    def _birth(
        self, size_bytes: int, maker: str, tensor: torch.Tensor, role: Role | None = None
    ) -> int:
        number = len(self.origins)
        dtype = str(tensor.dtype).removeprefix("torch.")
        if role is None:
            role = "graph" if torch.is_grad_enabled() else "scratch"
        self.origins.append(Origin(self._segment, maker, tuple(tensor.shape), dtype, role))
        self.events.append((number, size_bytes))
        if self._owner is not None and "/optimizer" in self._segment:
            self.owners[number] = self.owners.get(self._owner, self._owner)
        return number

    def _death(self, key: int, number: int, size_bytes: int, _gone: object) -> None:
        self._known.pop(key, None)
        self.events.append((number, -size_bytes))

    def __torch_dispatch__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        del types
        self.operations += 1
        run = self._replaced.get(func, func)
        out = run(*args, **(kwargs or {}))
        name = func._schema.name  # noqa: SLF001
        made = (out,) if isinstance(out, torch.Tensor) else tree_leaves(out)
        owned = "/optimizer" in self._segment
        for place, tensor in enumerate(made):
            if isinstance(tensor, torch.Tensor):
                if owned:
                    self._find_owner(args, place)
                self._see(tensor, name)
        if self._workspace is not None and func in self._workspace.users:
            self._keep_workspace(self._workspace, made[0])
        scratch = self._scratch.get(func)
        if scratch is not None:
            self._kernel_scratch(scratch(args, out), name, out)
        return out

    def _see(self, tensor: torch.Tensor, maker: str) -> None:
        if tensor.device.type == "cpu" and isinstance(tensor, FakeTensor) == self._fake:
            self.add(tensor, maker)

    def _find_owner(self, args: tuple[Any, ...], place: int) -> None:
        """The tensor an operation was given in the place of this output; else the last one."""
        first = args[0] if args else None
        given = first[place] if isinstance(first, (list, tuple)) and place < len(first) else first
        if isinstance(given, torch.Tensor):
            self._owner = self._numbers.get(id(given.untyped_storage()), self._owner)

    _fake = True

    def _keep_workspace(self, workspace: Workspace, out: torch.Tensor) -> None:
        """One for the thread that runs forward, one for autograd's."""
        in_backward = torch._C._current_graph_task_id() != -1  # noqa: SLF001
        if in_backward not in self._threads_with_workspace:
            self._threads_with_workspace.add(in_backward)
            size_bytes = self._rounded(workspace.size_bytes)
            self._birth(size_bytes, "cuBLAS workspace", out, "runtime")

    def _kernel_scratch(self, count_bytes: int, maker: str, out: Any) -> None:
        size_bytes = self._rounded(count_bytes)
        if size_bytes:
            tensor = out if isinstance(out, torch.Tensor) else tree_leaves(out)[0]
            number = self._birth(size_bytes, f"inside {maker}", tensor, "scratch")
            self.events.append((number, -size_bytes))


class RealAllocationLog(AllocationLog):
    """Logs tensors that hold data, to compare with what really happens."""

    _fake = False
