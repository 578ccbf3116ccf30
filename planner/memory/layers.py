"""Norms, linears and adapters on a tape: what each keeps for its backward.

Sources: the modelling code of transformers (RMSNorm in fp32, rotary embedding), the LoRA layer of
PEFT (input cast to the adapter's dtype, dropout, scaling), Linear4bit of bitsandbytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from hwdb.family import Linear
from planner.memory.numerics import Numerics
from planner.memory.size import NOTHING, Size
from planner.memory.tape import Tape, Tensor

TOKENS = Size.of("N")


def activation(width: str | Size, bytes_per_element: float) -> Size:
    """Bytes of one tensor with `width` numbers a token."""
    elements = Size.of(width) if isinstance(width, str) else width
    return elements * TOKENS * bytes_per_element


class Value(NamedTuple):
    """A tensor on the tape with its width and dtype."""

    tensor: Tensor
    width: Size
    bytes: int


@dataclass(slots=True, kw_only=True)
class Layers:
    """Writes layers on a tape."""

    tape: Tape
    numerics: Numerics
    base_trained: bool
    """Whether norms and linears of this block are trained."""
    adapted: frozenset[str]
    """Names of linears that carry an adapter."""
    dropout: bool
    on_cpu: bool
    fused: bool
    """Triton kernels: norms keep their input as it is, adapters over 4-bit weights run as one."""
    norm_kind: Literal["rms", "layer"]
    activation: str
    """Name of the activation function, as in config.json."""

    def cast(self, value: Value, to_bytes: int, name: str = "cast") -> Value:
        """`value` in another dtype; itself when it has that dtype already."""
        if value.bytes == to_bytes:
            return value
        tensor = self.tape.run(name, [value.tensor], activation(value.width, to_bytes))
        return Value(tensor=tensor, width=value.width, bytes=to_bytes)

    def gate(self, gate: Value, up: Value, width: Size) -> Value:
        """act(gate) * up."""
        size = activation(width, gate.bytes)
        active = self.tape.run("activation", [gate.tensor], size, saves=[gate.tensor])
        product = self.tape.run("product", [active, up.tensor], size, saves=[active, up.tensor])
        return Value(tensor=product, width=width, bytes=gate.bytes)

    # -- norms --------------------------------------------------------------------------------

    def norm(self, value: Value, name: str) -> Value:
        """A normalization over the last dimension."""
        if self.norm_kind == "layer":
            return self._layer_norm(value, name)
        if self.fused:
            return self._fused_norm(value, name)
        wide = self.cast(value, 4, f"{name}.float")
        element = activation(value.width, 4)
        scaled = self.tape.run(
            name,
            [wide.tensor],
            element,
            saves=[wide.tensor],
            saves_aside=activation("4", 1),
            forward_scratch=element,
            backward_scratch=element * 2,
        )
        normed = self.cast(
            Value(tensor=scaled, width=value.width, bytes=4), value.bytes, f"{name}.back"
        )
        out_bytes = max(value.bytes, self.numerics.norm_weights)
        out = self.tape.run(
            f"{name}.weight",
            [normed.tensor],
            activation(value.width, out_bytes),
            saves=[normed.tensor] if self.base_trained else [],
            backward_scratch=activation(value.width, out_bytes) if self.base_trained else NOTHING,
            weight_gradients=value.width * self.numerics.norm_weights
            if self.base_trained
            else NOTHING,
        )
        return Value(tensor=out, width=value.width, bytes=out_bytes)

    def _fused_norm(self, value: Value, name: str) -> Value:
        out = self.tape.run_in_place_backward(
            name,
            value.tensor,
            activation(value.width, value.bytes),
            saves=[value.tensor],
            saves_aside=activation("4", 1),
        )
        return Value(tensor=out, width=value.width, bytes=value.bytes)

    def _layer_norm(self, value: Value, name: str) -> Value:
        # Autocast runs layer_norm in fp32.
        source = self.cast(value, 4, f"{name}.float") if self.numerics.autocast else value
        out = self.tape.run(
            name,
            [source.tensor],
            activation(value.width, source.bytes),
            saves=[source.tensor],
            saves_aside=activation("8", 1),
            weight_gradients=value.width * (2 * self.numerics.norm_weights)
            if self.base_trained
            else NOTHING,
        )
        return Value(tensor=out, width=value.width, bytes=source.bytes)

    # -- linears ------------------------------------------------------------------------------

    def linear(self, value: Value, layer: Linear) -> Value:
        """A linear layer, with its adapter when it carries one."""
        base = self._base_linear(value, layer)
        if layer.name not in self.adapted:
            return base
        return self._add_adapter(value, base, layer)

    @property
    def fuses_adapters(self) -> bool:
        """Whether adapters over 4-bit weights run with their linear as one operation."""
        return self.fused and self.numerics.quantized and bool(self.adapted)

    def fused_linears(self, value: Value, layers: Sequence[Linear]) -> list[Value]:
        """Linears of one input with their adapters: each keeps its dropped-out copy, no mask."""
        element = activation(value.width, value.bytes)
        copies = sum(layer.name in self.adapted for layer in layers) if self.dropout else 0
        widest = Size.of(layers[0].inputs) * Size.of(layers[0].outputs)
        outputs = [activation(layer.outputs, value.bytes) for layer in layers]
        joined = self.tape.run(
            f"{layers[0].name}.fused",
            [value.tensor],
            outputs[0],
            saves=[value.tensor],
            saves_aside=element * copies,
            forward_scratch=widest * self.numerics.compute,
            backward_scratch=widest * self.numerics.compute + element * 2,
            weight_gradients=self._adapter_size(layers),
        )
        made = [joined]
        made += [
            self.tape.run(f"{layer.name}.fused", [value.tensor], size)
            for layer, size in zip(layers[1:], outputs[1:], strict=True)
        ]
        return [
            Value(tensor=tensor, width=Size.of(layer.outputs), bytes=value.bytes)
            for tensor, layer in zip(made, layers, strict=True)
        ]

    def _adapter_size(self, layers: Sequence[Linear]) -> Size:
        total = NOTHING
        for layer in layers:
            if layer.name in self.adapted:
                total += Size.of(layer.inputs) + Size.of(layer.outputs)
        return total * Size.of("r") * (self.numerics.adapters or 0)

    def _base_linear(self, value: Value, layer: Linear) -> Value:
        numerics = self.numerics
        matrix = Size.of(layer.inputs) * Size.of(layer.outputs)
        out_bytes = numerics.linear_output(value.bytes)
        computed = self.cast(value, numerics.compute, f"{layer.name}.cast")
        copies_weight = not numerics.quantized and numerics.weights != numerics.compute
        weight_copy = matrix * numerics.compute if copies_weight else NOTHING
        unpacked = matrix * numerics.compute if numerics.quantized else NOTHING
        product = self.tape.run(
            layer.name,
            [computed.tensor],
            activation(layer.outputs, numerics.compute),
            saves=[computed.tensor] if self.base_trained else [],
            saves_aside=weight_copy,
            forward_scratch=unpacked,
            backward_scratch=unpacked,
            weight_gradients=matrix * numerics.weights if self.base_trained else NOTHING,
            uses_weight=True,
        )
        out = Value(tensor=product, width=Size.of(layer.outputs), bytes=numerics.compute)
        return self.cast(out, out_bytes, f"{layer.name}.back")

    def _add_adapter(self, value: Value, base: Value, layer: Linear) -> Value:
        numerics = self.numerics
        assert numerics.adapters is not None
        inputs, outputs = Size.of(layer.inputs), Size.of(layer.outputs)
        work = 2 if numerics.autocast else numerics.adapters
        # PEFT's layers over quantized weights leave the cast to autocast.
        own_cast = not (numerics.quantized and numerics.autocast)
        first = numerics.adapters if own_cast else value.bytes
        entering = cast_input = self.cast(value, first, f"{layer.name}.lora_cast")
        if self.dropout:
            dropped = self.tape.run(
                f"{layer.name}.dropout",
                [entering.tensor],
                activation(inputs, entering.bytes),
                # A mask on a card; the CPU keeps its noise in the dtype of the input.
                saves_aside=activation(inputs, entering.bytes if self.on_cpu else 1),
            )
            entering = Value(tensor=dropped, width=inputs, bytes=entering.bytes)
        entering = self.cast(entering, work, f"{layer.name}.lora_autocast")
        rank = Size.of("r")
        # Autocast keeps its 16-bit copies of the two matrices for backward.
        casts_weights = work != numerics.adapters
        reduced = self.tape.run(
            f"{layer.name}.lora_A",
            [entering.tensor],
            activation("r", work),
            saves=[entering.tensor],
            saves_aside=inputs * rank * work if casts_weights else NOTHING,
            weight_gradients=inputs * rank * numerics.adapters,
        )
        grown = self.tape.run(
            f"{layer.name}.lora_B",
            [reduced],
            activation(outputs, work),
            saves=[reduced],
            saves_aside=outputs * rank * work if casts_weights else NOTHING,
            weight_gradients=outputs * rank * numerics.adapters,
        )
        scaled = self.tape.run(f"{layer.name}.scaling", [grown], activation(outputs, work))
        out_bytes = max(base.bytes, work)
        total = self.tape.add(base.tensor, scaled, activation(outputs, out_bytes))
        # PEFT's frames hold the layer's input and its cast until the sum is returned.
        self.tape.keep(value.tensor, cast_input.tensor)
        out = Value(tensor=total, width=outputs, bytes=out_bytes)
        return self.cast(out, base.bytes, f"{layer.name}.lora_back")
