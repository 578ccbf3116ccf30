"""Classifiers: another head, images as tokens, and a head that is trained beside the adapters."""

from __future__ import annotations

from dataclasses import replace

from planner.memory.block_settings import writes_scores
from planner.memory.head import HeadBytes
from planner.memory.last_norm import LastNorm
from planner.memory.numerics import Numerics
from planner.request import RequestError, TrainingRequest
from planner.shape import ModelShape


def for_task(shape: ModelShape, request: TrainingRequest) -> tuple[ModelShape, TrainingRequest]:
    """The model with its task's head, and the request in the tokens and the attention it has.

    Raises RequestError for a task this model has no head for.
    """
    if request.attention == "sdpa" and writes_scores(shape, request):
        request = replace(request, attention="eager")
    if request.task == "causal-lm":
        if shape.family.kind != "decoder":
            raise _no_head(shape, request)
        return shape, request
    head = shape.task_heads.get(request.task)
    if head is None:
        raise _no_head(shape, request)
    shape = replace(
        shape,
        parameters=head.model_parameters,
        head_parameters=head.head_parameters,
        trained_with_adapters=head.trained_with_adapters,
        head_matrices=head.matrices,
        tied=False,
    )
    # The few logits of a row are computed at once, whatever is said of the loss.
    request = replace(request, loss="torch")
    if shape.image_tokens is not None:
        request = replace(request, sequence_tokens=shape.image_tokens, padded=False)
    return shape, request


def _no_head(shape: ModelShape, request: TrainingRequest) -> RequestError:
    tasks = [*(["causal-lm"] if shape.family.kind == "decoder" else []), *shape.task_heads]
    known = ", ".join(tasks) or "nothing"
    text = f"task {request.task} is not what a {shape.model_type} model is made for, but {known}"
    return RequestError("task", text)


def head_bytes(
    shape: ModelShape,
    numerics: Numerics,
    norm: LastNorm | None,
    stream_bytes: int,
    request: TrainingRequest,
) -> HeadBytes:
    """The norm after the last block where there is one, and a gradient that reads one token a row.

    `norm` is that of a decoder, whose classes are computed of every token; others read few.
    """
    tokens, length = request.tokens, request.sequence_tokens
    if norm is not None:
        return HeadBytes(
            saved=norm.saved.at(tokens, length),
            forward=norm.forward(tokens, length),
            backward=norm.backward(tokens, length),
        )
    states = tokens * shape.hidden_size
    saved = 0
    if shape.family.final_norms:
        saved = states * 4 + tokens * 8
        if request.method == "full" and shape.family.norm_kind == "rms":
            saved += states * (numerics.compute + stream_bytes)
    return HeadBytes(saved=saved, forward=states * stream_bytes, backward=states * stream_bytes)
