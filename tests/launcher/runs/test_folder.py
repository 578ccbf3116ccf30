"""launcher/runs/folder.py: making, naming and finding run folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from launcher.errors import UsageError
from launcher.runs.folder import (
    RunFolder,
    all_runs,
    check_free,
    create,
    default_run_folder,
    find_run,
)
from tests.launcher.run_samples import sample_run


def test_a_new_run_holds_exactly_its_plan(tmp_path: Path) -> None:
    """Creating a run makes the folder, its parents and plan.yaml, byte for byte."""
    folder = create(tmp_path / "runs" / "a-lora-01", "plan: 1\n")

    assert folder.plan.read_bytes() == b"plan: 1\n"
    assert [each.name for each in folder.path.iterdir()] == ["plan.yaml"]


def test_an_existing_folder_is_refused_with_the_next_free_name(tmp_path: Path) -> None:
    """A run never writes into a folder that is there, and the error names a free one."""
    (tmp_path / "a-lora-01").mkdir()
    (tmp_path / "a-lora-04").mkdir()

    with pytest.raises(UsageError) as caught:
        create(tmp_path / "a-lora-01", "")

    assert caught.value.hints[0] == f"--out {tmp_path / 'a-lora-05'} is free"
    assert list((tmp_path / "a-lora-01").iterdir()) == []


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("smollm2-135m", "smollm2-135m-lora-01"),
        ("HuggingFaceTB/SmolLM2-135M", "SmolLM2-135M-lora-01"),
        ("/models/my model/", "my-model-lora-01"),
        ("..", "model-lora-01"),
    ],
)
def test_a_run_is_named_after_its_model_and_method(tmp_path: Path, model: str, name: str) -> None:
    """The default folder is the last part of the model's name, the method and a number."""
    assert default_run_folder(tmp_path, model, "lora") == tmp_path / name


def test_numbers_count_up_and_are_not_used_twice(tmp_path: Path) -> None:
    """The next number follows the highest one, even when a run before it was removed."""
    for number in ("02", "09"):
        (tmp_path / f"m-lora-{number}").mkdir()

    assert default_run_folder(tmp_path, "m", "lora").name == "m-lora-10"


def test_a_run_is_found_by_exact_name_and_by_path(tmp_path: Path) -> None:
    """A name below the root and a path mean the same run."""
    made = sample_run(tmp_path / "a-lora-01")

    assert find_run("a-lora-01", tmp_path) == made
    assert find_run(str(made.path), tmp_path / "elsewhere") == made


def test_a_name_does_not_lead_out_of_the_folder_of_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What holds a separator is a path as the shell means it, and nothing below the root."""
    (tmp_path / "here" / "runs").mkdir(parents=True)
    sample_run(tmp_path / "here" / "a-lora-01")
    meant = sample_run(tmp_path / "a-lora-01")
    monkeypatch.chdir(tmp_path / "here")

    assert find_run("../a-lora-01", Path("runs")).path.resolve() == meant.path
    with pytest.raises(UsageError, match="no run named"):
        find_run("../a-lora-02", Path("runs"))


def test_without_a_name_the_run_active_last_is_meant(tmp_path: Path) -> None:
    """A run that wrote its state after the others were made is the newest."""
    old, new = sample_run(tmp_path / "a-01"), sample_run(tmp_path / "b-01")
    os.utime(old.plan, (100, 100))
    os.utime(new.plan, (200, 200))

    assert find_run(None, tmp_path) == new
    old.state.write_text("{}")
    assert find_run(None, tmp_path) == old
    assert all_runs(tmp_path) == [old, new]


def test_an_unknown_name_suggests_and_is_never_guessed(tmp_path: Path) -> None:
    """A near match is offered in the hint and not taken."""
    sample_run(tmp_path / "a-lora-01")

    with pytest.raises(UsageError, match='no run named "a-lora-02"') as caught:
        find_run("a-lora-02", tmp_path)
    assert caught.value.hints == ("did you mean a-lora-01?",)


def test_no_runs_at_all_is_said(tmp_path: Path) -> None:
    """Looking for the newest run where there is none names the folder."""
    with pytest.raises(UsageError, match="there is no run in"):
        find_run(None, tmp_path)


def test_a_name_that_no_event_can_hold_is_refused(tmp_path: Path) -> None:
    """Before the folder is made: its supervisor could not write a line about it."""
    with pytest.raises(UsageError, match="caf\ufffd has a name that is not UTF-8"):
        check_free(tmp_path / os.fsdecode(b"caf\xe9"))


def test_a_run_is_named_as_commands_here_take_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name among the runs of this folder, else by its path, quoted for a shell."""
    monkeypatch.chdir(tmp_path)

    named = [RunFolder(tmp_path / each).typed for each in ("runs/a", "runs/an a", "b")]

    assert named == ["a", "'an a'", "b"]
    assert RunFolder(tmp_path.parent / "b").typed == str(tmp_path.parent / "b")
