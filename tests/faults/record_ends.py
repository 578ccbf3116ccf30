"""Records how runs end, for the screens that show it: real runs, really disturbed.

    python -m tests.faults.record_ends

Writes events.jsonl, plan.yaml and state.json of each into tests/recordings, and the config of the
model they trained; what the screens show of them is held by goldens.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from launcher.runs.folder import RunFolder
from planner.plan_file import plan_file_text
from tests.faults.driver import run_on_card
from tests.faults.hooks import Fault
from tests.faults.laboratory import ROOT, Laboratory
from tests.faults.memory import OUT_OF_MEMORY

TARGET = ROOT / "tests" / "recordings"
_MIB = 1 << 20
_PREDICTED = {
    "available_bytes": 18_000 * _MIB,
    "predicted_allocated_bytes": 240 * _MIB,
    "predicted_peak_bytes": 450 * _MIB,
    "predicted_low_bytes": 400 * _MIB,
    "predicted_high_bytes": 500 * _MIB,
}
_KEPT = ("events.jsonl", "plan.yaml", "amended.yaml", "state.json")


def disturbed() -> Iterator[tuple[str, Fault]]:
    """The name of an end, and what leads to it."""
    text = OUT_OF_MEMORY["PyTorch"]
    yield "out-of-memory", {"kind": "raise", "step": 5, "text": text, "once": False}
    yield "diverged", {"kind": "nan", "where": "loss", "step": 5, "once": False}
    stop = {"kind": "signal", "to": "supervisor", "signals": [signal.SIGTERM], "pause": 0}
    yield "interrupted", stop | {"event": "step", "nth": 5}
    killed = {"kind": "signal", "to": "supervisor", "signals": [signal.SIGKILL], "pause": 0}
    yield "lost", killed | {"event": "step", "nth": 5}


def main() -> None:
    """Record them all."""
    with tempfile.TemporaryDirectory() as scratch, Laboratory.open(Path(scratch)) as laboratory:
        (TARGET / "model").mkdir(exist_ok=True)
        shutil.copy(laboratory.model / "config.json", TARGET / "model" / "config.json")
        for name, fault in disturbed():
            run = laboratory.run("lora")
            hardware = replace(run.plan.hardware, **_PREDICTED)
            run.folder.plan.write_text(plan_file_text(replace(run.plan, hardware=hardware), {}))
            run.start(fault)
            run.ended()
            _keep(run.folder, name, Path(scratch))
        folder, _ = run_on_card(laboratory, "gpu.0.error=15")
        _keep(RunFolder(folder), "gpu-lost", Path(scratch))


def _keep(folder: RunFolder, name: str, scratch: Path) -> None:
    target = TARGET / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for each in _KEPT:
        if not (folder.path / each).is_file():
            continue
        text = (folder.path / each).read_text()
        text = text.replace(str(folder.path), f"runs/{name}").replace(str(scratch), ".")
        (target / each).write_text(text)
    sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main()
