"""What a pass over rows gathers: counts, keys, lengths, problems; parts of a file add up."""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from launcher.data.cut_answers import AnswerEnds
from launcher.data.dataset import Row
from launcher.data.digest import key_of, key_of_bytes, text_of
from launcher.data.recognise import Shape, unused_fields
from launcher.data.row_problem import RowProblemError
from launcher.data.stream import Checked
from launcher.data.suspicion import (
    ALL_OR_REMOVE,
    ANSWER_CUT,
    answer_field,
    answer_of,
    suspicions_of,
)

ROWS_SAMPLED = 2000
_SAMPLE_CHARACTERS = 8000
PLACES_KEPT = 1000
"""Problems, and places of each suspicion, that are kept; all are counted."""
LONGEST_KEPT = 20


class Place(NamedTuple):
    """Where something was found, and what."""

    file: int
    line: int
    field: str | None
    reason: str
    fix: str | None


class Sampled(NamedTuple):
    """One row of the sample, which the rows with the smallest keys make."""

    minus_key: int
    """Negative, so that a heap drops the largest key first."""
    file: int
    line: int
    text: str
    """Its first characters."""


@dataclass(slots=True)
class Survey:
    """Sums over the rows seen so far."""

    records: int = 0
    bytes_of_text: int = 0
    keys: array[int] = field(default_factory=lambda: array("Q"))
    lines: array[int] = field(default_factory=lambda: array("I"))
    files: array[int] = field(default_factory=lambda: array("I"))
    lengths: array[int] = field(default_factory=lambda: array("I"))
    """UTF-8 bytes of each good row's text."""
    labels: Counter[str] = field(default_factory=Counter)
    row_labels: array[int] = field(default_factory=lambda: array("I"))
    """Which label each good row has, an index into `label_names`."""
    label_names: dict[str, int] = field(default_factory=dict)
    label_types: Counter[str] = field(default_factory=Counter)
    problems: list[Place] = field(default_factory=list)
    bad_rows: int = 0
    suspicions: Counter[str] = field(default_factory=Counter)
    """Rows by code."""
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rows by code and reason."""
    suspicious_places: dict[str, list[Place]] = field(default_factory=dict)
    unused: dict[str, int] = field(default_factory=dict)
    sample: list[Sampled] = field(default_factory=list)
    ends: AnswerEnds = field(default_factory=AnswerEnds)

    def take(self, checked: Checked, shape: Shape | None, *, has_escapes: bool) -> None:
        """Add one record."""
        self.records += 1
        row = checked.row
        if isinstance(row, RowProblemError):
            self._take_problem(checked, row)
            return
        text = text_of(row)
        self._take_row(checked, row, text)
        found: set[str] = set()
        for each in suspicions_of(row, text, has_escapes=has_escapes):
            found.add(each.code)
            self.kinds[each.code, each.reason] += 1
            places = self.suspicious_places.setdefault(each.code, [])
            if len(places) < PLACES_KEPT:
                places.append(Place(checked.file, checked.line, each.field, each.reason, each.fix))
        if found:
            self.suspicions.update(found)
        if ANSWER_CUT not in found and (answer := answer_of(row)):
            self.ends.take(answer, (checked.file, checked.line, answer_field(row)))
        if checked.candidate is not None and shape is not None:
            if len(checked.candidate) > len(shape.fields):
                for name in unused_fields(checked.candidate, shape):
                    self.unused.setdefault(name, checked.line)
            if "label" in row:
                self.label_types[type(checked.candidate[shape.fields[1]]).__name__] += 1

    def _take_problem(self, checked: Checked, problem: RowProblemError) -> None:
        self.bad_rows += 1
        if len(self.problems) < PLACES_KEPT:
            self.problems.append(
                Place(checked.file, checked.line, problem.field, problem.reason, problem.fix)
            )

    def _take_row(self, checked: Checked, row: Row, text: str) -> None:
        encoded = text.encode("utf-8", "surrogatepass")
        key = key_of(row) if "image" in row else key_of_bytes(encoded)
        length = len(encoded)
        self.keys.append(key)
        self.lines.append(checked.line)
        self.files.append(checked.file)
        self.lengths.append(length)
        self.bytes_of_text += length
        if "label" in row:
            label = row["label"]
            self.labels[label] += 1
            self.row_labels.append(self.label_names.setdefault(label, len(self.label_names)))
        if len(self.sample) < ROWS_SAMPLED:
            entry = Sampled(-key, checked.file, checked.line, text[:_SAMPLE_CHARACTERS])
            heapq.heappush(self.sample, entry)
        elif key < -self.sample[0].minus_key:
            entry = Sampled(-key, checked.file, checked.line, text[:_SAMPLE_CHARACTERS])
            heapq.heapreplace(self.sample, entry)

    def add(self, other: Survey, *, line_shift: int = 0) -> None:
        """Take in what was gathered on a later part of the same file, whose lines start anew."""
        self.records += other.records
        self.bytes_of_text += other.bytes_of_text
        self.keys.extend(other.keys)
        self.lines.extend(line + line_shift for line in other.lines)
        self.files.extend(other.files)
        self.lengths.extend(other.lengths)
        self._add_labels(other)
        self.bad_rows += other.bad_rows
        _extend(self.problems, other.problems, line_shift)
        self.suspicions.update(other.suspicions)
        self.kinds.update(other.kinds)
        for code, places in other.suspicious_places.items():
            _extend(self.suspicious_places.setdefault(code, []), places, line_shift)
        for name, line in other.unused.items():
            self.unused.setdefault(name, line + line_shift)
        self.ends.add(other.ends, line_shift)
        both = [*self.sample, *(s._replace(line=s.line + line_shift) for s in other.sample)]
        self.sample = heapq.nlargest(ROWS_SAMPLED, both)
        heapq.heapify(self.sample)

    def settle(self) -> None:
        """Add what only all of the rows together show."""
        places = self.suspicious_places.get(ANSWER_CUT, [])
        for (file, line, name), reason in self.ends.cut():
            self.suspicions[ANSWER_CUT] += 1
            self.kinds[ANSWER_CUT, reason] += 1
            places.append(Place(file, line, name, reason, ALL_OR_REMOVE))
        if places:
            self.suspicious_places[ANSWER_CUT] = sorted(places)[:PLACES_KEPT]

    def _add_labels(self, other: Survey) -> None:
        names = {index: name for name, index in other.label_names.items()}
        self.labels.update(other.labels)
        self.label_types.update(other.label_types)
        for index in other.row_labels:
            self.row_labels.append(self.label_names.setdefault(names[index], len(self.label_names)))

    @property
    def rows(self) -> int:
        """Good rows."""
        return len(self.keys)

    def reasons_of(self, code: str) -> Mapping[str, int]:
        """Rows by reason, for one code."""
        return {reason: count for (each, reason), count in self.kinds.items() if each == code}


def _extend(places: list[Place], more: list[Place], line_shift: int) -> None:
    room = PLACES_KEPT - len(places)
    places.extend(each._replace(line=each.line + line_shift) for each in more[:room])
