"""What a plan is asked for: settings that the user fixed, and what is known of the data."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, NamedTuple

# Imported where a value is checked: the wizard's first screen holds one without any.
if TYPE_CHECKING:
    from planner.request import Method


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the user fixed; None leaves the choice to the plan."""

    method: Method | None = None
    task: str | None = None
    train_last: int | Literal["auto"] | None = None
    rank: int | None = None
    targets: tuple[str, ...] | None = None
    sequence_tokens: int | None = None
    micro_batch: int | None = None
    accumulation: int | None = None
    optimizer: str | None = None
    weights: str | None = None
    checkpointing: str | None = None
    attention: str | None = None
    loss: str | None = None
    packing: bool | None = None
    group_by_length: bool | None = None
    """Only with a step that is pinned; else the plan finds out whether it saves time."""
    epochs: float | None = None
    max_steps: int | None = None
    learning_rate: float | None = None
    seed: int | None = None

    @property
    def pins_the_step(self) -> bool:
        """Whether the user chose how a step is cut up, so that nothing is sped up behind that."""
        chosen = (self.micro_batch, self.accumulation, self.checkpointing)
        return any(value is not None for value in chosen)

    def __post_init__(self) -> None:
        if all(getattr(self, field.name) is None for field in fields(self)):
            return
        from planner.request import above, at_least

        for name in ("rank", "sequence_tokens", "micro_batch", "accumulation", "max_steps"):
            value = getattr(self, name)
            if value is not None:
                at_least(name, value, 1)
        for name in ("epochs", "learning_rate"):
            value = getattr(self, name)
            if value is not None:
                above(name, value, 0)


class DataFacts(NamedTuple):
    """What is known about the training data."""

    path: str
    layout: str
    rows: int
    longest_tokens: int
    lengths_exact: bool
    how: str
    """How tokens were counted, in words."""
    mean_tokens: float | None = None
    """Tokens of a row on average; None when unknown."""
    lengths: tuple[int, ...] = ()
    """Tokens of each row; empty when unknown."""
    class_counts: tuple[tuple[str, int], ...] = ()
    """Rows of each label, most first; empty where rows have no label."""
    held_out: str | None = None
    """File of rows to measure on; None holds out a share of the rows."""
    held_out_rows: int | None = None
    """How many rows a file or folder sets aside for measuring; None when it sets none aside."""
    held_out_by_hash: int | None = None
    """How many of the rows are held out by their hash; None when that was not counted."""
