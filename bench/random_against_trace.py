"""How far the formula is from the traced step for settings of decoders drawn at random.

    python -m bench.random_against_trace --seed 1 [--draws 60] [--families llama,bloom] [--usual]
                                         [--explain 1] [--jobs 2]

The grid of `bench.formula_against_trace` holds what somebody thought of; here dice do. Models are
of two to six blocks, so that little hides behind their weights. `--usual` draws what most people
run. Prints every draw with its case, the phases that are further off than `--explain` percent, and
the mean and the worst by family.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import hwdb
from bench.formula_grid import FAMILIES
from bench.kept_traces import kept_trace
from planner.case import request_of_case
from planner.memory.classifying import for_task
from planner.memory.interval import checked
from planner.memory.step import Step, step_of
from planner.shape import shape_of
from planner.units import MIB

_USUAL = ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3", "smollm3")
_OPTIMIZERS = (
    *("adamw", "adamw-fused", "adamw-8bit", "paged-adamw", "paged-adamw-8bit", "adafactor", "sgd"),
    "adamw-in-backward",
)


def main() -> None:
    """Draw, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--families", type=lambda text: text.split(","))
    parser.add_argument("--usual", action="store_true")
    parser.add_argument("--explain", type=float, default=1.0, metavar="PERCENT")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    families = options.families or (_USUAL if options.usual else list(FAMILIES))
    cases = [draw(dice, dice.choice(families), usual=options.usual) for _ in range(options.draws)]
    errors: dict[str, list[float]] = defaultdict(list)
    compare = partial(_compared, explain=options.explain)
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        for case, (error, lines) in zip(cases, pool.map(compare, cases), strict=True):
            print("\n".join(lines), flush=True)
            if error is not None:
                for name in (case["config"]["model_type"], "~ all"):
                    errors[name].append(abs(error))
    print(f"\n{'family':12} {'cases':>5} {'mean %':>7} {'max %':>7}")
    for name, values in sorted(errors.items()):
        print(f"{name:12} {len(values):5} {sum(values) / len(values):7.3f} {max(values):7.3f}")


def draw(dice: random.Random, family: str, *, usual: bool) -> dict[str, Any]:
    """A case at random: a small model of the family, and settings of any kind."""
    pick = dice.choice
    config = _config(dice, family)
    method = pick(("full", "lora", "qlora"))
    case: dict[str, Any] = {
        "config": config,
        "method": method,
        "micro_batch": pick((1, 2, 3, 4, 8)),
        "sequence_tokens": pick((128, 257, 512, 777, 1024, 1500, 2048)),
        "padded": pick((True, False)),
        "checkpointing": pick(("none", "full", "full") if usual else ("none", "full", "offloaded")),
        "attention": "sdpa" if usual else pick(("sdpa", "sdpa", "flash2", "eager")),
        "loss": pick(("torch", "chunked")),
        "autocast": pick(("bf16",) if usual else ("bf16", "bf16", "fp16", None)),
        "optimizer": pick(_OPTIMIZERS[:3] if usual else _OPTIMIZERS),
    }
    case["accumulation"] = 1 if case["optimizer"].endswith("backward") else pick((1, 1, 4))
    if method == "full":
        case["weights"] = pick(("bf16",) if usual else ("fp32", "bf16", "fp16"))
        if not usual and dice.random() < 0.3:
            case["trainable_layers"] = dice.randrange(config_layers(config) + 1)
    else:
        case["adapter"] = _adapter(dice, family, usual=usual)
        weights = ("nf4", "nf4-dq") if usual else ("nf4", "nf4-dq", "nf4-dq", "int8")
        plain = ("bf16",) if usual else ("fp32", "bf16", "bf16", "fp16")
        case["weights"] = pick(weights if method == "qlora" else plain)
        if method == "qlora":
            case["kbit_prepare"] = pick((True, False))
    if not usual and dice.random() < 0.2:
        case["device"] = "cpu"
        case["attention"] = case["attention"].replace("flash2", "sdpa")  # no CPU has it
    if case["weights"] == "fp32" and case["autocast"] is None:
        case["attention"] = case["attention"].replace("flash2", "sdpa")  # its kernels refuse fp32
    if dice.random() < (0.1 if usual else 0.2):
        case["task"] = "text-classification"
    return case


def config_layers(config: Mapping[str, Any]) -> int:
    """Blocks of a drawn config, whatever its family calls them."""
    layers: int = config.get("num_hidden_layers") or config["n_layer"]
    return layers


def _config(dice: random.Random, family: str) -> dict[str, Any]:
    pick = dice.choice
    config = {key: value for key, value in FAMILIES[family].items() if value is not None}
    config.pop("attention", None)
    heads = pick((8, 12, 16))
    width = pick((64, 64, 96, 128))
    groups = pick([each for each in (1, 2, 4, heads) if heads % each == 0])
    hidden = heads * width
    drawn = {
        "hidden_size": hidden, "n_embd": hidden, "num_hidden_layers": pick((2, 3, 4, 6)),
        "n_layer": pick((2, 3, 4, 6)), "num_attention_heads": heads, "n_head": heads,
        "num_key_value_heads": groups, "intermediate_size": hidden * pick((2, 3, 4)),
        "ffn_dim": hidden * 4, "word_embed_proj_dim": hidden,
        "vocab_size": pick((8000, 32000, 50257)), "head_dim": pick((64, 128, 256)),
    }  # fmt: skip
    if FAMILIES[family].get("num_hidden_layers") == 8:
        drawn["intermediate_size"] = pick((512, 768, 1024))  # of each of many experts
    config |= {key: drawn[key] for key in drawn if key in config}
    if family not in ("gpt2", "opt", "bloom", "gpt_neox") and dice.random() < 0.4:
        config["tie_word_embeddings"] = pick((True, False))
    config["pad_token_id"] = 0
    return {"model_type": family, **config}


def _adapter(dice: random.Random, family: str, *, usual: bool) -> dict[str, Any]:
    pick, row = dice.choice, hwdb.families()[family]
    names = [line.name for line in row.linears if not line.when]
    some = dice.sample(names, dice.randrange(1, len(names) + 1))
    whole = row.experts is None and dice.random() < 0.6
    return {
        "kind": pick(("lora", "lora", "rslora") if usual else ("lora", "lora", "rslora", "dora")),
        "rank": pick((4, 8, 16, 64)),
        "targets": "all-linear" if whole else some,
        "dropout": pick((0.0, 0.0, 0.05)),
        "dtype": pick(("fp32", "bf16")),
    }


def _compared(case: Mapping[str, Any], *, explain: float) -> tuple[float | None, list[str]]:
    """The error in percent, and what to print."""
    family = case["config"]["model_type"]
    request = request_of_case(case)
    try:
        traced = kept_trace(case, request, fresh=False)
    except Exception as problem:  # noqa: BLE001 - one case must not end the comparison
        text = f"{family:12} not traced: {type(problem).__name__}: {problem}"[:200]
        return None, [text, f"    {json.dumps(case)}"]
    shape = shape_of(case["config"], hwdb.find_family(family), hwdb.families()["llama"])
    step = step_of(*for_task(shape, request))
    rest, phases = _phases(step)
    most = max(traced["phases"].values())
    error = 100 * (max(phases.values()) / most - 1)
    line = (
        f"{family:12} {most / MIB:9.1f} {error:+7.2f} % {checked(shape, request)} "
        f"rest {traced['rest_bytes'] / MIB:.1f} {rest / MIB:.1f} "
        f"{traced['peak_segment']} | {step.peak.phase}: {step.peak.where}"
    )
    lines = [line, f"    {json.dumps(case)}"]
    for phase, bytes_ in traced["phases"].items():
        off = 100 * (phases.get(phase, 0) - bytes_) / most
        if abs(off) > explain:
            lines.append(
                f"    {phase}: {bytes_ / MIB:.1f} {phases.get(phase, 0) / MIB:.1f} {off:+.2f} %"
            )
    if abs(error) > explain:
        segments = sorted(traced["segments"].items(), key=lambda item: -item[1])
        lines += [
            "    traced:  " + ", ".join(f"{name} {size / MIB:.1f}" for name, size in segments[:7]),
            "    formula: " + _candidates(step, rest),
            *(f"        {each}" for each in traced["alive"]),
        ]
    return error, lines


def _phases(step: Step) -> tuple[int, dict[str, int]]:
    """Bytes at rest, and those of each phase's largest moment."""
    states = step.states
    rest = states.weights_bytes + states.adapters_bytes + states.optimizer_bytes
    phases: dict[str, int] = {}
    for candidate, total in zip(step.candidates, step.totals, strict=True):
        phases[candidate.phase] = max(phases.get(candidate.phase, 0), rest + total)
    return rest, phases


def _candidates(step: Step, rest: int) -> str:
    largest = sorted(step.candidates, key=lambda each: -each.total_bytes)[:5]
    return ", ".join(
        f"{each.phase}: {each.where} {(rest + each.total_bytes) / MIB:.1f}"
        f" (g {each.gradients_bytes / MIB:.1f} a {each.activations_bytes / MIB:.1f}"
        f" l {each.logits_bytes / MIB:.1f} t {each.temporaries_bytes / MIB:.1f})"
        for each in largest
    )


if __name__ == "__main__":
    main()
