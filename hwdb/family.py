"""What one block of an architecture is made of: its linears, norms and tables, as data.

Sizes are written with symbols, so one row holds for every member of a family: "q+2k" is the
width of the queries plus twice that of the keys. `hwdb.symbols` lists the symbols and reads
their values from a config.json. A condition (`when`) names config keys joined by "&", each
optionally negated: "relative_attention&!share_att_key".
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

Role = Literal["attention_in", "attention_out", "mlp_in", "mlp_out", "other"]
"""other: counted, and in neither half of a block whose insides are not known."""

NormStyle = Literal[
    "cast-then-weight", "weight-then-cast", "one-plus-weight", "layer", "layer-wide", "centered"
]
"""How a norm is computed, which decides what it keeps for backward.

cast-then-weight: root mean square in fp32, back to the input's dtype, then times the weight;
weight-then-cast: times the weight in fp32 first; one-plus-weight: the same with 1 + weight;
layer: torch's layer_norm; layer-wide: that in fp32 without a weight; centered: a layer norm
written out in fp32.
"""

Rotary = Literal["whole", "partial", "chunked", "paired", "wide", "floated", "none", "in-place"]
"""How queries and keys are turned by their positions.

whole: x cos + rotate_half(x) sin; partial: only the first numbers of a head, the rest put behind
them; chunked: two halves apart; paired: neighbours, in fp32; wide: tables in fp32; floated: an fp32
copy for either product; none: positions come otherwise; in-place: fused kernels.
"""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Linear(NamedTuple):
    """A matrix multiplication of a block."""

    name: str
    """Module name, qualified as far as it takes to be unique in the block."""
    inputs: str
    """Width it reads, in symbols."""
    outputs: str
    """Width it writes, in symbols."""
    role: Role
    """Which side of which half of the block it stands on."""
    when: str | None = None
    """Condition under which it exists; None: always."""


class Norm(NamedTuple):
    """A normalization layer; whether it has a bias, the family says."""

    name: str
    """Module name."""
    width: str
    """Number of weights, in symbols."""
    when: str | None = None
    """Condition under which it exists; None: always."""


class Tensor(NamedTuple):
    """Any other parameter: embedding tables, heads, poolers, sinks."""

    name: str
    """Parameter or module name."""
    rows: str
    """Rows, in symbols; "1" for a vector."""
    columns: str
    """Columns, in symbols."""
    when: str | None = None
    """Condition under which it exists; None: always."""


class Experts(NamedTuple):
    """The mixture of experts that stands in a block instead of the MLP."""

    linears: tuple[Linear, ...]
    """Linears of one expert; a block has E of each."""
    router: Linear
    """Chooses the experts of a token."""
    biases: tuple[str, ...] = ()
    """Names of those that carry a bias."""
    router_bias: bool = False
    """Whether the router carries a bias."""
    modules: tuple[Linear, ...] = ()
    """Gate, up and down of one expert in versions that have experts as modules; empty: none has."""
    looped: bool = False
    """Whether experts are modules, run one after the other, and not one parameter of all."""
    router_dtype: Literal["compute", "wide", "fp32", "cast"] = "cast"
    """compute: a softmax over the chosen in the router's own dtype; wide: the same in fp32, cast
    to the dtype of the input; fp32: one over all in fp32, which the weights keep; cast: the same,
    cast back."""
    clamped: bool = False
    """Whether gate and up are clamped and joined as (up + 1) * gate * sigmoid(gate)."""


class Family(NamedTuple):
    """An architecture of transformers, by its `model_type`."""

    model_type: str
    """Key, as in config.json."""
    kind: Literal["decoder", "encoder", "image", "encoder_decoder"]
    """What it does with a sequence. encoder_decoder: the linears of one encoder block and one
    decoder block together, since both stacks have the same depth."""
    linears: tuple[Linear, ...]
    """Linears of one block, in the order they run."""
    norms: tuple[Norm, ...]
    """Norms of one block."""
    norm_kind: Literal["rms", "layer"]
    """Root mean square, or mean and variance."""
    mlp: Literal["gated", "plain"]
    """gated: act(gate(x)) * up(x); plain: act(up(x))."""
    embeddings: tuple[Tensor, ...]
    """Parameters before the first block."""
    heads: Mapping[str, tuple[Tensor, ...]]
    """Architecture class -> what it adds after the last norm."""
    source: str
    """Citation key."""
    biases: tuple[str, ...] = ()
    """Names of linears that always carry a bias."""
    bias_flags: Mapping[str, tuple[str, ...]] = _NOTHING
    """Config key -> names of linears that carry a bias when it is true."""
    norm_bias: bool = False
    """Whether every norm has a bias beside its weight."""
    absent_in_first_block: tuple[str, ...] = ()
    """Names of norms that the first block does not have."""
    parallel_residual: bool = False
    """Whether attention and MLP read the same input."""
    experts: Experts | None = None
    """Mixture of experts of every block; None: a dense MLP."""
    block_tensors: tuple[Tensor, ...] = ()
    """Parameters of one block that are neither linear nor norm."""
    shared_blocks: bool = False
    """Whether all blocks use one set of weights."""
    embedding_norms: tuple[Norm, ...] = ()
    """Norms before the first block."""
    final_norms: tuple[Norm, ...] = ()
    """Norms after the last block."""
    wrappers: Mapping[str, str] = _NOTHING
    """model_type -> class of multimodal models whose text part is this family; their published
    totals count the other parts too."""
    norm_style: NormStyle = "cast-then-weight"
    """How the norms are computed."""
    rotary: Rotary = "whole"
    """How positions turn queries and keys."""
    fused_queries: Literal["split", "sliced", "indexed"] = "split"
    """How one linear for queries, keys and values is cut: in views whose gradients are joined, in
    slices whose gradients are laid out apart, or by lists, which copy."""
    own_linears: bool = False
    """Whether its linears are a class of their own, which Transformers 5 does not quantize."""
    embeddings_change: bool = False
    """Whether embeddings become another tensor before the first block: positions are added, or
    they are multiplied outside of their module."""
    casts_pictures: bool = False
    """Whether the model's forward holds a copy of the pictures in the dtype of its weights."""
    masks: int = 1
    """How many attention masks a model has: another one where some blocks look back less far."""
    holds_scores: bool = False
    """Whether the model's loop still holds a block's attention scores while the next one runs."""
    holds_first_half: bool = False
    """Whether a block's forward holds the input and the result of attention to its end."""
    holds_attended: bool = False
    """Whether a block's forward holds the result of attention alone to its end."""
    holds_activated: bool = False
    """Whether a block holds what its activation function made to its end."""
    mlp_in_block: bool = False
    """Whether the MLP is no module of its own: nothing holds its input to its end."""
    scales_residual: bool = False
    """Whether what a half of a block adds to the stream is multiplied by a constant."""
    attends_eagerly: bool = False
    """Whether scores are written out whatever attention is asked for."""
    disentangled: bool = False
    """Whether scores of contents with learned distances are added to those of contents."""
    holds_outputs: bool = False
    """Whether the model holds every block's output until the last one has run."""
    undescribed_when: str | None = None
    """Condition under which a model has parts that stand nowhere in this row."""
    softmaxes_narrow: bool = False
    """Whether eager attention takes the softmax of scores in their own dtype, not in fp32."""
    softcaps_attention: bool = False
    """Whether attention scores pass a tanh in eager attention."""
    packs: bool = False
    """Whether rows packed behind each other do not see each other in Transformers, by their
    positions alone."""
    dropout_keys: Mapping[str, str] = _NOTHING
    """"attention", "residual" or "embedding" -> config key of its dropout."""
    logit_softcap: bool = False
    """Whether logits pass a tanh before the loss, which keeps one more copy of them."""
    one_kv_head_when: str | None = None
    """Condition under which there is a single key/value head, whatever the config says."""
    config_keys: Mapping[str, tuple[str, ...]] = _NOTHING
    """Llama's name of a config key -> this family's names, first one preferred; none where the
    family has no such key."""
    config_defaults: Mapping[str, str | int | float | bool] = _NOTHING
    """What the config class uses for an absent key; a string is a size in symbols."""
    notes: str | None = None
    """What the fields above cannot say."""

    @property
    def architectures(self) -> tuple[str, ...]:
        """Classes whose parameters this family describes completely."""
        return tuple(self.heads)
