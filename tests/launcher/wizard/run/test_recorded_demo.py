"""The demo as it was recorded on two cores without a GPU, shown again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from launcher.wizard.run.app import RunApp
from launcher.wizard.run.ended_screen import EndedScreen
from tests.launcher.cli.program import check_golden
from tests.launcher.wizard.run.conftest import Settle
from tests.launcher.wizard.screen_text import screen_text

RECORDING = Path(__file__).parents[3] / "recordings" / "demo-lora-01"


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(
    ("name", "at_seconds"), [("loading", 20.0), ("training", 230.0), ("result", None)]
)
async def test_the_recorded_demo(
    name: str,
    at_seconds: float | None,
    size: tuple[int, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settle: Settle,
) -> None:
    """The screen of host memory: while it loads, in the middle, and at its end."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(RECORDING, tmp_path / "runs" / "demo-lora-01")
    app = RunApp(tmp_path / "runs" / "demo-lora-01", until_seconds=at_seconds)

    async with app.run_test(size=size) as pilot:
        await settle(pilot, lambda: app.run_screen.reader.caught_up)
        if at_seconds is None:
            await settle(pilot, lambda: isinstance(app.screen, EndedScreen))
        text = screen_text(app)

    check_golden(f"run_screen/demo-{name}-{size[0]}x{size[1]}.txt", text)
