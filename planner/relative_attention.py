"""How a DeBERTa config says that distances of tokens enter attention scores."""

from __future__ import annotations

from typing import NamedTuple

from hwdb.family import Family
from hwdb.symbols import Config, read_key


class RelativeAttention(NamedTuple):
    """Which scores are added to those of contents with contents."""

    content_to_position: bool
    position_to_content: bool
    normed: bool
    """Whether the table of distances passes a norm before the first block."""


def relative_attention(config: Config, family: Family) -> RelativeAttention | None:
    """None where the family knows no such scores or the config does not ask for them.

    Source: transformers, configuration_deberta_v2.py and modeling_deberta_v2.py.
    """
    if not family.disentangled or not read_key(config, family, "relative_attention"):
        return None
    kinds = _named(read_key(config, family, "pos_att_type"))
    return RelativeAttention(
        content_to_position="c2p" in kinds,
        position_to_content="p2c" in kinds,
        normed="layer_norm" in _named(read_key(config, family, "norm_rel_ebd")),
    )


def _named(value: str | list[str] | None) -> list[str]:
    """A list, or its names in one text: "p2c|c2p"."""
    if isinstance(value, str):
        return [name.strip() for name in value.lower().split("|")]
    return list(value or ())
