"""launcher/cli/resume.py: going on from what is whole."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from launcher.cli import resume
from launcher.cli.launch import LaunchOptions
from launcher.errors import UsageError
from launcher.runs.checkpoints import write_manifest
from launcher.runs.folder import RunFolder
from launcher.runs.starting import start_run
from launcher.runs.state import read_state, write_state
from tests.launcher.cli.conftest import Command
from tests.launcher.run_samples import (
    ended_state,
    fake_supervision,
    sample_run,
    sample_state,
    wait_until,
)


@pytest.fixture
def interrupted_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run that was stopped at step 3, with the checkpoints step-1 and step-2."""
    monkeypatch.setenv("FAKE_WORKER", '{"hold_after": 3}')
    monkeypatch.chdir(tmp_path)
    folder = sample_run(tmp_path / "runs" / "a-lora-01")
    start_run(folder, settings=fake_supervision())
    wait_until((folder.path / "holding").exists)
    state = read_state(folder)
    assert state is not None
    os.kill(state.supervisor_pid, signal.SIGTERM)
    ended_state(folder)
    for step in (1, 2):
        checkpoint = folder.checkpoints / f"step-{step}"
        checkpoint.mkdir(parents=True)
        (checkpoint / "adapter_model.safetensors").write_bytes(b"x" * 100)
        write_manifest(checkpoint)
    (folder.path / "go").touch()
    return folder


def test_a_resume_goes_on_from_the_newest_checkpoint(
    interrupted_run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """The worker begins behind it, and only what is new is shown."""
    code = resume.resume_run(interrupted_run, LaunchOptions(supervision=fake_supervision()))

    out = capsys.readouterr().out
    assert code == 0
    assert "going on from step-2" in out
    assert "step 3 of 5" in out
    assert "step 1 of 5" not in out
    assert "stopped on request" not in out


def test_a_broken_checkpoint_is_skipped_and_said(
    interrupted_run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one before it is taken, and why the newest was not is told."""
    torn = interrupted_run.checkpoints / "step-2" / "adapter_model.safetensors"
    torn.write_bytes(b"x" * 50)

    resume.resume_run(interrupted_run, LaunchOptions(supervision=fake_supervision()))

    out = capsys.readouterr().out
    assert "warning: skipped a broken checkpoint" in out
    assert "going on from step-1" in out


@pytest.mark.parametrize(("code", "words"), [(0, "is finished: nothing is left to do")])
def test_a_finished_run_is_not_resumed(
    tmp_path: Path, command: Command, code: int, words: str
) -> None:
    """There is nothing left to do."""
    folder = sample_run(tmp_path / "runs" / "a-lora-01")
    write_state(folder, sample_state(exit_code=code))

    with pytest.raises(UsageError, match=words):
        command(resume, "a-lora-01")


def test_a_running_run_is_not_resumed(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Watching it is what can be done."""
    monkeypatch.setenv("FAKE_WORKER", '{"hold_after": 2}')
    folder = sample_run(tmp_path / "runs" / "a-lora-01")
    start_run(folder, settings=fake_supervision())

    with pytest.raises(UsageError, match="a-lora-01 is running") as caught:
        command(resume, "a-lora-01")

    assert caught.value.hints == ("tlplan watch a-lora-01",)
    (folder.path / "go").touch()
    ended_state(folder)


def test_a_lost_run_can_be_resumed(
    interrupted_run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """A power cut is no reason to start again."""
    write_state(interrupted_run, sample_state())

    code = resume.resume_run(interrupted_run, LaunchOptions(supervision=fake_supervision()))

    assert code == 0
    assert "going on from step-2" in capsys.readouterr().out


def test_a_detached_resume_returns_at_once(
    interrupted_run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says how to watch."""
    options = LaunchOptions(supervision=fake_supervision(), detach=True)

    assert resume.resume_run(interrupted_run, options) == 0

    assert capsys.readouterr().out == "run runs/a-lora-01\ntlplan watch a-lora-01\n"
    wait_until(lambda: ended_state(interrupted_run).exit_code == 0)


def test_a_changed_plan_is_refused_before_anything_is_started(interrupted_run: RunFolder) -> None:
    """A command that returns at once must not say that all is well."""
    plan = interrupted_run.plan
    plan.write_text(plan.read_text().replace("seed: 42", "seed: 43"))

    with pytest.raises(UsageError, match=r"plan.yaml was changed after this run began"):
        resume.resume_run(interrupted_run, LaunchOptions(detach=True))
