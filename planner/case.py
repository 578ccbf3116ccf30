"""A line of `tlplan estimate`: a JSON case becomes a request, every field looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from planner.case_versions import rows_varied, transformers_version, version_of
from planner.request import (
    AdapterDtype,
    AdapterSettings,
    Allocator,
    RequestError,
    TrainingRequest,
    Weights,
    shortened,
)

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

_KINDS: dict[str, tuple[type, str]] = {
    **dict.fromkeys(
        ("micro_batch", "accumulation", "sequence_tokens", "gpus", "trainable_layers"),
        (int, "a whole number"),
    ),
    **dict.fromkeys(("kbit_prepare", "padded"), (bool, "true or false")),
    **dict.fromkeys(
        (
            *("model", "task", "method", "weights", "autocast", "optimizer", "checkpointing"),
            *("attention", "loss", "stack", "sharding", "gpu", "allocator", "device"),
        ),
        (str, "text"),
    ),
    **dict.fromkeys(("config", "adapter", "versions"), (dict, "an object")),
    "lengths": (list, "a list of whole numbers"),
}
_MOST = 2**40
"""No batch, length or rank is larger."""

_PASSED_ON = (
    *("task", "trainable_layers", "kbit_prepare", "optimizer", "accumulation", "padded"),
    *("checkpointing", "attention", "loss", "stack", "gpus", "sharding", "device"),
)


def request_of_case(case: Mapping[str, Any], *, without_bf16: bool = False) -> TrainingRequest:
    """The request a case describes; what it leaves out has the launcher's own default.

    `without_bf16` says that this is the default of a card that has none. Raises RequestError
    naming the field that is missing, unknown or impossible.
    """
    for name in case:
        if name not in _KEYS:
            raise _unknown(name, _KEYS)
    for name in _REQUIRED:
        if case.get(name) is None:
            text = f"{name} is missing: a case needs model or config, {', '.join(_REQUIRED)}"
            raise RequestError(name, text)
    _check_kinds(case, _KINDS, "")
    _check_device(case)
    method = case["method"]
    if method == "full" and case.get("adapter") is not None:
        raise RequestError("adapter", "adapter goes with method lora or qlora, not with full")
    given = {name: case[name] for name in _PASSED_ON if case.get(name) is not None}
    lengths = _lengths(case.get("lengths"))
    sequence = case["sequence_tokens"]
    if lengths is not None:
        sequence = min(sequence, max(lengths))
        unequal = case["micro_batch"] > 1 and len({min(each, sequence) for each in lengths}) > 1
        given.setdefault("padded", unequal)
    version = transformers_version(case)
    weights = _given(case, "weights", _usual_weights(method, without_bf16))
    autocast = case.get("autocast", "fp16" if without_bf16 else "bf16")
    _check_flash(case, weights, autocast)
    return TrainingRequest(
        method=method,
        micro_batch=case["micro_batch"],
        sequence_tokens=sequence,
        adapter=None if method == "full" else _adapter(case.get("adapter"), case, without_bf16),
        weights=weights,
        autocast=autocast,
        lengths=lengths,
        lengths_vary=lengths is None and rows_varied(version, case),
        transformers_version=version,
        bitsandbytes_version=version_of(case.get("versions"), "bitsandbytes"),
        allocator=_given(case, "allocator", _usual_allocator(case)),
        **given,
    )


def case_of_request(request: TrainingRequest) -> dict[str, Any]:
    """The case that describes a request, its data's lengths left out."""
    case: dict[str, Any] = {name: getattr(request, name) for name in _SAME_IN_BOTH}
    adapter, version = request.adapter, request.transformers_version
    if adapter is not None:
        case["adapter"] = {name: getattr(adapter, name) for name in _ADAPTER_KEYS}
        case["adapter"]["targets"] = list(adapter.targets)
    if version is not None:
        case["versions"] = {"transformers": f"{version[0]}.{version[1]}"}
    return case


_SAME_IN_BOTH = (
    *("method", "micro_batch", "sequence_tokens", "weights", "autocast", "allocator"),
    *_PASSED_ON,
)


def _check_kinds(
    values: Mapping[str, Any], kinds: Mapping[str, tuple[type, str]], prefix: str
) -> None:
    """Raise RequestError for the first value that is of the wrong kind or beyond all bounds."""
    for name, (kind, words) in kinds.items():
        value = values.get(name)
        if value is None:
            continue
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            text = f"{prefix}{name} must be {words}, got {shortened(value)}"
            raise RequestError(f"{prefix}{name}", text)
        if isinstance(value, int) and value > _MOST:
            raise RequestError(f"{prefix}{name}", f"{prefix}{name} must be at most {_MOST}")


def _unknown(name: str, known: Iterable[str], prefix: str = "") -> RequestError:
    """The error for a field that nobody has, with the one it may have been meant for."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1) or [each for each in known if name in each][:1]
    meant = f"did you mean {prefix}{near[0]}?" if near else f"known are {', '.join(sorted(known))}"
    field = f"{prefix}{name}"
    shown = field if len(field) <= _LONGEST_SHOWN else f"{field[:_LONGEST_SHOWN]}..."
    return RequestError(field, f'unknown field "{shown}"; {meant}')


_LONGEST_SHOWN = 80


def _check_device(case: Mapping[str, Any]) -> None:
    """Raise RequestError for what no processor has."""
    if case.get("device") != "cpu":
        return
    if case.get("gpu") is not None:
        raise RequestError("gpu", "gpu names a card, but device is cpu: leave one of them out")
    if case.get("attention") == "flash2":
        text = "attention flash2 runs on a card only; with device cpu take sdpa or eager"
        raise RequestError("attention", text)


def _check_flash(case: Mapping[str, Any], weights: Any, autocast: Any) -> None:
    """Raise RequestError for fp32 tensors, which flash-attn's kernels refuse.

    Transformers casts queries to what autocast says, else to the dtype of the weights
    (integrations/flash_attention.py, get_target_dtype).
    """
    if case.get("attention") == "flash2" and weights == "fp32" and autocast is None:
        text = "attention flash2 takes 16-bit tensors only: with weights fp32 set autocast"
        raise RequestError("attention", text)


def is_count(value: Any) -> bool:
    """Whether a batch or a length may have this value."""
    return type(value) is int and 0 < value <= _MOST


def _usual_allocator(case: Mapping[str, Any]) -> Allocator:
    """The launcher sets expandable segments; a case that names another stack did not."""
    own = (
        not case.get("versions")
        and case.get("stack", "transformers") == "transformers"
        and (case.get("loss", "chunked") == "chunked" or _of_few_classes(case))
    )
    return "expandable" if own else "classic"


def _of_few_classes(case: Mapping[str, Any]) -> bool:
    """Whether the launcher takes torch's loss too, since there are no logits to tile."""
    return case.get("task") in ("text-classification", "image-classification")


_ADAPTER_KINDS: dict[str, tuple[type, str]] = {
    "kind": (str, "text"),
    "rank": (int, "a whole number"),
    "dtype": (str, "text"),
}


def _usual_weights(method: str, without_bf16: bool) -> Weights:
    if method == "qlora":
        return "nf4-dq"
    if without_bf16:
        return "fp32" if method == "full" else "fp16"
    return "bf16"


def _adapter(given: Any, case: Mapping[str, Any], without_bf16: bool) -> AdapterSettings:
    given = {} if given is None else given
    for name in given:
        if name not in _ADAPTER_KEYS:
            raise _unknown(name, _ADAPTER_KEYS, "adapter.")
    _check_kinds(given, _ADAPTER_KINDS, "adapter.")
    dropout = given.get("dropout")
    if dropout is not None and (isinstance(dropout, bool) or not isinstance(dropout, int | float)):
        text = f"adapter.dropout must be a number, got {shortened(dropout)}"
        raise RequestError("adapter.dropout", text)
    return AdapterSettings(
        kind=_given(given, "kind", "lora"),
        rank=16 if given.get("rank") is None else given["rank"],
        targets=_targets(_given(given, "targets", "all-linear")),
        dropout=float(dropout or 0.0),
        dtype=_given(given, "dtype", "fp32" if without_bf16 else _usual_adapter_dtype(case)),
    )


def _given(fields: Mapping[str, Any], name: str, usual: Any) -> Any:
    """What a field says; null is as good as not there."""
    value = fields.get(name)
    return usual if value is None else value


def _usual_adapter_dtype(case: Mapping[str, Any]) -> AdapterDtype:
    """PEFT keeps adapters in fp32, TRL casts them over 4 bits; others take the weights' dtype."""
    if case["method"] == "qlora":
        return "bf16"
    own = case.get("stack") in ("litgpt", "torchtune")
    return "bf16" if own and case.get("weights") != "fp32" else "fp32"


def _targets(given: Any) -> tuple[str, ...]:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        text = f"adapter.targets must name layers, got {shortened(given)}"
        raise RequestError("adapter.targets", text)
    return tuple(names)


def _lengths(given: list[Any] | None) -> tuple[int, ...] | None:
    if given is None:
        return None
    if not given or not all(map(is_count, given)):
        raise RequestError("lengths", "lengths must be a list of whole numbers above 0")
    return tuple(given)
