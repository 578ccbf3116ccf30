"""Traces cases: one JSON object a line on stdin, one answer a line on stdout.

    echo '{"case": {"config": {...}, "method": "lora", ...}}' | python -m launcher.tracing.worker

Beside the case, `batching` says how rows of unequal lengths are put together, and `cpu_seconds`
how long this process may compute for it.

A process of its own, because torch and Transformers take seconds to import and hundreds of MiB.
What cannot be traced is answered with {"error": {"code", "message", "hints"}}.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import Any, get_args

from hwdb import find_capability, find_family
from launcher.exit_codes import ExitCode
from launcher.library_versions import traced_versions
from launcher.tracing.result import TraceResult
from planner.case import request_of_case
from planner.memory.expert_loop import are_modules
from planner.request import Batching, RequestError, TrainingRequest


def main() -> int:
    """Answer every case on stdin until it ends."""
    answer_to = os.fdopen(_own_stdout(), "w")
    for line in sys.stdin:
        asked = json.loads(line)
        _compute_at_most(asked.get("cpu_seconds"))
        answer_to.write(json.dumps(_answer(asked)) + "\n")
        answer_to.flush()
    return ExitCode.DONE


def _compute_at_most(cpu_seconds: float | None) -> None:
    """Let the kernel end this process (SIGXCPU) once it has computed so much longer.

    An exception at any moment would not do: autograd's own code ends the process by it.
    """
    if cpu_seconds is None:
        return
    soft = ceil(time.process_time() + cpu_seconds)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    if most != resource.RLIM_INFINITY:  # `ulimit -t` of the shell
        soft = min(soft, most)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return trace(asked["case"], batching=asked.get("batching", "random")).as_json()
    except RequestError as problem:
        return _refusal("BAD_FIELD", str(problem))
    except Exception as problem:  # noqa: BLE001 - whatever the model's own code raises
        text = f"the step cannot be traced: {type(problem).__name__}: {problem}"
        if type(problem).__name__ in _BY_VALUES:
            text = (
                f"the step cannot be traced: {problem} makes shapes of values, which are not there"
            )
        return _refusal("CANNOT_TRACE", text)


_BY_VALUES = ("DynamicOutputShapeException", "DataDependentOutputException")
"""What fake tensors raise; named, since torch is imported later."""


def trace(case: Mapping[str, Any], *, batching: Batching = "random") -> TraceResult:
    """The trace of a case that has a config.

    Raises RequestError for a field that is impossible or cannot be traced, and whatever the
    libraries raise for a model they cannot build.
    """
    config = case.get("config")
    if not isinstance(config, dict):
        raise RequestError("config", "config must be the object of a config.json")
    request = replace(request_of_case(case), batching=batching)
    _check(request)
    _check_experts(config, request)
    import torch

    torch.set_num_threads(1)
    from launcher.tracing.kept import kept_by_allocator
    from launcher.tracing.recording import PartName
    from launcher.tracing.trace import trace_request
    from planner.memory.runtime import cublas_workspace_bytes

    began = time.monotonic()
    on_cuda = request.device == "cuda"
    capability = find_capability(case["gpu"]) if case.get("gpu") else None
    workspace_bytes = cublas_workspace_bytes(capability) if on_cuda else 0
    full = trace_request(config, request, workspace_bytes=workspace_bytes)
    kept = kept_by_allocator(full, config, request, workspace_bytes)
    outside = full.outside()
    phases = {**full.phases(), **{name: sum(parts.values()) for name, parts in outside.items()}}
    peak = max(phases, key=lambda name: phases[name])
    parts = outside.get(peak, full.peak_parts)
    return TraceResult(
        peak_bytes=max(full.peak_bytes, phases[peak]),
        rest_bytes=full.rest_bytes,
        phases=phases,
        parts={str(name): parts.get(name, 0) for name in get_args(PartName)},
        trained_parameters=full.trained_parameters,
        paged_bytes=full.paged_bytes,
        reserved_bytes=max(kept.reserved_bytes, phases[peak]),
        needed_bytes=max(kept.needed_bytes, phases[peak]),
        ways=kept.ways,
        seconds=round(time.monotonic() - began, 3),
        versions=traced_versions(),
    )


_WHOLE_WEIGHTS_ONLY = ("loha", "lokr", "boft", "glora", "hra", "psoft")


def _check_experts(config: Mapping[str, Any], request: TrainingRequest) -> None:
    name = config.get("model_type")
    family = find_family(name) if isinstance(name, str) else None
    experts = None if family is None else family.experts
    if experts is not None and are_modules(experts, request):
        text = "the installed Transformers does not build experts as versions before 5 did"
        raise RequestError("versions", text)


def _check(request: TrainingRequest) -> None:
    """Raise RequestError for what has no real classes here to trace."""
    if request.stack != "transformers":
        raise RequestError("stack", f"stack {request.stack} cannot be traced, only transformers")
    adapter = request.adapter
    if request.method == "qlora" and adapter is not None and adapter.kind in _WHOLE_WEIGHTS_ONLY:
        raise RequestError(
            "adapter.kind",
            f"PEFT has no {adapter.kind} adapters over quantized weights; method lora is without",
        )
    if request.method == "qlora" and adapter is not None and adapter.kind == "hira":
        text = "hira adapters over quantized weights cannot be traced; method lora can"
        raise RequestError("adapter.kind", text)
    if adapter is not None and adapter.kind == "prefix-tuning" and request.checkpointing != "none":
        text = "PEFT's prefix-tuning runs with checkpointing none alone"
        raise RequestError("checkpointing", text)
    if request.sharding not in ("none", "ddp"):
        raise RequestError("sharding", f"sharding {request.sharding} cannot be traced, only none")


def _refusal(code: str, message: str) -> dict[str, Any]:
    one_line = " ".join(message.split())
    return {"error": {"code": code, "message": one_line[:500], "hints": []}}


def _own_stdout() -> int:
    """Stdout for the answer alone: what libraries print goes to stderr from here on."""
    answer_to = os.dup(1)
    os.dup2(2, 1)
    return answer_to


if __name__ == "__main__":
    raise SystemExit(main())
