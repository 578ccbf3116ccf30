"""The shares of planner.memory.slack, from replays of whole steps over a grid.

    python -m bench.allocator_summary [--cases 150] [--batches 24]

For every case: one stream of two equal batches and one of unequal ones, served by classic and by
expandable segments, and the smallest budget of the first. What is kept beyond the allocated peak is
divided by what comes and goes in a step. Prints the median and the range of each group.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import hwdb
from planner.case import request_of_case
from planner.memory.allocator import replay, smallest_budget
from planner.memory.step import step_of
from planner.memory.training_events import training_events
from planner.request import TrainingRequest
from planner.shape import ModelShape, shape_of
from planner.units import MIB

_SHAPES: dict[str, dict[str, Any]] = {
    "1B, tied, V 128k": {
        "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16,
        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256,
        "tie_word_embeddings": True,
    },
    "7B, V 32k": {
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000,
    },
    "7B, V 152k": {
        "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
        "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064,
    },
    "3B, MHA, V 49k": {
        "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 40,
        "num_attention_heads": 36, "num_key_value_heads": 36, "vocab_size": 49152,
    },
}  # fmt: skip
_AXES = (
    tuple(_SHAPES),
    ("full", "lora", "qlora", "qlora with kbit"),
    ("torch", "triton", "liger"),
    ("4.44", "4.48", None),
    ("full", "none"),
    ((1, 2048), (4, 1024), (4, 4096)),
)
_MOST_TOKENS_KEPT = 9000
_PRECISION_BYTES = 64 * MIB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=150)
    parser.add_argument("--batches", type=int, default=24)
    options = parser.parse_args()
    groups: dict[tuple[str, ...], list[list[float]]] = defaultdict(list)
    chance = random.Random(1)
    for group, shape, request in itertools.islice(_cases(chance), options.cases):
        groups[group].append(_shares(shape, request, _unequal(request, options.batches, chance)))
    names = ("equal", "needed", "unequal", "expandable", "expandable unequal")
    print(f"{'group':28s} {'n':>3s}  " + "  ".join(f"{name:>20s}" for name in names))
    for group, rows in sorted(groups.items()):
        cells = [
            f"{statistics.median(column):5.2f} ({min(column):5.2f}..{max(column):5.2f})"
            for column in zip(*rows, strict=True)
        ]
        print(f"{' '.join(group):28s} {len(rows):3d}  " + "  ".join(f"{c:>20s}" for c in cells))


def _cases(chance: random.Random) -> Iterator[tuple[tuple[str, ...], ModelShape, TrainingRequest]]:
    combinations = list(itertools.product(*_AXES))
    chance.shuffle(combinations)
    llama = hwdb.families()["llama"]
    for name, method, loss, version, checkpointing, (rows, tokens) in combinations:
        if checkpointing == "none" and rows * tokens > _MOST_TOKENS_KEPT:
            continue
        case: dict[str, Any] = {
            "method": method.split()[0], "micro_batch": rows, "sequence_tokens": tokens,
            "loss": loss, "checkpointing": checkpointing, "allocator": "classic",
            "optimizer": "adamw", "attention": "flash2", "kbit_prepare": "kbit" in method,
        }  # fmt: skip
        if version:
            case["versions"] = {"transformers": version}
        if method != "full":
            case["adapter"] = {"rank": 16, "dtype": "fp32", "dropout": chance.choice((0.0, 0.05))}
        shape = shape_of({"model_type": "llama", **_SHAPES[name]}, llama, llama)
        kept = "kept" if checkpointing == "none" else "computed again"
        trained = "full" if method == "full" else "adapters"
        yield (loss, kept, trained), shape, request_of_case(case)


def _unequal(request: TrainingRequest, batches: int, chance: random.Random) -> list[int]:
    longest = request.sequence_tokens
    lengths = [max(64, int(longest * chance.betavariate(1.2, 1.5))) for _ in range(batches)]
    lengths[batches // 2] = longest
    return lengths


def _shares(shape: ModelShape, request: TrainingRequest, lengths: Sequence[int]) -> list[float]:
    comes_and_goes = max(
        moment.activations_bytes + moment.logits_bytes + moment.temporaries_bytes
        for moment in step_of(shape, request).candidates
        if moment.phase != "optimizer"
    )
    equal = training_events(shape, request, [request.sequence_tokens] * 2)
    unequal = training_events(shape, request, lengths)
    classic = replay(equal, expandable=False)
    peak = classic.peak_allocated_bytes
    budget = smallest_budget(equal, expandable=False, precision_bytes=_PRECISION_BYTES)
    reserved = (
        classic.peak_reserved_bytes,
        budget,
        replay(unequal, expandable=False).peak_reserved_bytes,
        replay(equal, expandable=True).peak_reserved_bytes,
        replay(unequal, expandable=True).peak_reserved_bytes,
    )
    return [(bytes_ - peak) / comes_and_goes for bytes_ in reserved]


if __name__ == "__main__":
    main()
