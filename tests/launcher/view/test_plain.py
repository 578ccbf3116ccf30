"""launcher/view/plain.py, display.py and result.py: a run as lines of text."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launcher.runs.events import Event
from launcher.runs.folder import RunFolder
from launcher.view.display import EventDisplay
from launcher.view.plain import PlainDisplay
from launcher.view.progress import RunProgress
from launcher.view.result import result_lines, stopped_lines
from tests.launcher.view.replay import (
    GIB,
    memory_event,
    plan_event,
    progress_of,
    step_event,
    whole_run,
)

if TYPE_CHECKING:
    import pytest


def lines_of(events: list[dict[str, Any]]) -> list[str]:
    out = io.StringIO()
    display = PlainDisplay(out, run="runs/a-lora-01")
    progress = RunProgress()
    for event in events:
        progress.apply(event)
        display.show(event, progress)
    return out.getvalue().splitlines()


def test_an_unattended_run_starts_with_folder_and_prediction() -> None:
    """The first two lines name the run folder and the predicted peak with its band."""
    assert lines_of([plan_event()]) == [
        "run runs/a-lora-01",
        "predicted peak 2.40 GiB (2.00-2.80), host memory of this run",
    ]


def test_steps_are_told_at_every_tenth_when_steps_are_slow() -> None:
    """With 10 s a step, a line comes at the first step and then every 10 %."""
    steps = [step_event(each, total=100, seconds=10.0) for each in range(1, 101)]

    told = [line for line in lines_of(steps) if " step " in line]

    assert [line.split("step ")[1].split()[0] for line in told] == [
        str(each) for each in range(1, 101, 10)
    ]


def test_steps_are_told_every_30_seconds_when_steps_are_fast() -> None:
    """With 0.5 s a step, 10 % would be every five seconds: 30 s is rarer."""
    steps = [step_event(each, total=100, seconds=0.5) for each in range(1, 101)]

    told = [line for line in lines_of(steps) if " step " in line]

    assert [line.split("step ")[1].split()[0] for line in told] == ["1", "61"]


def test_a_download_is_told_every_30_seconds_and_at_its_end() -> None:
    """Bytes and speed, once in 30 s however often they come, and what it came to."""
    so_far = {"type": "download", "total_bytes": 5 * GIB, "bytes_per_second": 40.0 * 2**20}
    events = [
        so_far | {"seconds": float(second), "done_bytes": second * 40 * 2**20}
        for second in range(1, 128)
    ]
    events.append(so_far | {"seconds": 128.0, "done_bytes": 5 * GIB, "finished": True})

    assert lines_of(events) == [
        "   0:30  downloading 1.2 of 5.0 GiB, 40.0 MiB/s",
        "   1:00  downloading 2.3 of 5.0 GiB, 40.0 MiB/s",
        "   1:30  downloading 3.5 of 5.0 GiB, 40.0 MiB/s",
        "   2:00  downloading 4.7 of 5.0 GiB, 40.0 MiB/s",
        "   2:08  downloaded 5.0 GiB, 40.0 MiB/s",
    ]


def test_a_comparison_is_told_every_30_seconds() -> None:
    """Rows that are answered one by one take minutes: a silent program would look hung."""
    events: list[Event] = [{"type": "phase", "phase": "comparing", "seconds": 0.0}]
    events += [
        {"type": "measuring", "what": "tuned", "done": row, "total": 60, "seconds": 2.0 * row}
        for row in range(1, 61)
    ]

    assert lines_of(events) == [
        "   0:00  comparing",
        "   0:30  comparing: tuned 15 of 60",
        "   1:00  comparing: tuned 30 of 60",
        "   1:30  comparing: tuned 45 of 60",
        "   2:00  comparing: tuned 60 of 60",
    ]


def test_a_step_line_has_loss_speed_peak_and_time_left() -> None:
    """One line says all that matters at that moment."""
    steps = [step_event(each, total=20, loss=2.5, seconds=20.0) for each in range(1, 4)]

    assert lines_of([plan_event(), memory_event(2.31), *steps])[-1] == (
        "   1:00  step 3 of 20, loss 2.500, 3 180 tokens/s, peak 2.31 GiB, about 6 min left"
    )


def test_every_evaluation_and_checkpoint_is_told() -> None:
    """Rare events always get their line."""
    text = "\n".join(lines_of(whole_run()))

    assert "held-out loss 4.490 at step 0" in text
    assert "held-out loss 0.040 at step 60" in text
    assert "saved step 60 (17.2 MiB)" in text


def test_with_json_the_events_pass_through() -> None:
    """Each event is one JSON line, unchanged."""
    out = io.StringIO()
    events = whole_run()
    display = EventDisplay(out)
    for event in events:
        display.show(event, RunProgress())
    display.say("not an event")

    assert [json.loads(line) for line in out.getvalue().splitlines()] == events


def test_the_result_fits_80_columns_and_shows_before_and_after(tmp_path: Path) -> None:
    """Losses, memory, answers and next commands of a finished run, long answers cut."""
    folder = RunFolder(tmp_path / "runs" / "a-lora-01")
    folder.adapter.mkdir(parents=True)
    (folder.adapter / "adapter_model.safetensors").write_bytes(b"x" * 4096)

    lines = result_lines(progress_of(*whole_run()), folder)

    text = "\n".join(lines)
    assert lines[0] == "Done in 2:00. The adapter (4.0 KiB) is in"
    assert lines[1] == f"  {folder.adapter}"
    assert "loss      4.000 -> 0.067" in text
    assert "held out  4.490 -> 0.040" in text
    assert "speed     3 180 tokens/s, 60 steps of 2.00 s" in text
    assert "  peak                              2.40       2.31         -4 %" in text
    assert "band 2.00-2.80: inside the band" in text
    assert "  after   queue=billing\n  wanted  queue=sales" in text
    assert [line for line in lines if len(line) > 80 and str(tmp_path) not in line] == []


def test_a_stopped_run_says_how_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step it came to and the command that resumes it."""
    progress = progress_of(plan_event(), *[step_event(each, total=60) for each in (1, 2)])

    monkeypatch.chdir(tmp_path)

    assert stopped_lines(progress, RunFolder(tmp_path / "runs" / "a-lora-01")) == [
        "Stopped at step 2 of 60 after 0:04.",
        "  tlplan resume a-lora-01",
    ]
    # Where the name alone would not find it, and with a space in it.
    elsewhere = stopped_lines(progress, RunFolder(tmp_path / "my runs" / "a-lora-01"))
    assert elsewhere[-1] == "  tlplan resume 'my runs/a-lora-01'"


def test_a_run_that_was_only_rehearsed_says_what_was_found(tmp_path: Path) -> None:
    """The verdict, and the command that trains."""
    found = "rehearsed: it fits: peak 0.4 GiB of 20.1 free, 0.4 were predicted; about 5 s"
    progress = progress_of(plan_event(), {"type": "rehearsal", "message": found})

    run = RunFolder(tmp_path / "a-lora-01")

    lines = stopped_lines(progress, run)

    assert " ".join(lines[:-1]) == f"R{found[1:]}."
    assert lines[-1] == f"  tlplan resume {run.typed}   trains it"
