"""What the norm and dropout behind the embeddings keep, and the gradient of their table."""

from __future__ import annotations

from planner.memory.batch_bytes import NO_BYTES, BatchBytes
from planner.memory.candidate import Entry, FromTokens, Growing
from planner.memory.disentangled import table_elements
from planner.memory.numerics import Numerics
from planner.request import TrainingRequest
from planner.shape import ModelShape


def kept_by_embeddings(
    shape: ModelShape, request: TrainingRequest, numerics: Numerics
) -> BatchBytes:
    """Bytes kept where a graph reaches down to the embeddings.

    Checkpoints ask for a gradient of the embeddings even where those are not trained.
    """
    adapted = request.adapter is not None
    whole = not adapted and (request.trainable_layers is None or shape.tied)
    reached = whole or asks_for_embeddings(shape, request)
    kept = distances = 0
    if shape.family.embedding_norms:
        width = 4 if numerics.widens else numerics.embeddings
        kept += normed_width(shape) * width + 8
        if shape.relative is not None and shape.relative.normed and whole:
            distances = table_elements(shape) * (4 if width > numerics.weights else 0)
    if shape.dropout("embedding"):
        # The CPU keeps its noise in the dtype of what is dropped.
        on_cpu = request.device == "cpu"
        kept += normed_width(shape) * (numerics.embeddings if on_cpu else 1)
    if whole:
        kept += saved_pixels(shape, numerics)
    return BatchBytes(fixed=distances, per_token=kept) if reached else NO_BYTES


def normed_width(shape: ModelShape) -> int:
    """Numbers a token of what the norm behind the embeddings reads: ELECTRA widens it later."""
    norms = shape.family.embedding_norms
    return shape.sizes.get(norms[0].width, shape.hidden_size) if norms else shape.hidden_size


def asks_for_embeddings(shape: ModelShape, request: TrainingRequest) -> bool:
    """Whether checkpoints ask for the gradient of frozen embeddings.

    Of pictures only where adapters are: gradient_checkpointing_enable looks for input_ids.
    """
    of_words = shape.family.kind != "image" or request.adapter is not None
    return request.checkpointing != "none" and of_words


_PIXEL_BYTES = 4
"""Of a number of a picture, as the batch brings it."""


def saved_pixels(shape: ModelShape, numerics: Numerics) -> int:
    """Bytes a token of what a trained cut into patches keeps: the batch, or its copy in 16 bit."""
    return shape.sizes.get("x", 0) * numerics.compute


def held_by_forward(
    shape: ModelShape, request: TrainingRequest, numerics: Numerics, *, saves_input: bool
) -> BatchBytes:
    """What the model's forward still holds of its beginning, where autograd does not.

    The batch's pictures, and what the embeddings gave unless the first block keeps its input.
    """
    if shape.family.kind == "decoder":
        # Where the stream is scaled the embeddings were, under the name they had.
        changed = shape.family.embeddings_change and not shape.family.scales_residual
        kept = saves_input and not changed
        return BatchBytes(per_token=0 if kept else shape.hidden_size * numerics.embeddings)
    held = 0 if saves_input else shape.hidden_size * numerics.entering
    whole = request.adapter is None and request.trainable_layers is None
    if not (whole and numerics.compute == _PIXEL_BYTES):
        held += shape.sizes.get("x", 0) * _PIXEL_BYTES
    if not whole and numerics.weights < _PIXEL_BYTES and shape.family.casts_pictures:
        held += shape.sizes.get("x", 0) * numerics.weights
    return BatchBytes(per_token=held)


_UNSORTED_TOKENS = 3072
_GROUP_TOKENS = 10
"""From more tokens on, ATen's EmbeddingBackwardKernel.cu sorts them and sums groups of up to ten of
one word in fp32; room is taken for the most groups there can be."""


def table_gradient(
    shape: ModelShape,
    request: TrainingRequest,
    numerics: Numerics,
    *,
    table_bytes: int,
    gradients_bytes: int,
    stream: BatchBytes,
) -> list[Entry]:
    """The moments of the table's gradient: made dense, and added to one that is there.

    `gradients_bytes` are there already; `stream` is the gradient of what the embeddings gave.
    """
    added = Growing(
        phase="backward",
        where="embeddings",
        gradients_bytes=gradients_bytes,
        temporaries=stream.plus(table_bytes * (2 if _adds(shape, request, numerics) else 1)),
    )
    if request.device == "cpu":
        return [added]
    made = added._replace(temporaries=stream.plus(table_bytes))
    groups = round(4 * shape.hidden_size * (1 + 1 / _GROUP_TOKENS))
    summed = made._replace(temporaries=made.temporaries + BatchBytes(per_token=groups))
    return [added, FromTokens(_UNSORTED_TOKENS, made, summed)]


def _adds(shape: ModelShape, request: TrainingRequest, numerics: Numerics) -> bool:
    """Whether the gradient is added out of place to one that is there.

    A tied head's is, unless it is a fresh cast that nobody else holds: TRL's fused head makes one.
    """
    if not shape.tied:
        return request.accumulation > 1 and not request.steps_in_backward
    cast = numerics.autocast and numerics.weights != numerics.compute
    return not (request.loss == "chunked" or cast)


def seldom_read_bytes(shape: ModelShape, request: TrainingRequest, numerics: Numerics) -> int:
    """A frozen table that no head multiplies with.

    On a CPU it stays in its file, of which only the words of the data are read.
    """
    trained = request.method == "full" and request.trainable_layers is None
    if request.device != "cpu" or trained or shape.tied:
        return 0
    words = shape.vocabulary_size * shape.hidden_size
    return min(words, shape.embedding_parameters) * numerics.embeddings
