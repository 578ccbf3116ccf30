"""What a run knows about itself that a resumed worker must not lose: kept in each checkpoint."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

PROGRESS_NAME = "tlplan.json"


@dataclass(slots=True, kw_only=True)
class Progress:
    """Sums over every attempt of a run so far."""

    tokens: int = 0
    """Tokens trained on, padding excluded."""
    seconds: float = 0.0
    """Time spent in training steps."""
    loss_first: float | None = None
    loss_last: float | None = None
    evaluation_before: float | None = None
    """Loss on held-out rows before the first step."""
    best_step: int | None = None
    """Step of the evaluation that was best so far."""
    best_score: float | None = None
    """What it is judged by, higher is better."""
    lowest_loss: float | None = None
    """On held-out rows, of all evaluations so far."""
    worse_in_a_row: int = 0
    """Evaluations since the last one with a better score or a lower loss."""

    def save(self, checkpoint: Path) -> None:
        """Write it into a checkpoint that is being made."""
        (checkpoint / PROGRESS_NAME).write_text(json.dumps(asdict(self)) + "\n")

    @classmethod
    def load(cls, checkpoint: Path) -> Progress:
        """Read it back from a verified checkpoint."""
        return cls(**json.loads((checkpoint / PROGRESS_NAME).read_text()))
