"""A shape for a model whose family nobody described: Llama's block, with as many parameters.

What decides most of the memory is known even then: how many parameters there are, how wide and how
deep the model is. Its estimate says that the family is not known, and gets the widest interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hwdb.family import Family, Linear
from planner.shape import ModelShape, shape_of

_NAMES = {
    "hidden_size": ("n_embd", "d_model", "dim", "hidden_dim", "emb_dim"),
    "num_hidden_layers": ("n_layer", "n_layers", "num_layers", "layers", "decoder_layers"),
    "num_attention_heads": ("n_head", "n_heads", "num_heads", "decoder_attention_heads"),
    "intermediate_size": (
        *("n_inner", "ffn_dim", "d_ff", "ffn_hidden_size", "feed_forward_hidden_size"),
        "decoder_ffn_dim",
        *("moe_intermediate_size", "expert_dim"),
    ),
    "num_experts": ("n_routed_experts", "num_local_experts", "moe_num_experts"),
    "moe_intermediate_size": (
        *("expert_intermediate_size", "expert_ffn_hidden_size", "intermediate_size"),
    ),
}
"""Llama's name of a number, and what else it is called in Transformers' configs."""

_USUAL_HEAD = 64
_REST = Linear("rest", "h", "z", "other")


def stand_in_shape(
    config: Mapping[str, Any], families: Mapping[str, Family], *, parameters: int | None = None
) -> ModelShape:
    """The shape of a config whose family is not known; `parameters` if somebody counted them.

    Llama's block stands in, or for MLPs that are not gated StarCoder2's, which is the same but for
    them.

    Raises ShapeError naming the key that no model can do without.
    """
    text_part = config.get("text_config")
    source = {**config, **text_part} if isinstance(text_part, dict) else dict(config)
    source.pop("text_config", None)
    alike = not _carries_states(source) and not any(name in source for name in _CYCLES)
    for name, others in _NAMES.items():
        if not _is_number(source.get(name)):
            found = [source[other] for other in others if _is_number(source.get(other))]
            source[name] = found[0] if found else _largest(source.get(name))
    source["num_hidden_layers"] = source["num_hidden_layers"] or len(_layer_kinds(source)) or None
    hidden = source["hidden_size"]
    if hidden is not None:
        source["intermediate_size"] = _mlp_width(source)
        heads = source["num_attention_heads"] or max(hidden // _USUAL_HEAD, 1)
        source["num_attention_heads"] = heads
        if not _is_number(source.get("head_dim")):
            source["head_dim"] = max(hidden // heads, 1)
        # A config that says nothing of shared keys has none, whatever the stand-in's default is.
        source["num_key_value_heads"] = source.get("num_key_value_heads") or heads
    given = {name: value for name, value in source.items() if value is not None}
    shape = shape_of(given, None, families["llama" if _is_gated(source) else "starcoder2"])
    shape = replace(
        shape,
        model_type=str(config.get("model_type") or shape.model_type),
        alike=alike,
    )
    experts = _experts(source)
    if parameters is None:
        experts *= _layers_with_experts(source, shape.layers)
        return _with_experts(shape, experts + _tables_of_layers(source, shape.layers))
    missing = max(parameters - shape.parameters, 0)
    # No dense block has twice the parameters of Llama's at the same widths: what is missing then
    # are experts nobody listed, or more tables, which stay in 16 bit as well.
    mixture = experts or missing > shape.parameters
    return _with_experts(shape, missing) if mixture else _with_rest(shape, missing)


def _carries_states(source: Mapping[str, Any]) -> bool:
    """Whether it names what state-space, recurrent and convolving blocks have."""
    return any(word in name for name in source for word in _STATES) or any(
        word in kind for kind in _layer_kinds(source) for word in _STATEFUL_KINDS
    )


_STATES = (
    *("state_size", "time_step_rank", "rescale_every", "qk_dim_factor", "mamba", "ssm_"),
    *("lru_width", "conv_L_cache", "linear_conv_kernel", "linear_attn"),
)
_STATEFUL_KINDS = ("linear", "mamba", "recurrent", "conv", "hybrid")
_CYCLES = ("H_cycles", "L_cycles")
"""A block that is run again and again: fewer weights than it has layers, gradients of some."""


def _layer_kinds(source: Mapping[str, Any]) -> tuple[str, ...]:
    """What each layer is, where a config lists that."""
    for name in ("layer_types", "layers_block_type", "block_types"):
        listed = source.get(name)
        if isinstance(listed, list) and all(isinstance(kind, str) for kind in listed):
            return tuple(listed)
    return ()


def _mlp_width(source: Mapping[str, Any]) -> int:
    """Width of the MLP, as these families' code takes it from the number in the config."""
    width: int = source["intermediate_size"] or 4 * source["hidden_size"]
    if source.get("model_type") in _WIDTH_OF_BOTH:
        return width // 2
    if source.get("block_auto_adjust_ff_dim") is not True:
        return width
    multiple = source.get("block_multiple_of")
    times = source.get("block_ffn_dim_multiplier")
    width = int(2 * width / 3 * (times if isinstance(times, int | float) else 1))
    return -(-width // multiple) * multiple if _is_number(multiple) else width  # type: ignore[operator]


_WIDTH_OF_BOTH = ("recurrent_gemma", "moshi")
"""Families whose number counts gate and up together (modeling_recurrent_gemma.py,
modeling_moshi.py); no key says so."""


def _is_gated(source: Mapping[str, Any]) -> bool:
    """Whether the MLP has a gate, by its activation: other ones than these come without."""
    names = ("hidden_act", "hidden_activation", "activation_function", "mlp_hidden_act")
    named = [source[name] for name in names if source.get(name)]
    plain = "n_embd" in source or "d_model" in source  # named before there were gates
    return named[0] in _GATED if named else not plain


_GATED = ("silu", "swish", "gelu_pytorch_tanh")


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _largest(value: Any) -> int | None:
    """The largest of numbers that are listed layer by layer."""
    listed = [each for each in value if _is_number(each)] if isinstance(value, list) else []
    return max(listed, default=None)


def _experts(source: Mapping[str, Any]) -> int:
    """Weights of one block's experts, three matrices each."""
    count, width = source.get("num_experts"), source.get("moe_intermediate_size")
    if count is None or width is None or count < 2 or source.get("is_moe") is False:
        return 0
    if count > _MOST_WIDE_EXPERTS:
        width = 1
    experts: int = count * 3 * source["hidden_size"] * width
    return experts


_MOST_WIDE_EXPERTS = 2048
"""Above that experts are rows that a token picks out of a table, as Doge's are."""


def _tables_of_layers(source: Mapping[str, Any], layers: int) -> int:
    """A table of words for each layer, as Gemma has them since 3n."""
    rows = source.get("vocab_size_per_layer_input")
    width = source.get("hidden_size_per_layer_input")
    return rows * width * layers if _is_number(rows) and _is_number(width) else 0  # type: ignore[operator]


_EVERY = ("expert_layer_period", "decoder_sparse_step", "moe_layer_freq", "moe_every_n_layers")
"""What configs call the distance from one layer with experts to the next."""


def _layers_with_experts(source: Mapping[str, Any], layers: int) -> int:
    """The others have an MLP, which is the stand-in's own."""
    every = next((source[name] for name in _EVERY if _is_number(source.get(name))), 1)
    first = source.get("first_k_dense_replace")
    dense = first if isinstance(first, int) and 0 <= first < layers else 0
    return max((layers - dense) // every, 1)


def _with_experts(shape: ModelShape, more: int) -> ModelShape:
    a_block = more // shape.layers
    shape = _with_parameters(shape, a_block * shape.layers)
    return replace(shape, expert_parameters=shape.expert_parameters + a_block)


def _with_rest(shape: ModelShape, more: int) -> ModelShape:
    """With one more linear a block for what Llama's block does not have."""
    width = more // shape.layers // shape.hidden_size
    if width < 1:
        return shape
    weights = width * shape.hidden_size
    return replace(
        _with_parameters(shape, weights * shape.layers),
        sizes={**shape.sizes, "z": width},
        linears=(*shape.linears, _REST),
        linear_parameters=shape.linear_parameters + weights,
        tensors=shape.tensors + shape.layers,
    )


def _with_parameters(shape: ModelShape, more: int) -> ModelShape:
    """With so many more parameters, whatever head the model has."""
    heads = {
        task: head._replace(model_parameters=head.model_parameters + more)
        for task, head in shape.task_heads.items()
    }
    return replace(shape, parameters=shape.parameters + more, task_heads=heads)
