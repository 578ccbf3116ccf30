"""A config.json as what memory is made of: widths, blocks, tables and their parameter counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hwdb.family import Family, Linear, Norm
from hwdb.parameter_count import count_from_config
from hwdb.symbols import Config, UnknownSize, holds, read_key, sizes_of
from planner.block_counts import (
    Matrix,
    biased_linears,
    expert_parameters,
    matrices_of,
    table_parameters,
    vector_lengths,
)
from planner.relative_attention import RelativeAttention, relative_attention
from planner.request import Attention, Task
from planner.task_head import TaskHead, task_heads
from planner.vision_tower import tower_parameters
from planner.windows import Windows, windows_of

_WITHOUT_SDPA = frozenset(("gemma2", "gpt_oss", "deberta-v2"))
"""Families whose attention Transformers cannot run through torch's kernel."""


class ShapeError(ValueError):
    """A config that does not describe a model, with the key that is missing or wrong."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """Everything about a model that decides its memory. Counts are numbers of parameters."""

    model_type: str
    family: Family
    recognized: bool
    """False when the family is unknown and a Llama-like block stands in for it."""
    sizes: Mapping[str, int]
    """Value of every symbol of hwdb.symbols that the config determines."""
    layers: int
    """Blocks a token passes through."""
    tied: bool
    linears: tuple[Linear, ...]
    """Linears of one block that exist in this model, the experts left out."""
    matrices: tuple[Matrix, ...] = field(init=False, repr=False, compare=False)
    """`linears` in numbers."""
    largest_linear_parameters: int = field(init=False, repr=False, compare=False)
    """Weights of the largest of a block's linears."""
    parameters: int
    linear_parameters: int
    """Weights of one block's linears: what a quantizer packs."""
    expert_parameters: int
    """Weights of one block's experts, which bitsandbytes leaves in 16 bit when they are fused."""
    other_block_parameters: int
    """Norms and biases of one block."""
    embedding_parameters: int
    head_parameters: int
    """0 when the head is tied to the embeddings."""
    tensors: int
    """Number of parameter tensors."""
    experts_per_token: int
    activation: str
    parallel_residual: bool
    """Whether attention and MLP read the same input."""
    norms: tuple[Norm, ...]
    """Norms of one block that exist in this model."""
    dropouts: Mapping[str, float]
    """Share that "attention", "residual" and "embedding" dropout take."""
    windows: Windows | None
    max_context_tokens: int | None
    task_heads: Mapping[str, TaskHead]
    """Heads of tasks other than predicting tokens, by task."""
    relative: RelativeAttention | None = None
    """How distances of tokens enter scores, where they are learned."""
    described: bool = True
    """Whether the family knows every part of this model."""
    alike: bool = True
    """False where a stand-in says little: states are carried on, or blocks run in cycles."""
    idle_parameters: int = 0
    """Of a vision tower that is loaded beside these, trained on nothing and never run."""
    biased: frozenset[str] = frozenset()
    """Names of linears that add a bias."""
    trained_with_adapters: int = 0
    head_matrices: tuple[Matrix, ...] = ()
    """Of a task's head, as in TaskHead."""

    def __post_init__(self) -> None:
        matrices = matrices_of(self.linears, self.sizes)
        largest = max((matrix.parameters for matrix in matrices), default=0)
        object.__setattr__(self, "matrices", matrices)
        object.__setattr__(self, "largest_linear_parameters", largest)

    @property
    def stored_layers(self) -> int:
        """Blocks with weights of their own: one where all blocks share theirs."""
        return 1 if self.family.shared_blocks else self.layers

    def dropout(self, place: str) -> float:
        """Share that is dropped at a place."""
        return self.dropouts.get(place, 0.0)

    @property
    def has_sinks(self) -> bool:
        """Whether attention has one learned score a head beside those of the keys."""
        return any(item.name == "sinks" for item in self.family.block_tensors)

    @property
    def usual_attention(self) -> Attention:
        """The kernel that Transformers takes where none is named."""
        return "eager" if self.family.model_type in _WITHOUT_SDPA else "sdpa"

    @property
    def usual_task(self) -> Task:
        """What such a model is fine-tuned for when nobody says."""
        return _USUAL_TASK[self.family.kind]

    @property
    def image_tokens(self) -> int | None:
        """Tokens an image becomes, the class token included; None for models of text."""
        patches = self.sizes.get("t")
        return None if patches is None else patches + 1

    @property
    def hidden_size(self) -> int:
        """Width of the residual stream."""
        return self.sizes["h"]

    @property
    def vocabulary_size(self) -> int:
        """Rows of the embedding table; 0 for image models."""
        return self.sizes.get("V", 0)

    @property
    def block_parameters(self) -> int:
        """All parameters of one block."""
        return self.linear_parameters + self.expert_parameters + self.other_block_parameters


_USUAL_TASK: dict[str, Task] = {
    "decoder": "causal-lm",
    "encoder": "text-classification",
    "encoder_decoder": "causal-lm",
    "image": "image-classification",
}


def shape_of(config: Mapping[str, Any], family: Family | None, stand_in: Family) -> ModelShape:
    """The shape a config.json describes.

    `family` is the row of hwdb for its model_type, None if there is none; then `stand_in`, the
    Llama family, is used and the shape says that it is not recognized.
    Raises ShapeError naming the key that is missing or is no number.
    """
    known = family or stand_in
    if known.kind == "encoder_decoder":
        raise ShapeError("model_type", f"{known.model_type} is an encoder-decoder, not planned yet")
    source = _text_part(config)
    try:
        sizes = sizes_of(source, known)
        _check_sizes(sizes)
        sizes.update(_head_sizes(source, known, sizes))
        layers = _layers(source, known)
        architecture = next(iter(config.get("architectures") or ()), None)
        parameters = count_from_config(source, known, architecture=architecture)
        shape = _built(source, known, sizes, layers, parameters, recognized=family is not None)
        idle = tower_parameters(config, sizes["h"])
        return replace(shape, idle_parameters=idle) if idle else shape
    except UnknownSize as unknown:
        raise ShapeError(unknown.key, f'config has no "{unknown.key}"') from None
    except ShapeError:
        raise
    except (TypeError, ValueError, KeyError, ZeroDivisionError, OverflowError) as problem:
        raise ShapeError("config", f"config cannot be read: {problem}") from None


def _text_part(config: Config) -> Config:
    """What is said of the language model; that its head is tied, the whole config says first."""
    text = config.get("text_config")
    if not isinstance(text, dict):
        return config
    tied = config.get("tie_word_embeddings")
    return {**text, "tie_word_embeddings": tied} if isinstance(tied, bool) else text


def _head_sizes(config: Config, family: Family, sizes: Mapping[str, int]) -> dict[str, int]:
    """g: heads of keys; p, u: numbers of a head that its position turns, and leaves."""
    if "d" not in sizes:
        return {}
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    turned = rope.get("partial_rotary_factor", config.get("rotary_pct"))
    if turned is None:
        turned = read_key(config, family, "partial_rotary_factor")
    width = sizes["d"] if turned is None else int(sizes["d"] * turned)
    return {"g": sizes["k"] // sizes["d"], "p": width, "u": sizes["d"] - width}


def _layers(config: Config, family: Family) -> int:
    layers = read_key(config, family, "num_hidden_layers")
    if not isinstance(layers, int) or isinstance(layers, bool) or layers < 1:
        raise ShapeError("num_hidden_layers", f"num_hidden_layers must be above 0, got {layers!r}")
    return layers


def _check_sizes(sizes: Mapping[str, int]) -> None:
    """Raise ShapeError for a width that is no whole number above 0."""
    for symbol, key in (("h", "hidden_size"), ("i", "intermediate_size"), ("V", "vocab_size")):
        value = sizes.get(symbol, 1)
        if isinstance(value, bool) or value < 1 or value > _WIDEST:
            raise ShapeError(key, f"{key} must be a whole number above 0, got {value!r}")
    if "q" in sizes and "d" in sizes and sizes["k"] and sizes["q"] % sizes["k"]:
        heads, shared = sizes["q"] // sizes["d"], sizes["k"] // sizes["d"]
        text = f"num_attention_heads {heads} must be a multiple of num_key_value_heads {shared}"
        raise ShapeError("num_key_value_heads", text)


_WIDEST = 2**31


def _built(
    config: Config,
    family: Family,
    sizes: Mapping[str, int],
    layers: int,
    parameters: int,
    *,
    recognized: bool,
) -> ModelShape:
    linears = tuple(line for line in family.linears if holds(line.when, config, family))
    weights = [matrix.parameters for matrix in matrices_of(linears, sizes)]
    vectors = vector_lengths(config, family, sizes, linears)
    experts = expert_parameters(family, sizes)
    embedding = table_parameters(family.embeddings, config, family, sizes)
    tied = bool(read_key(config, family, "tie_word_embeddings"))
    head = 0 if tied else sizes.get("V", 0) * sizes["h"] if family.kind == "decoder" else 0
    tensors_per_block = len(linears) + len(vectors) + (3 if family.experts else 0)
    return ModelShape(
        model_type=str(config.get("model_type", family.model_type)),
        family=family,
        recognized=recognized,
        sizes=sizes,
        layers=layers,
        tied=tied,
        linears=linears,
        parameters=parameters,
        linear_parameters=sum(weights),
        expert_parameters=experts,
        other_block_parameters=sum(vectors),
        embedding_parameters=embedding,
        head_parameters=head,
        tensors=layers * tensors_per_block + 3 - int(tied),
        experts_per_token=int(read_key(config, family, "num_experts_per_tok") or 0),
        activation=str(_activation(config, family)),
        parallel_residual=_parallel(config, family),
        norms=tuple(norm for norm in family.norms if holds(norm.when, config, family)),
        dropouts={
            place: float(read_key(config, family, key) or 0.0)
            for place, key in family.dropout_keys.items()
        },
        windows=windows_of(config, family, layers),
        max_context_tokens=_context(config, family),
        task_heads=task_heads(config, family),
        relative=relative_attention(config, family),
        described=not (family.undescribed_when and holds(family.undescribed_when, config, family)),
        biased=biased_linears(config, family),
    )


def _context(config: Config, family: Family) -> int | None:
    rows = read_key(config, family, "max_position_embeddings")
    return None if rows is None else rows - _UNUSED_POSITIONS.get(family.model_type, 0)


_UNUSED_POSITIONS = {"roberta": 2, "xlm-roberta": 2}
"""Rows of the position table that no token gets."""


def _activation(config: Config, family: Family) -> str:
    for key in ("hidden_act", "hidden_activation", "activation_function", "activation"):
        if config.get(key):
            return str(config[key])
    return "silu" if family.mlp == "gated" else _ACTIVATIONS.get(family.model_type, "gelu")


_ACTIVATIONS = {"gpt2": "gelu_new", "phi": "gelu_new", "opt": "relu"}
"""What transformers' config classes take when the key is absent; the others take gelu or silu."""


def _parallel(config: Config, family: Family) -> bool:
    for key in ("use_parallel_residual", "parallel_attn"):
        if key in config:
            return bool(config[key])
    return family.parallel_residual
