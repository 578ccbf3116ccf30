"""The second half of a block on a tape: a gated or plain MLP."""

from __future__ import annotations

from collections.abc import Sequence

from hwdb.family import Linear
from planner.memory.activations import activated
from planner.memory.layers import Value
from planner.memory.library import Library


def mlp(
    library: Library,
    normed: Value,
    entering: Sequence[Linear],
    leaving: Linear,
    *,
    gated: bool,
    held: bool = True,
    in_block: bool = False,
) -> Value:
    """down(act(gate(x)) * up(x)), or down(act(up(x))); `held`: it is a module with a frame.

    `in_block`: the block itself hands on what enters `leaving`.
    """
    first = library.linear(normed, entering[0])
    if not gated:
        product = activated(library, first, library.activation)
    elif len(entering) == 1:
        # One fused linear holds gate and up side by side; its halves are views of it.
        gate, up = library.split(first, [first.elements.half()] * 2, "gate_up.split")
        product = library.gate(library.activate(gate), up)
    else:
        active = library.activate(first)
        product = library.gate(active, library.linear(normed, entering[1]))
    if in_block:
        library.held_by_block.append(product.tensor)
    out = library.linear(product, leaving)
    if held:
        library.tape.keep(normed.tensor)  # the frame of the MLP's forward
    return out
