"""Sections of plan.yaml that a file may leave out: recovery, evaluation, what is expected."""

from __future__ import annotations

from dataclasses import dataclass

from planner.request import at_least


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverySection:
    """What may be changed when the run cannot go on as planned, see `planner.recovery`."""

    allow_qlora: bool = False
    """Out of memory with nothing else left: go on over 4-bit weights."""
    lower_learning_rate_once: bool = True
    """Diverged: once, go back to the last checkpoint with a third of the learning rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSection:
    """The evidence a run ends with: base, base with examples and tuned, on held-out rows."""

    answer_rows: int = 0
    """Held-out rows that are answered under each condition; 0 compares nothing."""
    answer_tokens: int = 64
    """Longest answer."""
    answer_seconds: int = 60
    """After this a condition takes no further rows."""
    few_shot_examples: int = 0
    """Most training rows shown in the prompt of the base model; 0 leaves that condition out."""
    forgetting: bool = False
    """Whether the general suite is run before and after."""

    def __post_init__(self) -> None:
        for key in ("answer_tokens", "answer_seconds"):
            at_least(f"evaluation.{key}", getattr(self, key), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedSection:
    """How long the run will take and what it leaves on disk; times are None where unknown."""

    step_seconds: float | None = None
    step_seconds_low: float | None = None
    step_seconds_high: float | None = None
    run_seconds: float | None = None
    """All of it: start, steps, measuring and saving; a download is left out."""
    run_seconds_low: float | None = None
    run_seconds_high: float | None = None
    result_bytes: int | None = None
    """The adapter, or the whole model."""
    checkpoint_bytes: int | None = None
    """Each of them; `training.keep_checkpoints` are kept."""
    uncorrected_step_seconds: float | None = None
    """What step_seconds was before runs here, or a rehearsal, corrected it; None: none did."""
    uncorrected_peak_bytes: int | None = None
    """What hardware.predicted_peak_bytes was before runs here corrected it; None: none did."""
    uncorrected_allocated_bytes: int | None = None
    """The same of hardware.predicted_allocated_bytes."""
