"""Requests to stop that reach a real `tlplan launch`: in a download, and twice while it trains."""

from __future__ import annotations

import random

import pytest

from tests.faults.kinds import all_kinds
from tests.faults.laboratory import Laboratory

pytestmark = [pytest.mark.training, pytest.mark.xdist_group("faults")]


@pytest.mark.parametrize(
    "name",
    [
        "SIGTERM while downloading",
        "tlplan launch, Ctrl-C twice, tlplan resume",
        "SIGTERM in the rehearsal",
    ],
)
def test_a_command_that_is_stopped_can_be_gone_on_with(laboratory: Laboratory, name: str) -> None:
    """Exit 75 or 130 at once, nothing torn; resumed, it equals the undisturbed run."""
    all_kinds()[name].inject(laboratory, random.Random(26))
