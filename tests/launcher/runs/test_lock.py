"""launcher/runs/lock.py: one owner at a time, and no owner that is dead."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from launcher.errors import UsageError
from launcher.runs.lock import RunLock, is_being_saved, lock_owner


def test_a_second_owner_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    """While one lock is held, taking it again names the process that has it."""
    lock = RunLock(tmp_path / "lock")

    with pytest.raises(UsageError, match=f"in use by process {os.getpid()}"):
        RunLock(tmp_path / "lock")

    lock.release()
    RunLock(tmp_path / "lock").release()


def test_an_owner_on_another_machine_is_named_with_it(tmp_path: Path) -> None:
    """The disk is shared: a number alone would mean a process of this machine."""
    path = tmp_path / "lock"
    lock = RunLock(path)
    path.write_text(json.dumps({"pid": os.getpid(), "started": "then", "host": "node-7"}))

    with pytest.raises(UsageError, match=f"in use by process {os.getpid()} on node-7"):
        RunLock(path)

    lock.release()


def test_a_lock_left_by_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    """A lock file whose owner is gone stops nobody, and gets the new owner's name."""
    path = tmp_path / "lock"
    path.write_text(json.dumps({"pid": 999_999_999, "started": "before the last boot"}))

    lock = RunLock(path)

    owner = lock_owner(path)
    lock.release()
    assert owner is not None
    assert owner.pid == os.getpid()
    assert owner.alive()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """What the system says of it, and what to do."""
    with pytest.raises(UsageError, match="nowhere cannot be written: No such file"):
        RunLock(tmp_path / "nowhere" / "lock")


def test_a_file_system_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some network file systems are; nothing is started on them."""

    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)

    with pytest.raises(UsageError, match="gives no locks"):
        RunLock(tmp_path / "lock")


def test_a_worker_without_its_supervisor_is_waited_for(tmp_path: Path) -> None:
    """It inherited the lock, and the owner that is named is dead."""
    path = tmp_path / "lock"
    lock = RunLock(path)
    assert not is_being_saved(path)

    path.write_text(json.dumps({"pid": 999_999_999, "started": "before the last boot"}))
    assert is_being_saved(path)

    lock.release()
    assert not is_being_saved(path)
