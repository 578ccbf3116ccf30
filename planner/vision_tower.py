"""Parameters of towers that are loaded with a language model and see or hear nothing.

A multimodal checkpoint's class brings them along when only its text part is trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Vision = Mapping[str, Any]
_Count = Callable[[Vision, int], Any]


def tower_parameters(config: Mapping[str, Any], text_width: int) -> int:
    """Those of a config.json's `vision_config` and `audio_config`, and of what joins them to text.

    A vision tower of another kind is counted as SigLIP's, from which most differ by a few percent,
    an audio tower as Whisper's.
    """
    vision, audio = config.get("vision_config"), config.get("audio_config")
    kind = vision.get("model_type") if isinstance(vision, Mapping) else None
    seeing: _Count = _KINDS.get(str(kind), _siglip)
    return _counted(seeing, vision, text_width) + _counted(_whisper, audio, text_width)


def _counted(count: _Count, tower: Any, text_width: int) -> int:
    if not isinstance(tower, Mapping):
        return 0
    try:
        return max(0, int(count(tower, text_width)))
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return 0


def _whisper(audio: Vision, text_width: int) -> Any:
    """Source: transformers, modeling_whisper.py: biased linears, two layer norms a block."""
    width = audio["hidden_size"] if "hidden_size" in audio else audio["d_model"]
    inner = audio["intermediate_size"] if "intermediate_size" in audio else audio["encoder_ffn_dim"]
    layers = audio["encoder_layers" if "encoder_layers" in audio else "num_hidden_layers"]
    block = 4 * width * (width + 1) + 2 * width * inner + inner + width + 4 * width
    convolutions = 3 * (audio["num_mel_bins"] + width) * width
    return (
        layers * block + convolutions + audio["max_source_positions"] * width + width * text_width
    )


def _siglip(vision: Vision, text_width: int) -> Any:
    """Source: transformers, modeling_siglip.py: biased linears, two layer norms a block.

    Behind the last norm one matrix leads to the width of the text.
    """
    width, inner, patch = vision["hidden_size"], vision["intermediate_size"], vision["patch_size"]
    block = 4 * width * (width + 1) + 2 * width * inner + inner + width + 4 * width
    patches = (vision["image_size"] // patch) ** 2 * width + (3 * patch**2 + 1) * width
    blocks = int(vision["num_hidden_layers"]) * block
    return blocks + patches + 2 * width + width * text_width


def _pixtral(vision: Vision, text_width: int) -> Any:
    """Source: modeling_pixtral.py, modeling_mistral3.py: a Llama's blocks, no biases.

    Four neighbours become one, then two matrices lead to the width of the text.
    """
    width, inner, patch = vision["hidden_size"], vision["intermediate_size"], vision["patch_size"]
    block = 4 * width**2 + 3 * width * inner + 2 * width
    joining = width + 4 * width**2 + text_width * width + text_width**2
    return int(vision["num_hidden_layers"]) * block + (3 * patch**2 + 1) * width + joining


def _qwen3_vl(vision: Vision, text_width: int) -> Any:
    """Source: modeling_qwen3_vl.py: biased linears, two layer norms a block, films of two frames.

    Four neighbours are merged into the width of the text, once at the end and once at each block
    that also feeds the first blocks of the text.
    """
    width, inner, patch = vision["hidden_size"], vision["intermediate_size"], vision["patch_size"]
    block = 4 * width * (width + 1) + 2 * width * inner + inner + width + 4 * width
    patches = (6 * patch**2 + 1) * width + vision["num_position_embeddings"] * width
    four = 4 * width
    merger = four * (four + 1) + (four + 1) * text_width
    feeding = len(vision["deepstack_visual_indexes"])
    norms = 2 * width + feeding * 2 * four
    return int(vision["depth"]) * block + patches + (1 + feeding) * merger + norms


_KINDS: dict[str, _Count] = {
    "pixtral": _pixtral,
    **dict.fromkeys(("qwen3_vl", "qwen3_vl_vision"), _qwen3_vl),
    **dict.fromkeys(("qwen3_vl_moe", "qwen3_vl_moe_vision"), _qwen3_vl),
}
