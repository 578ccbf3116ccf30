"""Hashes: of a file's bytes while they are read, and of what a row holds."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

from launcher.data.dataset import Row

_CHUNK_BYTES = 1 << 20


class FileDigest:
    """Counts and hashes the bytes of one file after another."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self.bytes_read = 0

    def update(self, data: Any) -> None:
        """Take some more bytes."""
        self._sha256.update(data)
        self.bytes_read += len(data)

    def whole_file(self, path: Path) -> None:
        """Take a whole file at once."""
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                self.update(chunk)

    def hexdigest(self) -> str:
        """64 hexadecimal digits."""
        return self._sha256.hexdigest()


class HashedFile(io.RawIOBase):
    """A file whose bytes are hashed as they are read."""

    def __init__(self, path: Path, digest: FileDigest) -> None:
        self._file = io.FileIO(path)
        self._digest = digest

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read, and hash what was read."""
        count = self._file.readinto(buffer)
        self._digest.update(memoryview(buffer)[:count])
        return count

    def close(self) -> None:
        """Close the file below."""
        self._file.close()
        super().close()


def text_of(row: Row) -> str:
    """Everything a row holds but its label, as one text; an image's path."""
    if "messages" in row:
        return "\x1f".join(
            f"{message['role']}\x1e{message['content']}" for message in row["messages"]
        )
    if "completion" in row:
        return f"{row['prompt']}\x1f{row['completion']}"
    text: str = row["text"] if "text" in row else row["image"]
    return text


def key_of(row: Row) -> int:
    """64 bits of hash of what a row holds, its label left out: equal rows have equal keys."""
    if "picture" in row:
        return key_of_bytes(row["picture"])
    if "image" in row:
        return key_of_bytes(Path(row["image"]).read_bytes())
    return key_of_bytes(text_of(row).encode("utf-8", "surrogatepass"))


def key_of_bytes(data: bytes) -> int:
    """The key of a row that holds these bytes."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")
