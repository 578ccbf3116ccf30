"""What a block is made of, counted: its linears, norms, biases, experts and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from hwdb.family import Family, Linear, Norm, Tensor
from hwdb.symbols import Config, extent, holds


class Matrix(NamedTuple):
    """A linear of a block with its numbers of inputs and outputs."""

    name: str
    inputs: int
    outputs: int

    @property
    def parameters(self) -> int:
        """Weights, the bias left out."""
        return self.inputs * self.outputs


def matrices_of(linears: Iterable[Linear], sizes: Mapping[str, int]) -> tuple[Matrix, ...]:
    """The linears, their sizes looked up. Raises UnknownSize for a symbol without a value."""
    return tuple(
        Matrix(line.name, extent(line.inputs, sizes), extent(line.outputs, sizes))
        for line in linears
    )


def biased_linears(config: Config, family: Family) -> frozenset[str]:
    """Names of the linears that add a bias."""
    by_flag = [names for flag, names in family.bias_flags.items() if holds(flag, config, family)]
    return frozenset(family.biases).union(*by_flag)


def vector_lengths(
    config: Config, family: Family, sizes: Mapping[str, int], linears: Iterable[Linear]
) -> list[int]:
    """Lengths of the norms and biases of a block."""
    biased = biased_linears(config, family)
    norms: list[Norm] = [norm for norm in family.norms if holds(norm.when, config, family)]
    norm_widths = [extent(norm.width, sizes) for norm in norms]
    others: list[Tensor] = [
        item for item in family.block_tensors if holds(item.when, config, family)
    ]
    return [
        *norm_widths,
        *(norm_widths if family.norm_bias else ()),
        *(extent(line.outputs, sizes) for line in linears if line.name in biased),
        *(extent(item.rows, sizes) * extent(item.columns, sizes) for item in others),
    ]


def largest_expert_parameters(family: Family, sizes: Mapping[str, int]) -> int:
    """Weights of the largest tensor of a block's experts, which holds those of all of them."""
    if family.experts is None:
        return 0
    largest = max(matrix.parameters for matrix in matrices_of(family.experts.linears, sizes))
    return largest if family.experts.looped else largest * sizes["E"]


def expert_parameters(family: Family, sizes: Mapping[str, int]) -> int:
    """Weights of one block's experts and their router; 0 without experts."""
    if family.experts is None:
        return 0
    router = family.experts.router
    one = sum(
        extent(line.inputs, sizes) * extent(line.outputs, sizes)
        + (extent(line.outputs, sizes) if line.name in family.experts.biases else 0)
        for line in family.experts.linears
    )
    return sizes["E"] * one + extent(router.inputs, sizes) * extent(router.outputs, sizes)


def table_parameters(
    tables: Iterable[Tensor], config: Config, family: Family, sizes: Mapping[str, int]
) -> int:
    """Rows times columns of the tables that the config has."""
    return sum(
        extent(table.rows, sizes) * extent(table.columns, sizes)
        for table in tables
        if holds(table.when, config, family)
    )
