"""The layers of a training library on a tape. What another library does otherwise, it overrides."""

from __future__ import annotations

from dataclasses import dataclass

from hwdb.family import Linear, NormStyle
from planner.memory.activations import activated
from planner.memory.dora import with_dora
from planner.memory.layers import TOKENS, Layers, Value
from planner.memory.linears import base_linear, with_adapter
from planner.memory.norms import normalized
from planner.memory.size import Size


@dataclass(slots=True, kw_only=True)
class Library(Layers):
    """Transformers' layers with PEFT's adapters."""

    norm_style: NormStyle
    activation: str
    """Name of the activation function, as in config.json."""

    def norm(
        self, value: Value, name: str, *, width: Size | None = None, rows: Size = TOKENS
    ) -> Value:
        """A normalization over the last dimension, `width` (None: the model's), of `rows` rows."""
        weights = Size.of("h") if width is None else width
        return normalized(self, value, self.norm_style, name, width=weights, rows=rows)

    def linear(self, value: Value, line: Linear) -> Value:
        """A linear layer, with its adapter when it carries one."""
        base = self.base_linear(value, line)
        out = self.with_adapter(value, base, line) if line.name in self.adapted else base
        self.tape.keep(value.tensor)  # the call holds its argument
        return out

    def base_linear(self, value: Value, line: Linear) -> Value:
        """The linear alone."""
        return base_linear(self, value, line)

    def with_adapter(self, value: Value, base: Value, line: Linear) -> Value:
        """What the linear made of `value`, and what its adapter adds."""
        write = with_dora if self.dora else with_adapter
        return write(self, value, base, line)

    def activate(self, gate: Value) -> Value:
        """What the activation function makes of the gate."""
        return activated(self, gate, self.activation)

    def gate(self, active: Value, up: Value) -> Value:
        """What `activate` made, times up."""
        return self.multiply(active, up, "product")
