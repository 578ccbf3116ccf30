"""The run screen as a person reads it: tests/golden/run_screen holds every state at two sizes."""

from __future__ import annotations

import pytest

from launcher.wizard.run.app import RunApp
from tests.launcher.cli.program import check_golden
from tests.launcher.view.recordings import RUNNING, on_a_card
from tests.launcher.wizard.run.conftest import MakeRun, Settle
from tests.launcher.wizard.screen_text import screen_text

SIZES = [(80, 24), (120, 40)]
sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


@sizes
@pytest.mark.parametrize("name", RUNNING)
async def test_a_running_run(
    name: str, size: tuple[int, int], make_run: MakeRun, settle: Settle
) -> None:
    """Chart, verdict, kinds of memory, losses, time and keys, in every state of a run."""
    app = RunApp(make_run(RUNNING[name]()).path)

    async with app.run_test(size=size) as pilot:
        await settle(pilot, lambda: app.run_screen.reader.caught_up)
        text = screen_text(app)

    check_golden(f"run_screen/{name}-{size[0]}x{size[1]}.txt", text)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("chart-loss", ["c"]),
        ("chart-speed", ["c", "c"]),
        ("frozen", ["space"]),
        ("cursor", ["left"] * 20),
        ("scrolled", ["up", "up"]),
        ("question", ["s"]),
        ("help", ["question_mark"]),
        ("copied", ["escape"]),
    ],
)
async def test_what_keys_show(
    name: str, keys: list[str], make_run: MakeRun, settle: Settle
) -> None:
    """Each key's picture, at 80 by 24."""
    app = RunApp(make_run(on_a_card()).path)

    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: app.run_screen.reader.caught_up)
        await pilot.press(*keys)
        await pilot.pause()
        text = screen_text(app)

    check_golden(f"run_screen/key-{name}.txt", text)


@pytest.mark.parametrize("size", [(60, 16), (59, 16), (30, 5), (200, 60)])
async def test_other_sizes(size: tuple[int, int], make_run: MakeRun, settle: Settle) -> None:
    """Smallest, too small, tiny, huge."""
    app = RunApp(make_run(on_a_card()).path)

    async with app.run_test(size=size) as pilot:
        await settle(pilot, lambda: app.run_screen.reader.caught_up)
        text = screen_text(app)

    check_golden(f"run_screen/size-{size[0]}x{size[1]}.txt", text)


async def test_a_terminal_without_unicode(make_run: MakeRun, settle: Settle) -> None:
    """Every sign is ASCII and stands where it stood."""
    app = RunApp(make_run(on_a_card()).path, ascii_only=True)

    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: app.run_screen.reader.caught_up)
        text = screen_text(app)

    assert text.isascii()
    check_golden("run_screen/ascii-80x24.txt", text)
