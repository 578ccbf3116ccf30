"""One laboratory for all tests beside this file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.campaign import MEMORY_DISK
from tests.faults.laboratory import Laboratory


@pytest.fixture(scope="session")
def laboratory() -> Iterator[Laboratory]:
    """Torch is imported once for all of them."""
    where = MEMORY_DISK if MEMORY_DISK.is_dir() else None
    with (
        tempfile.TemporaryDirectory(dir=where) as folder,
        Laboratory.open(Path(folder)) as laboratory,
    ):
        yield laboratory
