"""Ends of real runs that were really disturbed, shown again: what happened, and what comes next."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from launcher.runs.events import read_events
from launcher.wizard.run.app import RunApp
from launcher.wizard.run.ended_screen import EndedScreen
from tests.launcher.cli.program import check_golden
from tests.launcher.wizard.run.conftest import Settle
from tests.launcher.wizard.screen_text import screen_text

RECORDINGS = Path(__file__).parents[3] / "recordings"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the recorded runs and the model they trained."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(RECORDINGS, tmp_path / "runs")
    shutil.move(tmp_path / "runs" / "model", tmp_path / "model")
    for events in (tmp_path / "runs").glob("*/events.jsonl"):
        for event in read_events(events):
            if event["type"] == "checkpoint":
                (events.parent / event["path"]).mkdir(parents=True, exist_ok=True)
    return tmp_path


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", ["out-of-memory", "diverged", "gpu-lost", "interrupted", "lost"])
async def test_a_recorded_end(name: str, size: tuple[int, int], here: Path, settle: Settle) -> None:
    """The screen of each end, from the events its run wrote."""
    app = RunApp(here / "runs" / name)

    async with app.run_test(size=size) as pilot:
        await settle(pilot, lambda: isinstance(app.screen, EndedScreen))
        text = screen_text(app)

    check_golden(f"run_screen/recorded-{name}-{size[0]}x{size[1]}.txt", text)
