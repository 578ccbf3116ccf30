"""How deep a model has to be built so that its full depth follows from it.

Most models repeat one block; some alternate kinds, some begin with other blocks. Two shallow
models that differ by one period, and end like the full one, give every block's share.
"""

# torch and transformers leave much untyped.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A model to trace, and how many times what it needs counts in the full model's sum."""

    layers: int
    times: int
    frozen: int = 0
    """How many of its first blocks are not trained."""


def depths_of(kinds: Sequence[Hashable]) -> list[Share]:
    """The shallowest models from which one whose blocks are of these kinds follows.

    The full model alone when nothing repeats.
    """
    full = len(kinds)
    for deeper in range(3, full):
        for shallow in range(2, deeper):
            if _follows(kinds, shallow, deeper) and shallow + deeper < full:
                return _line(shallow, deeper, full)
    return [Share(layers=full, times=1)]


def _follows(kinds: Sequence[Hashable], shallow: int, deeper: int) -> bool:
    """Whether the model goes on from `shallow` blocks as it goes on to `deeper` blocks.

    All kinds have to be among the shallow model's blocks, so that the largest is seen.
    """
    period = deeper - shallow
    start = max(shallow - period, 0)
    return (
        (len(kinds) - shallow) % period == 0
        and set(kinds[:shallow]) == set(kinds)
        and all(kinds[i] == kinds[i + period] for i in range(start, len(kinds) - period))
    )


def _line(shallow: int, deeper: int, full: int) -> list[Share]:
    periods = (full - shallow) // (deeper - shallow)
    return [Share(layers=shallow, times=1 - periods), Share(layers=deeper, times=periods)]


def depths_of_split(kinds: Sequence[Hashable], *, trained: int) -> list[Share]:
    """As depths_of, for a model of which only the last `trained` blocks are trained.

    Frozen and trained blocks each add their own share. The full model alone when the blocks are
    not all alike.
    """
    full = len(kinds)
    frozen = full - trained
    if len(set(kinds)) > 1:
        return [Share(layers=full, times=1, frozen=frozen)]
    few_frozen, few_trained = min(frozen, 2), min(trained, 2)
    shares = [
        Share(
            layers=few_frozen + few_trained,
            frozen=few_frozen,
            times=1 - (frozen - few_frozen) - (trained - few_trained),
        )
    ]
    if frozen > few_frozen:
        more = few_frozen + 1
        shares.append(Share(layers=more + few_trained, frozen=more, times=frozen - few_frozen))
    if trained > few_trained:
        layers = few_frozen + few_trained + 1
        shares.append(Share(layers=layers, frozen=few_frozen, times=trained - few_trained))
    return shares


def config_of(config: Mapping[str, Any], layers: int | None = None) -> Any:
    """The Transformers config of a Hugging Face config.json, its text part where it has several.

    `layers` cuts it to that many blocks. Raises KeyError without `model_type`.
    """
    from transformers import AutoConfig

    given = dict(config.get("text_config") or config)
    kind = given.pop("model_type", None) or config["model_type"]
    given.pop("architectures", None)
    full = AutoConfig.for_model(kind, architectures=[], **given)  # None where a list is looked for
    count = layers_of(full)
    if layers is None or layers == count:
        return full
    key = full.attribute_map.get("num_hidden_layers", "num_hidden_layers")
    cut = {
        name: _of_first_blocks(value, layers, count)
        for name, value in given.items()
        if name not in ("num_hidden_layers", key, *_NAMED_AFTER_BLOCKS)
    }
    return AutoConfig.for_model(kind, architectures=[], **cut, **{key: layers})


_NAMED_AFTER_BLOCKS = ("stage_names", "out_features", "out_indices")
"""Of backbones of pictures: a config makes them of its number of blocks."""


def _of_first_blocks(value: Any, layers: int, count: int) -> Any:
    """What a setting says of the first blocks, where it is one for each or for some by number."""
    if isinstance(value, list) and len(value) == count:
        return value[:layers]
    if isinstance(value, dict) and value and all(str(name).isdecimal() for name in value):
        return {name: each for name, each in value.items() if int(name) < layers}
    return value


def layers_of(config: Any) -> int:
    """How many blocks a model has; 0 where its config does not count them in one number."""
    layers: int = getattr(config, "num_hidden_layers", None) or 0
    return layers


def block_kinds(config: Mapping[str, Any], *, sequence_tokens: int) -> list[Hashable] | None:
    """What tells the blocks of a model apart: their parameters, and the attention they use.

    None where the model is no stack of blocks, such as one of an encoder and a decoder.
    """
    import torch
    from transformers import AutoModel
    from transformers.initialization import no_init_weights

    from launcher.tracing.model_on_paper import blocks_of

    full = config_of(config)
    if type(full) not in AutoModel._model_mapping:  # noqa: SLF001
        return None
    with no_init_weights(), torch.device("meta"):
        model = AutoModel.from_config(full, attn_implementation="eager")
    blocks = blocks_of(model, layers_of(full))
    if blocks is None or hasattr(full, "decoder_layers"):
        return None
    types = getattr(full, "layer_types", None) or [None] * len(blocks)
    window = getattr(full, "sliding_window", None)
    windows_matter = window is not None and sequence_tokens > window
    return [
        (
            kind if windows_matter or kind not in _ATTENTION else "attention",
            tuple((name, tuple(value.shape)) for name, value in block.named_parameters()),
        )
        for kind, block in zip(types, blocks, strict=True)
    ]


_ATTENTION = ("full_attention", "sliding_attention")
"""Kinds that are the same for sequences within the window."""
