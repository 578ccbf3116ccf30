"""A model as hwdb knows it: its shape, its size and where both come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from hwdb.family import Family


class Model(NamedTuple):
    """One published checkpoint family: a base model and its instruct variant share a row."""

    id: str
    """Short name, unique in hwdb."""
    aliases: tuple[str, ...]
    """Other short names; none is shared with another row."""
    hub_id: str | None
    """Repository of the base model; None where there is only an instruct variant."""
    instruct_hub_id: str | None
    """Repository of the instruct variant; None where there is none."""
    task: Literal["causal-lm", "text-classification", "seq2seq-lm", "image-classification"]
    """What it is fine-tuned for first."""
    architecture: str
    """Class name in transformers."""
    hidden_size: int
    """Width of the residual stream; of the last stage in hierarchical image models."""
    layers: int
    """Number of blocks; in seq2seq models of each stack."""
    heads: int | None
    """Query heads of a block."""
    kv_heads: int | None
    """Key/value heads of a block."""
    head_dim: int | None
    """Width of one head; not always hidden_size / heads."""
    intermediate_size: int | None
    """Width of the MLP; of the dense layers in mixtures of experts that have any."""
    vocabulary_size: int | None
    """Rows of the embedding table; None for image models."""
    tied_embeddings: bool
    """Whether the head shares the embedding's weights."""
    max_context_tokens: int | None
    """Position limit of the base checkpoint; instruct variants can differ."""
    experts: int | None
    """Experts of a block; None: a dense MLP."""
    experts_per_token: int | None
    """Experts a token passes through."""
    expert_intermediate_size: int | None
    """MLP width of one expert."""
    sliding_window_tokens: int | None
    """Attention window of the layers that have one."""
    other_config: Mapping[str, int | float | bool | str]
    """Keys of config.json that decide the shape and that no field above holds."""
    parameters: int
    """Unique parameters, tied embeddings counted once. Text encoders and DINOv2: backbone
    without head; other image models: with the 1000-class head; multimodal: all parts."""
    parameters_check: Literal["exact", "within 0.5%", "computed", "listed only", "not looked up"]
    """How `parameters` was checked. exact, within 0.5%: computed from the shape and equal or
    close to the published total; computed: from the shape, the published total was not looked
    up; listed only: published total, which the fields above do not determine; not looked up:
    neither."""
    license: str
    """Identifier as on the Hub."""
    gated: bool
    """Whether a click-through licence stood before the download when last known."""
    release_date: str
    """ISO date."""
    sources: tuple[str, ...]
    """Citation keys."""
    notes: str | None
    """What else to know, doubts included."""


def config_of(model: Model, family: Family) -> dict[str, Any]:
    """The row as the essential config.json of its family, ready for transformers' config class.

    For a multimodal model this is the config of its text part.
    """
    columns = {
        "hidden_size": model.hidden_size,
        "num_hidden_layers": model.layers,
        "num_attention_heads": model.heads,
        "num_key_value_heads": model.kv_heads,
        "head_dim": model.head_dim,
        "intermediate_size": model.intermediate_size,
        "vocab_size": model.vocabulary_size,
        "max_position_embeddings": model.max_context_tokens,
        "num_experts": model.experts,
        "num_experts_per_tok": model.experts_per_token,
        "moe_intermediate_size": model.expert_intermediate_size,
        "sliding_window": model.sliding_window_tokens,
        "tie_word_embeddings": model.tied_embeddings,
    }
    named = {}
    for key, value in columns.items():
        names = family.config_keys.get(key, (key,))
        if names and value is not None:
            named[names[0]] = value
    return {
        "model_type": family.model_type,
        "architectures": [model.architecture],
        **named,
        **model.other_config,
    }
