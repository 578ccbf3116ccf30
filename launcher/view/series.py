"""Values over the time of a run in bounded memory: as many buckets for a day as for a minute."""

from __future__ import annotations

import math
from collections.abc import Callable

MOST_BUCKETS = 512
FIRST_WIDTH_SECONDS = 0.5


class Bucket:
    """The values of one stretch of time. Changed in place: a day has two hundred thousand."""

    __slots__ = ("highest", "lowest", "number", "total")

    def __init__(self, value: float) -> None:
        self.lowest = self.highest = self.total = value
        self.number = 1

    def add(self, value: float) -> None:
        """One more value."""
        if value < self.lowest:
            self.lowest = value
        elif value > self.highest:
            self.highest = value
        self.total += value
        self.number += 1

    def merged(self, other: Bucket) -> Bucket:
        """Both stretches as one."""
        both = Bucket(self.total)
        both.lowest = min(self.lowest, other.lowest)
        both.highest = max(self.highest, other.highest)
        both.total = self.total + other.total
        both.number = self.number + other.number
        return both


def highest(bucket: Bucket) -> float:
    """The peak: what counts for memory."""
    return bucket.highest


def mean(bucket: Bucket) -> float:
    """The mean: what counts for a loss and a speed."""
    return bucket.total / bucket.number


class Series:
    """One number over time. No peak and no dip is lost when buckets are merged.

    When the time outgrows the buckets, neighbours are merged and every bucket is twice as wide.
    """

    def __init__(
        self, *, width_seconds: float = FIRST_WIDTH_SECONDS, most_buckets: int = MOST_BUCKETS
    ) -> None:
        self.width_seconds = width_seconds
        self.last_seconds = 0.0
        self._most = most_buckets
        self._buckets: list[Bucket | None] = []

    def __len__(self) -> int:
        """Buckets in use."""
        return len(self._buckets)

    def add(self, seconds: float, value: float) -> None:
        """Take in a value; one that is no number, or has no time, changes nothing."""
        if not (math.isfinite(seconds) and math.isfinite(value)) or seconds < 0:
            return
        index = int(seconds / self.width_seconds)
        while index >= self._most:
            self._halve()
            index = int(seconds / self.width_seconds)
        buckets = self._buckets
        if index >= len(buckets):
            buckets.extend([None] * (index + 1 - len(buckets)))
        known = buckets[index]
        if known is None:
            buckets[index] = Bucket(value)
        else:
            known.add(value)
        self.last_seconds = max(self.last_seconds, seconds)

    def columns(
        self, count: int, *, end_seconds: float, of: Callable[[Bucket], float]
    ) -> list[float | None]:
        """The series from 0 to `end_seconds` as `count` values, None where there is none yet.

        A stretch without values keeps the value before it, up to the last one of all.
        """
        if count <= 0 or end_seconds <= 0 or not self._buckets:
            return [None] * max(0, count)
        values: list[float | None] = []
        held: float | None = None
        for column in range(count):
            start = column * end_seconds / count
            if start > self.last_seconds:
                values.append(None)
                continue
            found = self._between(start, (column + 1) * end_seconds / count)
            held = of(found) if found else held
            values.append(held)
        return values

    def value_at(self, seconds: float, *, of: Callable[[Bucket], float]) -> float | None:
        """The value at a moment, or the last one before it."""
        at = min(int(max(0.0, seconds) / self.width_seconds), len(self._buckets) - 1)
        found = next((each for each in reversed(self._buckets[: at + 1]) if each), None)
        return of(found) if found else None

    def points(self, *, of: Callable[[Bucket], float]) -> list[tuple[float, float]]:
        """Middle of each stretch with values, and its value."""
        return [
            ((index + 0.5) * self.width_seconds, of(bucket))
            for index, bucket in enumerate(self._buckets)
            if bucket is not None
        ]

    def _between(self, start: float, end: float) -> Bucket | None:
        first = int(start / self.width_seconds)
        last = max(first + 1, math.ceil(end / self.width_seconds))
        found: Bucket | None = None
        for bucket in self._buckets[first:last]:
            if bucket is not None:
                found = found.merged(bucket) if found else bucket
        return found

    def _halve(self) -> None:
        pairs = zip(self._buckets[::2], [*self._buckets[1::2], None], strict=False)
        self._buckets = [a.merged(b) if a and b else a or b for a, b in pairs]
        self.width_seconds *= 2
