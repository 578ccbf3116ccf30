"""Commands as a person types them, in a folder of their own."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Command = Callable[..., int]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command's module with words, below a folder with a `runs` folder."""
    monkeypatch.chdir(tmp_path)

    def run(module: ModuleType, *words: str) -> int:
        parser = argparse.ArgumentParser()
        module.add_arguments(parser)
        code: int = module.run(parser.parse_args(words))
        return code

    return run
