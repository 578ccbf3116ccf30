"""Pictures on the disk: whether they are any, and which lie in a folder for each class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from launcher.data.file_kind import IMAGE_SUFFIXES
from launcher.errors import MissingHere

_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
"""PNG, JPEG, GIF, BMP and TIFF; WebP is told by two places."""
_HEAD_BYTES = 16


def is_picture(head: bytes) -> bool:
    """Whether a file that starts so is a picture of a kind that can be read."""
    webp = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    return webp or head.startswith(_MAGIC)


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
    if not head:
        return "is an empty file"
    return None if is_picture(head) else "is no picture"


def problem_with_pixels(path: Path) -> str | None:
    """Why a picture cannot be decoded, None when it can. Raises MissingHere without Pillow."""
    try:
        from PIL import Image  # about 40 ms
    except ImportError:
        raise MissingHere(
            "reading pictures needs the package Pillow, not installed here", "pip install pillow"
        ) from None
    try:
        with Image.open(path) as picture:
            picture.load()
    except Exception as error:  # noqa: BLE001  decoders raise whatever their format makes them
        return f"cannot be decoded: {error}"
    return None


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
