"""Names of the Hub typed into the wizard: asked for when Enter says so, and checked at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import constants
from textual import events

from tests.launcher.data.test_hub_data import COMMIT, Hub, hub
from tests.launcher.wizard.driving import draft_of, run, wizard

__all__ = ["hub"]


@pytest.fixture
def here(tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, an empty cache, and that Hub."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return tmp_path


def test_a_data_set_of_the_hub_is_fetched_by_name(here: Path, hub: Hub) -> None:
    """Nothing is asked while one types; Enter fetches it, and the plan names its commit."""

    async def journey() -> None:
        async with wizard(draft=draft_of()) as on:
            await on.go_to(2)
            await on.fill("org/open:data")
            assert "Enter fetches the data set org/open" in on.text
            assert not hub.requests
            await on.press("enter")
            await on.until(lambda: "How should it train?" in on.text)
            data = on.app.draft.data
            assert data is not None
            assert data.facts.path == f"org/open@{COMMIT}:data"
            await on.press("enter")
            assert "org/open:data" in on.text

    run(journey())
    assert (here / "cache").is_dir()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("org/nothing", 'no data set "org/nothing"'),
        ("org/gated", "is gated"),
        ("org/open@v9", 'no revision "v9"'),
        ("org/open:validation", 'no split "validation"'),
    ],
)
def test_a_name_that_cannot_be_had_is_not_left_behind(here: Path, name: str, told: str) -> None:
    """Which of name, licence, revision and split it is stands there, and the step stays."""
    del here

    async def journey() -> None:
        async with wizard(draft=draft_of()) as on:
            await on.go_to(2)
            await on.fill(name)
            await on.press("enter")
            await on.until(lambda: told in on.text)
            assert on.app.draft.data is None
            assert "What should it learn from?" in on.text

    run(journey())


def test_keys_are_obeyed_in_the_order_they_came() -> None:
    """A pasted name with Enter behind it is the name that Enter takes, whatever stood there."""

    async def journey() -> None:
        async with wizard() as on:
            await on.press("enter")
            await on.verdicts_known()
            await on.fill("bloom")
            for key in ("ctrl+u", *"smollx", "backspace", *"m2-135m", "enter"):
                on.app.post_message(events.Key(key, key if len(key) == 1 else None))
            await on.until(lambda: "What should it learn from?" in on.text)
            assert on.app.draft.model is not None
            assert on.app.draft.model.planned.id == "smollm2-135m"

    run(journey())
