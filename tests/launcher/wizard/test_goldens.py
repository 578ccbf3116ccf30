"""Every step in every state, as a person reads it, in a small and in a large terminal.

UPDATE_GOLDENS=1 writes the files anew, and their diff is the review.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from launcher.wizard.draft import Draft
from tests.fake_nvml import machines
from tests.launcher.cli.program import check_golden
from tests.launcher.wizard.driving import (
    LARGE,
    SMALL,
    Driver,
    draft_of,
    run,
    wizard,
    write_chats,
)
from tests.launcher.wizard.plain_estimate import use_plain_estimate


@pytest.fixture(autouse=True)
def plain_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Screens are compared here, not estimates."""
    use_plain_estimate(monkeypatch)


both_sizes = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])

_VOLATILE = (
    (re.compile(r"(torch|transformers|peft) \d+(\.\d+)+"), r"\1 0.0.0"),
    (re.compile(r"result, [\d.]+ free"), "result, 99.9 free"),
)


def check_screen(name: str, size: tuple[int, int], text: str) -> None:
    """Compare with the golden of that name and size; versions and free disk are masked."""
    for pattern, mask in _VOLATILE:
        text = pattern.sub(mask, text)
    check_golden(f"wizard/{name}-{size[0]}x{size[1]}.txt", text)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with files of examples, and a Hub cache without models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "no-cache"))
    write_chats(tmp_path / "support-chats.jsonl", 612)
    write_chats(tmp_path / "few.jsonl", 24)
    rows = (tmp_path / "few.jsonl").read_text().splitlines()
    rows[3:5] = ['{"messages": [{"role": "user"}]}', "not JSON"]
    (tmp_path / "broken.jsonl").write_text("\n".join(rows) + "\n")
    return tmp_path


async def _nothing(_: Driver) -> None:
    """Look at it as it comes."""


async def _second_row(on: Driver) -> None:
    await on.press("down")


async def _simulate(on: Driver) -> None:
    await on.press("s")
    await on.type("4090")


async def _simulate_nonsense(on: Driver) -> None:
    await on.press("s")
    await on.fill("24")
    await on.fill("banana 9000")
    await on.press("enter")


async def _help(on: Driver) -> None:
    await on.press("question_mark")


_GPU_STATES: dict[str, tuple[str | None, Callable[[Driver], Awaitable[None]]]] = {
    "gpu": (machines.RTX_4090_DESKTOP, _nothing),
    "gpu-in-use": (machines.TWO_UNEQUAL_3090S, _second_row),
    "gpu-with-mig": (machines.H100_AND_A100_WITH_MIG, _second_row),
    "gpu-without-numbers": (machines.GB10, _nothing),
    "gpu-old-driver": (machines.OLD_DRIVER, _nothing),
    "no-gpu": (None, _nothing),
    "no-gpu-driver-mismatch": (machines.DRIVER_LIBRARY_MISMATCH, _nothing),
    "gpu-simulate": (machines.RTX_4090_DESKTOP, _simulate),
    "gpu-simulate-wrong": (None, _simulate_nonsense),
    "gpu-help": (machines.RTX_4090_DESKTOP, _help),
}


@both_sizes
@pytest.mark.parametrize("name", _GPU_STATES)
def test_the_gpu_step(name: str, size: tuple[int, int]) -> None:
    """What is in the machine, what holds its memory, and what to do where nothing is."""
    machine, go = _GPU_STATES[name]

    async def journey() -> None:
        async with wizard(machine, size=size) as on:
            await go(on)
            check_screen(name, size, on.text)

    run(journey())


@both_sizes
@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("model", "llama-3"),
        ("model-hub-name", "someone/new-model"),
        ("model-unknown", "quen3-8b"),
        ("model-nothing-typed", ""),
    ],
)
def test_the_model_step(name: str, typed: str, size: tuple[int, int], here: Path) -> None:
    """The list as it is filtered, with verdicts for the card; a name that can be read."""

    async def journey() -> None:
        draft = Draft(budget=draft_of().budget, gpu_argument="rtx-4090")
        async with wizard(size=size, draft=draft) as on:
            await on.go_to(1)
            await on.fill(typed)
            await on.verdicts_known()
            if "unknown" in name:
                await on.press("enter")
            check_screen(name, size, on.text)

    del here
    run(journey())


@both_sizes
@pytest.mark.parametrize(
    ("name", "path", "keys"),
    [
        ("data-empty", "", ()),
        ("data", "support-chats.jsonl", ()),
        ("data-longer-limit", "support-chats.jsonl", ("tab", "right", "right")),
        ("data-few-examples", "few.jsonl", ()),
        ("data-problems", "broken.jsonl", ()),
        ("data-missing", "none.jsonl", ("enter",)),
    ],
)
def test_the_data_step(
    name: str, path: str, keys: tuple[str, ...], size: tuple[int, int], here: Path
) -> None:
    """What a file holds, what is wrong with it, what its lengths cost, whether to train on it."""

    async def journey() -> None:
        async with wizard(size=size, draft=draft_of()) as on:
            await on.go_to(2)
            await on.fill(path)
            if path and path != "none.jsonl":
                await on.until(lambda: "Layout" in on.text or "error" in on.text)
            if keys:
                await on.press(*keys)
            check_screen(name, size, on.text)

    del here
    run(journey())


@both_sizes
@pytest.mark.parametrize(
    ("name", "gpu", "model", "keys"),
    [
        ("method", "rtx-4090", "llama-3.1-8b", ()),
        ("method-rank-changed", "rtx-4090", "llama-3.1-8b", ("tab", "right")),
        ("method-no-number", "rtx-4090", "llama-3.1-8b", ("tab", "1", "x", "enter")),
        ("method-full", "rtx-4090", "llama-3.2-1b", ("up",)),
        ("method-qlora-only", "12GiB", "llama-3.1-8b", ()),
        ("method-nothing-fits", "8GiB", "llama-3.1-70b", ("enter",)),
        ("method-why", "rtx-4090", "llama-3.1-8b", ("w",)),
        ("method-help", "rtx-4090", "llama-3.1-8b", ("tab", "question_mark")),
    ],
)
def test_the_method_step(
    name: str, gpu: str, model: str, keys: tuple[str, ...], size: tuple[int, int], here: Path
) -> None:
    """Three methods against the memory, the parts of one, its settings, and why."""

    async def journey() -> None:
        draft = draft_of(gpu=gpu, model=model, data=here / "support-chats.jsonl")
        async with wizard(size=size, draft=draft) as on:
            await on.go_to(3)
            if keys:
                await on.press(*keys)
            check_screen(name, size, on.text)

    run(journey())


@both_sizes
@pytest.mark.parametrize("name", ["start-simulated", "start-refused"])
def test_the_start_step(name: str, size: tuple[int, int], here: Path) -> None:
    """What will be done, what was checked, and the same as a command."""
    gpu = "rtx-4090" if name == "start-simulated" else "cpu"
    model = here / "tiny-llama"
    model.mkdir()
    (model / "config.json").write_text(_TINY_LLAMA)

    async def journey() -> None:
        chosen = "llama-3.1-8b" if gpu == "rtx-4090" else "tiny-llama"
        draft = draft_of(gpu=gpu, model=chosen, data="support-chats.jsonl")
        async with wizard(size=size, draft=draft) as on:
            await on.go_to(4)
            check_screen(name, size, re.sub(r"\d+\.\d GiB avai", "28.0 GiB avai", on.text))

    run(journey())


_TINY_LLAMA = """{"model_type": "llama", "hidden_size": 256, "num_hidden_layers": 2,
"num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 512,
"vocab_size": 1000, "max_position_embeddings": 512}"""


@pytest.mark.parametrize("size", [(59, 24), (100, 15), (20, 5)], ids=str)
def test_too_small_a_terminal_is_told_so(size: tuple[int, int]) -> None:
    """The size that is needed and the size there is, and nothing is lost."""

    async def journey() -> None:
        async with wizard(size=SMALL) as on:
            await on.pilot.resize_terminal(*size)
            await on.settle()
            small = " ".join(on.text.split())
            assert "tlplan needs 60 columns and 16 rows" in small
            await on.pilot.resize_terminal(*SMALL)
            await on.settle()
            assert "No NVIDIA GPU can be read" in on.text

    run(journey())


def test_the_smallest_terminal_shows_every_step(here: Path) -> None:
    """At 60x16 each step has its question, its keys and a way on."""

    async def journey() -> None:
        draft = draft_of(data=here / "support-chats.jsonl")
        async with wizard(size=(60, 16), draft=draft) as on:
            for number, words in enumerate(
                ("No NVIDIA GPU", "Which model?", "learn from?", "How should it", "Ready to be")
            ):
                await on.go_to(number)
                assert words in on.text
                assert " enter " in on.text.splitlines()[-1]

    run(journey())
