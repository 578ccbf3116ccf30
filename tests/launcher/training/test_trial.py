"""launcher/training/trial.py: quantized kernels are tried before they are needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from launcher.errors import MissingHere
from launcher.training import trial
from tests.launcher.training.plans import QLORA, make_plan


def test_kernels_that_compute_pass_without_a_word(tmp_path: Path) -> None:
    """A 4-bit product and an 8-bit step are made for real."""
    plan = make_plan(model=tmp_path, data=tmp_path / "x", run=tmp_path / "run", method=QLORA)
    plan = replace(plan, training=replace(plan.training, optimizer="adamw-8bit"))

    trial.try_quantized_kernels(plan)


def test_kernels_that_do_not_compute_end_with_5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the package and the way around it."""

    def refuse(_device: str) -> None:
        raise RuntimeError("no kernel image is available for execution on the device")

    monkeypatch.setattr(trial, "_multiply_in_4_bit", refuse)
    plan = make_plan(model=tmp_path, data=tmp_path / "x", run=tmp_path / "run", method=QLORA)

    with pytest.raises(MissingHere, match="no kernel image is available") as caught:
        trial.try_quantized_kernels(plan)

    assert caught.value.code == 5
