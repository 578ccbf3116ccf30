"""The part of a model that writes text: of one that also sees pictures, not all of it.

What lies beside it is loaded, since the checkpoint holds it, but never run on text and not trained.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedConfig


def writing_class(config: PreTrainedConfig) -> Any:
    """The automatic class of Transformers that builds what writes text from this config.

    Some models have one class for text and pictures together, and none for text alone.
    """
    import transformers

    # Its mappings carry no types.
    text: Any = transformers.AutoModelForCausalLM
    with_pictures: Any = transformers.AutoModelForImageTextToText
    kind = type(config)
    known = kind not in text._model_mapping and kind in with_pictures._model_mapping  # noqa: SLF001
    return with_pictures if known else text


def text_part(model: Any) -> Any:
    """The blocks that text goes through and what belongs to them."""
    return model.get_decoder() if _sees_more_than_text(model) else model


def beside_the_text(model: Any) -> list[str]:
    """Names of the largest modules that see pictures or sound; none in a model of text alone."""
    if not _sees_more_than_text(model):
        return []
    text = {id(module) for module in text_part(model).modules()}
    text.add(id(model.get_output_embeddings()))
    found: list[str] = []
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        holds_text = any(id(part) in text for part in module.modules())
        if not inside and not holds_text and any(True for _ in module.parameters()):
            found.append(name)
    return found


def _sees_more_than_text(model: Any) -> bool:
    return model.config.get_text_config() is not model.config


def freeze_beside_the_text(model: nn.Module) -> None:
    """Train nothing that no text reaches: it would have no gradients."""
    for name in beside_the_text(model):
        model.get_submodule(name).requires_grad_(requires_grad=False)


def not_adapted(model: nn.Module) -> str | None:
    """PEFT's `exclude_modules` for what lies beside the text: a pattern of names, None for none."""
    names = beside_the_text(model)
    return rf"(.*\.)?({'|'.join(map(re.escape, names))})(\..*)?" if names else None
