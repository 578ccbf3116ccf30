"""Runs as their events: what a screen shows of them is held by golden files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.launcher.view.replay import GIB

Event = dict[str, Any]

_START = datetime(2026, 11, 21, 14, 45, tzinfo=UTC)
_CARD = {
    "card_index": 0,
    "card_name": "NVIDIA GeForce RTX 4090",
    "card_total_bytes": int(23.99 * GIB),
    "power_limit_watts": 450.0,
}


class Recording:
    """Events with the time they came at."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.seconds = 0.0

    def tell(self, event_type: str, **fields: Any) -> None:
        """An event now."""
        at = (_START + timedelta(seconds=self.seconds)).isoformat().replace("+00:00", "Z")
        self.events.append({"at": at, "seconds": self.seconds, "type": event_type, **fields})

    def memory(self, gib: float, **fields: Any) -> None:
        """What the driver sees of the run, beside 0.5 GiB of others."""
        device = int(gib * GIB)
        self.tell(
            "memory",
            device_bytes=device,
            approximate=False,
            card_used_bytes=device + GIB // 2,
            card_free_bytes=int(23.6 * GIB) - device - GIB // 2,
            **fields,
        )


def on_a_card(
    *,
    steps: int = 128,
    total: int = 185,
    peak_gib: float = 18.9,
    approximate: bool = False,
    second_card: bool = False,
) -> Recording:
    """Llama 3.1 8B with LoRA on a 4090: loaded in a minute, ten seconds a step."""
    run = Recording()
    run.tell("plan", **plan_fields())
    run.tell("phase", phase="starting")
    run.tell("phase", phase="loading weights")
    for second in range(0, 60, 4):
        run.seconds = float(second)
        facts = _CARD if second == 0 else {}
        run.memory(0.5 + 15 * second / 60, utilization_percent=12, **facts)
    run.tell("phase", phase="evaluating")
    run.seconds = 75.0
    run.tell("evaluation", step=0, loss=3.61, when="before")
    run.tell("phase", phase="training")
    for step in range(1, steps + 1):
        _step(run, step, total, peak_gib)
    if approximate or second_card:
        _change_memory(run, approximate=approximate, second_card=second_card)
    return run


def plan_fields(**changed: Any) -> dict[str, Any]:
    """The `plan` event of that run."""
    return {
        "run": "llama-3.1-8b-lora-01",
        "attempt": 1,
        "model": "llama-3.1-8b",
        "method": "lora",
        "rank": 16,
        "device": "cuda",
        "gpu": "NVIDIA GeForce RTX 4090",
        "available_bytes": int(23.1 * GIB),
        "predicted_allocated_bytes": int(17.0 * GIB),
        "predicted_peak_bytes": int(19.4 * GIB),
        "predicted_low_bytes": int(18.4 * GIB),
        "predicted_high_bytes": int(20.4 * GIB),
    } | changed


def _step(run: Recording, step: int, total: int, peak_gib: float) -> None:
    for _ in range(2):
        run.seconds += 5.15
        run.memory(
            peak_gib - 0.3 * (step % 3),
            utilization_percent=97,
            temperature_celsius=71,
            power_watts=431.0,
        )
    run.tell(
        "memory",
        allocated_bytes=int((peak_gib - 2.0) * GIB),
        reserved_bytes=int((peak_gib - 0.6) * GIB),
    )
    run.tell(
        "step",
        step=step,
        total_steps=total,
        loss=1.2 + 2.4 * math.exp(-step / 30),
        grad_norm=0.71,
        learning_rate=2e-4 * (1 - step / total),
        tokens=32768 * step,
        tokens_per_second=3180.0 - 20 * (step % 4),
        epoch=step / total,
        step_seconds=10.3,
    )
    if step % 50 == 0:
        run.tell("phase", phase="evaluating")
        run.seconds += 24.0
        run.tell("evaluation", step=step, loss=1.352, when="during")
        run.tell("phase", phase="training")
        run.tell("checkpoint", step=step, path=f"checkpoints/step-{step}", bytes=GIB // 2)


def _change_memory(run: Recording, *, approximate: bool, second_card: bool) -> None:
    for event in run.events:
        if event["type"] != "memory" or "device_bytes" not in event:
            continue
        event["approximate"] = approximate
        if second_card:
            own = {key: value for key, value in event.items() if key not in ("at", "seconds")}
            facts = {"card_index": 1} if "card_index" in event else {}
            other = own | facts | {"device_bytes": int(0.9 * event["device_bytes"])}
            event["cards"] = [own, other]


def finished(run: Recording, **changed: Any) -> Recording:
    """The rest of a run that ends well."""
    run.tell("evaluation", step=185, loss=1.349, when="after")
    run.tell(
        "answer",
        when="before",
        prompt="My invoice shows two charges for March. Can you look into it?",
        answer="I am sorry to hear that. I am sorry to hear that. I am sorry to hear that.",
    )
    run.tell(
        "answer",
        when="after",
        prompt="My invoice shows two charges for March. Can you look into it?",
        answer="I can see both. The second is the annual plan, which began on 1 March.",
        expected="Both are there. The second charge is the annual plan from 1 March on.",
    )
    run.tell(
        "comparison",
        rows=24,
        conditions={
            name: {
                "name": name,
                "exact match": {"value": value, "low": value - 0.1, "high": value + 0.1},
                "loss": {"value": 2 - value, "low": 1.9 - value, "high": 2.1 - value},
            }
            for name, value in (("base", 0.1), ("few-shot", 0.3), ("tuned", 0.8))
        },
        judgement="better",
        verdict="It helped: better than the base model with examples by 50 points "
        "(95 % interval 31 to 68, 24 rows).",
    )
    run.tell("phase", phase="saving")
    run.seconds += 4
    last = {"loss_first": 3.61, "loss_last": 1.27, "evaluation_before": 3.61}
    run.tell("finished", steps=185, evaluation_after=1.349, result="adapter", **last | changed)
    return run


def failed(run: Recording, code: int, reason: str, *hints: str) -> Recording:
    """The last word of a run that does not."""
    run.tell("failed", code=code, reason=reason, hints=list(hints))
    return run


def write(path: Path, events: list[Event]) -> None:
    """The events as a log."""
    lines = (json.dumps(event, ensure_ascii=False) + "\n" for event in events)
    path.write_text("".join(lines), encoding="utf-8")


def over_the_band() -> Recording:
    """The estimate was low."""
    return on_a_card(peak_gib=21.6)


def downloading() -> Recording:
    """Weights come in, a quarter is there."""
    run = Recording()
    run.tell("plan", **plan_fields())
    run.tell("phase", phase="downloading")
    for second in range(1, 98):
        run.seconds = float(second)
        run.tell(
            "download",
            done_bytes=second * 38 * 2**20,
            total_bytes=15 * GIB,
            bytes_per_second=38.0 * 2**20,
            finished=False,
        )
    return run


def comparing() -> Recording:
    """The base model answers with examples in its prompt; no step was taken yet."""
    run = on_a_card(steps=0)
    run.tell("phase", phase="comparing")
    run.tell("measuring", what="base with examples", done=16, total=30)
    return run


def starting() -> Recording:
    """Weights are being loaded."""
    run = on_a_card(steps=0)
    run.events = [event for event in run.events if event["seconds"] < 30]
    return run


def two_cards() -> Recording:
    """The second card holds a tenth less."""
    return on_a_card(second_card=True)


def without_process_numbers() -> Recording:
    """WSL, some containers."""
    return on_a_card(approximate=True)


def early() -> Recording:
    """Five steps: nobody can say how long it takes."""
    return on_a_card(steps=5)


RUNNING: dict[str, Callable[[], Recording]] = {
    "downloading": downloading,
    "training": on_a_card,
    "over": over_the_band,
    "loading": starting,
    "comparing": comparing,
    "first-steps": early,
    "two-cards": two_cards,
    "no-process-numbers": without_process_numbers,
}


def day_of_events(lines: int = 200_000) -> Iterator[str]:
    """A day of a run as lines of its log: half-second samples with a step every four seconds."""
    run = Recording()
    run.tell("plan", **plan_fields())
    run.tell("phase", phase="training")
    for at in range(lines - 2):
        run.seconds = at * 86_400 / lines
        if at % 9:
            run.memory(18.0 + at % 7 / 10, utilization_percent=97, temperature_celsius=71)
        else:
            step = at // 9 + 1
            run.tell("step", step=step, total_steps=lines // 9, loss=3.0 / (1 + step / 5000),
                     grad_norm=0.5, learning_rate=1e-4, tokens=step, tokens_per_second=3180.0,
                     epoch=0.1, step_seconds=3.9)  # fmt: skip
        yield from (json.dumps(event) for event in run.events)
        run.events.clear()
