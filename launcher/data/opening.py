"""Files opened for reading, unpacked where they are compressed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from launcher.data.digest import FileDigest, HashedFile
from launcher.data.file_kind import HEAD_BYTES, Packing, packing_of
from launcher.errors import DataError, MissingHere

_BUFFER_BYTES = 1 << 20


@contextmanager
def opened(path: Path, digest: FileDigest | None = None) -> Iterator[tuple[IO[bytes], bytes]]:
    """The unpacked bytes of a file, and their head; `digest` takes the bytes as they stand.

    Raises DataError for what cannot be opened, MissingHere where a package is missing for it.
    """
    try:
        with _raw(path, digest) as raw:
            packing = packing_of(raw.peek(HEAD_BYTES)[:8])
            file = raw if packing is None else _unpacked(raw, packing)
            try:
                yield file, file.peek(HEAD_BYTES)[:HEAD_BYTES]
            except (EOFError, OSError) as error:
                if packing is None:
                    raise
                raise DataError(
                    f"{path}: is {packing}, and broken: {error}", "fetch or pack it again"
                ) from error
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", "check the path given with --data") from None
    except PermissionError:
        raise DataError(f"{path}: permission denied", f"try: chmod u+r {path}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def _raw(path: Path, digest: FileDigest | None) -> Any:
    if digest is None:
        return path.open("rb", buffering=_BUFFER_BYTES)
    return io.BufferedReader(HashedFile(path, digest), _BUFFER_BYTES)


def _unpacked(raw: IO[bytes], packing: Packing) -> Any:
    if packing == "gzip":
        import gzip

        return io.BufferedReader(gzip.GzipFile(fileobj=raw), _BUFFER_BYTES)
    if packing == "bzip2":
        import bz2

        return io.BufferedReader(bz2.BZ2File(raw), _BUFFER_BYTES)
    if packing == "xz":
        import lzma

        return io.BufferedReader(lzma.LZMAFile(raw), _BUFFER_BYTES)
    try:
        from launcher.data.arrow import unpacked_zstd  # pyarrow: about 60 ms
    except ImportError:
        raise MissingHere(
            "reading zstd needs the package pyarrow, not installed here", "pip install pyarrow"
        ) from None
    return unpacked_zstd(raw)
