"""Which files of a data set on the Hub are taken: rows of one kind, of the split that is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from launcher.data.file_kind import IMAGE_SUFFIXES
from launcher.data.hub_name import HubName
from launcher.data.sources import HELD_OUT_WORDS, TRAIN_WORDS, is_data_file, words_of
from launcher.errors import DataError, UsageError

_PREFERRED = (".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv")
_PART = re.compile(r"-\d+-of-\d+$")
_NO_CONFIGURATION = frozenset(("", "data", *HELD_OUT_WORDS, *TRAIN_WORDS))
_NAMED = 12


class HubFile(NamedTuple):
    """A file of a repository."""

    name: str
    """Its path in there."""
    size_bytes: int


def files_to_take(name: HubName, files: Sequence[HubFile]) -> list[HubFile]:
    """The files with the rows that `name` asks for.

    Raises DataError when none holds rows, UsageError when the split is not there or when there
    are several configurations and none is named.
    """
    found = _of_one_kind([each for each in files if is_data_file(Path(each.name))])
    found = found or [each for each in files if _suffix(each) in IMAGE_SUFFIXES]
    if not found:
        kinds = ", ".join(sorted({_suffix(each) for each in files} - {"", ".md"})) or "none"
        raise DataError(
            f"{name.repository} on the Hub has no file that rows can be read from (it has {kinds})",
            "JSONL, JSON, CSV, TSV, Parquet, text and pictures by class can be",
        )
    if name.split is not None:
        return _of_split(name, found)
    configurations = sorted({_configuration(each) for each in found} - _NO_CONFIGURATION)
    if _suffix(found[0]) not in IMAGE_SUFFIXES and len(configurations) > 1:
        raise UsageError(
            f"{name.repository} on the Hub has {len(configurations)} configurations",
            *(f"--data {name}:{each}" for each in configurations[:_NAMED]),
        )
    return found


def _of_one_kind(files: list[HubFile]) -> list[HubFile]:
    """The same rows often stand there as Parquet and as JSON."""
    suffixes = {_suffix(each) for each in files}
    kind = next((suffix for suffix in _PREFERRED if suffix in suffixes), None)
    return [each for each in files if kind in (None, _suffix(each))]


def _of_split(name: HubName, files: list[HubFile]) -> list[HubFile]:
    asked = name.split or ""
    exact = [each for each in files if asked in _names_of(each)]
    wanted = words_of(asked)
    loose = [each for each in files if all(word in words_of(each.name) for word in wanted)]
    if not exact and not loose:
        known = sorted({_names_of(each)[-1] for each in files})
        raise UsageError(
            f'{name.repository} on the Hub has no split "{asked}"',
            f"it has {', '.join(known[:_NAMED])}",
        )
    return exact or loose


def _names_of(file: HubFile) -> tuple[str, ...]:
    """What a person may call it: its configuration, its split, both."""
    split = _PART.sub("", PurePosixPath(file.name).name.partition(".")[0])
    configuration = _configuration(file)
    if configuration in _NO_CONFIGURATION - {"", "data"}:
        return (configuration,)
    if configuration in ("", "data"):
        return (split,)
    return (configuration, split, f"{configuration}/{split}")


def _configuration(file: HubFile) -> str:
    return PurePosixPath(file.name).parent.name.lower()


def _suffix(file: HubFile) -> str:
    path = PurePosixPath(file.name)
    packed = path.suffix.lower() in (".gz", ".zst", ".bz2", ".xz")
    return (PurePosixPath(path.stem) if packed else path).suffix.lower()
