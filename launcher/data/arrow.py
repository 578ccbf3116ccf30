"""Parquet files and zstd streams, through pyarrow."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from launcher.data.dataset import Row
from launcher.errors import DataError

_ROWS_AT_ONCE = 1024
_PICTURES_AT_ONCE = 16
_BUFFER_BYTES = 1 << 20


def parquet_rows(path: Path, unpacked: IO[bytes] | None = None) -> Iterator[tuple[int, Row]]:
    """Rows with their number, counted from 1. Raises DataError for a broken file.

    `unpacked` are the bytes where the file itself is packed.

    Classes that the file names, as data sets of the Hub do, stand in place of their numbers.
    """
    number = 0
    try:
        # A buffer keeps column chunks on the disk: those of pictures can be gigabytes.
        with pq.ParquetFile(unpacked or path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
            classes = _class_names(file.schema_arrow)
            at_once = _PICTURES_AT_ONCE if _holds_bytes(file.schema_arrow) else _ROWS_AT_ONCE
            for batch in file.iter_batches(batch_size=at_once):
                for row in batch.to_pylist():
                    number += 1
                    for field, names in classes.items():
                        row[field] = names.get(row[field], row[field])
                    yield number, row
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: is a Parquet file, and broken: {reason}") from error


def _class_names(schema: Any) -> dict[str, dict[Any, str]]:
    """By field: the names behind the numbers, from what `datasets` writes beside the schema."""
    try:
        told = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {
            field: dict(enumerate(feature["names"]))
            for field, feature in told.items()
            if isinstance(feature, dict)
            and feature.get("_type") == "ClassLabel"
            and field in schema.names
        }
    except (KeyError, TypeError, ValueError):
        return {}


def _holds_bytes(schema: Any) -> bool:
    """Whether a column has bytes, bare or in a struct: pictures then."""
    inner = [
        part.type
        for field in schema
        for part in (list(field.type) if pa.types.is_struct(field.type) else [field])
    ]
    return any(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) for kind in inner)


def unpacked_zstd(raw: IO[bytes]) -> Any:
    """A reader of the unpacked bytes."""
    stream = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
    return io.BufferedReader(_Raw(stream), 1 << 20)


class _Raw(io.RawIOBase):
    """pyarrow's stream as Python's: its own has no peek and fails without an OSError."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except pa.ArrowException as error:
            raise OSError(str(error)) from error
        buffer[: len(data)] = data
        return len(data)
