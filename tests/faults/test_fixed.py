"""The real launcher survives 25 fixed injections; `make faults` draws many more."""

from __future__ import annotations

import random

import pytest

from tests.faults.kinds import NotHere, all_kinds
from tests.faults.laboratory import Laboratory

pytestmark = [pytest.mark.training, pytest.mark.xdist_group("faults")]

FIXED = (
    ("kill -9 of the worker at a step", 1),
    ("kill -9 of the worker inside a save", 2),
    ("kill -9 of the worker inside a save", 3),
    ("kill -9 of the supervisor at a step", 4),
    ("kill -9 of the supervisor inside a save", 5),
    ("kill -9 of both at once, as in a power cut", 6),
    ("a step that never ends", 7),
    ("SIGTERM while tokenizing", 8),
    ("SIGTERM while loading weights", 9),
    ("SIGTERM while evaluating", 10),
    ("SIGTERM while training", 11),
    ("SIGTERM while saving", 12),
    ("a second Ctrl-C", 13),
    ("the disk fills up at a step", 14),
    ("the disk fills up inside a save", 15),
    ("the disk is full when the result is saved", 16),
    ("a torn file in the newest checkpoint", 17),
    ("a missing file in the newest checkpoint", 18),
    ("no checkpoint is whole", 19),
    ("out of memory in a step, as the driver says it", 20),
    ("out of memory at every step", 21),
    ("NaN in the gradient of a step", 22),
    ("NaN in the loss again and again", 23),
    ("the clock jumps", 24),
    ("the data file changes between two attempts", 25),
)


@pytest.mark.parametrize(("name", "seed"), FIXED, ids=str)
def test_a_run_is_never_lost(laboratory: Laboratory, name: str, seed: int) -> None:
    """What the kind of injection wants comes of it."""
    try:
        all_kinds()[name].inject(laboratory, random.Random(seed))
    except NotHere as missing:
        pytest.skip(str(missing))
