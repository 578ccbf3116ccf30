"""How long `tlplan estimate` takes over cases that differ in everything a user may choose.

`python -m bench.estimate_throughput [--cases N] [--seed N] [--answers FILE]`. Prints seconds of
this process alone, start-up left out: one core, whatever else runs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hwdb
from launcher.case_processes import answer_lines

_MODELS = (
    *("llama-2-7b", "llama-2-13b", "llama-3-8b", "llama-3.1-8b", "llama-3.2-1b", "llama-3.2-3b"),
    *("mistral-7b-v0.3", "mistral-nemo-12b", "ministral-8b", "mixtral-8x7b", "qwen2-1.5b"),
    *("qwen2.5-0.5b", "qwen2.5-7b", "qwen2.5-14b", "qwen3-0.6b", "qwen3-4b", "qwen3-8b"),
    *("qwen3-30b-a3b", "gemma-2b", "gemma-2-9b", "gemma-3-1b", "gemma-3-12b", "phi-2"),
    *("phi-3-mini", "phi-4", "smollm2-135m", "smollm2-1.7b", "granite-3.3-8b", "olmo-2-7b"),
    *("gpt2", "pythia-1b", "falcon-7b"),
)
_METHODS = (("full", "bf16"), ("full", "fp32"), ("lora", "bf16"), ("qlora", "nf4"))
_TARGETS = ("all-linear", ["q_proj", "v_proj"])
_CHOICES: dict[str, tuple[Any, ...]] = {
    "micro_batch": (1, 2, 4, 8, 16, 32),
    "sequence_tokens": (256, 512, 768, 1024, 1536, 2048, 4096, 8192),
    "checkpointing": ("none", "full", "offloaded"),
    "loss": ("torch", "chunked", "liger"),
    "optimizer": ("adamw", "adamw-fused", "adamw-8bit", "paged-adamw-8bit", "sgd"),
    "attention": ("sdpa", "flash2", "eager"),
    "autocast": ("bf16", None),
    "gpu": ("rtx-4090", "rtx-3060-12gb", "a100-sxm4-80gb", "h100-sxm5-80gb", None),
}
_RANKS = (4, 8, 16, 32, 64)


def main() -> None:
    """Answer the cases and say how long it took, and what had to be written for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--answers", type=Path, help="write the answers here, to compare them")
    asked = parser.parse_args()
    cases = [json.dumps(case) for case in realistic_cases(asked.cases, asked.seed)]
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one process answers them all
    start = time.process_time()
    answers = list(answer_lines(enumerate(cases, start=1)))
    seconds = time.process_time() - start
    refused = sum('"error"' in answer for answer in answers)
    print(f"seed {asked.seed}: {len(cases)} cases, {refused} refused, {seconds:.2f} s on one core")
    if asked.answers:
        asked.answers.write_text("".join(answers), encoding="utf-8")


def realistic_cases(number: int, seed: int) -> Iterator[dict[str, Any]]:
    """Cases whose every setting is drawn from what people really choose."""
    draw = random.Random(seed)
    known = {model.id for model in hwdb.all_models()}
    models = [name for name in _MODELS if name in known]
    for _ in range(number):
        method, weights = draw.choice(_METHODS)
        case = {name: draw.choice(values) for name, values in _CHOICES.items()}
        case |= {"model": draw.choice(models), "method": method, "weights": weights}
        if method != "full":
            targets = draw.choice(_TARGETS) if _has_q_proj(case["model"]) else "all-linear"
            case["adapter"] = {"rank": draw.choice(_RANKS), "targets": targets}
        yield case


def _has_q_proj(model: str) -> bool:
    return not model.startswith(("gpt2", "pythia", "falcon", "phi-3", "phi-4"))


if __name__ == "__main__":
    main()
