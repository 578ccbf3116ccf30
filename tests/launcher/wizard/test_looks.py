"""Themes and terminals: the words are the same in all of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from textual.color import Color

from launcher.wizard.look import THEMES, meanings
from launcher.wizard.taste import keep_theme, kept_theme
from tests.launcher.wizard.driving import draft_of, run, wizard, write_chats

if TYPE_CHECKING:
    from textual.theme import Theme


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


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_every_text_stands_out_from_what_is_behind_it(theme: Theme) -> None:
    """WCAG 2.1: at least 4.5 to 1 for text of each meaning, on the screen and on panels."""
    colours = {"text": str(theme.foreground), **meanings(theme)}
    grounds = {"screen": str(theme.background), "panel": str(theme.panel)}

    ratios = {
        (meaning, ground): _contrast(colour, behind)
        for meaning, colour in colours.items()
        for ground, behind in grounds.items()
    }

    assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}


def _contrast(colour: str, behind: str) -> float:
    """(lighter + 0.05) / (darker + 0.05) of the two relative luminances."""
    darker, lighter = sorted(_luminance(Color.parse(each)) for each in (colour, behind))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Color) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in colour.normalized
    ]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_theme_that_was_chosen_is_there_the_next_time(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In config.toml, whose other lines stay; a variable goes before it, nonsense is no failure."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(here))
    monkeypatch.delenv("TLPLAN_THEME", raising=False)
    file = here / "tlplan" / "config.toml"
    assert kept_theme() == "tlplan-dark"

    async def choose(name: str) -> None:
        async with wizard(theme=kept_theme()) as on:
            on.app.keep_theme_choices()
            on.app.theme = name
            await on.settle()

    run(choose("tlplan-light"))
    assert kept_theme() == "tlplan-light"
    file.write_text('seed = 7\ntheme = "nord"\n[colours]\ntheme = "mine"\n')
    run(choose("ansi-light"))
    assert file.read_text() == 'seed = 7\ntheme = "ansi-light"\n[colours]\ntheme = "mine"\n'
    monkeypatch.setenv("TLPLAN_THEME", "no such theme")
    run(choose("tlplan-dark"))


def test_a_config_file_that_cannot_be_written_is_told(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The theme changes all the same."""
    (here / "tlplan").write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(here))

    assert "the theme is not kept" in (keep_theme("nord") or "")
    assert kept_theme() == "tlplan-dark"
