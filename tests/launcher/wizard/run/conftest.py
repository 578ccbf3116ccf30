"""Run folders as they would be found on a disk, and patience that polls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launcher.runs.folder import RunFolder
from launcher.runs.process_identity import this_process
from launcher.runs.state import write_state
from tests.launcher.run_samples import sample_run, sample_state
from tests.launcher.view.recordings import Recording, write

MakeRun = Callable[..., RunFolder]
Settle = Callable[[Any, Callable[[], object]], Awaitable[None]]


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times of day are those of Greenwich."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRun:
    """Makes a run folder from a recording; this process stands in for its supervisor."""
    monkeypatch.chdir(tmp_path)

    def make(
        recording: Recording, *, exit_code: int | None = None, name: str = "llama-3.1-8b-lora-01"
    ) -> RunFolder:
        folder = sample_run(tmp_path / "runs" / name)
        write(folder.events, recording.events)
        me = this_process()
        state = replace(
            sample_state(exit_code), supervisor_pid=me.pid, supervisor_started=me.started
        )
        write_state(folder, state)
        return folder

    return make


@pytest.fixture
def settle() -> Settle:
    """Lets an app work until a condition holds; fails when it never does."""

    async def until(pilot: Any, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, "it never happened"
            await pilot.pause()
            await asyncio.sleep(0.005)
        await pilot.pause()

    return until
