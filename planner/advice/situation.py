"""The facts that advice on a fine-tune is given on, and the form advice takes.

Where the thresholds come from: providers' own guides ask for 50 to 100 examples before tuning
pays, and for examples in the prompt first (OpenAI, fine-tuning best practices); a thousand good
ones teach a style (LIMA, arXiv 2305.11206); adapters match full fine-tuning on small data and
forget less, full wins where there is much to learn (arXiv 2405.09673); features of a frozen
model with a new head generalise better than a full fine-tune on few rows (arXiv 2202.10054).
What is measured (distance, memory, time, cost) is passed in; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from planner.request import Method, Task, at_least

if TYPE_CHECKING:
    from planner.market.rent import Rented

FEW_EXAMPLES = 100
"""Below this, examples in the prompt are the thing to try first."""
MANY_EXAMPLES = 10_000
"""Beyond this, changing every weight can pay."""
FAR_NATS = 1.0
"""Loss per token on the rows above that on general text by this: 2.7 times as surprising."""
NEAR_NATS = 0.3
FEWEST_TO_MEASURE = 30
"""Held-out rows below which a 95 % interval is wider than most gains."""
FEWEST_OF_A_CLASS = 8

Approach = Literal["in-context", "head-only", "train-last", "lora", "qlora", "full"]
Level = Literal["advice", "warning"]
Fits = Literal["yes", "tight", "no"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one approach would take here; None is unknown."""

    fits: Fits | None = None
    needed_bytes: int | None = None
    seconds: float | None = None
    usd: float | None = None
    rent: Rented | None = None
    """The offer that `usd` is the price of, its download included; None for what costs nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The facts that advice is given on; None is unknown."""

    task: Task
    layout: str
    """messages, prompt_completion, text, text_label or image_label."""
    examples: int
    mean_tokens: float | None = None
    longest_tokens: int | None = None
    context_tokens: int | None = None
    """Longest input the model was made for."""
    instruct: bool | None = None
    """Whether the model was already taught to follow instructions."""
    model: str = ""
    sibling: str | None = None
    """--model name of the instruct variant, where there is another one."""
    distance_nats: float | None = None
    """Loss per token on the rows minus that on general text, by the untrained model."""
    held_out_rows: int | None = None
    class_counts: Mapping[str, int] | None = None
    offers: Mapping[Method, Offer] = field(default_factory=dict)
    """What each method takes here, as far as it was planned."""
    head_only: Offer = Offer()
    """What a new head alone takes, for classifiers."""

    def __post_init__(self) -> None:
        at_least("examples", self.examples, 1)


class AdviceItem(NamedTuple):
    """One thing to know before launching."""

    code: str
    level: Level
    text: str
    """One or two sentences, the reason included."""
    data: dict[str, Any]
    """The numbers behind it."""
