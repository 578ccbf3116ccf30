"""Which dtype every tensor of a step has: bytes per element, decided once."""

from __future__ import annotations

from typing import NamedTuple

from planner.request import QUANTIZED_WEIGHTS, TrainingRequest

_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}


class Numerics(NamedTuple):
    """Bytes per element."""

    weights: int
    """Weights that are not quantized: embeddings, norms, head; all of them for full and lora."""
    compute: int
    """What matrix products run in."""
    stream: int
    """The residual stream between blocks."""
    norm_weights: int
    head_weights: int
    adapters: int | None
    autocast: bool
    quantized: bool

    def linear_output(self, input_bytes: int) -> int:
        """What a linear layer returns for an input of that many bytes per element.

        bitsandbytes returns its input's dtype; a plain linear its weight's, or under autocast
        the cast one.
        """
        if self.quantized:
            return input_bytes
        return self.compute


def numerics_of(request: TrainingRequest) -> Numerics:
    """The dtypes a request leads to."""
    quantized = request.weights in QUANTIZED_WEIGHTS
    base = 2 if quantized else _BYTES[request.weights]
    if quantized and request.device == "cpu":
        base = 4  # the launcher loads embeddings and norms in fp32 there and computes in fp32
    wide = 4 if request.kbit_prepare else base
    # TRL casts embeddings and head back to bf16 under bf16 autocast; the norms stay fp32.
    head = base if request.autocast == "bf16" else wide
    adapters = None if request.adapter is None else _BYTES[request.adapter.dtype]
    return Numerics(
        weights=base,
        compute=2 if request.autocast else base,
        stream=wide,
        norm_weights=wide,
        head_weights=head,
        adapters=adapters,
        autocast=request.autocast is not None,
        quantized=quantized,
    )
