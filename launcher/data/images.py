"""Pictures on the disk: whether they are any, and which lie in a folder for each class."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from launcher.data.file_kind import IMAGE_SUFFIXES

_SUFFIX_OF_MAGIC = {
    b"\x89PNG\r\n\x1a\n": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*\x00": ".tif",
    b"MM\x00*": ".tif",
}
"""WebP is told by two places."""
_HEAD_BYTES = 16


def is_picture(head: bytes) -> bool:
    """Whether a file that starts so is a picture of a kind that can be read."""
    return bool(suffix_of(head))


def suffix_of(head: bytes) -> str:
    """What the name of such a picture ends with, empty when it is none."""
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return ".webp"
    return next((end for magic, end in _SUFFIX_OF_MAGIC.items() if head.startswith(magic)), "")


def problem_with_head(path: Path) -> str | None:
    """Why a file is no picture by its first bytes, None when it seems to be one."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError:
        return "names a file that is not there"
    except IsADirectoryError:
        return "names a folder, not a picture"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return problem_with_bytes(head) if head else "is an empty file"


def problem_with_picture(path: Path) -> str | None:
    """Why a file cannot be decoded as a picture; by its first bytes where Pillow is not here."""
    problem = problem_with_head(path)
    if problem is not None:
        return problem
    return _problem_in(path.read_bytes)


def problem_with_bytes(head: bytes) -> str | None:
    """Why what starts so is no picture, None when it seems to be one."""
    if not head:
        return "is empty"
    return None if is_picture(head) else "is no picture"


def problem_with_embedded(data: bytes) -> str | None:
    """The same as of a file, of a picture that stands in a row."""
    return problem_with_bytes(data) or _problem_in(lambda: data)


def decoding_problem(error: Exception) -> str:
    """What a decoder's complaint means; decoders raise whatever their format makes them."""
    if type(error).__name__ == "UnidentifiedImageError":
        return "is no picture"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"cannot be decoded: {error}"


def _problem_in(read: Callable[[], bytes]) -> str | None:
    open_picture = _opener()
    if open_picture is None:
        return None
    try:
        with open_picture(BytesIO(read())) as picture:
            # A JPEG at an eighth of its size takes a third of the time, and every byte of it.
            picture.draft("RGB", (1, 1))
            picture.load()
    except Exception as error:  # noqa: BLE001  (see decoding_problem)
        return decoding_problem(error)
    return None


@cache
def _opener() -> Callable[[BytesIO], Any] | None:
    """Pillow's way to open a picture; None without Pillow."""
    try:
        from PIL import Image  # about 40 ms
    except ImportError:
        return None
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    return Image.open


def class_folders(folder: Path) -> dict[str, list[Path]]:
    """Pictures by the name of the folder they lie in, one level below `folder`."""
    found: dict[str, list[Path]] = {}
    for inner in sorted(folder.iterdir()):
        if inner.is_dir() and not inner.name.startswith("."):
            pictures = [path for path in sorted(inner.rglob("*")) if _is_named_as_picture(path)]
            if pictures:
                found[inner.name] = pictures
    return found


def pictures_of(classes: dict[str, list[Path]]) -> Iterator[tuple[Path, str]]:
    """Each picture and its class."""
    for label, paths in classes.items():
        for path in paths:
            yield path, label


def _is_named_as_picture(path: Path) -> bool:
    return (
        path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
