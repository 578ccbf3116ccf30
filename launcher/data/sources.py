"""What --data names: a file, several, a folder of files, or a folder of pictures by class."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from launcher.data.file_kind import is_named_as_rows, is_text
from launcher.data.images import class_folders
from launcher.data.problems import unusable_file
from launcher.data.recognise import shape_of_rows
from launcher.data.records import records_of
from launcher.errors import DataError

HELD_OUT_WORDS = ("test", "valid", "validation", "val", "dev", "eval", "heldout", "held_out")
TRAIN_WORDS = ("train", "training")
_FILES_TO_LOOK_INTO = 20
_RECORDS_TO_LOOK_AT = 20
_NOT_ROWS = ("readme", "license", "dataset_info", "dataset_infos", "changelog", "requirements")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where rows are read from."""

    path: Path
    """What was named."""
    files: tuple[Path, ...] = ()
    classes: dict[str, list[Path]] = field(default_factory=dict)
    """Pictures by class, in place of files."""
    held_out: Source | None = None
    """What the folder itself sets aside under a name such as test or validation."""


def source_of(path: Path) -> Source:
    """The files behind a path or a pattern. Raises DataError when there are none."""
    try:
        return _found(path)
    except PermissionError:
        raise DataError(f"{path}: permission denied", f"try: chmod u+r {path}") from None


def _found(path: Path) -> Source:
    if glob.has_magic(str(path)) and not path.exists():
        found = tuple(Path(name) for name in sorted(glob.glob(str(path), recursive=True)))  # noqa: PTH207  (a whole pattern)
        files = tuple(file for file in found if file.is_file())
        if not files:
            raise DataError(f"{path}: no file matches", "check the pattern given with --data")
        return _split(path, files)
    if path.is_dir():
        return _folder(path)
    return Source(path=path, files=(path,))


def _folder(folder: Path) -> Source:
    files = _rows_among(_files_with_rows(folder), folder)
    if files:
        return _split(folder, files)
    splits = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
    train = next((splits[word] for word in TRAIN_WORDS if word in splits), None)
    if train is not None and class_folders(train):
        held_out = next((splits[word] for word in HELD_OUT_WORDS if word in splits), None)
        return Source(
            path=folder,
            classes=class_folders(train),
            held_out=(
                None if held_out is None else Source(path=held_out, classes=class_folders(held_out))
            ),
        )
    classes = class_folders(folder)
    if not classes:
        raise unusable_file(
            folder, "is a folder without data files or folders of pictures", "name a file in it"
        )
    return Source(path=folder, classes=classes)


def _files_with_rows(folder: Path) -> list[Path]:
    """Files whose names say that rows stand in them; what cannot be entered is passed over."""
    found = []
    for inner, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(inner, name) for name in names if not name.startswith(".")]
    return sorted(path for path in found if is_data_file(path) and path.is_file())


def _rows_among(files: Sequence[Path], folder: Path) -> tuple[Path, ...]:
    """Those of the files that are rows, rather than telling of folders of pictures beside them.

    Text is a note there, and so are lists without a layout, such as the names of classes, and
    whatever lies among the pictures of a class, but for the metadata of Hugging Face's ImageFolder.
    """
    classes = class_folders(folder)
    beside = {path.parent for paths in classes.values() for path in paths}
    if not beside:
        return tuple(files)
    among = [file for file in files if file.parent in beside and file.stem == "metadata"]
    apart = [file for file in files if file.parent not in beside and not is_text(file)]
    if among:
        return tuple(among)
    # A single folder of pictures is what such a file names more often than a class.
    are_rows = len(classes) == 1 or any(map(_has_layout, apart[:_FILES_TO_LOOK_INTO]))
    return tuple(apart) if are_rows else ()


def _has_layout(file: Path) -> bool:
    try:
        records = list(islice(records_of(file), _RECORDS_TO_LOOK_AT))
    except DataError:
        return False
    return shape_of_rows(row.fields for row in records if isinstance(row.fields, dict)) is not None


def _split(path: Path, files: Sequence[Path]) -> Source:
    """Files named train against files named test; all of them are rows where neither is."""
    held_out = [file for file in files if _named(file, path, HELD_OUT_WORDS)]
    train = [file for file in files if file not in held_out]
    named = [file for file in train if _named(file, path, TRAIN_WORDS)]
    if not train:
        return Source(path=path, files=tuple(files))
    if not held_out:
        return Source(path=path, files=tuple(named or train))
    # Test and validation both: the later in the alphabet, validation, is for choosing.
    chosen = [file for file in held_out if _named(file, path, HELD_OUT_WORDS[1:])] or held_out
    return Source(
        path=path,
        files=tuple(named or train),
        held_out=Source(path=path, files=tuple(chosen)),
    )


def _named(file: Path, root: Path, words: Sequence[str]) -> bool:
    try:
        shown = file.relative_to(root)
    except ValueError:
        shown = Path(file.name)
    found = words_of(str(shown))
    return any(word in found for word in words)


def words_of(name: str) -> list[str]:
    """The words a path is made of, in small letters."""
    return re.split(r"[-_./\\ ]+", name.lower())


def is_data_file(path: Path) -> bool:
    """Whether the name alone says that rows stand in it: train.jsonl does, README.md does not."""
    stem = path.name.lower().split(".")[0]
    return is_named_as_rows(path) and not stem.startswith(_NOT_ROWS)
