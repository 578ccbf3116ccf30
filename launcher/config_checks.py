"""What a config.json says is looked at before anything is counted from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hwdb
from launcher.errors import BadConfig
from planner.request import shortened

_NUMBERS = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "intermediate_size",
    "vocab_size",
)
_MOST = 2**31

_KINDS: Mapping[str, tuple[type, str]] = {
    "model_type": (str, "text"),
    **dict.fromkeys(("architectures", "layer_types"), (list, "a list")),
    **dict.fromkeys(
        ("text_config", "rope_parameters", "rope_scaling", "quantization_config", "id2label"),
        (dict, "an object"),
    ),
    **dict.fromkeys(("max_position_embeddings", "sliding_window"), (int, "a whole number")),
    **dict.fromkeys(("tie_word_embeddings", "use_sliding_window"), (bool, "true or false")),
}


def check_config(config: Mapping[str, Any], family: hwdb.Family | None, where: str) -> None:
    """Raise BadConfig for the first key whose value no model has; `where` is the file."""
    inner = config.get("text_config")
    parts = [config, inner] if isinstance(inner, dict) else [config]
    for part in parts:
        for key, (kind, words) in _KINDS.items():
            value = part.get(key)
            if value is not None and not isinstance(value, kind):
                raise _bad(where, key, words, value)
    source = parts[-1]
    for number in _NUMBERS:
        for key in _names(number, family):
            value = source.get(key)
            if value is None or (family is None and isinstance(value, list)):
                continue  # a stand-in takes the largest of what differs from layer to layer
            if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _MOST:
                raise _bad(where, key, "a whole number above 0", value)
    named = family is not None and _read(source, family, "hidden_size") is not None
    if named and family is not None and family.kind != "encoder_decoder":
        _check_heads(source, family, where)


def _bad(where: str, key: str, words: str, value: Any) -> BadConfig:
    return BadConfig(f'{where}: "{key}" must be {words}, not {shortened(value)}', key)


def _names(number: str, family: hwdb.Family | None) -> tuple[str, ...]:
    return (number,) if family is None else tuple(family.config_keys.get(number, (number,)))


def _check_heads(config: Mapping[str, Any], family: hwdb.Family, where: str) -> None:
    """Heads there must be, and they share the width evenly unless their own is given."""
    hidden, heads = _read(config, family, "hidden_size"), _read(config, family, _HEADS)
    if heads is None:
        key = _names(_HEADS, family)[0]
        raise BadConfig(f'{where}: config has no "{key}"', key)
    alone = _read(config, family, "head_dim") is None
    if alone and isinstance(hidden, int) and hidden % heads:
        key = _names("hidden_size", family)[0]
        text = f'"{key}" {hidden} must be a multiple of the {heads} attention heads'
        raise BadConfig(f"{where}: {text}, or head_dim be given", key)


_HEADS = "num_attention_heads"


def _read(config: Mapping[str, Any], family: hwdb.Family, key: str) -> Any:
    from hwdb.symbols import read_key

    return read_key(config, family, key)
