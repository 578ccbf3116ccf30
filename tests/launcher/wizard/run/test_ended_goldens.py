"""Every way a run ends, as a person reads it, and what the keys there do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.app import App

from launcher.runs.folder import RunFolder
from launcher.view.ended import Choice, Ended, EndKind
from launcher.view.reader import RunReader
from launcher.wizard.look import MEANINGS_ON_DARK, STYLES
from launcher.wizard.run.ended_screen import EndedScreen, NextStep
from planner.retries import Retry
from tests.launcher.cli.program import check_golden
from tests.launcher.run_samples import sample_plan
from tests.launcher.view.recordings import Recording, failed, finished, on_a_card
from tests.launcher.view.replay import GIB
from tests.launcher.wizard.run.conftest import MakeRun
from tests.launcher.wizard.screen_text import screen_text

OUT_OF_MEMORY = (
    "out of memory: CUDA out of memory. Tried to allocate 1.00 GiB. GPU 0 has a total capacity "
    "of 23.65 GiB of which 512.00 MiB is free"
)


class EndApp(App[NextStep]):
    """Holds the screen of an end and nothing else."""

    CSS = STYLES

    def __init__(self, screen: EndedScreen) -> None:
        super().__init__()
        self.ended_screen = screen

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return MEANINGS_ON_DARK

    def on_mount(self) -> None:
        self.push_screen(self.ended_screen, self.exit)


def _retries(folder: Path) -> tuple[Choice, ...]:
    plan = sample_plan(folder)
    rows = [
        ("batch 1 x 16", 21.0, 1.0, "slower steps, and tight"),
        ("longest 1536 tokens", 20.4, 1.6, "longer rows are cut"),
        ("qlora", 12.0, 10.0, "4-bit weights, slower steps"),
    ]
    again = [
        Choice(
            action="again",
            text=text,
            retry=Retry(text, plan, int(needed * GIB), int(spare * GIB), cost),
        )
        for text, needed, spare, cost in rows
    ]
    return (*again, Choice(action="resume", text="go on as it is, from its first step"))


def _end(kind: EndKind, folder: Path) -> tuple[Recording, Ended]:
    resume = Choice(action="resume", text="go on as it is, from step 100")
    ended = Ended(kind=kind, choices=(resume,), checkpoint_step=100)
    run = on_a_card()
    if kind == "finished":
        return finished(on_a_card(steps=185)), replace(ended, choices=(), more_rows=None)
    if kind == "out of memory":
        run = on_a_card(steps=3, peak_gib=21.5)
        run.tell("recovery", message="out of memory; going on with micro_batch_rows 4 -> 2")
        failed(run, 7, OUT_OF_MEMORY)
        return run, replace(ended, choices=_retries(folder), checkpoint_step=None)
    if kind == "diverged":
        failed(run, 9, "training diverged at step 128: loss is nan", "lower learning_rate")
        retry = Retry("learning rate 2e-05", sample_plan(folder), None, None, "slower than 0.0002")
        again = Choice(action="again", text="start again with learning rate 2e-05", retry=retry)
        return run, replace(ended, choices=(again, resume))
    if kind == "GPU lost":
        failed(run, 5, "the GPU of this run is gone: GPU is lost", "dmesg | grep -i xid says why")
    if kind == "interrupted":
        failed(run, 75, "stopped on request")
    if kind == "failed":
        failed(run, 8, "the disk is full: No space left on device", "free some space, then resume")
        log = ("Traceback (most recent call last):", '  File "save.py", line 3', "OSError: 28")
        return run, replace(ended, log=log)
    return run, ended


def _app(kind: EndKind, make_run: MakeRun, tmp_path: Path) -> EndApp:
    recording, ended = _end(kind, tmp_path / "again" / "runs" / "x")
    reader = RunReader(make_run(recording))
    reader.read()
    return EndApp(EndedScreen(reader, ended))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(
    "kind",
    ["finished", "out of memory", "diverged", "GPU lost", "interrupted", "lost", "failed"],
)
async def test_an_ended_run(
    kind: EndKind, size: tuple[int, int], make_run: MakeRun, tmp_path: Path
) -> None:
    """What happened, what is kept, and the next step offered."""
    app = _app(kind, make_run, tmp_path)

    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        text = screen_text(app)

    name = kind.lower().replace(" ", "-")
    check_golden(f"run_screen/ended-{name}-{size[0]}x{size[1]}.txt", text)


@pytest.mark.parametrize(
    ("keys", "want"),
    [(["escape"], "closed"), (["v"], "view"), (["d"], "closed")],
)
async def test_keys_that_leave(
    keys: list[str], want: str, make_run: MakeRun, tmp_path: Path
) -> None:
    """Each says what is wanted next."""
    app = _app("interrupted", make_run, tmp_path)

    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press(*keys)

    assert app.return_value is not None
    assert app.return_value.want == want


async def test_enter_on_a_result_closes_it(make_run: MakeRun, tmp_path: Path) -> None:
    """Where nothing is to be chosen."""
    app = _app("finished", make_run, tmp_path)

    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("enter")

    assert app.return_value == NextStep("closed")


@pytest.mark.parametrize("how", ["keys", "mouse"])
async def test_the_marked_choice_is_done(
    how: str, make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Down and Enter, or two clicks, start the run with the second change."""
    started: list[Any] = []

    def start(folder: RunFolder, plan: Any) -> RunFolder:
        started.append(plan)
        return folder

    monkeypatch.setattr("launcher.again.start_anew", start)
    app = _app("out of memory", make_run, tmp_path)

    async with app.run_test() as pilot:
        await pilot.pause()
        if how == "keys":
            await pilot.press("down", "enter")
        else:
            row = next(
                row
                for row, text in enumerate(screen_text(app).splitlines())
                if "longest 1536" in text
            )
            await pilot.click(offset=(10, row))
            await pilot.click(offset=(10, row))
        await app.workers.wait_for_complete()
        await pilot.pause()

    assert started == [app.ended_screen.ended.choices[1].retry.run_plan]  # type: ignore[union-attr]
    assert app.return_value is not None
    assert app.return_value.want == "started"


async def test_what_cannot_be_started_is_said_in_place(make_run: MakeRun, tmp_path: Path) -> None:
    """The screen stays, with the reason."""
    app = _app("interrupted", make_run, tmp_path)
    app.ended_screen.reader.folder.plan.write_text("plan_version: 1\nmodle:\n")

    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        text = screen_text(app)

    assert "is running" in text or "plan.yaml" in text
