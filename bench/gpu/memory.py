"""Measures real fine-tunes of random weights on the card here, one process each.

    python -m bench.gpu.memory [--minutes 10] [--only NAME,NAME] [--out FILE] [--ahead 6]
                               [--at-peak] [--device cpu --tiny]

matrix.json lists the runs, the most informative first. Results are appended to FILE as soon as
they are there, in the format of `bench.accuracy`; runs that it holds already are left out, so a
second call goes on where the first one ended. `--minutes` ends in time: no run is started that
would not get through. `--ahead` processes import their libraries while others run, and touch the
card only when it is their turn. `--at-peak` adds the largest blocks of one more step. `--tiny`
shrinks every model to a few thousand parameters, to try the bench itself where there is no card.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hwdb
from hwdb.detect.nvml import read_gpus
from hwdb.model import config_of
from launcher.library_versions import traced_versions
from launcher.runs.worker_environment import CUDA_MALLOC_ENVIRONMENT
from planner.units import GIB

MATRIX = Path(__file__).with_name("matrix.json")
LOOK_INSIDE = "TLPLAN_BENCH_AT_PEAK"
"""Set for a run's process: it makes one more step and tells what that holds at its peak."""
_SLOWEST_SECONDS = 240.0
"""No run takes longer, building the model included; one that does is stopped."""
_USUAL_SECONDS = 25.0

_TINY = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 512,
    "moe_intermediate_size": 32,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "sliding_window": 64,
    "n_embd": 64,
    "n_layer": 2,
    "n_head": 4,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is measured on."""

    name: str
    hwdb_id: str | None
    driver: str | None


def main() -> None:
    """Run what is left of the matrix and is affordable."""
    options = _options()
    if options.at_peak:
        os.environ[LOOK_INSIDE] = "1"
    began = time.monotonic()
    card = _card(options.device)
    done = _done(options.out)
    left = [run for run in _runs(options) if run["id"] not in done]
    print(f"{len(left)} runs on {card.name}; {len(done)} are measured already", flush=True)
    for run, process in _started_ahead(left, options.ahead):
        seconds = options.minutes * 60 - (time.monotonic() - began)
        if seconds < _USUAL_SECONDS and not options.tiny:
            print(f"{run['id']}: no time left; the next call goes on here")
            process.kill()
            continue
        line = _measured(run, process, card, timeout_seconds=min(seconds, _SLOWEST_SECONDS))
        print(f"{run['id']}: {line.get('error') or line['measured']}", flush=True)
        with options.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _started_ahead(
    runs: list[dict[str, Any]], ahead: int
) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """Every run with its process, which has its libraries and waits for the case."""
    waiting: deque[tuple[dict[str, Any], subprocess.Popen[str]]] = deque()
    for run in runs:
        waiting.append((run, _process(run["case"])))
        if len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting


def _process(case: Mapping[str, Any]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.gpu.one_run"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(case),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--only", type=lambda text: text.split(","), default=None)
    parser.add_argument("--out", type=Path, default=Path("gpu_memory.jsonl"))
    parser.add_argument("--ahead", type=int, default=0)
    parser.add_argument("--at-peak", action="store_true")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true")
    return parser.parse_args()


def _card(device: str) -> Card:
    if device == "cpu":
        return Card(name="cpu", hwdb_id=None, driver=None)
    survey = read_gpus()
    if not survey.gpus:
        raise SystemExit(
            f"no GPU can be read ({survey.problem}); --device cpu --tiny tries the bench"
        )
    reading = survey.gpus[0]
    row = hwdb.find_card_or_none(reading.name, reading.total_bytes)
    return Card(name=reading.name, hwdb_id=row.id if row else None, driver=survey.driver_version)


def _done(path: Path) -> set[str]:
    """Runs that were measured; one that failed is tried again."""
    if not path.exists():
        return set()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {line["id"] for line in lines if "measured" in line}


def _runs(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    matrix = json.loads(MATRIX.read_text(encoding="utf-8"))
    for run in matrix["runs"]:
        if options.only is not None and run["name"] not in options.only:
            continue
        config = matrix["models"].get(run["model"]) or _known_config(run["model"])
        case = {"allocator": "expandable", **run["case"], "config": config}
        case["device"] = options.device
        yield {"id": f"HERE-{run['name']}", "case": _tiny(case) if options.tiny else case}


def _known_config(name: str) -> dict[str, Any]:
    row = hwdb.find_model(name)
    family = hwdb.find_family(row.architecture)
    assert family is not None, name
    return config_of(row, family)


def _tiny(case: Mapping[str, Any]) -> dict[str, Any]:
    config = {key: _TINY.get(key, value) for key, value in case["config"].items()}
    config.pop("layer_types", None)
    small = {**case, "config": config, "micro_batch": min(case["micro_batch"], 2)}
    small |= {"sequence_tokens": 32, "accumulation": min(case.get("accumulation", 1), 2)}
    if case["device"] == "cpu":
        quantized = case["method"] == "qlora"
        small |= {
            "autocast": None,
            "weights": case.get("weights", "nf4-dq") if quantized else "fp32",
        }
    return small


def _measured(
    run: Mapping[str, Any],
    process: subprocess.Popen[str],
    card: Card,
    *,
    timeout_seconds: float,
) -> dict[str, Any]:
    case = run["case"]
    before = _used_bytes() if case["device"] == "cuda" else 0
    began = time.monotonic()
    line = {
        "id": run["id"],
        "source": "bench/gpu/memory.py",
        "date": datetime.now(UTC).date().isoformat(),
        "card": card.name,
        "driver": card.driver,
        "versions": traced_versions(),
        "case": {**case, "gpu": card.hwdb_id} if card.hwdb_id else case,
    }
    try:
        answer, said = process.communicate(json.dumps(case), timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return {**line, "error": f"longer than {timeout_seconds:.0f} s"}
    line["seconds"] = round(time.monotonic() - began, 1)
    if process.returncode != 0:
        last = (said.strip().splitlines() or ["it said nothing"])[-1]
        return {**line, "error": last[:300]}
    return {**line, "measured": _in_gib(json.loads(answer), before)}


def _in_gib(found: Mapping[str, Any], before: int) -> dict[str, Any]:
    """Counters in GiB as the other measured runs have them; the card's own use is taken off."""
    measured: dict[str, Any] = {}
    for name, value in found.items():
        counter = name.removesuffix("_bytes")
        if counter == name:
            measured[name] = value
        elif value is not None:
            measured[f"{counter}_gib"] = round(
                (value - (before if counter == "device" else 0)) / GIB, 4
            )
    return measured


def _used_bytes() -> int:
    """What is in use on the card before the run's process starts."""
    reading = read_gpus().gpus[0]
    return (reading.total_bytes or 0) - (reading.free_bytes or 0)


def _environment(case: Mapping[str, Any]) -> dict[str, str]:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    if case.get("allocator") != "classic":
        environment |= CUDA_MALLOC_ENVIRONMENT
    return environment


if __name__ == "__main__":
    main()
