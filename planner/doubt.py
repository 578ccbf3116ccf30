"""What hwdb does not know of a model, in a sentence."""

from __future__ import annotations

from planner.shape import ModelShape


def doubt_of(shape: ModelShape) -> str | None:
    """What is not known, and what stands in for it; None: nothing."""
    if shape.recognized and shape.described:
        return None
    if shape.recognized:
        return f'hwdb does not know all of a "{shape.model_type}" model: the interval is wide'
    text = "a Llama-like block stands in, and the interval is wide"
    if not shape.alike:
        text = "a Llama-like block stands in for one that is little like it: nearly a guess"
    return f'model type "{shape.model_type}" is not known; {text}'
