"""launcher/runs/numbers.py and measured.py: from events to predicted against measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.runs.measured import error_fraction, measured_report
from launcher.runs.numbers import RunNumbers, usual
from tests.launcher.run_samples import GIB, sample_plan


def numbers_of(*events: dict[str, object]) -> RunNumbers:
    numbers = RunNumbers()
    for event in events:
        numbers.apply(event)
    return numbers


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        ([9.0], 9.0),
        ([9.0, 1.0, 2.0, 3.0], 2.0),
        ([9.0] * 10 + [1.0] * 11, 1.0),
        ([9.0] + [1.0] * 19, 1.0),
    ],
)
def test_the_usual_step_leaves_the_warm_up_out(values: list[float], expected: float | None) -> None:
    """The first value is left out, or the first ten of more than twenty."""
    assert usual(values) == expected


def test_measured_compares_the_peak_with_the_plan(tmp_path: Path) -> None:
    """On the CPU the host's peak is compared, the kernel's record of it included."""
    numbers = numbers_of(
        {"type": "memory", "host_bytes": GIB, "host_peak_bytes": int(2.5 * GIB)},
        {"type": "memory", "host_bytes": 2 * GIB, "host_peak_bytes": None},
        {"type": "evaluation", "when": "before", "loss": 4.5},
        {"type": "step", "step": 1, "loss": 4.0, "step_seconds": 9.0, "tokens_per_second": 10},
        {"type": "step", "step": 2, "loss": 2.0, "step_seconds": 2.0, "tokens_per_second": 50},
        {"type": "evaluation", "when": "after", "loss": 0.5},
    )

    report = measured_report(
        sample_plan(tmp_path / "a").hardware, numbers, gpu_uuid=None, exit_code=0
    )

    assert report["measured"] == {
        "allocated_bytes": None,
        "reserved_bytes": None,
        "device_bytes": None,
        "host_bytes": int(2.5 * GIB),
        "peak_bytes": int(2.5 * GIB),
        "step_seconds": 2.0,
        "tokens_per_second": 50.0,
        "loss_first": 4.0,
        "loss_last": 2.0,
        "evaluation_before": 4.5,
        "evaluation_after": 0.5,
    }
    assert report["error"] == {
        "peak_fraction": 0.25,
        "allocated_fraction": None,
        "inside_interval": True,
    }
    assert report["predicted"]["peak_bytes"] == 2 * GIB


def test_on_a_card_the_card_is_compared() -> None:
    """With device cuda the peak is what the driver saw; torch's own numbers stand beside it."""
    numbers = numbers_of(
        {"type": "memory", "host_bytes": 9 * GIB, "device_bytes": 3 * GIB},
        {"type": "memory", "allocated_bytes": 1 * GIB, "reserved_bytes": 2 * GIB},
    )

    assert numbers.peak_bytes("cuda") == 3 * GIB
    assert numbers.peaks["reserved_bytes"] == 2 * GIB


def test_a_peak_nobody_saw_is_unknown(tmp_path: Path) -> None:
    """Without a sample every difference is null, never zero."""
    report = measured_report(
        sample_plan(tmp_path / "a").hardware, RunNumbers(), gpu_uuid=None, exit_code=1
    )

    assert report["measured"]["peak_bytes"] is None
    assert report["error"] == {
        "peak_fraction": None,
        "allocated_fraction": None,
        "inside_interval": None,
    }


def test_the_error_is_a_share_of_the_prediction() -> None:
    """Below the prediction is negative."""
    assert error_fraction(97, 100) == -0.03
    assert error_fraction(None, 100) is None


def test_what_was_before_the_first_step_survives_a_resume() -> None:
    """A resumed run keeps the first loss and the first evaluation of its first attempt."""
    numbers = numbers_of(
        {"type": "evaluation", "when": "before", "loss": 4.5},
        {"type": "step", "step": 1, "loss": 4.0},
        {"type": "step", "step": 2, "loss": 1.0},
        {"type": "finished", "loss_first": None, "loss_last": 1.0, "evaluation_before": None},
    )

    assert (numbers.loss_first, numbers.evaluation_before, numbers.loss_last) == (4.0, 4.5, 1.0)
