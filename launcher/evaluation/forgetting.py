"""What a model no longer knows: the general suite before and after, drops beyond noise named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from launcher.evaluation.bootstrap import mean_interval


def forgetting_report(
    *,
    tasks_before: Sequence[float],
    tasks_after: Sequence[float],
    losses_before: Sequence[float],
    losses_after: Sequence[float],
) -> dict[str, Any]:
    """Part of evaluation.json: both scores, their differences with intervals, and a sentence."""
    tasks = mean_interval([b - a for a, b in zip(tasks_before, tasks_after, strict=True)])
    losses = mean_interval([b - a for a, b in zip(losses_before, losses_after, strict=True)])
    before, after = _mean(tasks_before), _mean(tasks_after)
    text_before, text_after = _mean(losses_before), _mean(losses_after)
    lost = []
    if tasks.high < 0:
        lost.append(
            f"general tasks fell from {100 * before:.0f} % to {100 * after:.0f} % right "
            f"({100 * tasks.value:.0f} points, 95 % interval {100 * tasks.low:.0f} to "
            f"{100 * tasks.high:.0f})"
        )
    if losses.low > 0:
        lost.append(
            f"the loss on general text rose from {text_before:.2f} to {text_after:.2f} "
            f"({losses.low:+.2f} to {losses.high:+.2f})"
        )
    if lost:
        verdict = "Forgotten: " + "; ".join(lost) + "."
    else:
        verdict = (
            f"Nothing forgotten beyond noise: general tasks {100 * before:.0f} % to "
            f"{100 * after:.0f} % right, loss on general text {text_before:.2f} to "
            f"{text_after:.2f}."
        )
    return {
        "tasks": {"before": before, "after": after, "change": tasks._asdict()},
        "text_loss": {"before": text_before, "after": text_after, "change": losses._asdict()},
        "forgotten": bool(lost),
        "verdict": verdict,
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
