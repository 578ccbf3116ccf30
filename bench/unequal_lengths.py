"""What batches of a file's own lengths make the allocator reserve: padded, grouped, packed.

    python -m bench.unequal_lengths LENGTHS.json [--model llama-3.1-8b] [--method lora] [--batch 4]

LENGTHS.json is a list of token counts, one a row. Whole steps are replayed, with PyTorch's usual
segments and with segments that grow; without the CUDA context.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path

from launcher.models import resolve_model
from planner.case import request_of_case
from planner.memory.allocator import replay
from planner.memory.training_events import training_events
from planner.units import GIB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lengths", type=Path)
    parser.add_argument("--model", default="llama-3.1-8b")
    parser.add_argument("--method", default="lora")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--loss", default="chunked")
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    lengths: list[int] = json.loads(options.lengths.read_text(encoding="utf-8"))
    shape = resolve_model(options.model).shape
    request = request_of_case(
        {
            "method": options.method,
            "micro_batch": options.batch,
            "sequence_tokens": max(lengths),
            "loss": options.loss,
        }
    )
    print(f"{'batches':34s} {'usual segments':>14s} {'growing ones':>14s}   GiB reserved")
    for name, batches in _ways(lengths, options.batch, options.steps).items():
        events = training_events(shape, request, batches)
        peaks = [
            replay(events, expandable=grows).peak_reserved_bytes / GIB for grows in (False, True)
        ]
        print(f"{name:34s} {peaks[0]:14.1f} {peaks[1]:14.1f}")


def _ways(lengths: Sequence[int], rows: int, steps: int) -> dict[str, list[int]]:
    """Tokens a row of every batch, by how rows are put together; the longest is always there."""
    mixed = random.Random(0).sample(list(lengths), len(lengths))
    longest = max(lengths)
    random_batches = _longest_of_each(mixed, rows)[: steps - 1]
    random_batches.insert(len(random_batches) // 2, longest)
    grouped = _longest_of_each(sorted(lengths), rows)
    few = grouped[:: max(1, len(grouped) // steps)]
    shuffled = random.Random(1).sample(few, len(few))
    return {
        "as they come": random_batches,
        "of like length, in any order": [*shuffled, longest],
        "of like length, longest first": [longest, *shuffled],
        "packed": [longest] * steps,
    }


def _longest_of_each(rows: Sequence[int], at_once: int) -> list[int]:
    return [max(rows[at : at + at_once]) for at in range(0, len(rows), at_once)]


if __name__ == "__main__":
    main()
