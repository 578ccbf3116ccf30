"""Files that are no JSON Lines at all, told from their first bytes or their name."""

from __future__ import annotations

from pathlib import Path

HEAD_BYTES = 4096
"""How much of a file is enough to tell."""

_MAGIC = (
    (b"PK\x03\x04", "a zip archive (or an Office file)"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ\x00", "compressed with xz"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"GGUF", "a GGUF model"),
    (b"\xff\xfe", "UTF-16 text, not UTF-8"),
    (b"\xfe\xff", "UTF-16 text, not UTF-8"),
)
_SUFFIXES = {
    ".csv": "a CSV table",
    ".tsv": "a table with tabs",
    ".parquet": "a Parquet file",
    ".arrow": "an Arrow file",
    ".xlsx": "an Excel sheet",
    ".zip": "a zip archive",
    ".gz": "compressed with gzip",
    ".zst": "compressed with zstd",
    ".bz2": "compressed with bzip2",
    ".xz": "compressed with xz",
}
_MENDS = {
    "compressed": "unpack it first",
    "UTF-16": "save it as UTF-8",
    "one JSON": "write one row a line, for instance: jq -c '.[]' rows.json > rows.jsonl",
}


def foreign_kind(path: Path, head: bytes) -> str | None:
    """What the file is when it cannot be JSON Lines, else None.

    `head` is the first HEAD_BYTES of the file, or all of a shorter one.
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if path.suffix.lower() in _SUFFIXES:
        return _SUFFIXES[path.suffix.lower()]
    if b"\x00" in head and not _is_utf8(head):
        return "binary data"
    if _is_one_document(head):
        return "one JSON document over several lines, not one object a line"
    return None


def mend(kind: str) -> tuple[str, ...]:
    """What to do about a file of that kind, where there is something simple."""
    return tuple(advice for start, advice in _MENDS.items() if kind.startswith(start))


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The head may end inside a character of up to four bytes.
        return len(head) == HEAD_BYTES and error.start > HEAD_BYTES - 4
    return True


def _is_one_document(head: bytes) -> bool:
    first_line, _, rest = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    first_line = first_line.rstrip()
    opens_list = first_line.startswith(b"[") and not first_line.endswith(b"]")
    return (opens_list or first_line == b"{") and bool(rest.strip())
