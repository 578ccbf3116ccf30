"""What the norm and dropout behind the embeddings keep for backward."""

from __future__ import annotations

from planner.memory.numerics import Numerics
from planner.request import TrainingRequest
from planner.shape import ModelShape


def kept_by_embeddings(shape: ModelShape, request: TrainingRequest, numerics: Numerics) -> int:
    """Bytes kept where a graph reaches down to the embeddings.

    Checkpoints ask for a gradient of the embeddings even where only adapters are trained.
    """
    adapted = request.adapter is not None
    reached = request.checkpointing != "none" if adapted else request.trainable_layers is None
    elements = request.tokens * shape.hidden_size
    kept = 0
    if shape.family.embedding_norms:
        width = 4 if numerics.autocast else numerics.embeddings
        kept += elements * width + 8 * request.tokens
    if shape.dropout("embedding") and request.checkpointing == "none":
        kept += elements
    return kept if reached else 0
