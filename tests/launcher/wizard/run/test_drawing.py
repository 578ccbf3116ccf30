"""launcher/wizard/run/drawing.py: pictures of the run screen from recorded events."""

from __future__ import annotations

import pytest

from launcher.wizard.run.drawing import run_screen_svg
from tests.launcher.view.recordings import finished, on_a_card
from tests.launcher.wizard.run.conftest import MakeRun


@pytest.mark.parametrize("theme", ["tlplan-dark", "tlplan-light", "ansi-dark", "nord"])
def test_a_picture_of_a_moment(theme: str, make_run: MakeRun) -> None:
    """A finished run as it was after ten minutes, in every kind of theme."""
    folder = make_run(finished(on_a_card(steps=185)), exit_code=0)

    svg = run_screen_svg(folder.path, at_seconds=600.0, theme=theme)

    assert svg.startswith("<svg")
    assert "of&#160;185" in svg
    assert "finished" not in svg


def test_a_picture_of_the_end(make_run: MakeRun) -> None:
    """Without a moment, what the folder is now; keys are pressed before."""
    folder = make_run(finished(on_a_card(steps=185)), exit_code=0)

    assert "Done." in run_screen_svg(folder.path, size=(80, 24))
    assert "Keys" in run_screen_svg(folder.path, size=(80, 24), keys=["question_mark"])
