"""Fixtures of all tests."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable

import pytest

from tests.fake_nvml import fake_driver_environment


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
