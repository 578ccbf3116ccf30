"""From a plan to the run it proposes: every key of plan.yaml, and the reason of each choice."""

from __future__ import annotations

from dataclasses import dataclass

from planner.expected import Expectation, Pace, expectation_of
from planner.loop import Loop
from planner.plan import MethodAnswer, Plan
from planner.reasons import other_reasons
from planner.run_plan import (
    DataSection,
    HardwareSection,
    MethodSection,
    ModelSection,
    OutputSection,
    RunPlan,
)


class NothingChosen(ValueError):
    """The plan has no method to run, because none fits or there is nothing to judge against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A run with the reason of each choice, by "section.key"."""

    run_plan: RunPlan
    reasons: dict[str, str]
    steps: int
    """Optimizer steps of the whole run."""
    expectation: Expectation


def settle(plan: Plan, *, folder: str) -> Settled:
    """The run a plan proposes, to be written into the run folder `folder`.

    Raises NothingChosen when no method is asked for and none fits, ValueError without data.
    """
    answer = plan.chosen
    if answer is None:
        raise NothingChosen("no method fits")
    if plan.data is None:
        raise ValueError("a run needs data")
    loop = Loop(plan, answer)
    expectation = expectation_of(plan, answer, loop.pace())
    run_plan = RunPlan(
        model=ModelSection(
            name=plan.model.id,
            hub_id=plan.model.hub_id,
            revision=plan.model.revision,
            folder=plan.model.folder,
        ),
        data=DataSection(
            train=plan.data.path,
            held_out_fraction=loop.held_out.value,
            loss_on=loop.loss_on.value,
            held_out=plan.data.held_out,
        ),
        method=_method(answer),
        training=loop.section(),
        hardware=_hardware(plan, answer),
        output=OutputSection(folder=folder),
        evaluation=loop.evidence(),
        expected=expectation.section(answer.memory),
    )
    told = expectation.reasons(adapter=answer.request.adapter is not None)
    reasons = {**loop.reasons(), **other_reasons(plan, answer), **told}
    return Settled(run_plan=run_plan, reasons=reasons, steps=loop.steps, expectation=expectation)


def pace_of(plan: Plan, answer: MethodAnswer) -> Pace:
    """How often the run that a plan proposes does what."""
    return Loop(plan, answer).pace()


def _method(answer: MethodAnswer) -> MethodSection:
    request, adapter = answer.request, answer.request.adapter
    return MethodSection(
        name=answer.method,
        weights=request.weights,
        autocast=request.autocast,
        adapter=adapter.lora_kind if adapter else None,
        rank=adapter.rank if adapter else None,
        alpha=2 * adapter.rank if adapter else None,
        dropout=adapter.dropout if adapter else None,
        targets=adapter.targets if adapter else None,
        adapter_dtype=adapter.dtype if adapter else None,
    )


def _hardware(plan: Plan, answer: MethodAnswer) -> HardwareSection:
    budget, memory = plan.budget, answer.memory
    here = budget is not None and budget.source == "nvml"
    return HardwareSection(
        device=answer.request.device,
        gpu=None if budget is None or budget.device == "cpu" else budget.name,
        gpu_uuid=budget.uuid if budget is not None and here else None,
        available_bytes=None if budget is None else budget.free_bytes,
        predicted_allocated_bytes=memory.allocated.expected_bytes,
        predicted_peak_bytes=memory.device.expected_bytes,
        predicted_low_bytes=memory.device.low_bytes,
        predicted_high_bytes=memory.device.high_bytes,
    )
