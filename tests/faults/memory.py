"""Running out of memory in each of the driver's words, and numbers that are none."""

from __future__ import annotations

import random

import numpy as np

from launcher.runs.stored_plan import plan_in_force
from tests.faults.kills import EQUAL, any_run
from tests.faults.kinds import kind
from tests.faults.laboratory import Laboratory, Run
from tests.faults.plans import CHECKPOINT_EVERY, STEPS

OUT_OF_MEMORY = {
    "PyTorch": "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 1.12 GiB free",
    "the driver": "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
    "cuBLAS": "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "Triton": "Triton Error [CUDA]: out of memory",
}


def _check_close(run: Run) -> None:
    """The same rows in the same order, only summed up differently."""
    reference = run.laboratory.reference(run.name)
    run.check_whole()
    assert run.losses().keys() == reference.losses().keys(), run.story()
    expected = list(reference.losses().values())
    assert np.allclose(list(run.losses().values()), expected, rtol=0.02), run.story()
    rows = [
        plan.training.micro_batch_rows * plan.training.accumulation_steps
        for plan in (run.plan, plan_in_force(run.folder))
    ]
    assert rows[0] == rows[1], run.story()


def _runs_out(whose: str) -> None:
    @kind(
        f"out of memory in a step, as {whose} says it",
        "goes on with a smaller step; same rows, losses as undisturbed within rounding",
    )
    def once(laboratory: Laboratory, draw: random.Random) -> None:
        run = any_run(laboratory, draw)
        step = draw.randint(1, STEPS)
        run.start({"kind": "raise", "step": step, "text": OUT_OF_MEMORY[whose]})

        assert run.ended().exit_code == 0, run.story()

        assert run.events("recovery")[0]["replanned"] is True, run.story()
        assert run.repeated_steps() <= 3, run.story()
        _check_close(run)


for _whose in OUT_OF_MEMORY:
    _runs_out(_whose)


@kind("out of memory while evaluating", "goes on with a smaller step; losses as undisturbed")
def evaluating(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    text = draw.choice(list(OUT_OF_MEMORY.values()))
    run.start({"kind": "raise", "where": "evaluate", "text": text})

    assert run.ended().exit_code == 0, run.story()

    _check_close(run)


@kind("out of memory at every step", "exit 7 with what would fit, when no smaller step is left")
def always(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    text = draw.choice(list(OUT_OF_MEMORY.values()))
    run.start({"kind": "raise", "step": draw.randint(1, STEPS), "text": text, "once": False})

    state = run.ended()

    assert state.exit_code == 7, run.story()
    (failed,) = run.events("failed")
    assert failed["reason"].endswith("no smaller step is left"), run.story()
    assert any("would" in hint for hint in failed["hints"]), run.story()


@kind("host memory is nearly used up", f"a warning and a checkpoint at once; then {EQUAL}")
def pressure(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    step = draw.choice([each for each in range(1, STEPS) if each % CHECKPOINT_EVERY])
    run.start({"kind": "memory", "step": step})

    assert run.ended().exit_code == 0, run.story()

    (warning,) = (each for each in run.events("warning") if each["code"] == "HOST_MEMORY_LOW")
    assert "100 MiB of host memory are left" in warning["message"], run.story()
    assert step in [each["step"] for each in run.events("checkpoint")], run.story()
    run.check_equal(intervals=0)


def _nan(where: str) -> None:
    @kind(
        f"NaN in the {where} of a step",
        "back to the last checkpoint, once more at a third of the rate, finishes",
    )
    def once(laboratory: Laboratory, draw: random.Random) -> None:
        run = any_run(laboratory, draw)
        step = draw.randint(1, STEPS)
        value = draw.choice(["nan", "inf"])
        run.start({"kind": "nan", "where": where, "step": step, "value": value})

        assert run.ended().exit_code == 0, run.story()

        assert "once more with learning_rate" in run.events("recovery")[0]["message"], run.story()
        run.check_whole()
        _check_rate(run, step)

    @kind(f"NaN in the {where} again and again", "exit 9, the last checkpoint is intact")
    def always(laboratory: Laboratory, draw: random.Random) -> None:
        run = any_run(laboratory, draw)
        step = draw.randint(4, STEPS)
        run.start({"kind": "nan", "where": where, "step": step, "once": False})

        assert run.ended().exit_code == 9, run.story()

        assert run.folder.result is None, run.story()
        assert run.events("checkpoint"), run.story()


def _check_rate(run: Run, step: int) -> None:
    """From where it went back to, each step took a third of the planned rate."""
    planned = {each["step"]: each for each in run.laboratory.reference(run.name).events("step")}
    taken = {each["step"]: each["learning_rate"] for each in run.events("step")}
    for number, rate in taken.items():
        if number >= step:
            assert np.isclose(rate, planned[number]["learning_rate"] / 3, rtol=0.02), run.story()


for _where in ("loss", "gradient", "weight"):
    _nan(_where)
