"""How far the formula is from the traced step, family by family and method by method.

    python bench/formula_against_trace.py [--families llama,gpt2] [--variants full-checkpointed,...]
                                          [--explain 0.5] [--out FILE]

Needs no GPU: the traced step runs on tensors without data. Both sides leave out what the CUDA
runtime takes. Prints mean and worst error in percent; above `--explain` percent it prints what
was alive at the traced peak and what the formula took for the peak.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import hwdb
from launcher.tracing.recording import Recording
from launcher.tracing.trace import FullDepth, trace_request
from planner.case import request_of_case
from planner.memory.step import Step, step_of
from planner.shape import ModelShape, shape_of
from planner.units import MIB

RESULTS = Path(__file__).parent / "results" / "formula_against_trace.json"

_GQA = {
    "hidden_size": 1536, "intermediate_size": 4096, "num_hidden_layers": 10,
    "num_attention_heads": 12, "num_key_value_heads": 4, "vocab_size": 48000,
}  # fmt: skip
_MHA = {
    "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 10,
    "num_attention_heads": 20, "num_key_value_heads": 20, "vocab_size": 50304,
}  # fmt: skip
_EXPERTS = {
    "hidden_size": 1024, "num_hidden_layers": 8, "num_attention_heads": 16,
    "num_key_value_heads": 4, "vocab_size": 48000,
}  # fmt: skip

FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {**_GQA, "tie_word_embeddings": False},
    "mistral": {**_GQA, "sliding_window": None},
    "qwen2": {**_GQA, "tie_word_embeddings": True},
    "qwen3": {**_GQA, "head_dim": 128, "tie_word_embeddings": True},
    "gemma2": {**_GQA, "head_dim": 256, "attention": "eager"},
    "gemma3_text": {**_GQA, "head_dim": 256},
    "phi3": {**_GQA, "pad_token_id": 0},
    "granite": {**_GQA, "tie_word_embeddings": True},
    "olmo2": {**_GQA},
    "smollm3": {**_GQA},
    "gpt2": {"n_embd": 1280, "n_layer": 10, "n_head": 20, "vocab_size": 50257, "n_positions": 2048},
    "gpt_neox": {**_MHA, "num_key_value_heads": None},
    "phi": {**_MHA},
    "falcon": {**_MHA, "num_key_value_heads": None, "multi_query": True},
    "stablelm": {**_MHA, "num_key_value_heads": 4},
    "mixtral": {**_EXPERTS, "intermediate_size": 2048, "num_local_experts": 8},
    "qwen3_moe": {
        **_EXPERTS, "head_dim": 128, "intermediate_size": 2048, "moe_intermediate_size": 512,
        "num_experts": 16, "num_experts_per_tok": 4,
    },
    "gpt_oss": {
        **_EXPERTS, "head_dim": 64, "intermediate_size": 1024, "num_local_experts": 8,
        "num_experts_per_tok": 4, "attention": "eager",
    },
}  # fmt: skip

_FULL = {"method": "full", "micro_batch": 2, "sequence_tokens": 1024}
_LORA = {"method": "lora", "micro_batch": 2, "sequence_tokens": 1024}
_QLORA = {"method": "qlora", "micro_batch": 2, "sequence_tokens": 1024}
_BF16 = {"adapter": {"dtype": "bf16"}}
_FP32 = {"adapter": {"dtype": "fp32"}}
_PLAIN = {"checkpointing": "none"}
_TORCH = {"loss": "torch"}

VARIANTS: dict[str, dict[str, Any]] = {
    "full": _FULL,
    "full-torch": {**_FULL, **_TORCH},
    "full-plain": {**_FULL, **_PLAIN, "micro_batch": 4},
    "full-plain-torch-foreach": {**_FULL, **_PLAIN, **_TORCH, "optimizer": "adamw"},
    "full-no-autocast": {**_FULL, "autocast": None, "optimizer": "adamw"},
    "full-no-autocast-plain": {**_FULL, **_PLAIN, "autocast": None, "optimizer": "sgd"},
    "full-fp32": {**_FULL, "weights": "fp32", **_TORCH},
    "full-fp32-plain": {**_FULL, "weights": "fp32", **_PLAIN},
    "full-8bit": {**_FULL, "optimizer": "adamw-8bit", "micro_batch": 8},
    "full-adafactor": {**_FULL, "optimizer": "adafactor"},
    "full-in-backward": {**_FULL, "optimizer": "adamw-in-backward"},
    "full-last-3": {**_FULL, "trainable_layers": 3},
    "lora": {**_LORA, **_FP32},
    "lora-torch": {**_LORA, **_FP32, **_TORCH},
    "lora-plain": {**_LORA, **_FP32, **_PLAIN},
    "lora-plain-torch": {**_LORA, **_FP32, **_PLAIN, **_TORCH},
    "lora-bf16": {**_LORA, **_BF16},
    "lora-no-autocast": {**_LORA, **_FP32, "autocast": None},
    "lora-bf16-no-autocast-plain": {**_LORA, **_BF16, **_PLAIN, "autocast": None},
    "lora-dropout": {**_LORA, "adapter": {"dropout": 0.05}},
    "lora-dropout-plain": {**_LORA, "adapter": {"dropout": 0.05}, **_PLAIN},
    "lora-attention-only": {**_LORA, "adapter": {"targets": "attention"}},
    "lora-attention-only-dropout-plain": {
        **_LORA, "adapter": {"targets": "attention", "dropout": 0.1}, **_PLAIN,
    },
    "lora-eager-plain": {**_LORA, **_PLAIN, "attention": "eager"},
    "lora-padded-plain": {**_LORA, **_PLAIN, "padded": True},
    "lora-fp32-weights": {**_LORA, "weights": "fp32"},
    "qlora": {**_QLORA, **_BF16},
    "qlora-plain-torch": {**_QLORA, **_BF16, **_PLAIN, **_TORCH},
    "qlora-fp32-adapters": {**_QLORA, **_FP32},
    "qlora-kbit": {**_QLORA, **_FP32, "kbit_prepare": True},
    "qlora-nf4": {**_QLORA, **_BF16, "weights": "nf4", "micro_batch": 8},
}  # fmt: skip
"""Cases, the config left out. "attention" as a target stands for the family's first projection
into attention and the one out of it."""


def main() -> None:
    """Compare, print, write."""
    options = _options()
    rows = []
    for family, name, case in _cases(options.families, options.variants):
        row = _compare(family, name, case)
        rows.append(row)
        _print_row(row, options.explain)
    _print_table(rows)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(_document(rows), indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", type=lambda text: text.split(","), default=list(FAMILIES))
    parser.add_argument("--variants", type=lambda text: text.split(","), default=list(VARIANTS))
    parser.add_argument("--explain", type=float, default=0.5, metavar="PERCENT")
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def _cases(families: list[str], variants: list[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for family in families:
        config = {key: value for key, value in FAMILIES[family].items() if value is not None}
        attention = config.pop("attention", None)
        for name in variants:
            case = {**VARIANTS[name], "config": {"model_type": family, **config}}
            if attention is not None and "padded" not in case:
                case["attention"] = attention
            if case["method"] != "full":
                case["adapter"] = _with_targets(case, family)
            yield family, name, case


def _with_targets(case: Mapping[str, Any], family: str) -> dict[str, Any]:
    """Adapters, on attention only where "all-linear" would reach fused experts."""
    adapter = dict(case.get("adapter") or {})
    row = hwdb.families()[family]
    entering = [line.name for line in row.linears if line.role == "attention_in"]
    leaving = [line.name for line in row.linears if line.role == "attention_out"]
    if adapter.get("targets") == "attention":
        adapter["targets"] = [entering[0], *leaving]
    elif row.experts is not None:
        adapter["targets"] = [*entering, *leaving]
    return adapter


def _compare(family: str, name: str, case: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"family": family, "variant": name, "method": case["method"]}
    began = time.monotonic()
    try:
        request = request_of_case(case)
        step = step_of(_shape(case["config"]), request)
        traced = trace_request(case["config"], request)
    except Exception as problem:  # noqa: BLE001 - one case must not end the comparison
        return {**row, "error": f"{type(problem).__name__}: {problem}"[:300]}
    formula_bytes = _tensor_bytes(step)
    return {
        **row,
        "traced_bytes": traced.peak_bytes,
        "formula_bytes": formula_bytes,
        "error_percent": round(100 * (formula_bytes / traced.peak_bytes - 1), 4),
        "traced_rest_bytes": traced.rest_bytes,
        "formula_rest_bytes": _rest_bytes(step),
        "traced_peak": traced.peak_segment,
        "formula_peak": f"{step.peak.phase}: {step.peak.where}",
        "seconds": round(time.monotonic() - began, 2),
        "_explain": (traced, step),
    }


def _shape(config: Mapping[str, Any]) -> ModelShape:
    family = hwdb.find_family(config["model_type"])
    return shape_of(config, family, hwdb.families()["llama"])


def _rest_bytes(step: Step) -> int:
    states = step.states
    return states.weights_bytes + states.adapters_bytes + states.optimizer_bytes


def _tensor_bytes(step: Step) -> int:
    return _rest_bytes(step) + step.peak.total_bytes


def _print_row(row: Mapping[str, Any], explain: float) -> None:
    head = f"{row['family']:12} {row['variant']:34}"
    if "error" in row:
        print(f"{head} {row['error']}", flush=True)
        return
    print(
        f"{head} {row['traced_bytes'] / MIB:9.1f} {row['formula_bytes'] / MIB:9.1f} "
        f"{row['error_percent']:+7.2f} %  rest {row['traced_rest_bytes'] / MIB:8.1f} "
        f"{row['formula_rest_bytes'] / MIB:8.1f}  {row['traced_peak']} | {row['formula_peak']}",
        flush=True,
    )
    if abs(row["error_percent"]) > explain:
        for line in _explanation(*row["_explain"]):
            print(f"    {line}", flush=True)


def _explanation(traced: FullDepth, step: Step) -> Iterator[str]:
    segments = sorted(traced.segments.items(), key=lambda item: -item[1])
    yield "traced:  " + ", ".join(f"{name} {size / MIB:.1f}" for name, size in segments[:7])
    base = _rest_bytes(step)
    candidates = sorted(step.candidates, key=lambda each: -each.total_bytes)
    yield "formula: " + ", ".join(
        f"{each.phase}: {each.where} {(base + each.total_bytes) / MIB:.1f}"
        for each in candidates[:5]
    )
    peak = step.peak
    yield (
        f"formula at its peak: gradients {peak.gradients_bytes / MIB:.1f} activations "
        f"{peak.activations_bytes / MIB:.1f} logits {peak.logits_bytes / MIB:.1f} temporaries "
        f"{peak.temporaries_bytes / MIB:.1f}"
    )
    yield "alive at the traced peak, of the middle blocks only one:"
    yield from _alive(traced.recordings[-1])


def _alive(recording: Recording) -> Iterator[str]:
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for origin, size in recording.alive_at_peak():
        part = origin.segment.partition("/")[2]
        block = part.partition(":")[2]
        if not part or part.startswith("optimizer"):
            groups["weights, adapters and optimizer state",].append(size)
        elif not block.isdecimal() or int(block) in (1, recording.layers - 1):
            maker = origin.maker.removeprefix("aten::")
            shape = "x".join(map(str, origin.shape))
            groups[part, maker, shape, origin.dtype].append(size)
    for key, sizes in sorted(groups.items(), key=lambda item: (item[0][0], -sum(item[1]))):
        if sum(sizes) >= MIB // 4:
            yield f"{sum(sizes) / MIB:9.2f} x{len(sizes):<3} {' '.join(key)}"


def _print_table(rows: list[dict[str, Any]]) -> None:
    print(f"\n{'family':12} {'method':6} {'cases':>5} {'mean %':>7} {'max %':>7}")
    answered = [row for row in rows if "error" not in row]
    pairs = sorted({(row["family"], row["method"]) for row in answered})
    for family, method in [*pairs, ("all", "")]:
        errors = [
            abs(row["error_percent"])
            for row in answered
            if family == "all" or (row["family"], row["method"]) == (family, method)
        ]
        if errors:
            mean = sum(errors) / len(errors)
            print(f"{family:12} {method:6} {len(errors):5} {mean:7.3f} {max(errors):7.3f}")


def _document(rows: list[dict[str, Any]]) -> dict[str, Any]:
    errors = [abs(row["error_percent"]) for row in rows if "error" not in row]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {name: version(name) for name in ("torch", "transformers", "peft", "trl")},
        "cases": len(errors),
        "not_traced": len(rows) - len(errors),
        "mean_error_percent": round(sum(errors) / max(len(errors), 1), 4),
        "max_error_percent": max(errors, default=None),
        "rows": [
            {key: value for key, value in row.items() if not key.startswith("_")} for row in rows
        ],
    }


if __name__ == "__main__":
    main()
