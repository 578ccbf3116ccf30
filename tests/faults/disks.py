"""Full disks: before a save, inside one, and while the result is written."""

from __future__ import annotations

import random
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.kills import EQUAL
from tests.faults.kinds import NotHere, kind
from tests.faults.laboratory import Laboratory
from tests.faults.plans import STEPS, VARIANTS

_SIZE = "48m"


@contextmanager
def small_disk() -> Iterator[Path]:
    """A disk of its own, small and in memory. Raises NotHere where nobody may mount one."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", folder],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode:
            raise NotHere(f"a small disk cannot be mounted: {mounted.stderr.strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def _full(
    laboratory: Laboratory,
    draw: random.Random,
    fault: dict[str, object],
    *,
    draws_on: bool = True,
) -> None:
    """`draws_on`: much is still to be written when the disk fills up, so the run cannot end."""
    with small_disk() as disk:
        run = laboratory.run(draw.choice(list(VARIANTS)), below=disk)
        run.start({"kind": "fill", "leave": draw.choice([0, 4096, 100_000]), **fault})

        state = run.ended()
        if state.exit_code == 0 and not draws_on:
            run.check_equal()  # what was left was enough for what was still to be written
            return
        assert state.exit_code == 8, run.story()
        assert "disk" in str(state.reason), run.story()
        assert [each["code"] for each in run.events("failed")] == [8], run.story()
        (disk / "filler").unlink()

        run.finish()
        run.check_equal()


@kind("the disk fills up at a step", f"exit 8, checkpoints intact; after tlplan resume {EQUAL}")
def at_step(laboratory: Laboratory, draw: random.Random) -> None:
    _full(laboratory, draw, {"event": "step", "nth": draw.randint(1, STEPS)})


@kind("the disk fills up inside a save", f"exit 8, checkpoints intact; after resume {EQUAL}")
def in_save(laboratory: Laboratory, draw: random.Random) -> None:
    call, most = draw.choice([("fsync", 30), ("state", 6), ("weights", 3), ("write", 4)])
    fault = {"kind": "call", "act": "fill", "call": call, "nth": draw.randint(1, most)}
    _full(laboratory, draw, fault, draws_on=False)


@kind("the disk is full when the result is saved", f"exit 8; after tlplan resume {EQUAL}")
def at_result(laboratory: Laboratory, draw: random.Random) -> None:
    _full(laboratory, draw, {"event": "phase", "phase": "saving"})
