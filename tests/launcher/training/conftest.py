"""What the worker's tests share: real models, one thread, and warnings of foreign libraries."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launcher.training.pictures import digit_folder, tiny_vit
from tests.launcher.training.plans import ROWS, chat_row, write_rows
from tests.models import minilm, smollm2, tiny_model

__all__ = ["digit_folder", "minilm", "smollm2", "tiny_model", "tiny_vit"]

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The training libraries warn about their own future; that is no failure of ours."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture(autouse=True, scope="module")
def own_environment() -> Iterator[None]:
    """What the worker sets for itself ends with the module.

    Sums run in one order only, so that equal runs are equal to the last bit.
    """
    before = dict(os.environ)
    os.environ.update(OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="")
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 short conversations."""
    folder = tmp_path_factory.mktemp("data")
    return write_rows(folder / "chats.jsonl", [chat_row(row) for row in ROWS])
