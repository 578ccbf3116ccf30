"""The second half of a block on a tape: a gated or plain MLP."""

from __future__ import annotations

from collections.abc import Sequence

from hwdb.family import Linear
from planner.memory.activations import activated
from planner.memory.layers import Value
from planner.memory.library import Library


def mlp(
    library: Library, normed: Value, entering: Sequence[Linear], leaving: Linear, *, gated: bool
) -> Value:
    """down(act(gate(x)) * up(x)), or down(act(up(x)))."""
    inner = [library.linear(normed, line) for line in entering]
    if not gated:
        product = activated(library, inner[0], library.activation)
    elif len(inner) == 1:
        # One fused linear holds gate and up side by side; its halves are views of it.
        half = inner[0].elements * 0.5
        product = library.gate(*library.split(inner[0], [half, half], "gate_up.split"))
    else:
        product = library.gate(*inner)
    out = library.linear(product, leaving)
    library.tape.keep(normed.tensor)  # the frame of the MLP's forward
    return out
