"""What is typed whole is taken at once: a model's name, a folder of rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.launcher.wizard.driving import draft_of, wizard, write_chats

if TYPE_CHECKING:
    import pytest


async def test_a_whole_name_comes_first() -> None:
    """Before the models that were made from it and have it in their names."""
    async with wizard(draft=draft_of()) as on:
        await on.go_to(1)
        await on.fill("llama-3.1-8b")

        assert "▸ llama-3.1-8b" in on.text
        assert "  hermes-3-llama-3.1-8b" in on.text


async def test_a_folder_is_taken_with_one_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read and the next step is shown."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows").mkdir()
    write_chats(tmp_path / "rows" / "train.jsonl", 120)
    async with wizard(draft=draft_of()) as on:
        await on.go_to(2)
        await on.fill("rows")
        await on.press("enter")

        assert "● Method" in on.text
