"""The loss of a step, by the library and version that computes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch.nn import functional

from launcher.tracing.fused_layers import fused_layers
from launcher.tracing.fused_losses import fused_cross_entropy, use_liger_loss
from launcher.tracing.model_on_paper import base_of
from launcher.tracing.replacing import replaced
from planner.request import TrainingRequest

Outputs = Callable[[Mapping[str, Any]], Any]
"""A batch to the model's outputs, with a `loss` among them."""

_Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

_LOSS_FUNCTIONS = (4, 46)
"""Before, each model's forward made its logits fp32 and computed the loss itself."""
_UNSHIFTED = (4, 49)
"""Before, the loss was computed from a contiguous copy of the logits without the last row."""


@contextmanager
def loss_of(model: Any, request: TrainingRequest) -> Iterator[Outputs]:
    """The forward pass that a step of this request differentiates."""
    if request.task != "causal-lm":
        yield lambda batch: model(**batch)
        return
    base = base_of(model)
    if request.loss == "chunked":
        with _trl_fused_head(base, on_cuda=request.device == "cuda"):
            yield lambda batch: model(**batch, fused_lm_head=True)
        return
    with fused_layers(base) if request.fused_kernels else nullcontext():
        if request.loss == "liger":
            use_liger_loss(base)
        else:
            _use_loss_of_version(base, request)
        yield lambda batch: model(**batch)


def _use_loss_of_version(base: Any, request: TrainingRequest) -> None:
    """The loss from whole logits as the request's Transformers computes it."""
    version = request.transformers_version or (5, 0)
    if request.loss == "torch" and version >= _UNSHIFTED:
        return  # the installed one
    if version < _LOSS_FUNCTIONS:
        # The 16-bit logits are gone before the loss begins.
        base.get_output_embeddings().register_forward_hook(lambda _m, _i, logits: logits.float())
    loss: _Loss = fused_cross_entropy if request.loss == "triton" else functional.cross_entropy
    base.loss_function = _loss_function(loss, shifted_copy=version < _UNSHIFTED)


def _loss_function(loss: _Loss, *, shifted_copy: bool) -> Callable[..., torch.Tensor]:
    def loss_function(
        logits: torch.Tensor, labels: torch.Tensor, vocab_size: int, **_: Any
    ) -> torch.Tensor:
        logits = logits.float()
        if shifted_copy:
            shifted, labels = logits[..., :-1, :].contiguous(), labels[..., 1:].contiguous()
        else:
            shifted = logits
        return loss(shifted.view(-1, vocab_size), labels.view(-1))

    return loss_function


@contextmanager
def _trl_fused_head(base: Any, *, on_cuda: bool) -> Iterator[None]:
    """TRL's head; on CUDA it computes tiles in place in Triton and sums products in fp32."""
    from trl.kernels import chunked_logprob
    from trl.trainer import utils

    utils.add_fused_lm_head(base, outputs=("log_probs", "entropy", "is_top1"))
    if not on_cuda:
        yield
        return
    nothing: Callable[..., None] = lambda *_, **__: None  # noqa: E731
    with (
        # Only positions with a label are scored on CUDA.
        replaced(utils, _use_triton=lambda _: True),
        replaced(
            chunked_logprob, _forward_tile=nothing, _backward_tile=nothing, _addmm_fp32=nothing
        ),
    ):
        yield
