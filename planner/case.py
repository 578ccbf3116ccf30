"""A line of `tlplan estimate`: a JSON case becomes a shape and a request, its answer JSON again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from planner.memory.estimate import MemoryEstimate, Verdict, estimate_memory, verdict_of
from planner.memory.interval import Band
from planner.plan import as_numbers
from planner.request import AdapterSettings, Allocator, RequestError, TrainingRequest
from planner.shape import ModelShape

_REQUIRED = ("method", "micro_batch", "sequence_tokens")

_KEYS = frozenset(
    (
        *("id", "model", "config", "task", "method", "trainable_layers", "adapter", "weights"),
        *("autocast", "kbit_prepare", "optimizer", "micro_batch", "accumulation"),
        *("sequence_tokens", "lengths", "padded", "checkpointing", "attention", "loss", "stack"),
        *("versions", "gpus", "sharding", "gpu", "allocator", "device"),
    )
)
_ADAPTER_KEYS = frozenset(("kind", "rank", "targets", "dropout", "dtype"))

_WHOLE_NUMBERS = ("micro_batch", "accumulation", "sequence_tokens", "gpus", "trainable_layers")

_PASSED_ON = (
    "task", "trainable_layers", "kbit_prepare", "optimizer", "accumulation", "padded",
    "checkpointing", "attention", "loss", "stack", "gpus", "sharding", "device",
)  # fmt: skip


def request_of_case(case: Mapping[str, Any]) -> TrainingRequest:
    """The request a case describes; what it leaves out has the launcher's own default.

    Raises RequestError naming the field that is missing, unknown or impossible.
    """
    for name in case:
        if name not in _KEYS:
            raise RequestError(name, f'unknown field "{name}"')
    for name in _REQUIRED:
        if case.get(name) is None:
            raise RequestError(name, f"{name} is missing")
    for name in _WHOLE_NUMBERS:
        value = case.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise RequestError(name, f"{name} must be a whole number, got {value!r}")
    method = case["method"]
    given = {name: case[name] for name in _PASSED_ON if case.get(name) is not None}
    return TrainingRequest(
        method=method,
        micro_batch=case["micro_batch"],
        sequence_tokens=case["sequence_tokens"],
        adapter=None if method == "full" else _adapter(case.get("adapter"), method),
        weights=case.get("weights") or ("nf4-dq" if method == "qlora" else "bf16"),
        autocast=case.get("autocast", "bf16"),
        lengths=_lengths(case.get("lengths")),
        transformers_version=_version(case.get("versions")),
        allocator=case.get("allocator") or _usual_allocator(case),
        **given,
    )


def _usual_allocator(case: Mapping[str, Any]) -> Allocator:
    """The launcher sets expandable segments; a case that names another stack did not."""
    own = (
        not case.get("versions")
        and case.get("stack", "transformers") == "transformers"
        and case.get("loss", "chunked") == "chunked"
    )
    return "expandable" if own else "classic"


def _adapter(given: Any, method: str) -> AdapterSettings:
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise RequestError("adapter", f"adapter must be an object, got {given!r}")
    for name in given:
        if name not in _ADAPTER_KEYS:
            raise RequestError(f"adapter.{name}", f'unknown field "adapter.{name}"')
    targets = given.get("targets", "all-linear")
    rank = given.get("rank", 16)
    if not isinstance(rank, int) or isinstance(rank, bool):
        raise RequestError("adapter.rank", f"adapter.rank must be a whole number, got {rank!r}")
    return AdapterSettings(
        kind=given.get("kind", "lora"),
        rank=rank,
        targets=(targets,) if isinstance(targets, str) else tuple(targets),
        dropout=float(given.get("dropout", 0.0)),
        dtype=given.get("dtype") or ("bf16" if method == "qlora" else "fp32"),
    )


def _lengths(given: Any) -> tuple[int, ...] | None:
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(n, int) and n > 0 for n in given):
        raise RequestError("lengths", "lengths must be a list of whole numbers above 0")
    return tuple(given)


def _version(versions: Any) -> tuple[int, int] | None:
    if not versions or not versions.get("transformers"):
        return None
    parts = str(versions["transformers"]).split(".")
    try:
        return int(parts[0]), int(parts[1])
    except (ValueError, IndexError):
        text = f"versions.transformers must look like 4.48.1, got {versions['transformers']!r}"
        raise RequestError("versions", text) from None


def answer_case(
    case: Mapping[str, Any],
    find_shape: Callable[[Mapping[str, Any]], ModelShape],
    find_capacity: Callable[[str], int | None],
) -> dict[str, Any]:
    """The answer to a case, ready for JSON.

    `find_shape` reads the model or config of a case; `find_capacity` the usable bytes of a card.
    Raises RequestError, or what the two raise.
    """
    request = request_of_case(case)
    memory = estimate_memory(find_shape(case), request)
    gpu = case.get("gpu")
    verdict = verdict_of(memory.needed, None if gpu is None else find_capacity(gpu))
    return {
        "id": case.get("id"),
        "memory": memory_numbers(memory),
        "time": None,
        "verdict": verdict_numbers(verdict),
        "basis": as_numbers(memory.basis),
    }


def memory_numbers(memory: MemoryEstimate) -> dict[str, Any]:
    """An estimate as the contract's `memory` object."""
    return {
        "allocated_bytes": band_numbers(memory.allocated),
        "reserved_bytes": band_numbers(memory.reserved),
        "device_bytes": band_numbers(memory.device),
        "needed_bytes": band_numbers(memory.needed),
        "rest_allocated_bytes": memory.rest_allocated_bytes,
        "peak_phase": memory.peak_phase,
        "parts": as_numbers(memory.parts),
    }


def band_numbers(band: Band) -> dict[str, int]:
    """An interval as {"expected", "low", "high"}."""
    return {"expected": band.expected_bytes, "low": band.low_bytes, "high": band.high_bytes}


def verdict_numbers(verdict: Verdict) -> dict[str, Any]:
    """A verdict as the contract's object."""
    return as_numbers(verdict)
