"""events.jsonl: everything that happened in a run, one event a line, for screens and reports.

Several processes append to one log (the supervisor and the worker), so an event is one
`write` on a descriptor opened for appending. Readers live with a torn last line: a run can
be killed in the middle of anything.

The types and the fields beside `at`, `seconds` and `type`:

    phase        phase ("starting", "loading model", "training", "evaluating", "saving", ...)
    download     done_bytes, total_bytes (of what was missing), bytes_per_second, finished;
                 about once a second while weights come in
    measuring    what, done, total: rows of an evaluation or comparison, about once a second
    model, data  facts about what was loaded
    step         step, total_steps, loss, grad_norm, learning_rate, tokens,
                 tokens_per_second, epoch, step_seconds
    memory       allocated_bytes, reserved_bytes (peaks so far), device_bytes, host_bytes (now),
                 what is used and free on the card and the host, utilization_percent,
                 temperature_celsius, power_watts; card_index, card_name, card_total_bytes and
                 power_limit_watts once an attempt; `cards` with the same of each, of several
    plan         what is shown of the plan: model, method, device, predicted_*_bytes,
                 expected_step_seconds, attempt;
                 one for every worker that is started
    checkpoint   step, path, bytes
    evaluation   step, loss, when ("before", "during" or "after")
    answer       when ("before" or "after"), prompt, answer, expected
    warning      message
    rehearsal    message, peak_bytes, allocated_bytes, step_seconds (of the longest rows),
                 usual_step_seconds and its _low and _high, evaluation_seconds,
                 checkpoint_seconds, checkpoint_bytes, pauses_seconds: what a few steps showed
    setback      code, reason, hints: how a worker ended early; the supervisor then recovers
                 or fails
    recovery     message, replanned (whether the plan was changed)
    finished     steps, loss_first, loss_last, evaluation_before, evaluation_after, result
    failed       code (an exit code), reason, hints
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Event = dict[str, Any]

CHUNK_BYTES = 1 << 20
_DECODER = json.JSONDecoder()
LONGEST_LINE_BYTES = 1 << 20
"""A longer line is not one of ours; it is skipped so that a reader's memory stays bounded."""


class EventLog:
    """The writing end of one run's events.

    `started` is the Unix time that `seconds` counts from; None takes the time of the first
    event of an existing log, so that `seconds` goes on growing when a run is resumed.
    """

    def __init__(self, path: Path, started: float | None = None) -> None:
        self.path = path
        self._started = started if started is not None else first_event_time(path) or time.time()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)

    def append(self, event_type: str, /, **fields: Any) -> None:
        """Write one event. Numbers that are NaN or infinite are written as null.

        `at`, `seconds` and `type` are the log's own, whatever `fields` says. Raises OSError
        when the disk is full.
        """
        now = time.time()
        envelope = {
            "at": iso_time(now),
            "seconds": round(now - self._started, 3),
            "type": event_type,
        }
        event = envelope | fields | envelope
        line = json.dumps(_finite(event), ensure_ascii=False, allow_nan=False) + "\n"
        rest = ("\n" + line if self._ends_torn() else line).encode()
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)

    def _ends_torn(self) -> bool:
        """Whether a full disk, or death, cut off the last line, which must not swallow the next.

        It may be another process's, so this is looked at each time. While that one is writing it
        may be true as well: an empty line is then left behind, which no reader minds.
        """
        end = os.fstat(self._descriptor).st_size
        return end > 0 and os.pread(self._descriptor, 1, end - 1) != b"\n"


class EventTail:
    """Follows a log: every `poll` returns the events added since the one before.

    `offset` is the byte to start at; inside a line, that line is left out. The file need not
    exist yet. `broken_lines` counts the lines that were not events and were skipped.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.broken_lines = 0
        self._offset = offset
        self._partial = b""
        self._inside_skipped_line = offset > 0 and not _ends_line(path, offset)

    def poll(self) -> list[Event]:
        """New whole events, at most about a mebibyte of them; empty at the end of the log."""
        events: list[Event] = []
        while not events:
            chunk = self._read_chunk()
            if not chunk:
                break
            events.extend(self._events_of(chunk))
        return events

    def _read_chunk(self) -> bytes:
        try:
            # No file object: it asks the system nine things where three will do, every second.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        try:
            chunk = os.pread(descriptor, CHUNK_BYTES, self._offset)
        finally:
            os.close(descriptor)
        self._offset += len(chunk)
        return chunk

    def _events_of(self, chunk: bytes) -> Iterator[Event]:
        *lines, rest = (self._partial + chunk).split(b"\n")
        self._partial = rest
        for line in lines:
            if self._inside_skipped_line:
                self._inside_skipped_line = False
                continue
            event = parse_event(line)
            if event is not None:
                yield event
            elif line.strip():
                self.broken_lines += 1
        if len(self._partial) > LONGEST_LINE_BYTES:
            self._partial = b""
            self.broken_lines += not self._inside_skipped_line
            self._inside_skipped_line = True


def read_events(path: Path) -> Iterator[Event]:
    """Every whole event of a log, oldest first; broken lines and a torn last one are left out."""
    tail = EventTail(path)
    while events := tail.poll():
        yield from events


def parse_event(line: bytes | str) -> Event | None:
    """A line as an event, None when it is not one."""
    try:
        # Decoded here: json.loads would look for the encoding of every line.
        event = _DECODER.decode(line if isinstance(line, str) else line.decode())
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("type"), str) else None


def first_event_time(path: Path) -> float | None:
    """Unix time of the first event of a log, None when there is none."""
    for event in read_events(path):
        try:
            return datetime.fromisoformat(str(event.get("at"))).timestamp()
        except ValueError:
            continue
    return None


def iso_time(unix_seconds: float) -> str:
    """ISO-8601 in UTC with milliseconds, such as 2026-11-21T10:00:00.123Z."""
    text = datetime.fromtimestamp(unix_seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _finite(value: Any) -> Any:
    """JSON knows no NaN and no infinity; unknown is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return value


def _ends_line(path: Path, offset: int) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(offset - 1)
            return file.read(1) == b"\n"
    except FileNotFoundError:
        return True
