"""launcher/cli/launch.py: what a person sees and gets, with a worker that does not train."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.cli.command_line import Parser
from launcher.cli.launch import LaunchOptions, add_arguments, launch_options, launch_run
from launcher.errors import NoDisk, UsageError
from launcher.runs.folder import RunFolder
from launcher.runs.state import liveness, read_state
from tests.launcher.run_samples import (
    GIB,
    ended_state,
    fake_supervision,
    plan_text,
    sample_plan,
    wait_until,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """Where the run of a test will be; the working folder stands above it."""
    monkeypatch.setenv("FAKE_WORKER", "{}")
    monkeypatch.chdir(tmp_path)
    return RunFolder(tmp_path / "runs" / "a-lora-01")


def launch(folder: RunFolder, **chosen: object) -> int:
    plan = sample_plan(folder.path)
    options = LaunchOptions(supervision=fake_supervision(), **chosen)  # type: ignore[arg-type]
    return launch_run(plan_text(plan), plan, options)


def launching(folder: RunFolder, *words: str, **behaviour: object) -> subprocess.Popen[str]:
    """A launch as a process of its own."""
    root = str(Path(__file__).parents[3])
    return subprocess.Popen(
        [sys.executable, "-m", "tests.launcher.cli.launching", str(folder.path), *words],
        env=dict(os.environ) | {"FAKE_WORKER": json.dumps(behaviour), "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("words", "seconds"), [((), 30.0), (("--grace", "120"), 120.0)])
def test_a_person_says_how_long_a_stop_may_take(words: tuple[str, ...], seconds: float) -> None:
    """A step may take longer than the half minute that a run gets otherwise."""
    parser = Parser()
    add_arguments(parser)

    options = launch_options(parser.parse_args(["plan.yaml", *words]), needed_disk_bytes=0)

    assert options.supervision.grace_seconds == seconds


def test_a_launch_prints_lines_and_returns_the_runs_code(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Start, steps, result; exit 0; nothing on stderr; no escape sequences."""
    code = launch(folder)

    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert out.startswith("run runs/a-lora-01\npredicted peak 2.00 GiB (1.00-3.00)")
    assert "step 1 of 5, loss 4.000" in out
    assert "held out  4.500 -> 0.500" in out
    assert "\x1b" not in out


def test_an_existing_run_folder_is_not_touched(folder: RunFolder) -> None:
    """The refusal names the next free folder."""
    folder.path.mkdir(parents=True)

    with pytest.raises(UsageError, match="exists already") as caught:
        launch(folder)

    assert "a-lora-02" in caught.value.hints[0]
    assert list(folder.path.iterdir()) == []


def test_a_full_disk_is_found_before_anything_is_made(folder: RunFolder) -> None:
    """More needed than free ends with 8 and leaves no folder."""
    with pytest.raises(NoDisk, match="GiB are free") as caught:
        launch(folder, needed_disk_bytes=10**18)

    assert caught.value.code == 8
    assert not folder.path.exists()


def test_a_dry_run_shows_the_plan_and_touches_nothing(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output is the plan file itself."""
    assert launch(folder, dry_run=True) == 0

    assert capsys.readouterr().out == plan_text(sample_plan(folder.path))
    assert not folder.path.exists()


def test_a_detached_launch_returns_while_the_run_goes_on(
    folder: RunFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says where the run is and how to see it."""
    monkeypatch.setenv("FAKE_WORKER", '{"hold_after": 2}')

    assert launch(folder, detach=True) == 0

    assert capsys.readouterr().out == "run runs/a-lora-01\ntlplan watch a-lora-01\n"
    assert liveness(folder) == "running"
    (folder.path / "go").touch()
    assert ended_state(folder).exit_code == 0


def test_with_json_standard_output_is_events_only(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every line parses; the first is the plan, the last is the end."""
    assert launch(folder, json=True) == 0

    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (events[0]["type"], events[-1]["type"]) == ("plan", "finished")


def test_a_quiet_launch_prints_only_the_result(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing before the last word."""
    assert launch(folder, quiet=True) == 0

    assert capsys.readouterr().out.startswith("Done in ")


def test_a_failed_run_ends_with_its_own_code(
    folder: RunFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's reason is one error line with its hints."""
    failed = {"code": 9, "reason": "the loss is NaN at step 3", "hints": ["lower learning_rate"]}
    monkeypatch.setenv("FAKE_WORKER", json.dumps({"fails": failed}))

    assert launch(folder) == 9

    assert capsys.readouterr().err == (
        "error: the loss is NaN at step 3\nhint:  lower learning_rate\n"
    )


def test_a_tight_plan_is_warned_about_where_nobody_can_be_asked(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """A band that reaches above the free memory is told on stderr, and the run starts."""
    plan = sample_plan(folder.path)
    plan = replace(plan, hardware=replace(plan.hardware, available_bytes=2 * GIB))
    options = LaunchOptions(supervision=fake_supervision())

    assert launch_run(plan_text(plan), plan, options) == 0

    kind, _, text = capsys.readouterr().err.partition(":")
    assert kind == "warning"
    assert text.strip() == ("this may run out of memory: it needs 1.00-3.00 GiB, 2.00 GiB are free")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_once_saves_and_ends_with_75(folder: RunFolder, number: signal.Signals) -> None:
    """It says what a second one will do, and then how to go on."""
    process = launching(folder, hold_after=2)
    wait_until((folder.path / "holding").exists)

    process.send_signal(number)
    out, err = process.communicate(timeout=30)

    assert process.returncode == 75
    assert "stopping after this step and saving (press again to stop at once)" in out
    assert out.endswith("  tlplan resume a-lora-01\n")
    assert err == ""


def test_ctrl_c_while_the_run_is_being_started_is_meant_for_it(folder: RunFolder) -> None:
    """From the moment its folder is there; nobody would watch what was left behind."""
    process = launching(folder, hold_after=2)
    wait_until(folder.plan.exists)

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert process.returncode == 75
    assert liveness(folder) == "interrupted"


def test_ctrl_c_twice_ends_at_once_with_130(folder: RunFolder) -> None:
    """A worker that does not react does not hold up a person."""
    process = launching(folder, hold_after=2, ignores_sigterm=True)
    wait_until((folder.path / "holding").exists)

    process.send_signal(signal.SIGINT)
    wait_until(lambda: _phase(folder) == "stopping")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert process.returncode == 130


def test_a_reader_that_leaves_does_not_end_the_run(folder: RunFolder) -> None:
    """With `| head -1` the view ends quietly, the run goes on, and stderr says so."""
    process = launching(folder, hold_after=2)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    wait_until((folder.path / "holding").exists)
    (folder.path / "go").touch()

    said = process.stderr.read()
    process.stderr.close()

    assert process.wait(timeout=30) == 0
    assert said == "note:  the run goes on: tlplan watch a-lora-01\n"
    assert ended_state(folder).exit_code == 0


def _phase(folder: RunFolder) -> str | None:
    state = read_state(folder)
    return state.phase if state else None
