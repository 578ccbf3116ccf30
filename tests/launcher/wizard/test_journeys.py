"""Ways through the wizard: forward, back, wrong answers, lost cards, vanished files."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from hwdb.detect.nvml_survey import GpuSurvey
from launcher.wizard.draft import ChosenModel, Draft
from launcher.wizard.start.command import command_text
from launcher.wizard.world import World
from tests.fake_nvml import fake_driver_environment, machines
from tests.launcher.cli.program import tlplan
from tests.launcher.wizard.driving import (
    HOST,
    LARGE,
    Driver,
    draft_of,
    run,
    survey_of,
    wizard,
    write_chats,
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file of chats."""
    monkeypatch.chdir(tmp_path)
    write_chats(tmp_path / "chats.jsonl", 300)
    return tmp_path


async def _through(on: Driver) -> None:
    """Enter, a path, Enter: up to the last step, with what the wizard proposes."""
    await on.press("enter")
    await on.verdicts_known()
    await on.press("enter")
    await on.fill("chats.jsonl")
    await on.press("enter")
    await on.until(lambda: "How should it train?" in on.text)
    await on.press("enter")
    await on.until(lambda: "Ready to" in on.text)


def test_five_enters_and_a_path_save_what_launch_takes(here: Path) -> None:
    """`launch --dry-run` accepts it, and the command that is shown writes the same bytes."""

    async def journey() -> None:
        async with wizard(machines.RTX_4090_DESKTOP) as on:
            await on.press("enter")
            await on.verdicts_known()
            await on.fill("smollm2-135m")
            await on.press("enter")
            await on.fill("chats.jsonl")
            await on.press("enter")
            await on.until(lambda: "How should it train?" in on.text)
            await on.press("tab", "right", "down", "down", "down", "right")  # rank, batch
            await on.press("enter")
            await on.until(lambda: "Ready to" in on.text)
            step = on.app.step(4)
            assert step._ready is not None
            (here / "plan.yaml").write_text(step._ready.text)
            (here / "command").write_text(command_text(on.app.draft))

    run(journey())
    environment = fake_driver_environment(machines.RTX_4090_DESKTOP)
    words = shlex.split((here / "command").read_text())
    written = tlplan("plan", *words[2:], environment=environment, folder=here)
    checked = tlplan("launch", "plan.yaml", "--dry-run", environment=environment, folder=here)

    assert words[:2] == ["tlplan", "launch"]
    assert {"--rank", "--batch"} <= set(words)
    assert written.out == (here / "plan.yaml").read_text(), written.err
    # Without a network the weights cannot be fetched; nothing else may be wrong with it.
    assert checked.code in (0, 6), checked.err


def test_a_simulated_plan_is_saved_and_never_over_another(here: Path) -> None:
    """Enter saves; the file beside it stays as it was."""
    (here / "plan.yaml").write_text("mine")

    async def journey() -> None:
        draft = draft_of(data="chats.jsonl")
        async with wizard(draft=draft) as on:
            await on.go_to(4)
            await on.pilot.press("enter")
            await on.pilot.pause()
            assert on.app.return_value is not None
            assert on.app.return_value.path == here / "plan-02.yaml"

    run(journey())
    assert (here / "plan.yaml").read_text() == "mine"
    assert "predicted_peak_bytes" in (here / "plan-02.yaml").read_text()


def test_every_step_can_be_gone_back_to_with_its_answers(here: Path) -> None:
    """Esc from the last step to the first and Enter forward again: nothing has to be typed."""
    del here

    async def journey() -> None:
        async with wizard(draft=draft_of(data="chats.jsonl")) as on:
            await on.go_to(4)
            before = on.app.draft
            for words in ("How should it train?", "learn from?", "Which model?", "No NVIDIA GPU"):
                await on.press("escape")
                assert words in on.text
            await on.press("escape")
            assert "No NVIDIA GPU" in on.text
            await on.go_to(4)
            assert on.app.draft == before

    run(journey())


@pytest.mark.parametrize("step", [1, 2, "simulate", "number"])
def test_keys_in_a_text_field_are_text(step: int | str, here: Path) -> None:
    """`quit jkl?` typed into any field is there to be read, and nothing else happens."""
    del here
    typed = "quit jkl?"

    async def journey() -> None:
        async with wizard(draft=draft_of(data="chats.jsonl")) as on:
            if step == "simulate":
                await on.press("s")
            elif step == "number":
                await on.go_to(3)
                await on.press("tab")
                await on.type("1" + typed)
                assert f"> 1{typed}"[:10] in on.text
                assert "How should it train?" in on.text
                return
            else:
                await on.go_to(int(step))
                on.app.screen.query_one(Input).value = ""
            screen = on.app.screen
            await on.type(typed)
            assert on.app.screen is screen
            assert screen.query_one(Input).value == typed

    run(journey())


def test_what_is_no_number_cannot_be_left_behind(here: Path) -> None:
    """Enter, tab and the arrows all keep the field open until it holds a number."""
    del here

    async def journey() -> None:
        async with wizard(draft=draft_of(data="chats.jsonl")) as on:
            await on.go_to(3)
            await on.press("tab", "1", "x")
            for key in ("enter", "tab", "down"):
                await on.press(key)
                assert 'rank takes a whole number, not "1x"' in on.text
            await on.press("backspace", "2", "enter")
            assert on.app.draft.asked.rank == 12
            await on.press("0", "enter")
            assert "rank must be above 0, not 0" in on.text
            await on.press("escape")
            assert on.app.draft.asked.rank == 12

    run(journey())


def test_a_model_that_does_not_exist_cannot_be_left_behind(here: Path) -> None:
    """An unknown word, a folder that is not there and a broken config.json are told in place."""
    (here / "broken").mkdir()
    (here / "broken" / "config.json").write_text('{"hidden_size": -1}')

    async def journey() -> None:
        async with wizard(draft=Draft(budget=draft_of().budget)) as on:
            await on.go_to(1)
            for name, said in (
                ("no-such-model-at-all", "no model named"),
                ("./nowhere", "no such file"),
                ("./broken", "must be a whole number above 0"),
            ):
                await on.fill(name)
                await on.press("enter")
                assert said in " ".join(on.text.split()), on.text
                assert on.app.screen is on.app.step(1)

    run(journey())


def test_a_file_that_vanishes_is_noticed(here: Path) -> None:
    """Between reading and going on: the step says so and is not left."""

    async def journey() -> None:
        async with wizard(draft=draft_of(data="chats.jsonl")) as on:
            await on.go_to(2)
            await on.fill("chats.jsonl")
            (here / "chats.jsonl").unlink()
            await on.press("enter")
            assert "no such file" in on.text
            assert on.app.screen is on.app.step(2)

    run(journey())


def test_a_card_that_is_lost_while_one_looks_is_told() -> None:
    """The list follows the driver; the card that went is named, and another is current."""
    surveys = [survey_of(machines.TWO_UNEQUAL_3090S)]
    world = World(read_gpus=lambda: surveys[-1], read_host=lambda: HOST)

    async def journey() -> None:
        async with wizard(world=world) as on:
            only_second: GpuSurvey = replace(surveys[0], gpus=surveys[0].gpus[1:])
            surveys.append(only_second)
            await on.press("r")
            assert "is no longer there" in on.text

    run(journey())


def test_other_sizes_keep_focus_and_answers(here: Path) -> None:
    """Across the width of the second layout and through a size of nothing."""
    del here

    async def journey() -> None:
        async with wizard(draft=draft_of(data="chats.jsonl")) as on:
            await on.go_to(3)
            await on.press("tab", "right")
            focused, draft = on.app.focused, on.app.draft
            for size in (LARGE, (109, 30), (1, 1), (80, 24)):
                await on.pilot.resize_terminal(*size)
                await on.settle()
            assert on.app.focused is focused
            assert on.app.draft is draft
            assert "◂ 32 ▸" in on.text

    run(journey())


def test_a_click_moves_and_a_second_click_goes_on() -> None:
    """Rows, and the names of steps that can be reached."""

    async def journey() -> None:
        async with wizard(machines.TWO_UNEQUAL_3090S) as on:
            await on.pilot.click("#places", offset=(10, 2))
            await on.settle()
            assert "▸ 1" in on.text
            await on.pilot.click("#places", offset=(10, 2))
            await on.settle()
            assert "Which model?" in on.text
            assert on.app.draft.visible_device == "GPU-30900000-bbbb-0000-0000-000000000000"
            await on.pilot.click("#head", offset=(15, 0))
            await on.settle()
            assert "Which GPU should train?" in on.text

    run(journey())


def test_the_chosen_variant_is_what_the_command_names() -> None:
    """Right of the filter switches between instruct and base; the short name means base."""

    async def journey() -> None:
        async with wizard(draft=Draft(budget=draft_of().budget)) as on:
            await on.go_to(1)
            await on.fill("qwen2.5-7b")
            await on.press("enter")
            model = on.app.draft.model
            assert isinstance(model, ChosenModel)
            assert model.argument.lower().endswith("instruct")
            await on.press("escape", "end", "right", "enter")
            model = on.app.draft.model
            assert isinstance(model, ChosenModel)
            assert model.argument == "qwen2.5-7b"

    run(journey())


def test_a_simulated_card_stays_marked(here: Path) -> None:
    """Back in the first step it is the current row and Enter keeps it; another row gives it up."""
    del here

    async def journey() -> None:
        async with wizard(machines.TWO_UNEQUAL_3090S) as on:
            await on.press("s")
            await on.type("4090")
            await on.press("enter")
            await on.until(lambda: "Which model?" in on.text)
            await on.press("escape", "r")
            assert "▸ -  NVIDIA GeForce RTX 4090" in on.text
            assert "simulated" in on.text
            await on.press("enter")
            assert on.app.draft.simulated
            await on.press("escape", "up", "up", "up", "enter")
            assert not on.app.draft.simulated
            await on.press("escape", "r")
            assert "RTX 4090" not in on.text

    run(journey())
