"""launcher/runs/events.py: appending from several processes, reading what a dead run left."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

from launcher.runs.events import LONGEST_LINE_BYTES, EventLog, EventTail, read_events


def test_an_event_carries_time_seconds_and_type(tmp_path: Path) -> None:
    """Every event starts with an ISO time in UTC, the seconds since the start and its type."""
    EventLog(tmp_path / "events.jsonl").append("step", step=1, loss=2.5)

    (event,) = read_events(tmp_path / "events.jsonl")
    assert list(event) == ["at", "seconds", "type", "step", "loss"]
    assert event["at"].endswith("Z")
    assert len(event["at"]) == len("2026-11-21T10:00:00.123Z")
    assert (event["type"], event["step"], event["loss"]) == ("step", 1, 2.5)


def test_seconds_go_on_growing_when_a_log_is_opened_again(tmp_path: Path) -> None:
    """A resumed run counts its seconds from the first event of the log."""
    path = tmp_path / "events.jsonl"
    path.write_text('{"at": "2020-01-01T00:00:00.000Z", "seconds": 0.0, "type": "phase"}\n')

    EventLog(path).append("phase", phase="training")

    assert list(read_events(path))[-1]["seconds"] > 24 * 3600


def test_a_loss_that_is_not_a_number_is_written_as_null(tmp_path: Path) -> None:
    """The log stays JSON when a loss is NaN or infinite."""
    path = tmp_path / "events.jsonl"

    EventLog(path).append("step", loss=float("nan"), losses=[1.0, float("inf")])

    written = json.loads(path.read_text(), parse_constant=lambda word: f"not JSON: {word}")
    assert (written["loss"], written["losses"]) == (None, [1.0, None])


def _append_many(path: Path, writer: int) -> None:
    log = EventLog(path, started=0.0)
    for index in range(300):
        log.append("step", writer=writer, step=index, text="x" * 300)


def test_two_processes_never_mix_their_lines(tmp_path: Path) -> None:
    """Events appended at the same time by two processes all arrive whole and in order."""
    path = tmp_path / "events.jsonl"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append_many, args=(path, each)) for each in (1, 2)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()

    events = list(read_events(path))

    assert len(events) == 600
    for writer in (1, 2):
        assert [e["step"] for e in events if e["writer"] == writer] == list(range(300))


def test_a_torn_last_line_is_left_out_until_it_is_whole(tmp_path: Path) -> None:
    """A follower waits for the rest of a half-written line and then returns it once."""
    path = tmp_path / "events.jsonl"
    path.write_text('{"type": "step", "step": 1}\n{"type": "st')
    tail = EventTail(path)

    assert [event["step"] for event in tail.poll()] == [1]
    assert tail.poll() == []
    with path.open("a") as file:
        file.write('ep", "step": 2}\n')
    assert [event["step"] for event in tail.poll()] == [2]
    assert tail.broken_lines == 0


def test_the_next_event_after_a_torn_line_is_not_lost(tmp_path: Path) -> None:
    """A log opened again ends the half line of a dead writer before it goes on."""
    path = tmp_path / "events.jsonl"
    path.write_text('{"type": "step", "step": 1}\n{"type": "st')

    EventLog(path).append("step", step=2)

    tail = EventTail(path)
    assert [event["step"] for event in tail.poll()] == [1, 2]
    assert tail.broken_lines == 1


def test_half_a_line_of_another_process_swallows_nothing(tmp_path: Path) -> None:
    """A worker on a full disk may leave one while its supervisor has the log open."""
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.append("phase", phase="saving")
    with path.open("a") as worker:
        worker.write('{"at": "2026-11-21T10:00:00.000Z", "type": "setb')

    log.append("failed", code=8)

    assert [each["type"] for each in read_events(path)] == ["phase", "failed"]


def test_broken_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    """Lines that are no events do not stop a reader, and it says how many there were."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'\xff\xfe\n[1]\n{"no": "type"}\n\n{"type": "phase"}\n')
    tail = EventTail(path)

    assert tail.poll() == [{"type": "phase"}]
    assert tail.broken_lines == 3


def test_a_follower_may_start_anywhere(tmp_path: Path) -> None:
    """From an offset inside a line the next whole line is the first that is returned."""
    path = tmp_path / "events.jsonl"
    first = '{"type": "step", "step": 1}\n'
    path.write_text(first + '{"type": "step", "step": 2}\n')

    assert [e["step"] for e in EventTail(path, offset=3).poll()] == [2]
    assert [e["step"] for e in EventTail(path, offset=len(first)).poll()] == [2]
    assert EventTail(tmp_path / "none.jsonl", offset=5).poll() == []


def test_a_line_without_end_does_not_fill_memory(tmp_path: Path) -> None:
    """A line longer than any event is dropped while it is read; the next event arrives."""
    path = tmp_path / "events.jsonl"
    path.write_text("x" * (3 * LONGEST_LINE_BYTES) + '\n{"type": "phase"}\n')
    tail = EventTail(path)

    assert tail.poll() == [{"type": "phase"}]
    assert tail.broken_lines == 1
