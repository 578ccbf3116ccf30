"""Checkpoints are whole or passed over."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from launcher.runs.checkpoints import (
    MANIFEST_NAME,
    list_checkpoints,
    newest_verified,
    prune,
    publish,
    remove_leftovers,
    set_aside,
    verify,
    writing_folder,
)


def publish_step(run: Path, step: int) -> Path:
    """Publish a small checkpoint with two files and a sub-folder."""
    written = writing_folder(run) / f"checkpoint-{step}"
    (written / "part").mkdir(parents=True)
    (written / "optimizer.pt").write_bytes(b"state" * 100)
    (written / "part" / "weights.safetensors").write_bytes(bytes([step]) * 1000)
    return publish(written, run, step)


def test_a_published_checkpoint_verifies(tmp_path: Path) -> None:
    """What was just published is intact and is the newest."""
    publish_step(tmp_path, 9)
    newest = publish_step(tmp_path, 10)

    assert newest == tmp_path / "checkpoints" / "step-10"
    assert verify(newest) == []
    assert newest_verified(tmp_path) == (newest, {})
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-10", "step-9"]


def test_the_manifest_names_every_file(tmp_path: Path) -> None:
    """Each file, also in a sub-folder, stands in the manifest with its size."""
    checkpoint = publish_step(tmp_path, 1)

    files = json.loads((checkpoint / MANIFEST_NAME).read_text())["files"]

    assert {name: entry["bytes"] for name, entry in files.items()} == {
        "optimizer.pt": 500,
        "part/weights.safetensors": 1000,
    }


@pytest.mark.parametrize("name", ["optimizer.pt", "part/weights.safetensors", MANIFEST_NAME])
@pytest.mark.parametrize("damage", ["missing", "torn", "changed"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, name: str, damage: str) -> None:
    """A missing, torn or changed file makes the one before the newest."""
    older = publish_step(tmp_path, 1)
    path = publish_step(tmp_path, 2) / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "torn":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.write_bytes(b"\x00" + content[1:])

    found, skipped = newest_verified(tmp_path)

    assert found == older
    (reason,) = skipped.values()
    assert str(path) in reason or MANIFEST_NAME in reason


def test_an_empty_step_folder_is_passed_over(tmp_path: Path) -> None:
    """A folder of the right name alone is no checkpoint."""
    (tmp_path / "checkpoints" / "step-7").mkdir(parents=True)

    found, skipped = newest_verified(tmp_path)

    assert found is None
    assert MANIFEST_NAME in skipped[tmp_path / "checkpoints" / "step-7"]


def test_a_run_without_checkpoints_has_none(tmp_path: Path) -> None:
    """Nothing published, nothing found, nothing to complain about."""
    assert newest_verified(tmp_path) == (None, {})


def test_pruning_keeps_the_newest_and_at_least_two(tmp_path: Path) -> None:
    """However few are asked for, the one before the newest stays."""
    for step in (1, 2, 3, 10):
        publish_step(tmp_path, step)

    prune(tmp_path, 3)
    assert [path.name for path in list_checkpoints(tmp_path)] == [
        "step-10",
        "step-3",
        "step-2",
    ]

    prune(tmp_path, 1)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-10", "step-3"]


def test_publishing_again_replaces_a_damaged_checkpoint(tmp_path: Path) -> None:
    """A resumed run writes the step again that was found broken."""
    (publish_step(tmp_path, 5) / "optimizer.pt").unlink()

    publish_step(tmp_path, 5)

    assert newest_verified(tmp_path) == (tmp_path / "checkpoints" / "step-5", {})


def test_leftovers_of_a_dead_writer_are_removed(tmp_path: Path) -> None:
    """A half-written folder is never listed, and goes when the next worker starts."""
    leftover = tmp_path / "checkpoints" / ".writing-123" / "checkpoint-4"
    leftover.mkdir(parents=True)

    assert list_checkpoints(tmp_path) == []
    remove_leftovers(tmp_path)

    assert not leftover.parent.exists()


def test_temporary_files_go_whoever_has_the_number_now(tmp_path: Path) -> None:
    """After a restart of the machine another process has it; only what is ours stays."""
    (tmp_path / ".state.json.1").touch()
    ours = tmp_path / f".state.json.{os.getpid()}"
    ours.touch()

    remove_leftovers(tmp_path)

    assert list(tmp_path.iterdir()) == [ours]


def test_a_broken_checkpoint_takes_no_place_of_a_whole_one(tmp_path: Path) -> None:
    """Set aside, it stays until a newer one is there; then two whole ones are kept."""
    for step in (3, 6, 8):
        publish_step(tmp_path, step)
    set_aside(tmp_path / "checkpoints" / "step-8")
    assert (tmp_path / "checkpoints" / "broken-step-8").is_dir()

    publish_step(tmp_path, 9)
    prune(tmp_path, 2)

    assert sorted(each.name for each in (tmp_path / "checkpoints").glob("[!.]*")) == [
        "step-6",
        "step-9",
    ]
