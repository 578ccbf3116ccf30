"""Why the method, the hardware and the step of a plan are as they are, in words."""

from __future__ import annotations

from planner.advice.settings import ASKED, attention_choice, loss_choice, weights_choice
from planner.memory.correction import corrected_by
from planner.plan import MethodAnswer, Plan
from planner.units import gib_text

_TARGETS_REASON = {
    False: "every linear layer but the head",
    True: "every linear layer but the head and the experts",
}


def other_reasons(plan: Plan, answer: MethodAnswer) -> dict[str, str]:
    """Reasons of the method, the hardware and the step, by "section.key"."""
    recommended = plan.recommendation
    why = ASKED if plan.asked.method or recommended is None else recommended.reason
    memory = answer.memory
    low, high = gib_text(memory.device.low_bytes), gib_text(memory.device.high_bytes)
    peak = f"{low} to {high} GiB, peak in {memory.peak_phase}{corrected_by(memory.basis)}"
    reasons = {
        "method.name": why,
        "method.weights": weights_choice(plan.asked, answer.method, plan.budget).reason,
        "hardware.predicted_peak_bytes": peak,
        "training.checkpointing": _checkpointing_reason(plan, answer),
        "training.attention": attention_choice(plan.asked, plan.model.shape).reason,
        "training.optimizer": ASKED if plan.asked.optimizer else "Trainer's default",
        "training.loss": loss_choice(plan.asked, plan.model.shape, plan.budget).reason,
        "recovery.allow_qlora": "true: out of memory with nothing else left, go on in 4 bit",
        "recovery.lower_learning_rate_once": "after NaN, back to a checkpoint at a third of it",
    }
    for name, price in answer.prices.items():
        key = "method.weights" if name == "weights" else f"training.{name}"
        reasons[key] += f"; {price}"
    if plan.budget is not None and plan.budget.free_bytes is not None:
        reasons["hardware.available_bytes"] = plan.budget.summary
    if answer.request.adapter is not None:
        reasons["method.rank"] = ASKED if plan.asked.rank else "memory hardly depends on it"
        reasons["method.targets"] = (
            ASKED
            if plan.asked.targets
            else _TARGETS_REASON[bool(plan.model.shape.expert_parameters)]
        )
        reasons["method.alpha"] = "twice the rank"
    return reasons


def _checkpointing_reason(plan: Plan, answer: MethodAnswer) -> str:
    if plan.asked.checkpointing is not None:
        return ASKED
    if "checkpointing" in answer.reasons:
        return answer.reasons["checkpointing"]
    return "activations are computed twice: far less memory, about a quarter slower"
