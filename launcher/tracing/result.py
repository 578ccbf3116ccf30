"""What a trace answers, as plain data that travels between processes and into the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from planner.memory.traced import KeptBytes, Traced


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceResult:
    """Memory of the traced step. CUDA's context is in none of the numbers."""

    peak_bytes: int
    """Peak of what tensors take: torch.cuda.max_memory_allocated."""
    rest_bytes: int
    """What tensors take between steps."""
    phases: Mapping[str, int]
    """Peak of what tensors take in load, forward, loss, backward, optimizer, evaluate and save."""
    parts: Mapping[str, int]
    """What the bytes of the peak are for: weights, adapters, gradients, optimizer, activations,
    logits, temporaries and runtime, which are cuBLAS's workspaces."""
    trained_parameters: int
    paged_bytes: int
    """Optimizer state in pages: on the card while there is room, in none of the other numbers."""
    needed_bytes: int
    """Smallest budget of the caching allocator in which the step does not run out."""
    reserved_bytes: int
    """Peak of what the caching allocator takes where nothing limits it."""
    ways: Mapping[str, KeptBytes]
    """What it takes with either kind of segments, by how rows of unequal lengths are batched."""
    seconds: float
    """How long the trace took, imports left out."""
    versions: Mapping[str, str]
    """Versions of the libraries whose classes were traced."""

    @property
    def traced(self) -> Traced:
        """The part of it that an estimate is made of."""
        return Traced(
            peak_bytes=self.peak_bytes,
            rest_bytes=self.rest_bytes,
            needed_bytes=self.needed_bytes,
            reserved_bytes=self.reserved_bytes,
            phases=self.phases,
            parts=self.parts,
            trained_parameters=self.trained_parameters,
            paged_bytes=self.paged_bytes,
            ways=self.ways,
        )

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        ways = {name: kept._asdict() for name, kept in self.ways.items()}
        return {**asdict(self), "ways": ways}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TraceResult:
        """The result that `as_json` gave. Raises TypeError for anything else."""
        if not isinstance(values, Mapping) or not isinstance(values.get("ways"), Mapping):
            raise TypeError("no trace")
        ways = {name: KeptBytes(**kept) for name, kept in values["ways"].items()}
        return cls(**{**values, "ways": ways})
