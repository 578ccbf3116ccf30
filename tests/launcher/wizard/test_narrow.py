"""The smallest terminal there is room for: every step is readable, no column is cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fake_nvml.machines import TWO_UNEQUAL_3090S
from tests.launcher.wizard.driving import draft_of, wizard, write_chats

NARROW = (60, 16)


def cut_off(text: str) -> list[str]:
    """Lines that end in an ellipsis; how many rows are out of sight is told with one too."""
    return [line for line in text.splitlines() if "…" in line and " more " not in line]


@pytest.mark.parametrize("number", range(5))
async def test_a_step_keeps_to_sixty_columns(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables leave out their last columns whole, and keep verdicts."""
    monkeypatch.chdir(tmp_path)
    write_chats(tmp_path / "train.jsonl", 200)
    data = "train.jsonl"
    async with wizard(TWO_UNEQUAL_3090S, draft=draft_of(data=data), size=NARROW) as on:
        await on.go_to(number)
        if number == 1:
            await on.verdicts_known()
        first = on.text
        await on.press("pagedown")

        for text in (first, on.text):
            assert cut_off(text) == []
            assert "○ Start" in text or "● Start" in text
    if number in (1, 3):
        assert "✓ yes" in first
        assert "✗ no" in first


async def test_a_wider_terminal_brings_the_columns_back() -> None:
    """Resized while it is looked at, both ways."""
    async with wizard(draft=draft_of(), size=NARROW) as on:
        await on.go_to(1)
        assert "Params" not in on.text

        await on.pilot.resize_terminal(80, 24)
        await on.settle()
        assert "Params" in on.text

        await on.pilot.resize_terminal(*NARROW)
        await on.settle()
        assert "Params" not in on.text


async def test_a_click_on_a_step_goes_there() -> None:
    """Also where the names of the steps begin further left."""
    async with wizard(draft=draft_of(), size=NARROW) as on:
        await on.go_to(1)
        await on.pilot.click("#head", offset=(2, 0))
        await on.settle()
        assert "● GPU" in on.text
