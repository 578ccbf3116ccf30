"""A plan made ready to run, or the refusal when nothing fits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.errors import NothingFits, UsageError
from launcher.planning import lightest, require_rows
from launcher.runs.folder import RUNS_ROOT, default_run_folder
from planner.expected import Expectation
from planner.plan import MethodAnswer, Plan
from planner.plan_file import plan_file_text
from planner.run_plan import RunPlan
from planner.settle import settle
from planner.units import gib_text

if TYPE_CHECKING:
    from launcher.ways_out import WayOut


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyPlan:
    """A run that can be launched."""

    run_plan: RunPlan
    text: str
    """plan.yaml."""
    reasons: dict[str, str]
    expectation: Expectation
    """Hours and bytes on disk."""
    answer: MethodAnswer
    """What the chosen method needs, and whether that fits."""
    steps: int
    """Optimizer steps of the whole run."""


def ready_plan(plan: Plan, *, out: str | None, force: bool = False) -> ReadyPlan:
    """The run that a plan proposes, in the run folder `out` or the next free one of runs/.

    Raises NothingFits unless `force`, which then takes the method asked for or the lightest, and
    UsageError for a folder that reads like the plan file's name.
    """
    if out is not None and Path(out).suffix in (".yaml", ".yml"):
        raise UsageError(f"--out {out}: --out names the run's folder", f"-o {out} is the plan file")
    require_rows(plan.data)
    chosen = plan.chosen
    if chosen is None or chosen.verdict.fits == "no":
        if not force:
            raise nothing_fits(plan)
        if chosen is None:
            plan = replace(plan, asked=replace(plan.asked, method=lightest(plan).method))
            chosen = plan.chosen
    assert chosen is not None
    folder = Path(out) if out else default_run_folder(RUNS_ROOT, plan.model.id, chosen.method)
    settled = settle(plan, folder=str(folder.absolute()))
    return ReadyPlan(
        run_plan=settled.run_plan,
        text=plan_file_text(settled.run_plan, settled.reasons),
        reasons=settled.reasons,
        expectation=settled.expectation,
        answer=chosen,
        steps=settled.steps,
    )


def nothing_fits(plan: Plan) -> NothingFits:
    """The refusal, with every change that would be enough."""
    from launcher.ways_out import ways_out  # reads every card and model

    answer = lightest(plan)
    needed = gib_text(answer.memory.needed.expected_bytes)
    if plan.budget is None or plan.budget.free_bytes is None:
        return NothingFits(
            "there is no memory to judge against",
            f"--method {answer.method} --force goes on without a judgement",
        )
    which = "no method fits" if len(plan.answers) > 1 else f"{answer.method} does not fit"
    return NothingFits(
        f"{which}: {answer.method} needs {needed} GiB, {gib_text(plan.budget.free_bytes)} are free",
        *(f"{way.option} makes {_what(answer, way)} fit: {way.reason}" for way in ways_out(plan)),
        "--force goes on all the same",
    )


def _what(answer: MethodAnswer, way: WayOut) -> str:
    return "it" if way.option.startswith("--method") else answer.method
