"""launcher/view/reader.py: whatever is in the folder, a screen goes on and says what is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from launcher.runs.folder import RunFolder
from launcher.runs.state import write_state
from launcher.view.reader import RunReader
from tests.launcher.run_samples import sample_run, sample_state
from tests.launcher.view.recordings import failed, finished, on_a_card, write


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return sample_run(tmp_path / "runs" / "a-lora-01")


def read(folder: RunFolder) -> RunReader:
    reader = RunReader(folder)
    while reader.read():
        pass
    return reader


def test_broken_lines_are_counted_and_passed_over(folder: RunFolder) -> None:
    """Torn JSON, an array, values of the wrong kind, bytes that are no text."""
    lines = [json.dumps(event) for event in on_a_card(steps=3).events]
    broken = [
        '{"type": "step", "st',
        "[1, 2]",
        '{"type": "memory", "seconds": 1, "cards": 7}',
        '{"type": "plan", "predicted_peak_bytes": "a lot"}',
        '{"type": "failed", "hints": 3}',
    ]
    folder.events.write_bytes("\n".join([*lines[:5], *broken, *lines[5:]]).encode() + b"\n\xff\n")

    reader = read(folder)

    assert reader.progress.numbers.step == 3
    assert reader.broken_lines >= 4
    assert reader.trouble is not None
    assert "of events.jsonl could not be read" in reader.trouble


def test_a_folder_that_is_gone_is_said_in_place(folder: RunFolder) -> None:
    """What was read stays on the screen."""
    write(folder.events, on_a_card(steps=3).events)
    reader = read(folder)

    shutil.rmtree(folder.path)
    reader.read()

    assert reader.trouble == f"{folder.path} is gone"
    assert reader.progress.numbers.step == 3


def test_a_log_that_cannot_be_read_is_said_in_place(folder: RunFolder) -> None:
    """A folder in its place, or no permission."""
    folder.events.mkdir()

    reader = read(folder)

    assert reader.trouble is not None
    assert "cannot be read" in reader.trouble


@pytest.mark.parametrize(
    ("ending", "expected"),
    [("finished", "finished"), ("stopped", "interrupted"), ("failed", "failed"), ("", "lost")],
)
def test_a_log_alone_tells_how_it_ended(folder: RunFolder, ending: str, expected: str) -> None:
    """Without state.json, as when only the events were copied."""
    run = on_a_card(steps=3)
    if ending == "finished":
        finished(run)
    elif ending:
        failed(run, 75 if ending == "stopped" else 9, "it ended")
    write(folder.events, run.events)

    assert read(folder).liveness == expected


def test_the_state_wins_over_the_events(folder: RunFolder) -> None:
    """The supervisor signs off behind the last event."""
    write(folder.events, on_a_card(steps=3).events)
    write_state(folder, sample_state(exit_code=75))

    assert read(folder).liveness == "interrupted"


def test_a_long_log_is_read_in_several_goes(folder: RunFolder) -> None:
    """A read ends after its time, so that keys are answered; the next one goes on."""
    events = on_a_card(steps=128).events
    write(folder.events, events * 40)
    reader = RunReader(folder)

    reads = 0
    while not reader.caught_up:
        reads += 1
        reader.read(seconds=0.0)

    assert reads > 2
    assert reader.progress.numbers.step == 128
