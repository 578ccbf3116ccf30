"""Which blocks of a model look back no further than a window of tokens."""

from __future__ import annotations

from typing import NamedTuple

from hwdb.family import Family
from hwdb.symbols import Config, read_key


class Windows(NamedTuple):
    """Blocks whose attention ends at a window."""

    tokens: int
    layers: int

    def cut(self, sequence_tokens: int) -> bool:
        """Whether rows of that length are longer than the window, so that a mask is needed.

        Source: transformers, masking_utils.py: `kv_length >= local_attention_size`.
        """
        return sequence_tokens >= self.tokens


def windows_of(config: Config, family: Family, layers: int) -> Windows | None:
    """The windows of a config; None where every token looks at all before it.

    Which blocks have one, newer configs list; older ones say the distance between those without,
    or leave it to the class.
    """
    tokens = _window_tokens(config, family)
    if tokens is None or config.get("use_sliding_window") is False:
        return None
    listed = config.get("layer_types")
    if isinstance(listed, list):
        count = listed.count("sliding_attention")
    else:
        every = _every(config, family)
        count = layers - (-(-layers // every) if family.kind == "encoder" else layers // every)
    return Windows(tokens, count) if count else None


def _window_tokens(config: Config, family: Family) -> int | None:
    tokens = read_key(config, family, "sliding_window")
    if tokens is None and family.model_type == "modernbert":
        both_sides = config.get("local_attention", 128)  # its class halves it
        tokens = both_sides // 2 if isinstance(both_sides, int) else None
    return tokens if isinstance(tokens, int) and tokens > 0 else None


def _every(config: Config, family: Family) -> int:
    """Distance from one block that looks at everything to the next; above all layers: none does."""
    for key in ("sliding_window_pattern", "global_attn_every_n_layers"):
        if isinstance(config.get(key), int) and config[key] > 0:
            return int(config[key])
    return _EVERY.get(family.model_type, _NEVER)


_NEVER = 1 << 30
_EVERY = {"gemma2": 2, "gpt_oss": 2, "gemma3_text": 6, "cohere2": 4, "olmo3": 4, "modernbert": 3}
"""Transformers' config classes."""
