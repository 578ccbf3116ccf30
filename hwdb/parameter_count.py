"""Unique parameters of a model, counted from its family: the proof of a model row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from hwdb.model import Model, config_of
from hwdb.symbols import Config, extent, holds, read_key, sizes_of

if TYPE_CHECKING:
    from hwdb.family import Experts, Family, Linear, Norm, Tensor


def count_parameters(model: Model, family: Family) -> int:
    """Unique parameters (tied embeddings once) of a row.

    For a multimodal model this is the text part alone. Raises UnknownSize where the row does
    not determine the count.
    """
    return count_from_config(config_of(model, family), family, architecture=model.architecture)


def count_from_config(config: Config, family: Family, *, architecture: str | None = None) -> int:
    """Unique parameters of a config.json of this family.

    `architecture` chooses the head; the family's first one where it names none of them.
    """
    sizes = sizes_of(config, family)
    layers = int(read_key(config, family, "num_hidden_layers"))
    blocks = int(read_key(config, family, "num_hidden_groups")) if family.shared_blocks else layers
    absent = [norm for norm in family.norms if norm.name in family.absent_in_first_block]
    head = family.heads.get(architecture or "", next(iter(family.heads.values())))
    return (
        blocks * _block(config, family, sizes)
        - _norms(absent, config, family, sizes)
        + _tensors((*family.embeddings, *head), config, family, sizes)
        + _norms((*family.embedding_norms, *family.final_norms), config, family, sizes)
    )


def count_final_norms(config: Config, family: Family) -> int:
    """Parameters of the norms behind the last block."""
    return _norms(family.final_norms, config, family, sizes_of(config, family))


def count_head(
    config: Config, family: Family, architecture: str, *, named: tuple[str, ...] = ("",)
) -> int:
    """Parameters of a head of this family whose names begin with one of `named`."""
    head = [each for each in family.heads[architecture] if each.name.startswith(named)]
    return _tensors(head, config, family, sizes_of(config, family))


def _block(config: Config, family: Family, sizes: Mapping[str, int]) -> int:
    biased = set(family.biases)
    for flag, names in family.bias_flags.items():
        if holds(flag, config, family):
            biased.update(names)
    linears = [linear for linear in family.linears if holds(linear.when, config, family)]
    return (
        sum(_linear(linear, sizes, bias=linear.name in biased) for linear in linears)
        + (_experts(family.experts, sizes) if family.experts else 0)
        + _norms(family.norms, config, family, sizes)
        + _tensors(family.block_tensors, config, family, sizes)
    )


def _linear(linear: Linear, sizes: Mapping[str, int], *, bias: bool) -> int:
    outputs = extent(linear.outputs, sizes)
    return extent(linear.inputs, sizes) * outputs + (outputs if bias else 0)


def _experts(experts: Experts, sizes: Mapping[str, int]) -> int:
    one = sum(_linear(item, sizes, bias=item.name in experts.biases) for item in experts.linears)
    return sizes["E"] * one + _linear(experts.router, sizes, bias=experts.router_bias)


def _norms(norms: Iterable[Norm], config: Config, family: Family, sizes: Mapping[str, int]) -> int:
    present = [norm for norm in norms if holds(norm.when, config, family)]
    return (1 + family.norm_bias) * sum(extent(norm.width, sizes) for norm in present)


def _tensors(
    tensors: Iterable[Tensor], config: Config, family: Family, sizes: Mapping[str, int]
) -> int:
    present = [tensor for tensor in tensors if holds(tensor.when, config, family)]
    return sum(extent(tensor.rows, sizes) * extent(tensor.columns, sizes) for tensor in present)
