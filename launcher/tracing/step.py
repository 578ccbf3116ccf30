"""One optimizer step as Trainer takes it, each part of it named while it runs."""

# torch and transformers leave much untyped.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from launcher.tracing.allocation_log import AllocationLog
from launcher.tracing.depths import layers_of
from launcher.tracing.losses import loss_of
from launcher.tracing.model_on_paper import DTYPES, base_of, blocks_of
from launcher.tracing.optimizers import make_step
from planner.request import TrainingRequest

STEPS = 2
"""The optimizer's state is made at the end of the first; the second has it throughout."""

HEAD_BLOCKS = ("head", "outputs", "loss")
"""Names of what lies beyond the last block."""


def run_steps(model: nn.Module, request: TrainingRequest, log: AllocationLog) -> None:
    """Take the steps inside `log`, which names their segments `step/pass:block`."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def note(parameter: torch.Tensor) -> None:
        if parameter.grad is not None:  # fused kernels may give a frozen side none
            log.is_gradient(parameter.grad)

    for parameter in trained:
        parameter.register_post_accumulate_grad_hook(note)
    optimizer_step = make_step(model, request)
    parts = _Parts(model, log)
    with loss_of(model, request) as outputs_of, parts.watched():
        for number in range(STEPS):
            parts.begin(number)
            # A second micro-batch finds the gradients of the first; a third finds no more.
            for _ in range(min(request.accumulation, 2)):
                parts.enter("forward", "before")
                loss = _forward(model, request, outputs_of, parts)
                parts.enter("backward", "loss")
                loss.backward()
                del loss
            parts.enter("optimizer", "all")
            optimizer_step()
            parts.enter("rest", "all")
        parts.enter("evaluate", "before")
        _evaluate(model, request, outputs_of)
        log.enter("end")


def _forward(
    model: nn.Module,
    request: TrainingRequest,
    outputs_of: Callable[[Mapping[str, Any]], Any],
    parts: _Parts,
) -> torch.Tensor:
    batch = batch_of(model, request)
    autocast = request.autocast
    with torch.autocast("cpu", dtype=DTYPES[autocast]) if autocast else nullcontext():
        outputs = outputs_of(batch)
    if autocast is not None:
        parts.enter("forward", "outputs")
        outputs = _float(outputs)
    loss: torch.Tensor = outputs["loss"]
    return loss


def _evaluate(
    model: nn.Module,
    request: TrainingRequest,
    outputs_of: Callable[[Mapping[str, Any]], Any],
) -> None:
    """The loss of a held-out batch, as large as one that is trained on."""
    autocast = request.autocast
    model.eval()
    with (
        torch.no_grad(),
        torch.autocast("cpu", dtype=DTYPES[autocast]) if autocast else nullcontext(),
    ):
        outputs_of(batch_of(model, request))
    model.train()


def _float(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Accelerate's convert_outputs_to_fp32."""
    return {
        name: value.float()
        if isinstance(value, torch.Tensor) and value.is_floating_point()
        else value
        for name, value in outputs.items()
    }


def batch_of(model: nn.Module, request: TrainingRequest) -> dict[str, torch.Tensor]:
    """A micro-batch in the model's own argument names."""
    rows, tokens = request.micro_batch, request.sequence_tokens
    if request.task == "image-classification":
        config = base_of(model).config
        size = config.image_size
        height, width = size if isinstance(size, (list, tuple)) else (size, size)
        pictures = torch.zeros((rows, config.num_channels, height, width))
        return {"pixel_values": pictures, "labels": torch.zeros(rows, dtype=torch.long)}
    batch = {"input_ids": torch.zeros((rows, tokens), dtype=torch.long)}
    if request.padded or request.task == "text-classification":
        batch["attention_mask"] = torch.ones((rows, tokens), dtype=torch.long)
    if request.task == "text-classification":
        return {**batch, "labels": torch.zeros(rows, dtype=torch.long)}
    return {
        **batch,
        "labels": torch.zeros((rows, tokens), dtype=torch.long),
        "num_items_in_batch": torch.zeros((), dtype=torch.long),
    }


class _Parts:
    """Tells the log which block's forward or backward runs."""

    def __init__(self, model: nn.Module, log: AllocationLog) -> None:
        base = base_of(model)
        self._log = log
        self._blocks = blocks_of(base, layers_of(base.config)) or ()
        self._head = base.get_output_embeddings() if not self._blocks else None
        self._embeddings = _embeddings_of(base)
        self._step = 0
        self._stage = ""

    def begin(self, step: int) -> None:
        """A new step."""
        self._step = step

    def enter(self, stage: str, block: str) -> None:
        """A new segment."""
        self._stage = stage
        self._log.enter(f"{self._step}/{stage}:{block}")

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Follow the model's blocks."""
        handles: list[Any] = []
        if self._embeddings is not None:
            handles.append(self._embeddings.register_forward_hook(self._leaves_embeddings))
        if self._head is not None:
            handles.append(self._head.register_forward_pre_hook(self._enters_head))
        for index, block in enumerate(self._blocks):
            handles += [
                block.register_forward_pre_hook(self._enters(index)),
                block.register_forward_hook(self._leaves(index)),
            ]
        yield
        for handle in handles:
            handle.remove()

    def _enters_head(self, *_: Any) -> None:
        if self._stage == "forward":
            self.enter("forward", "head")

    def _enters(self, index: int) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            # Recomputed within backward, or run for the first time.
            self.enter(self._stage, str(index))

        return hook

    def _leaves(self, index: int) -> Callable[..., None]:
        last = index == len(self._blocks) - 1

        def hook(_block: nn.Module, _inputs: Any, out: Any) -> None:
            tensor = _first(out)
            if self._stage == "forward" and last:
                self.enter("forward", "head")
            if tensor.requires_grad:
                tensor.register_hook(lambda _: self.enter("backward", str(index)))

        return hook

    def _leaves_embeddings(self, _module: nn.Module, _inputs: Any, out: Any) -> None:
        tensor = _first(out)
        if self._stage == "forward" and tensor.requires_grad and not tensor.is_leaf:
            tensor.register_hook(lambda _: self.enter("backward", "embeddings"))


def _first(out: Any) -> torch.Tensor:
    """What a module gives; patches of pictures come with their number."""
    tensor: torch.Tensor = out[0] if isinstance(out, (tuple, list)) else out
    return tensor


def _embeddings_of(base: Any) -> Any:
    """None where a class does not say which they are."""
    try:
        return base.get_input_embeddings()
    except NotImplementedError:
        return None
