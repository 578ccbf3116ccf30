"""launcher/runs/lock.py: one owner at a time, and no owner that is dead."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from launcher.errors import UsageError
from launcher.runs.lock import RunLock, lock_owner


def test_a_second_owner_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    """While one lock is held, taking it again names the process that has it."""
    lock = RunLock(tmp_path / "lock")

    with pytest.raises(UsageError, match=f"in use by process {os.getpid()}"):
        RunLock(tmp_path / "lock")

    lock.release()
    RunLock(tmp_path / "lock").release()


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
