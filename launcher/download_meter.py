"""How far a download is and how fast it comes, counted as its bytes arrive."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SECONDS_BETWEEN = 1.0
SPEED_SECONDS = 10.0
"""The speed is that of so many seconds: of one second it would jump."""
STALLED_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A download so far."""

    done_bytes: int
    total_bytes: int | None
    """What was missing when it began; None is unknown, 0 that all was there."""
    bytes_per_second: float | None
    """Over the last ten seconds; 0 where nothing came for as long, None before it is known."""
    finished: bool = False
    """Whether that was all; the speed is then that of the whole."""

    @property
    def stalled(self) -> bool:
        """Whether nothing comes any more."""
        return self.bytes_per_second == 0

    @property
    def seconds_left(self) -> float | None:
        """At this speed; None before that means anything."""
        if self.total_bytes is None or not self.bytes_per_second:
            return None
        return max(0, self.total_bytes - self.done_bytes) / self.bytes_per_second


class DownloadMeter:
    """Counts what comes in, whichever thread brings it.

    A library may count the bytes of a part twice, as they come over the network and as they are
    written; each `source` is counted by itself, and the one that is ahead is believed.
    """

    def __init__(
        self, total_bytes: int | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total_bytes = total_bytes
        self._clock = clock
        self._counted: dict[str, dict[int, int]] = {}
        self._began = clock()
        self._seen: deque[tuple[float, int]] = deque([(self._began, 0)])
        self._came_last = self._began
        self._lock = threading.Lock()
        self._stopped: Exception | None = None

    def add(self, part: str, source: int, count_bytes: int) -> None:
        """More bytes are there; fewer where some have to be fetched again.

        Raises what the download was stopped with.
        """
        if self._stopped is not None:
            raise self._stopped
        with self._lock:
            of_part = self._counted.setdefault(part, {})
            of_part[source] = of_part.get(source, 0) + count_bytes

    def read(self) -> Download:
        """Where it is now."""
        now, done_bytes = self._clock(), self._done_bytes()
        if done_bytes != self._seen[-1][1]:
            self._came_last = now
        self._seen.append((now, done_bytes))
        while len(self._seen) > 2 and now - self._seen[0][0] > SPEED_SECONDS:
            self._seen.popleft()
        began, before_bytes = self._seen[0]
        speed = _speed(done_bytes - before_bytes, now - began)
        if not speed:
            speed = 0.0 if now - self._came_last >= STALLED_SECONDS else None
        return Download(
            done_bytes=done_bytes, total_bytes=self._total_bytes, bytes_per_second=speed
        )

    def result(self) -> Download:
        """What it came to."""
        done_bytes = self._done_bytes()
        return Download(
            done_bytes=done_bytes,
            total_bytes=self._total_bytes,
            bytes_per_second=_speed(done_bytes, self._clock() - self._began),
            finished=True,
        )

    def stop(self, why: Exception) -> None:
        """Let the next bytes end the download."""
        self._stopped = why

    def _done_bytes(self) -> int:
        with self._lock:
            done_bytes = sum(max(each.values()) for each in self._counted.values())
        return done_bytes if self._total_bytes is None else min(done_bytes, self._total_bytes)


def _speed(count_bytes: int, seconds: float) -> float | None:
    return max(0, count_bytes) / seconds if seconds > 0 else None


@contextmanager
def telling(
    meter: DownloadMeter, tell: Callable[[Download], None], *, seconds: float = SECONDS_BETWEEN
) -> Iterator[None]:
    """Inside, tell from a thread every so often what is new; after it, what it came to.

    Of a download that stands still only that is told, once: what is told is a sign of life. What
    `tell` raises ends the download.
    """
    over = threading.Event()

    def watch() -> None:
        last: Download | None = None
        while not over.wait(seconds):
            now = meter.read()
            if now.total_bytes == 0:
                continue
            came = last is None or now.done_bytes != last.done_bytes
            stopped = now.stalled and last is not None and not last.stalled
            if not came and not stopped:
                continue
            try:
                tell(now)
            except Exception as why:  # noqa: BLE001 - raised again where the bytes come in
                meter.stop(why)
                return
            last = now

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    result = meter.result()
    if result.done_bytes:
        tell(result)
