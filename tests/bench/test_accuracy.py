"""The scoreboard: errors of estimates against measured runs, each counter by itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.planner.samples import TINY_LLAMA

_CASE = {"config": TINY_LLAMA, "method": "lora", "micro_batch": 2, "sequence_tokens": 256}


def test_the_table_has_a_line_for_every_source_and_counter(tmp_path: Path) -> None:
    """Runs that agree correct each other; a case that cannot be is named."""
    lines = [
        {"id": f"HERE-{number}", "case": _CASE, "measured": {"device_gib": 0.42}}
        for number in range(4)
    ]
    lines.append({"id": "BAD-1", "case": {**_CASE, "micro_batch": 0}, "measured": {}})
    lines.append({"id": "OTHER-1", "case": _CASE, "measured": {"allocated_gib": 0.1}})
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = subprocess.run(
        [sys.executable, "-m", "bench.accuracy", str(path), "--markdown"],
        capture_output=True,
        text=True,
        check=True,
    )
    table = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if "|" in line]
    cells = {row[0].strip(): [cell.strip() for cell in row] for row in table}

    assert cells["HERE"][1:4] == ["formula", "device", "4"]
    assert cells["OTHER"][1:4] == ["formula", "allocated", "1"]
    before, after = (float(cells["HERE"][column].rstrip("%")) for column in (4, 9))
    assert after < before
    assert "BAD-1: micro_batch must be at least 1" in done.stdout
