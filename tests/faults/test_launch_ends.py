"""Exit codes of `tlplan launch` as a shell sees them, where a run ends badly or is not let begin.

The supervisors of `test_fixed` end with the same codes; here the command itself hands them on.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.optional_sections import EvaluationSection, RecoverySection
from planner.plan_file import plan_file_text
from planner.run_plan import RunPlan
from planner.units import GIB
from tests.fake_nvml import fake_driver_environment, machines
from tests.faults.disks import small_disk
from tests.faults.hooks import fill
from tests.faults.kinds import NotHere
from tests.faults.laboratory import ROOT, Laboratory
from tests.faults.memory import OUT_OF_MEMORY

pytestmark = [pytest.mark.training, pytest.mark.xdist_group("faults")]

COLD = Path(__file__).with_name("cold")


def launch(
    plan: RunPlan,
    *words: str,
    fault: dict[str, Any] | None = None,
    first: Path | None = None,
    machine: str | None = None,
) -> tuple[int, str]:
    """Exit code and words of `tlplan launch` on a plan.

    `first` is where Python looks first, `machine` what the driver tells of; None: no card.
    """
    path = Path(plan.output.folder).with_suffix(".yaml")
    if not path.exists():
        path.write_text(plan_file_text(plan, {}))
    searched = [str(each) for each in (first, COLD, ROOT) if each is not None]
    card = fake_driver_environment(machine) if machine else {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "launcher", "launch", str(path), *words],
        cwd=path.parent,
        env=dict(os.environ)
        | card
        | {"PYTHONPATH": os.pathsep.join(searched), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        | ({"FAULT": json.dumps(fault)} if fault else {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=250,
        check=False,
    )
    return done.returncode, done.stdout


def plan_of(laboratory: Laboratory, name: str = "lora", **training: Any) -> RunPlan:
    """A plan whose run folder is not there yet, as `launch` wants it."""
    run = laboratory.run(name, **training)
    shutil.rmtree(run.folder.path)
    return run.plan


def test_a_package_that_is_not_here_ends_with_5(laboratory: Laboratory) -> None:
    """It is named with its way around, and nothing is made."""
    plan = plan_of(laboratory, attention="flash2")

    code, said = launch(plan)

    assert code == 5, said
    assert "flash-attn" in said
    assert not Path(plan.output.folder).exists()


def test_a_package_that_is_too_old_ends_with_5(laboratory: Laboratory, tmp_path: Path) -> None:
    """Version, range and the line for pip; found without importing it."""
    (tmp_path / "peft-0.1.0.dist-info").mkdir()
    (tmp_path / "peft-0.1.0.dist-info" / "METADATA").write_text("Name: peft\nVersion: 0.1.0\n")

    code, said = launch(plan_of(laboratory), first=tmp_path)

    assert code == 5, said
    assert "not 0.1.0" in said
    assert "pip install 'peft>=" in said or "pip install 'peft<" in said


def test_too_little_free_memory_names_who_holds_it(laboratory: Laboratory) -> None:
    """Somebody else's process on the card: nothing fits, exit code 3, and whose it is."""
    plan = plan_of(laboratory)
    hardware = replace(
        plan.hardware,
        device="cuda",
        gpu_uuid="GPU-30900000-bbbb-0000-0000-000000000000",
        predicted_peak_bytes=20 * GIB,
    )

    code, said = launch(replace(plan, hardware=hardware), machine=machines.TWO_UNEQUAL_3090S)

    assert code == 3, said
    assert "pid 5150 (python) holds 9.0 GiB of it" in said


def test_evaluating_where_nothing_is_saved_ends_with_2(laboratory: Laboratory) -> None:
    """The best checkpoint could not be gone back to; the line of the plan is named."""
    plan = plan_of(laboratory)
    path = Path(plan.output.folder).with_suffix(".yaml")
    kept = replace(plan, training=replace(plan.training, keep_best=True))
    text = plan_file_text(kept, {}).replace("evaluate_every_steps: 3", "evaluate_every_steps: 4")
    path.write_text(text)
    number = next(n for n, line in enumerate(text.splitlines(), 1) if "evaluate_every" in line)

    code, said = launch(plan)

    assert code == 2, said
    assert f"{path}:{number}: training.evaluate_every_steps must be a multiple" in said


def test_out_of_memory_with_no_smaller_step_ends_with_7(laboratory: Laboratory) -> None:
    """The command hands the code on, with what would fit."""
    plan = plan_of(laboratory, micro_batch_rows=1, checkpointing="full", optimizer="adamw-8bit")
    fault = {"kind": "raise", "step": 2, "text": OUT_OF_MEMORY["PyTorch"], "once": False}

    code, said = launch(plan, fault=fault)

    assert code == 7, said
    assert "no smaller step is left" in said


def test_a_full_disk_ends_with_8(laboratory: Laboratory) -> None:
    """A launch whose checkpoints would not fit is not begun."""
    try:
        with small_disk() as disk:
            plan = plan_of(laboratory)
            folder = disk / "run"
            plan = replace(plan, output=replace(plan.output, folder=str(folder)))
            folder.with_suffix(".yaml").write_text(plan_file_text(plan, {}))
            fill(disk, leave_bytes=8192)

            code, said = launch(plan)

            assert code == 8, said
            assert "are free" in said
            assert not folder.exists()
    except NotHere as missing:
        pytest.skip(str(missing))


def test_a_diverged_run_ends_with_9(laboratory: Laboratory) -> None:
    """No second try where the plan allows none."""
    plan = plan_of(laboratory)
    plan = replace(plan, recovery=RecoverySection(lower_learning_rate_once=False))

    code, said = launch(plan, fault={"kind": "nan", "where": "loss", "step": 2, "once": False})

    assert code == 9, said
    assert "diverged" in said


def test_a_result_that_is_not_better_ends_with_10(laboratory: Laboratory) -> None:
    """A run that has learned nothing is done, and with --gate no success; `tlplan eval` agrees."""
    plan = plan_of(laboratory, learning_rate=1e-12, max_steps=1)
    plan = replace(plan, evaluation=EvaluationSection(answer_rows=2, answer_tokens=2))

    code, said = launch(plan, "--gate")

    assert code == 10, said
    evaluated = subprocess.run(
        [sys.executable, "-m", "launcher", "eval", plan.output.folder, "--gate"],
        env=dict(os.environ) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert evaluated.returncode == 10, evaluated.stderr
    assert "held-out rows" in evaluated.stdout
