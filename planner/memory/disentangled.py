"""DeBERTa's attention on a tape: scores of contents, and of contents with learned distances.

Source: transformers, modeling_deberta_v2.py, DisentangledSelfAttention. Contents are multiplied
with all 2b distances, and each pair of tokens gathers its own; gather keeps both for backward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hwdb.family import Linear
from planner.memory.block_settings import BlockSettings
from planner.memory.kernels import OUT, SCORES, matrix_product, own_softmax
from planner.memory.layers import TOKENS, Value
from planner.memory.library import Library
from planner.memory.linears import product
from planner.memory.numerics import Numerics
from planner.memory.size import Size
from planner.memory.tape import Tensor
from planner.request import TrainingRequest
from planner.shape import ModelShape

_DISTANCES = Size.of("2b")
_TABLE = Size.of("2bh")
_TO_DISTANCES = Size.of("2bn") * TOKENS
_INDEX_BYTES = 8
"""Of int64: which distance a pair of tokens has."""
_MASK = Size.of("S") * TOKENS


class DisentangledAttention:
    """Writes the attention of one model."""

    def __init__(self, layers: Library, shape: ModelShape, settings: BlockSettings) -> None:
        self.layers = layers
        self.tape = layers.tape
        self.shape = shape
        self.relative = shape.relative
        self.shares = all(line.name != "pos_key_proj" for line in shape.linears)
        """Whether contents and distances pass the same linears."""
        self.at_distances = replace(layers, rows=_DISTANCES)
        self.trains_table = layers.trained and settings.trains_tables
        self.matrices: dict[str, Value] = {}

    def write(self, normed: Value, entering: Sequence[Linear], leaving: Sequence[Linear]) -> Value:
        """Attention of `normed`."""
        layers, tape = self.layers, self.tape
        lines = {line.name: line for line in entering}
        queries, keys, values = (
            self._heads(self._projected(layers, normed, lines[name]))
            for name in ("query_proj", "key_proj", "value_proj")
        )
        scores = self._product(queries, layers.unary(keys, "scores.scale"), SCORES, "scores")
        held = [queries.tensor, keys.tensor, values.tensor]
        if self.relative is not None:
            table = self._table()
            bias = self._bias(queries, keys, table, lines)
            held += [table.tensor, bias.tensor]
            scores = layers.add(scores, bias, name="scores.bias")
        scores = self._masked(scores, held)
        dropped = soft = own_softmax(layers, scores)
        if self.shape.dropout("attention"):
            dropped = layers.drop(soft, "scores.dropout")
        mixed = layers.unary(self._product(dropped, values, OUT, "mix"), "mix.contiguous")
        # The frame of the attention's forward.
        tape.keep(normed.tensor, scores.tensor, dropped.tensor, *held)
        for line in leaving:
            mixed = layers.linear(mixed, line)
        tape.keep(normed.tensor)
        return mixed

    def _projected(self, layers: Library, value: Value, line: Linear) -> Value:
        """A linear; contents and distances may pass the same one."""
        if layers.numerics.quantized or not self.shares:
            return layers.linear(value, line)
        base = product(
            layers, value, self._matrix(line), Size.of(line.outputs) * layers.rows, line.name
        )
        out = layers.with_adapter(value, base, line) if line.name in layers.adapted else base
        self.tape.keep(value.tensor)
        return out

    def _matrix(self, line: Linear) -> Value:
        """A weight as both of its uses read it: cast once, and its gradients are summed."""
        if line.name not in self.matrices:
            layers, numerics = self.layers, self.layers.numerics
            weight = layers.weight(Size.of(line.inputs) * Size.of(line.outputs), numerics.weights)
            cast = layers.cast(weight, numerics.compute, f"{line.name}.weight_cast")
            self.matrices[line.name] = cast if cast is not weight else layers.view(weight, "weight")
        return self.matrices[line.name]

    def _heads(self, value: Value) -> Value:
        return self.layers.unary(value, "heads.contiguous")

    def _product(self, left: Value, right: Value, elements: Size, name: str) -> Value:
        layers = self.layers
        compute = layers.numerics.compute if layers.numerics.autocast else left.bytes
        sides = [layers.cast(side, compute, f"{name}.cast") for side in (left, right)]
        return matrix_product(layers, sides[0], sides[1], elements, name)

    def _table(self) -> Value:
        """The table of distances, whose bytes are counted around the blocks, dropped out."""
        bytes_ = table_bytes(self.shape, self.layers.numerics)
        whole = self.tape.weight(_TABLE * bytes_, trained=self.trains_table)
        table = Value(whole, _TABLE, bytes_)
        if not self.shape.dropout("residual"):
            return table
        return self.layers.drop(table, "distances.dropout")

    def _bias(
        self, queries: Value, keys: Value, table: Value, lines: Mapping[str, Linear]
    ) -> Value:
        """Scores of contents with distances, both ways."""
        layers, tape, relative = self.layers, self.tape, self.relative
        assert relative is not None
        held: list[Tensor] = []
        of_queries = of_keys = None
        if self.shares:
            of_queries = self._at_distances(table, lines["query_proj"], held)
            of_keys = self._at_distances(table, lines["key_proj"], held)
        elif relative.content_to_position:
            of_keys = self._at_distances(table, lines["pos_key_proj"], held)
        if not self.shares and relative.position_to_content:
            of_queries = self._at_distances(table, lines["pos_query_proj"], held)
        bias: Value | None = None
        for wanted, contents, distances in (
            (relative.content_to_position, queries, of_keys),
            (relative.position_to_content, keys, of_queries),
        ):
            if not wanted or distances is None:
                continue
            gathered = self._gathered(contents, distances, held)
            scaled = layers.unary(gathered, "distances.scale")
            if bias is None:
                made = tape.add("distances.bias", [scaled.tensor], scaled.size)
            else:
                made = tape.add_into("distances.bias", bias.tensor, scaled.tensor)
            bias = Value(made, scaled.elements, scaled.bytes)
        assert bias is not None
        tape.keep(*held)  # the frame that made it
        return bias

    def _at_distances(self, table: Value, line: Linear, held: list[Tensor]) -> Value:
        """What a linear makes of every distance, repeated for every row of the batch."""
        one = self._heads(self._projected(self.at_distances, table, line))
        elements = one.elements * Size.of("B")
        made = self.tape.run("distances.repeat", [one.tensor], elements * one.bytes)
        held.append(made)
        return Value(made, elements, one.bytes)

    def _gathered(self, contents: Value, distances: Value, held: list[Tensor]) -> Value:
        """Of every content's product with every distance, that of each other token's."""
        products = self._product(contents, distances, _TO_DISTANCES, "distances.product")
        index = self.tape.run("distances.index", [], Size.of("RR") * _INDEX_BYTES)
        made = self.tape.run(
            "distances.gather",
            [products.tensor],
            SCORES * products.bytes,
            saves=[products.tensor, index],
        )
        held += [index, made]
        return Value(made, SCORES, products.bytes)

    def _masked(self, scores: Value, held: list[Tensor]) -> Value:
        mask = self.tape.run("mask", [], _MASK)
        inverse = self.tape.run("mask.not", [mask], _MASK)
        made = self.tape.run("scores.mask", [scores.tensor], scores.size, saves=[inverse])
        held.append(mask)
        return Value(made, scores.elements, scores.bytes)


def batch_of_scores(shape: ModelShape, request: TrainingRequest) -> tuple[int, ...]:
    """Rows and their length, where a block makes tensors that neither tokens nor scores count."""
    if shape.relative is None:
        return ()
    return request.micro_batch, request.sequence_tokens


def table_bytes(shape: ModelShape, numerics: Numerics) -> int:
    """Bytes a number of the table of distances, as blocks are given it."""
    normed = shape.relative is not None and shape.relative.normed
    return 4 if normed and numerics.widens else numerics.embeddings


def table_elements(shape: ModelShape) -> int:
    """Numbers in the table of distances; 0 without one."""
    return 0 if shape.relative is None else 2 * shape.sizes["b"] * shape.hidden_size
