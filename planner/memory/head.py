"""Bytes of logits and loss: the share that grows with the vocabulary, not with the model."""

from __future__ import annotations

from typing import NamedTuple

from planner.memory.batch_bytes import BatchBytes, batch_bytes, widths_of
from planner.memory.layers import TOKENS, Value
from planner.memory.library import Library
from planner.memory.linears import product
from planner.memory.numerics import Numerics
from planner.memory.size import NOTHING, Size
from planner.memory.tape import Tape
from planner.request import TrainingRequest
from planner.shape import ModelShape

_TILE_TOKENS = 4096
_TILE_VOCABULARY = 32768
"""TRL's fused head computes this many logits at a time (ChunkedLogProbFunction, trl 1.16)."""

_TILE_BYTES_ON_CPU = 29
"""Bytes a logit of the tile on the CPU on top, where no Triton kernel computes it in place: seven
fp32 tensors and one of booleans (live storages of a real step)."""


class HeadBytes(NamedTuple):
    """What the last norm, the head and the loss hold, in bytes of one micro-batch."""

    saved: int
    """Kept from the final norm until its backward."""
    forward: int
    """Most bytes alive while the loss is computed."""
    backward: int
    """Most bytes alive while the loss is differentiated."""


def head_bytes(
    shape: ModelShape,
    numerics: Numerics,
    kept: BatchBytes,
    stream_bytes: int,
    request: TrainingRequest,
) -> HeadBytes:
    """Head and loss of a decoder for the request's batch.

    `kept` is what `saved_by_head` says, `stream_bytes` the dtype that leaves the last block.
    """
    tokens, hidden = request.tokens, shape.hidden_size
    saved = kept.at(tokens, request.sequence_tokens)
    if request.loss in ("torch", "triton"):
        forward, backward = bytes_per_logit(request, numerics, softcap=shape.family.logit_softcap)
        logits = tokens * shape.vocabulary_size
        return HeadBytes(
            saved=saved,
            # The last hidden states stay in the hands of the model's forward until it returns.
            forward=round(forward * logits) + stream_bytes * hidden * tokens,
            backward=round(backward * logits),
        )
    return _fused(shape, request, numerics, saved)


def saved_by_head(
    shape: ModelShape, request: TrainingRequest, numerics: Numerics, stream_bytes: int
) -> BatchBytes:
    """What the final norm and the head's product keep."""
    held = request.loss in ("torch", "triton")
    key = (
        numerics, stream_bytes, request.method, request.trainable_layers is None, held,
        request.device, request.fused_kernels, shape.family.norm_style, shape.activation,
    )  # fmt: skip
    kept = _kept_by_kind.get(key)
    if kept is None:
        kept = _kept_by_kind[key] = _kept(shape, request, numerics, stream_bytes)
    return batch_bytes(kept, widths_of(shape.sizes))


_kept_by_kind: dict[object, Size] = {}
"""Written once for all heads that differ only in sizes."""


def _kept(
    shape: ModelShape, request: TrainingRequest, numerics: Numerics, stream_bytes: int
) -> Size:
    tape = Tape()
    library = Library(
        tape=tape,
        numerics=numerics,
        trained=request.method == "full" and request.trainable_layers is None,
        adapted=frozenset(),
        dropout=False,
        dora=False,
        on_cpu=request.device == "cpu",
        fused=request.fused_kernels,
        norm_style=shape.family.norm_style,
        activation=shape.activation,
    )
    elements = Size.of("h") * TOKENS
    stream = Value(tape.input(elements * stream_bytes, needs_grad=True), elements, stream_bytes)
    normed = library.norm(stream, "final_norm")
    if request.loss in ("torch", "triton"):
        library.trained = request.method == "full"
        weight = library.weight(Size.of("hV"), numerics.head_weights)
        product(library, normed, weight, Size.of("V") * TOKENS, "head")
    else:
        # Rows with a label are copied and kept, and so is autocast's copy of the weight.
        copies = normed.size
        if numerics.head_weights != numerics.compute:
            copies += Size.of("hV") * numerics.compute
        tape.run("labelled", [normed.tensor], TOKENS, saves_aside=copies)
    moments = tape.replay()
    return moments.saved + (stream.size if moments.saves_input else NOTHING)


def bytes_per_logit(
    request: TrainingRequest, numerics: Numerics, *, softcap: bool = False
) -> tuple[float, float]:
    """Bytes a logit that are alive in the loss's forward and backward.

    transformers' ForCausalLMLoss, by version: up to 4.45 float(), a contiguous shifted copy and
    log_softmax, all fp32; later the 16-bit logits also live in the caller; from 4.49 on there is
    no shifted copy. Backward holds three fp32 tensors. A Triton cross entropy saves its input and
    writes the gradient in place.
    """
    version = request.transformers_version
    half = float(numerics.compute)
    wide = 4.0 if numerics.compute == 2 else 0.0  # float() copies nothing that is fp32 already
    if request.stack == "unsloth":
        return half, half  # its kernel reads them as they are and writes the gradient over them
    if request.loss == "triton":
        # fp32 logits and their shifted copy; later callers hold the 16-bit ones as well.
        return (8.0 + half if version is not None and version >= (4, 46) else 8.0), 0.0
    softcapped = half if softcap else 0.0  # tanh keeps what it made
    if version is not None and version < (4, 46):
        return 12.0 + softcapped, 12.0 + softcapped
    if version is not None and version < (4, 49):
        return 8.0 + wide + half + softcapped, 12.0 + softcapped
    return 4.0 + wide + half + softcapped, 12.0 + softcapped


def _fused(
    shape: ModelShape, request: TrainingRequest, numerics: Numerics, saved: int
) -> HeadBytes:
    """A loss that never holds all logits: TRL's fused head, Liger, chunked cross entropies."""
    tokens, hidden, vocabulary = request.tokens, shape.hidden_size, shape.vocabulary_size
    trained = request.method == "full"
    if request.loss == "liger":
        # Liger cuts tokens so that a chunk of logits is about tokens x hidden.
        chunk = -(-tokens * hidden // max(vocabulary, 1)) or 1
        tile = 10 * chunk * vocabulary
    else:
        # The buffer has its full width even for a smaller vocabulary.
        tile = numerics.compute * min(tokens, _TILE_TOKENS) * _TILE_VOCABULARY
        if request.device == "cpu":
            logits = min(tokens, _TILE_TOKENS) * min(vocabulary, _TILE_VOCABULARY)
            tile += _TILE_BYTES_ON_CPU * logits
    head_gradient = 4 * vocabulary * hidden if trained else 0
    return HeadBytes(
        saved=saved,
        forward=2 * hidden * tokens + tile + 28 * tokens,
        backward=6 * hidden * tokens
        + tile
        + head_gradient
        + (numerics.weights * vocabulary * hidden if trained and numerics.weights == 2 else 0),
    )
