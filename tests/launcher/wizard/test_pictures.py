"""The pictures of the README are drawn from the real screens by a real browser."""

from __future__ import annotations

import asyncio
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from bench.pictures import draw, run_picture, wizard_picture
from tests.launcher.cli.program import REPOSITORY

if TYPE_CHECKING:
    import pytest


def test_the_readme_shows_pictures_that_are_there() -> None:
    """Each picture it names is a PNG in this repository."""
    named = re.findall(r"!\[[^]]+\]\(([^)]+)\)", (REPOSITORY / "README.md").read_text())

    assert {"docs/pictures/wizard.png", "docs/pictures/run.png"} <= set(named)
    for name in named:
        assert (REPOSITORY / name).read_bytes().startswith(b"\x89PNG"), name


def test_both_screens_become_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wizard with its verdicts and the run with its prediction, wide enough to be read."""
    monkeypatch.chdir(tmp_path)
    wizard, run = asyncio.run(wizard_picture(tmp_path)), asyncio.run(run_picture(tmp_path))
    draw(wizard, tmp_path / "wizard.png")

    assert "Recommended" in wizard
    assert "predicted" in run
    width, height = struct.unpack(">II", (tmp_path / "wizard.png").read_bytes()[16:24])
    assert width > 1200
    assert height > 700
