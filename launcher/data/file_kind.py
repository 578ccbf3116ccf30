"""What kind of file it is, told from its first bytes and then its name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

Kind = Literal["jsonl", "json", "csv", "tsv", "parquet", "text", "image"]
Packing = Literal["gzip", "zstd", "bzip2", "xz"]

HEAD_BYTES = 4096
"""How much of a file is enough to tell."""

IMAGE_SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"))
ROW_SUFFIXES = frozenset(
    (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".txt", ".text", ".md")
)
PACKED_SUFFIXES = frozenset((".gz", ".zst", ".bz2", ".xz"))

_PACKED_MAGIC: tuple[tuple[bytes, Packing], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
)
_FOREIGN_MAGIC = (
    (b"PK\x03\x04", "a zip archive (or an Office file)"),
    (b"ARROW1", "an Arrow file"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"GGUF", "a GGUF model"),
    (b"\xff\xfe", "UTF-16 text, not UTF-8"),
    (b"\xfe\xff", "UTF-16 text, not UTF-8"),
)
_KINDS: dict[str, Kind] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".txt": "text",
    ".text": "text",
    ".md": "text",
    **dict.fromkeys(IMAGE_SUFFIXES, "image"),
}
_FOREIGN_SUFFIXES = {
    ".arrow": "an Arrow file",
    ".xlsx": "an Excel sheet",
    ".zip": "a zip archive",
}
_WRAPPED_ROWS = re.compile(
    rb'\{\s*"[^"\\]*"\s*:\s*\[\s*\{\s*"(?!role"|from"|content"|value")[^\n]*\n?\Z'
)
"""One object on one line whose first field is a list of rows, not of a row's own messages:
{"data": [{"text": ...}]}."""
_ROW_OF_JSON = re.compile(rb'\[?\s*\{\s*"[\w -]{1,40}"\s*:\s*["\[{\d]')
"""How a row starts, whatever the name says: no prose reads so."""
_MENDS = {
    "UTF-16": "save it as UTF-8",
    "a zip": "unpack it and name the folder",
    "an Excel": "save the sheet as CSV",
    "an Arrow": "write it as Parquet: pyarrow.parquet.write_table",
    "a PDF": "extract its text first, for instance: pdftotext book.pdf book.txt",
}


def packing_of(head: bytes) -> Packing | None:
    """How the file is compressed, None when it is not."""
    return next((name for magic, name in _PACKED_MAGIC if head.startswith(magic)), None)


def foreign_kind(path: Path, head: bytes) -> str | None:
    """What the file is when no rows can be read from it, else None.

    `head` is the first HEAD_BYTES of the unpacked file, or all of a shorter one.
    """
    for magic, kind in _FOREIGN_MAGIC:
        if head.startswith(magic):
            return kind
    if _is_utf16(head):
        return "UTF-16 text, not UTF-8"
    suffix = _row_suffix(path)
    if suffix in _FOREIGN_SUFFIXES:
        return _FOREIGN_SUFFIXES[suffix]
    if suffix == ".parquet" and not head.startswith(b"PAR1"):
        return "no Parquet file, whatever its name says"
    if (
        b"\x00" in head
        and not head.startswith((b"PAR1", b"\x89PNG", b"\xff\xd8\xff"))
        and (not _is_utf8(head))
    ):
        return "binary data"
    return None


def kind_of(path: Path, head: bytes) -> Kind:
    """How rows stand in the file; what the bytes show wins over the name."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"\x89PNG\r\n", b"\xff\xd8\xff")):
        return "image"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    named = _KINDS.get(_row_suffix(path))
    if named == "text" and _ROW_OF_JSON.match(start):
        named = None
    if named in ("csv", "tsv", "text"):
        return named
    if start.startswith(b"[") or _opens_object_alone(start):
        return "json" if _is_one_document(start) else "jsonl"
    if named is not None:
        return named
    if _row_suffix(path) == ".json" and _opens_object_over_lines(start):
        return "json"
    return "json" if _WRAPPED_ROWS.match(start) else "jsonl"


def is_parquet(path: Path) -> bool:
    """Whether it is a file on the disk that starts as Parquet does."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False


def mend(kind: str) -> tuple[str, ...]:
    """What to do about a file of that kind, where there is something simple."""
    return tuple(advice for start, advice in _MENDS.items() if kind.startswith(start))


def is_named_as_rows(path: Path) -> bool:
    """Whether a file of this name can be expected to hold rows."""
    return _row_suffix(path) in ROW_SUFFIXES


def is_text(path: Path) -> bool:
    """Whether a file of this name holds running text."""
    return _KINDS.get(_row_suffix(path)) == "text"


def _row_suffix(path: Path) -> str:
    """`.csv` of both table.csv and table.csv.gz."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in PACKED_SUFFIXES else suffix


def _is_utf16(head: bytes) -> bool:
    """Whether every other byte is 0, as in Western text that is written so without a mark."""
    pairs = len(head) // 2
    return pairs >= 4 and any(head[side::2].count(0) >= 0.9 * pairs for side in (0, 1))


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The head may end inside a character of up to four bytes.
        return len(head) == HEAD_BYTES and error.start > HEAD_BYTES - 4
    return True


def _opens_object_alone(start: bytes) -> bool:
    return start.split(b"\n", 1)[0].strip() == b"{"


def _opens_object_over_lines(start: bytes) -> bool:
    first_line, newline, _ = start.partition(b"\n")
    return bool(newline) and start.startswith(b"{") and not first_line.rstrip().endswith(b"}")


def _is_one_document(start: bytes) -> bool:
    """A list of objects or one object over several lines, not a list on each line."""
    first_line, _, rest = start.partition(b"\n")
    first_line = first_line.rstrip()
    if first_line == b"{":
        return True
    inner = first_line.removeprefix(b"[").lstrip()
    opens_list = not inner or inner.startswith((b"{", b"[", b"]"))
    closes_on_line = first_line.endswith(b"]")
    return opens_list and (not closes_on_line or not rest.strip())
