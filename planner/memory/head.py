"""Bytes of logits and loss: the share that grows with the vocabulary, not with the model."""

from __future__ import annotations

from typing import NamedTuple

from planner.memory.last_norm import LastNorm, last_norm
from planner.memory.numerics import Numerics
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
    copied: int = 0
    """Of rows with a label: a part of `saved`, and there while a held-out batch is measured."""


def head_bytes(
    shape: ModelShape,
    numerics: Numerics,
    norm: LastNorm,
    request: TrainingRequest,
) -> HeadBytes:
    """Head and loss of a decoder for the request's batch, `norm` as `norm_before_head` says."""
    numerics = _of_head(numerics)
    tokens, length = request.tokens, request.sequence_tokens
    saved = norm.saved.at(tokens, length)
    if request.loss in ("torch", "triton"):
        forward, backward = bytes_per_logit(request, numerics, softcap=shape.family.logit_softcap)
        logits = tokens * shape.vocabulary_size
        return HeadBytes(
            saved=saved,
            # The last hidden states stay in the hands of the model's forward until it returns.
            forward=round(forward * logits) + norm.stream.at(tokens, length),
            backward=round(backward * logits),
        )
    if request.loss == "liger":
        return _liger(shape, request, numerics, saved)
    tiles = _chunked(shape, request, numerics, norm.normed_bytes, saved)
    return tiles._replace(
        forward=max(tiles.forward, norm.forward(tokens, length)),
        backward=max(tiles.backward, norm.backward(tokens, length)),
    )


def _of_head(numerics: Numerics) -> Numerics:
    """Without autocast the head computes in its own dtype, which k-bit preparation widens."""
    if numerics.autocast or numerics.compute == numerics.head_weights:
        return numerics
    return numerics._replace(compute=numerics.head_weights)


def norm_before_head(
    shape: ModelShape, request: TrainingRequest, numerics: Numerics, stream_bytes: int
) -> LastNorm:
    """The final norm and what the head reads of it."""
    return last_norm(shape, request, _of_head(numerics), stream_bytes)


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
    shape: ModelShape,
    request: TrainingRequest,
    numerics: Numerics,
    normed_bytes: int,
    saved: int,
) -> HeadBytes:
    """TRL's fused head (ChunkedLogProbFunction): tiles of logits, gradients summed in fp32.

    Every tile casts the head's rows it reads, and backward holds those of the tile before.
    """
    tokens, hidden, vocabulary = request.tokens, shape.hidden_size, shape.vocabulary_size
    compute = numerics.compute if numerics.autocast else normed_bytes
    rows, columns = min(tokens, _TILE_TOKENS), min(vocabulary, _TILE_VOCABULARY)
    # The buffer has its full width even for a smaller vocabulary.
    buffer = compute * rows * _TILE_VOCABULARY
    by_torch = rows * columns if request.device == "cpu" else 0
    # Bytes of a copied row of the tile, and of a copied row of the head.
    row = compute * hidden if normed_bytes != compute else 0
    later_rows = min(tokens - rows, rows)
    column = hidden * compute if numerics.head_weights != compute else 0
    read = columns * column
    last = ((vocabulary - 1) % _TILE_VOCABULARY + 1) * column
    by_tile = by_torch * (_TILE_BYTES_ON_CPU + (4 if shape.family.logit_softcap else 0))
    widened = 0
    if request.device == "cpu" and compute != 4:
        # Both sides of a product are copied to fp32 there (_addmm_fp32).
        side = max(columns, rows) if request.method == "full" else columns
        widened = 4 * (by_torch + side * hidden)
    both = 0
    if vocabulary > _TILE_VOCABULARY:
        both = rows * row + read + min(vocabulary - columns, columns) * column
    elif later_rows:
        # New rows are copied while the old ones are there, then the same columns once more.
        both = later_rows * row + max(rows * row + read, 2 * read)
    sums = 4 * hidden * tokens
    own = normed_bytes * hidden * tokens if normed_bytes != 4 else 0
    if request.method == "full":
        sums += 4 * vocabulary * hidden
        own += numerics.weights * vocabulary * hidden if numerics.weights != 4 else 0
    return HeadBytes(
        saved=saved,
        copied=normed_bytes * hidden * tokens,
        forward=normed_bytes * hidden * tokens
        + buffer
        + rows * row
        + _TILE_BYTES_ON_CPU_FORWARD * by_torch
        + read
        + 28 * tokens,
        # While a tile is read, and while the sums are cast to what they are gradients of.
        backward=buffer
        + sums
        + max(
            both,
            rows * row + read + max(by_tile, widened),
            ((tokens - 1) % rows + 1) * row + last + own,
        ),
    )
