"""Every frame that reaches the terminal: none is empty between two screens."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.fake_nvml import no_driver_environment
from tests.frames import Frames

REPOSITORY = Path(__file__).parents[3]
TITLES = {"● Model": "Which model?", "● Data": "learn from?", "● Method": "it train?"}
ESC, F1, PALETTE = "\x1b", "\x1bOP", "\x10"


def nearly_empty(frames: list[str]) -> list[str]:
    """Frames with less on them than the shortest page: a title, a line, the keys."""
    return [frame for frame in frames if sum(map(bool, frame.splitlines())) < 3]


def test_no_empty_frame_between_the_steps(tmp_path: Path) -> None:
    """Forth and back through the wizard, help and commands opened and closed."""
    rows = (REPOSITORY / "launcher" / "demo" / "tickets.jsonl").read_text().splitlines()[:24]
    (tmp_path / "train.jsonl").write_text("\n".join(rows) + "\n")
    driver = no_driver_environment()["LD_LIBRARY_PATH"]

    with Frames(
        [sys.executable, "-m", "launcher"],
        folder=tmp_path,
        environment={"PYTHONPATH": str(REPOSITORY), "LD_LIBRARY_PATH": driver},
    ) as terminal:
        terminal.wait_for("● GPU", "plan for this")
        terminal.press("s", "Which card?")
        terminal.press(ESC, gone="Which card?")
        terminal.press("\r", "● Model")
        terminal.press(F1, "base model", "esc Close")
        terminal.press(ESC, gone="base model")
        terminal.press("\r", "● Data", "File or Hub name")
        terminal.press("train.jsonl", "rows")
        terminal.press("\r", "● Method", "Recommended")
        terminal.press("\r", "● Start")
        terminal.press(ESC, "● Method")
        terminal.press(PALETTE, "Search for commands")
        terminal.press(ESC, gone="Search for commands")
        terminal.press(ESC, "● Data")

    assert len(terminal.frames) >= 10
    assert nearly_empty(terminal.frames) == []
    for frame in terminal.frames:
        title = next((title for step, title in TITLES.items() if step in frame), "")
        assert title in frame or "Search for commands" in frame, frame


def test_no_empty_frame_around_a_run(tmp_path: Path) -> None:
    """The run, its log, its help, a question, its end, and back to its charts."""
    path = tmp_path / "runs" / "a-lora-01"

    with Frames(
        [sys.executable, "-m", "tests.launcher.cli.launching", str(path)],
        folder=tmp_path,
        environment={
            "PYTHONPATH": str(REPOSITORY),
            "FAKE_WORKER": json.dumps({"hold_after": 2}),
        },
    ) as terminal:
        terminal.wait_for("training, step 2 of 5")
        terminal.press("l", "log.txt")
        terminal.press(ESC, "training, step 2 of 5")
        terminal.press("?", "What the numbers mean", "esc Close")
        terminal.press(ESC, gone="What the numbers mean")
        terminal.press("s", "Save and stop this run?")
        terminal.press("n", "training, step 2 of 5")
        (path / "go").touch()
        terminal.wait_for("Done. The adapter", "enter Close")
        terminal.press("v", "r How it ended")
        terminal.press("r", "enter Close")
        terminal.press("l", "log.txt")
        terminal.press(ESC, "enter Close")

    assert len(terminal.frames) >= 10
    assert nearly_empty(terminal.frames) == []
