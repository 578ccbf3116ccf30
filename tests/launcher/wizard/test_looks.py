"""Themes and terminals: the words are the same in all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.launcher.wizard.driving import draft_of, run, wizard, write_chats


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file of chats."""
    monkeypatch.chdir(tmp_path)
    write_chats(tmp_path / "chats.jsonl", 300)
    return tmp_path


@pytest.mark.parametrize("theme", ["tlplan-dark", "tlplan-light", "ansi-dark", "nord"])
def test_every_verdict_reads_the_same_in_every_theme(theme: str, here: Path) -> None:
    """Signs and words stand beside the colours, so the text is the same in all of them."""
    del here
    texts = []

    async def journey(name: str) -> None:
        async with wizard(draft=draft_of(data="chats.jsonl"), theme=name) as on:
            await on.go_to(3)
            assert on.app.theme == name
            texts.append(on.text)

    run(journey("tlplan-dark"))
    run(journey(theme))
    assert texts[0] == texts[1]
    assert "✓ yes" in texts[0]
    assert "✗ no" in texts[0]


def test_a_terminal_without_unicode_gets_ascii(here: Path) -> None:
    """Every sign has one of its width in ASCII."""
    del here

    async def journey() -> None:
        async with wizard(draft=draft_of(data="chats.jsonl"), ascii_only=True) as on:
            await on.go_to(3)
            assert on.text.isascii(), on.text

    run(journey())
