"""What a person does on the run screen, key by key and by mouse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher.runs.folder import RunFolder
from launcher.runs.starting import start_run
from launcher.wizard.run.app import RunApp
from launcher.wizard.run.ended_screen import EndedScreen
from launcher.wizard.run.log_screen import LogScreen
from tests.fake_nvml import change_machine, machines, with_lines
from tests.launcher.cli.program import check_golden
from tests.launcher.run_samples import ended_state, fake_supervision, sample_run, wait_until
from tests.launcher.view.recordings import finished, on_a_card, two_cards
from tests.launcher.wizard.run.conftest import MakeRun, Settle
from tests.launcher.wizard.screen_text import screen_text


def append(folder: RunFolder, **event: object) -> None:
    with folder.events.open("a") as log:
        log.write(json.dumps(event) + "\n")


async def test_a_frozen_view_stands_still_and_catches_up(make_run: MakeRun, settle: Settle) -> None:
    """The run is read on meanwhile; space again shows where it is."""
    folder = make_run(on_a_card(steps=20))
    app = RunApp(folder.path)

    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: app.run_screen.reader.caught_up)
        await pilot.press("space")
        append(folder, type="step", step=21, total_steps=185, loss=1.0, seconds=400.0)
        await settle(pilot, lambda: app.run_screen.reader.progress.numbers.step == 21)
        assert "step 21" not in screen_text(app)
        await pilot.press("space")
        await settle(pilot, lambda: "step 21 of 185" in screen_text(app))


async def test_cards_are_shown_in_turn(make_run: MakeRun, settle: Settle) -> None:
    """G shows the next card and comes back to the first."""
    app = RunApp(make_run(two_cards()).path)

    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: app.run_screen.reader.caught_up)
        seen = []
        for _ in range(3):
            seen.append(screen_text(app).splitlines()[0].split("·")[2].split()[1])
            await pilot.press("g")

    assert seen == ["0", "1", "0"]


async def test_choices_outlive_another_size(make_run: MakeRun, settle: Settle) -> None:
    """The chart that was chosen stays when the terminal grows beyond 110 columns and back."""
    app = RunApp(make_run(on_a_card()).path)

    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: app.run_screen.reader.caught_up)
        await pilot.press("c")
        before = screen_text(app)
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        await settle(pilot, lambda: "Memory at the peak, GiB" in screen_text(app))
        await pilot.resize_terminal(80, 24)
        await settle(pilot, lambda: screen_text(app) == before)


async def test_the_footer_can_be_clicked(make_run: MakeRun, settle: Settle) -> None:
    """A click on a key's words does what the key does."""
    app = RunApp(make_run(on_a_card()).path)

    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: app.run_screen.reader.caught_up)
        column = screen_text(app).splitlines()[23].index("Chart")
        await pilot.click(offset=(column, 23))
        await settle(pilot, lambda: "held out" in screen_text(app).splitlines()[2])


async def test_letters_are_text_where_text_is_typed(make_run: MakeRun, settle: Settle) -> None:
    """In the log's find line q, j, l and ? are looked for; what is found is marked."""
    folder = make_run(on_a_card())
    lines = [f"a line {number}" for number in range(200)]
    lines[60] = "here stands quit jkl?"
    folder.log.write_text("\n".join(lines) + "\n")
    app = RunApp(folder.path)

    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: app.run_screen.reader.caught_up)
        await pilot.press("l")
        await settle(pilot, lambda: "a line 199" in screen_text(app))
        await pilot.press("slash", *"quit", "space", *"jkl", "question_mark")
        await settle(pilot, lambda: "quit jkl?" in screen_text(app))
        await pilot.press("enter")
        await settle(pilot, lambda: "51-72 of 200" in screen_text(app))
        check_golden("run_screen/log-found.txt", screen_text(app))
        await pilot.press("escape")
        await settle(pilot, lambda: not isinstance(app.screen, LogScreen))


async def test_a_run_that_ends_shows_its_end_and_the_chart_again(
    make_run: MakeRun, settle: Settle
) -> None:
    """V goes back to the charts, r to how it ended; a finished run keeps its keys."""
    app = RunApp(make_run(finished(on_a_card(steps=185)), exit_code=0).path)

    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: isinstance(app.screen, EndedScreen))
        await pilot.press("v")
        await settle(pilot, lambda: "r How it ended" in screen_text(app))
        check_golden("run_screen/finished-viewed-80x24.txt", screen_text(app))
        await pilot.press("r")
        await settle(pilot, lambda: isinstance(app.screen, EndedScreen))


async def test_a_folder_that_vanishes_is_said_in_place(
    make_run: MakeRun, settle: Settle, tmp_path: Path
) -> None:
    """The last picture stays, with a sentence; nothing breaks."""
    folder = make_run(on_a_card(steps=20))
    app = RunApp(folder.path)

    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: app.run_screen.reader.caught_up)
        folder.path.rename(tmp_path / "elsewhere")
        await settle(pilot, lambda: app.run_screen.reader.problem)
        await pilot.press("l", "escape")
        await pilot.pause()

    assert app.run_screen.reader.trouble is not None


@pytest.fixture
def machine(
    fake_driver: Callable[[str], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """One idle RTX 4090 that this process sees through the scripted driver."""
    environment = fake_driver(machines.RTX_4090_DESKTOP) | {"FAKE_WORKER": '{"hold_after": 2}'}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


async def test_a_card_is_shown_as_the_driver_tells_it_and_its_loss_too(
    tmp_path: Path, machine: dict[str, str], settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory, use, heat and power come from the driver; when the card is lost, that is said."""
    monkeypatch.chdir(tmp_path)
    folder = sample_run(tmp_path / "runs" / "a-lora-01")
    folder.plan.write_text(folder.plan.read_text().replace("device: cpu", "device: cuda"))
    start_run(folder, settings=fake_supervision())
    wait_until((folder.path / "holding").exists)
    busy = ["gpu.0.used=" + str(2500 * machines.MIB), "gpu.0.util=98", "gpu.0.temp=70"]
    change_machine(machine, with_lines(machines.RTX_4090_DESKTOP, *busy))
    app = RunApp(folder.path)

    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot, lambda: "98 %  70 °C  28 of 450 W" in screen_text(app))
        seen = screen_text(app)
        change_machine(machine, with_lines(machines.RTX_4090_DESKTOP, "gpu.0.error=15"))
        await settle(pilot, lambda: "GPU is lost" in screen_text(app))
        (folder.path / "go").touch()

    assert "GPU 0 RTX 4090" in seen
    assert "≈ measured" in seen
    assert ended_state(folder).exit_code is not None
