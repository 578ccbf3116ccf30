"""Fixtures of all tests."""

from __future__ import annotations

import asyncio
import inspect
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fake_nvml import fake_driver_environment

# Runs of tests must not teach the estimates of whoever runs them, nor of one another.
os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp(prefix="tlplan-tests-")


@pytest.fixture(autouse=True)
def _own_data_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A data folder for each test."""
    folder = tmp_path_factory.mktemp("data-home")
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    return folder


@pytest.fixture
def fake_driver() -> Callable[[str], dict[str, str]]:
    """Turns a machine text into the environment of a process that sees that machine's GPUs."""
    return fake_driver_environment


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs a test that is a coroutine, in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True
