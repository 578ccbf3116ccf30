"""The screen of a run as a picture, for documents: drawn without a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from launcher.wizard.look import DARK
from launcher.wizard.run.app import RunApp
from launcher.wizard.run.ended_screen import EndedScreen


def run_screen_svg(
    run_folder: Path,
    *,
    size: tuple[int, int] = (120, 40),
    theme: str = DARK,
    at_seconds: float | None = None,
    keys: Sequence[str] = (),
) -> str:
    """SVG of the screen that `tlplan watch` opens on a run folder.

    With `at_seconds` the run screen as it was that long after the start, else as the folder is
    now: a run that is over shows its end. `keys` are pressed before. A folder needs no more than
    events.jsonl.
    """
    return asyncio.run(
        _drawn(RunApp(run_folder, theme=theme, until_seconds=at_seconds), size, keys)
    )


async def _drawn(app: RunApp, size: tuple[int, int], keys: Sequence[str]) -> str:
    async with app.run_test(size=size) as pilot:
        while not app.run_screen.reader.caught_up:
            await pilot.pause(0.01)
        while app.run_screen.over and not isinstance(app.screen, EndedScreen):
            await pilot.pause(0.01)
        await pilot.press(*keys)
        await pilot.pause()
        return app.export_screenshot(title=f"tlplan watch {app.run_screen.folder.name}")
