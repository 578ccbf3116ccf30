"""Parameters of a vision tower that is loaded with a language model and looks at nothing.

A multimodal checkpoint's class brings its tower along when only its text part is trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def tower_parameters(config: Mapping[str, Any], text_width: int) -> int:
    """Those of the `vision_config` of a config.json, a ViT of SigLIP's kind; 0 without one.

    Source: transformers, modeling_siglip.py: biased linears, two layer norms a block, and behind
    the last norm one matrix to the width of the text. Other towers differ by a few percent.
    """
    vision = config.get("vision_config")
    if not isinstance(vision, Mapping):
        return 0
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "image_size", "patch_size")
    numbers = [vision.get(name) for name in names]
    if not all(isinstance(number, int) and number > 0 for number in numbers):
        return 0
    width, inner, layers, image, patch = (int(number or 0) for number in numbers)
    block = 4 * width * (width + 1) + 2 * width * inner + inner + width + 4 * width
    patches = (image // patch) ** 2 * width + (3 * patch**2 + 1) * width
    return layers * block + patches + 2 * width + width * text_width
