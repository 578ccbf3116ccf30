"""Pictures on the disk: whether they are any, and which lie in a folder for each class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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


def problem_with_bytes(head: bytes) -> str | None:
    """Why what starts so is no picture, None when it seems to be one."""
    if not head:
        return "is empty"
    return None if is_picture(head) else "is no picture"


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
