"""Parquet files and zstd streams, through pyarrow."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from launcher.data.dataset import Row
from launcher.errors import DataError

_ROWS_AT_ONCE = 1024


def parquet_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Rows with their number, counted from 1. Raises DataError for a broken file."""
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: is a Parquet file, and broken: {reason}") from error


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
