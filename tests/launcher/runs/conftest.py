"""A running run for the tests beside this file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from launcher.runs.folder import RunFolder
from launcher.runs.process_identity import ProcessIdentity
from launcher.runs.starting import start_run
from launcher.runs.state import read_state
from tests.launcher.run_samples import fake_supervision, sample_run, wait_until

StartRun = Callable[..., RunFolder]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartRun]:
    """Starts a run with a fake worker that behaves as told; what is left of it is ended."""
    started: list[RunFolder] = []

    def start_one(
        grace_seconds: float = 30.0, patience_seconds: float = 600.0, **behaviour: object
    ) -> RunFolder:
        monkeypatch.setenv("FAKE_WORKER", json.dumps(behaviour))
        folder = sample_run(tmp_path / "runs" / f"a-lora-{len(started) + 1:02d}")
        started.append(folder)
        start_run(folder, settings=fake_supervision(grace_seconds, patience_seconds))
        if behaviour.get("hold_after"):
            wait_until((folder.path / "holding").exists)
        return folder

    yield start_one
    for folder in started:
        (folder.path / "go").touch()
        state = read_state(folder)
        if state is not None:
            supervisor = state.supervisor()
            wait_until(partial(_gone, supervisor))


def _gone(process: ProcessIdentity) -> bool:
    return not process.alive()
