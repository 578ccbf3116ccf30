"""The loss of a step: the model's own from all logits, or TRL's that never holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from launcher.tracing.model_on_paper import base_of
from launcher.tracing.replacing import replaced
from planner.request import TrainingRequest


@contextmanager
def loss_of(model: Any, request: TrainingRequest) -> Iterator[Callable[[Mapping[str, Any]], Any]]:
    """A function from a batch to the model's outputs, with a `loss` among them."""
    if request.task == "causal-lm" and request.loss == "chunked":
        with _trl_fused_head(model):
            yield lambda batch: model(**batch, fused_lm_head=True)
    else:
        yield lambda batch: model(**batch)


@contextmanager
def _trl_fused_head(model: Any) -> Iterator[None]:
    """TRL's head as it runs on CUDA: tiles in place in Triton, products summed in fp32."""
    from trl.kernels import chunked_logprob
    from trl.trainer import utils

    base = base_of(model)
    utils.add_fused_lm_head(base, outputs=("log_probs", "entropy", "is_top1"))
    nothing: Callable[..., None] = lambda *_, **__: None  # noqa: E731
    with (
        # Only positions with a label are scored on CUDA.
        replaced(utils, _use_triton=lambda _: True),
        replaced(
            chunked_logprob, _forward_tile=nothing, _backward_tile=nothing, _addmm_fp32=nothing
        ),
    ):
        yield
