"""What a trace answers, as plain data that travels between processes and into the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceResult:
    """Memory of the traced step. CUDA's context is in none of the numbers."""

    peak_bytes: int
    """Peak of what tensors take: torch.cuda.max_memory_allocated."""
    rest_bytes: int
    """What tensors take between steps."""
    phases: Mapping[str, int]
    """Peak of what tensors take in forward, loss, backward and optimizer."""
    needed_bytes: int
    """Smallest budget of the caching allocator in which the step does not run out."""
    reserved_bytes: int
    """Peak of what the caching allocator takes where nothing limits it."""
    seconds: float
    """How long the trace took, imports left out."""
    versions: Mapping[str, str]
    """Versions of the libraries whose classes were traced."""

    @property
    def peak_phase(self) -> str:
        """The phase with the highest peak."""
        return max(self.phases, key=lambda name: self.phases[name])

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TraceResult:
        """The result that `as_json` gave. Raises TypeError when keys are missing or unknown."""
        return cls(**values)
