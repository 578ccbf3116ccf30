"""What the norm and dropout behind the embeddings keep for backward."""

from __future__ import annotations

from planner.memory.batch_bytes import BatchBytes
from planner.memory.numerics import Numerics
from planner.request import TrainingRequest
from planner.shape import ModelShape


def kept_by_embeddings(
    shape: ModelShape, request: TrainingRequest, numerics: Numerics
) -> BatchBytes:
    """Bytes kept where a graph reaches down to the embeddings.

    Checkpoints ask for a gradient of the embeddings even where only adapters are trained.
    """
    adapted = request.adapter is not None
    reached = request.checkpointing != "none" if adapted else request.trainable_layers is None
    kept = 0
    if shape.family.embedding_norms:
        width = 4 if numerics.autocast else numerics.embeddings
        kept += shape.hidden_size * width + 8
    if shape.dropout("embedding") and request.checkpointing == "none":
        kept += shape.hidden_size
    return BatchBytes(per_token=kept if reached else 0)
