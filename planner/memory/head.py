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
fp32 tensors and one of booleans (live storages of a real step); soft-capping keeps its tanh."""
_TILE_BYTES_ON_CPU_FORWARD = 13
"""The same before backward: three and one."""


class HeadBytes(NamedTuple):
    """What the last norm, the head and the loss hold, in bytes of one micro-batch."""

    saved: int
    """Kept from the final norm until its backward."""
    forward: int
    """Most bytes alive while the loss is computed."""
    backward: int
    """Most bytes alive while the loss is differentiated."""


class KeptByHead(NamedTuple):
    """What the final norm and the head's product keep."""

    bytes: BatchBytes
    normed_bytes: int
    """Bytes an element of what leaves the norm."""


def head_bytes(
    shape: ModelShape,
    numerics: Numerics,
    kept: KeptByHead,
    stream_bytes: int,
    request: TrainingRequest,
) -> HeadBytes:
    """Head and loss of a decoder for the request's batch.

    `kept` is what `saved_by_head` says, `stream_bytes` the dtype that leaves the last block.
    """
    numerics = _of_head(numerics)
    tokens, hidden = request.tokens, shape.hidden_size
    saved = kept.bytes.at(tokens, request.sequence_tokens)
    if request.loss in ("torch", "triton"):
        forward, backward = bytes_per_logit(request, numerics, softcap=shape.family.logit_softcap)
        logits = tokens * shape.vocabulary_size
        return HeadBytes(
            saved=saved,
            # The last hidden states stay in the hands of the model's forward until it returns.
            forward=round(forward * logits) + stream_bytes * hidden * tokens,
            backward=round(backward * logits),
        )
    if request.loss == "liger":
        return _liger(shape, request, numerics, saved)
    return _chunked(shape, request, numerics, kept)


def _of_head(numerics: Numerics) -> Numerics:
    """Without autocast the head computes in its own dtype, which k-bit preparation widens."""
    if numerics.autocast or numerics.compute == numerics.head_weights:
        return numerics
    return numerics._replace(compute=numerics.head_weights)


def saved_by_head(
    shape: ModelShape, request: TrainingRequest, numerics: Numerics, stream_bytes: int
) -> KeptByHead:
    """What the final norm and the head's product keep."""
    numerics = _of_head(numerics)
    key = (
        numerics, stream_bytes, request.method, request.trainable_layers is None, request.loss,
        request.device, request.fused_kernels, shape.family.norm_style, shape.activation,
    )  # fmt: skip
    kept = _kept_by_kind.get(key)
    if kept is None:
        kept = _kept_by_kind[key] = _kept(shape, request, numerics, stream_bytes)
    return KeptByHead(batch_bytes(kept[0], widths_of(shape.sizes)), kept[1])


_kept_by_kind: dict[object, tuple[Size, int]] = {}
"""Written once for all heads that differ only in sizes."""


def _kept(
    shape: ModelShape, request: TrainingRequest, numerics: Numerics, stream_bytes: int
) -> tuple[Size, int]:
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
        # Rows with a label are copied and kept, and so is Liger's copy of the weight.
        copies = normed.size
        if request.loss == "liger" and numerics.head_weights != numerics.compute:
            copies += Size.of("hV") * numerics.compute
        tape.run("labelled", [normed.tensor], TOKENS, saves_aside=copies)
    moments = tape.replay()
    return moments.saved + (stream.size if moments.saves_input else NOTHING), normed.bytes


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


def _liger(
    shape: ModelShape, request: TrainingRequest, numerics: Numerics, saved: int
) -> HeadBytes:
    """Liger cuts tokens so that a chunk of logits is about tokens x hidden."""
    tokens, hidden, vocabulary = request.tokens, shape.hidden_size, shape.vocabulary_size
    chunk = -(-tokens * hidden // max(vocabulary, 1)) or 1
    backward = 6 * hidden * tokens + 10 * chunk * vocabulary
    if request.method == "full":
        backward += (4 + (numerics.weights if numerics.weights != 4 else 0)) * vocabulary * hidden
    return HeadBytes(saved, 2 * hidden * tokens + 10 * chunk * vocabulary + 28 * tokens, backward)


def _chunked(
    shape: ModelShape, request: TrainingRequest, numerics: Numerics, kept: KeptByHead
) -> HeadBytes:
    """TRL's fused head (ChunkedLogProbFunction): tiles of logits, gradients summed in fp32.

    Every tile casts the head's rows it reads, and backward holds those of the tile before.
    """
    tokens, hidden, vocabulary = request.tokens, shape.hidden_size, shape.vocabulary_size
    compute = numerics.compute if numerics.autocast else kept.normed_bytes
    rows, columns = min(tokens, _TILE_TOKENS), min(vocabulary, _TILE_VOCABULARY)
    # The buffer has its full width even for a smaller vocabulary.
    tile = compute * rows * _TILE_VOCABULARY
    by_torch = rows * columns if request.device == "cpu" else 0
    if kept.normed_bytes != compute:
        tile += compute * rows * hidden
    row = hidden * compute if numerics.head_weights != compute else 0
    read = columns * row
    last = ((vocabulary - 1) % _TILE_VOCABULARY + 1) * row
    by_tile = by_torch * (_TILE_BYTES_ON_CPU + (4 if shape.family.logit_softcap else 0))
    widened = 0
    if request.device == "cpu" and compute != 4:
        # Both sides of a product are copied to fp32 there (_addmm_fp32).
        side = max(columns, rows) if request.method == "full" else columns
        widened = 4 * (by_torch + side * hidden)
    several = tokens > _TILE_TOKENS or vocabulary > _TILE_VOCABULARY
    before = min(vocabulary - columns, columns) or columns
    both = read + before * row if several else read
    sums = 4 * hidden * tokens
    own = kept.normed_bytes * hidden * tokens if kept.normed_bytes != 4 else 0
    if request.method == "full":
        sums += 4 * vocabulary * hidden
        own += numerics.weights * vocabulary * hidden if numerics.weights != 4 else 0
    return HeadBytes(
        saved=kept.bytes.at(tokens, request.sequence_tokens),
        forward=kept.normed_bytes * hidden * tokens
        + tile
        + _TILE_BYTES_ON_CPU_FORWARD * by_torch
        + read
        + 28 * tokens,
        # While a tile is read, and while the sums are cast to what they are gradients of.
        backward=tile + sums + max(both, read + max(by_tile, widened), last + own),
    )
