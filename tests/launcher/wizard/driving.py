"""Drives the wizard as a person would, on machines that a scripted driver shows."""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.widgets import Input

from hwdb.detect.machine import HostReading
from hwdb.detect.nvml_survey import GpuSurvey
from launcher.hardware import hardware_for
from launcher.models import resolve_model
from launcher.wizard.app import Outcome, WizardApp
from launcher.wizard.data.reading import read_chosen
from launcher.wizard.draft import ChosenModel, Draft
from launcher.wizard.model.listing import Catalogue
from launcher.wizard.world import World
from tests.fake_nvml import fake_driver_environment, no_driver_environment, run_python
from tests.launcher.wizard.screen_text import screen_text

if TYPE_CHECKING:
    from textual.pilot import Pilot

GIB = 1024**3
SMALL, LARGE = (80, 24), (120, 40)
HOST = HostReading(
    total_bytes=32 * GIB,
    available_bytes=28 * GIB,
    cpu_cores=8,
    cpu_name="AMD Ryzen 7 5800X",
    swap_bytes=0,
    operating_system="Linux",
)
_READ = """
import base64, json, pickle
from hwdb.detect.nvml import read_gpus
print(json.dumps(base64.b64encode(pickle.dumps(read_gpus())).decode()))
"""


@cache
def survey_of(machine_text: str | None) -> GpuSurvey:
    """What the real pynvml reads of a machine of the fake driver; None: there is no driver."""
    environment = no_driver_environment()
    if machine_text is not None:
        environment = fake_driver_environment(machine_text)
    survey: GpuSurvey = pickle.loads(base64.b64decode(run_python(_READ, environment)))
    return survey


def world_of(machine_text: str | None) -> World:
    """A machine that does not change."""
    survey = survey_of(machine_text)
    return World(read_gpus=lambda: survey, read_host=lambda: HOST)


class Driver:
    """Keys in, screens out; waits for what happens in the background by looking, not by time."""

    def __init__(self, app: WizardApp, pilot: Pilot[Outcome]) -> None:
        self.app, self.pilot = app, pilot

    async def press(self, *keys: str) -> None:
        """Press keys and wait until nothing is worked on any more."""
        await self.pilot.press(*keys)
        await self.settle()

    async def type(self, text: str) -> None:
        """Type into the focused field, letter by letter."""
        names = {" ": "space", "/": "slash", ".": "full_stop", "-": "minus", "?": "question_mark",
                 "_": "underscore", ",": "comma"}  # fmt: skip
        await self.press(*(names.get(sign, sign) for sign in text))

    async def fill(self, text: str) -> None:
        """Put a text into the screen's field at once."""
        self.app.screen.query_one(Input).value = text
        await self.settle()

    async def settle(self) -> None:
        """Wait until events, workers and verdicts are done."""
        for _ in range(2):
            await self.pilot.pause()
            await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is so."""
        for _ in range(3000):
            if condition():
                await self.settle()
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"it never happened; the screen was\n{self.text}")

    async def go_to(self, number: int) -> None:
        """Show a step."""
        self.app.go_to(number)
        await self.settle()

    async def verdicts_known(self) -> None:
        """Wait until every model has its verdicts."""
        models = Catalogue(learns=self.app.draft.learns).models
        await self.until(lambda: all(self.app.verdicts.of(model.id) for model in models))
        await self.settle()

    @property
    def text(self) -> str:
        """The screen as a person reads it."""
        return screen_text(self.app)


@asynccontextmanager
async def wizard(
    machine_text: str | None = None,
    *,
    size: tuple[int, int] = SMALL,
    draft: Draft | None = None,
    world: World | None = None,
    **options: Any,
) -> AsyncIterator[Driver]:
    """The wizard in a terminal of a size, its first screen read."""
    app = WizardApp(world or world_of(machine_text), draft=draft, **options)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.settle()
        yield driver


def run(journey: Coroutine[Any, Any, None]) -> None:
    """Run one journey to its end."""
    asyncio.run(journey)


def draft_of(
    *, gpu: str = "rtx-4090", model: str = "llama-3.1-8b", data: Path | str | None = None
) -> Draft:
    """Answers to the first steps: a card, a model, and a file."""
    planned = resolve_model(model)
    return Draft(
        budget=hardware_for([gpu], host_without_gpu=False).budget,
        gpu_argument=gpu,
        model=ChosenModel(argument=model, planned=planned),
        data=None if data is None else read_chosen(str(data), planned),
    )


def write_chats(path: Path, rows: int, *, words: int = 40) -> Path:
    """A file of chats; every answer is a few words longer than the one before."""
    lines = []
    for row in range(rows):
        question = {"role": "user", "content": f"What is order {row}?"}
        answer = {"role": "assistant", "content": " ".join(["parcel"] * (1 + row % words))}
        lines.append(json.dumps({"messages": [question, answer]}))
    path.write_text("\n".join(lines) + "\n")
    return path
