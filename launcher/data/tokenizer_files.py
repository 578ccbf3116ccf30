"""What stands beside a model's tokenizer.json: its chat template and its special tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_SPECIAL_TOKENS = (
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
)


def chat_template_source(model_folder: Path) -> str | None:
    """The model's chat template, None when it has none.

    chat_template.jinja wins over tokenizer_config.json, as in transformers.
    """
    own_file = model_folder / "chat_template.jinja"
    if own_file.is_file():
        return own_file.read_text(encoding="utf-8", errors="replace")
    template = _tokenizer_config(model_folder).get("chat_template")
    if isinstance(template, list):
        template = next(
            (entry.get("template") for entry in template if entry.get("name") == "default"), None
        )
    return template if isinstance(template, str) else None


def special_tokens(model_folder: Path) -> dict[str, str]:
    """Texts of the special tokens a model has, such as `eos_token`."""
    config = _tokenizer_config(model_folder)
    tokens = {}
    for name in _SPECIAL_TOKENS:
        value = config.get(name)
        # Older files spell a token out as an object.
        text = value.get("content") if isinstance(value, dict) else value
        if isinstance(text, str):
            tokens[name] = text
    return tokens


def _tokenizer_config(model_folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((model_folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}
