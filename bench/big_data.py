"""Time and memory of checking a large JSON Lines file: python -m bench.big_data [GB] [--json]."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_WORDS = [
    "the",
    "ticket",
    "printer",
    "invoice",
    "network",
    "cannot",
    "reach",
    "after",
    "update",
    "please",
    "help",
    "asap",
    "order",
    "number",
    "customer",
    "says",
    "slow",
    "again",
    "reset",
    "account",
    "because",
    "since",
    "yesterday",
    "morning",
    "screen",
    "shows",
    "error",
    "code",
    "paper",
    "jam",
    "login",
    "expired",
    "password",
    "new",
    "laptop",
    "phone",
    "router",
    "cable",
]


def write_rows(path: Path, size_bytes: int, seed: int = 0) -> int:
    """Chats of about 1 KB, all different, until the file has that size; returns their number."""
    draw = random.Random(seed)
    rows, written = 0, 0
    with path.open("w", encoding="utf-8") as file:
        while written < size_bytes:
            block = []
            for _ in range(1000):
                question = " ".join(draw.choices(_WORDS, k=90)) + f" {rows}"
                answer = " ".join(draw.choices(_WORDS, k=60)) + "."
                block.append(
                    json.dumps(
                        {
                            "messages": [
                                {"role": "user", "content": question},
                                {"role": "assistant", "content": answer},
                            ]
                        }
                    )
                    + "\n"
                )
                rows += 1
            text = "".join(block)
            written += len(text)
            file.write(text)
    return rows


def measured(path: Path) -> dict[str, float]:
    """Seconds, CPU seconds and the peak of all processes of one check, in MiB."""
    command = [sys.executable, "-m", "launcher", "data", str(path), "--json"]
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, _resident_bytes(process.pid))
            time.sleep(0.05)
    usage = os.times()
    return {
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(usage.children_user + usage.children_system, 1),
        "peak_mib": round(peak / 2**20),
    }


def _resident_bytes(pid: int) -> int:
    """Memory of a process and its children, pages they share counted once each process."""
    import psutil

    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return sum(each.memory_info().rss for each in family)
    except psutil.Error:
        return 0


def main() -> None:
    """Write a file, check it, print what it took."""
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    size_bytes = int(float(words[0] if words else 1) * 1e9)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.jsonl"
        rows = write_rows(path, size_bytes)
        found = {"bytes": path.stat().st_size, "rows": rows, **measured(path)}
    if "--json" in sys.argv:
        print(json.dumps(found))
        return
    print(
        f"{found['bytes'] / 1e9:.2f} GB, {rows} rows: {found['seconds']} s, "
        f"{found['cpu_seconds']} CPU s, {found['peak_mib']} MiB"
    )


if __name__ == "__main__":
    main()
