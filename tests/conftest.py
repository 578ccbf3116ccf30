"""Fixtures of all tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fake_nvml import fake_driver_environment


@pytest.fixture
def fake_driver() -> Callable[[str], dict[str, str]]:
    """Turns a machine text into the environment of a process that sees that machine's GPUs."""
    return fake_driver_environment
