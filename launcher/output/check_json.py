"""The quick check as one JSON document, schema 1; `launcher/schemas/check.json` describes it."""

from __future__ import annotations

import json
from typing import Any

import hwdb
from launcher.fitting_cards import cards_for
from launcher.hardware import Hardware
from launcher.output.words import compute_dtype
from launcher.quick_check import QuickCheck
from launcher.version import VERSION
from planner.budget import Budget
from planner.case_answer import memory_numbers, time_numbers
from planner.plan import MethodAnswer, Plan


def json_text(document: dict[str, Any]) -> str:
    """A document as it is printed: indented, ASCII, ending in a line break."""
    return json.dumps(document, indent=2) + "\n"


def check_document(check: QuickCheck) -> dict[str, Any]:
    """The whole answer; every key is present, null where something is unknown."""
    plan = check.plan
    budget, recommended = plan.budget, plan.recommendation
    return {
        "schema_version": 1,
        "tlplan_version": VERSION,
        "hwdb_version": hwdb.VERSION,
        "model": _model(plan),
        "hardware": _hardware(check.hardware),
        "request": _request(plan),
        "budget_bytes": None if budget is None else budget.free_bytes,
        "methods": [_method(answer) for answer in plan.answers],
        "recommendation": None if recommended is None else recommended._asdict(),
        "warnings": [warning._asdict() for warning in plan.warnings],
    }


def _model(plan: Plan) -> dict[str, Any]:
    model, shape = plan.model, plan.model.shape
    return {
        "id": model.id,
        "hub_id": model.hub_id,
        "revision": model.revision,
        "parameters": shape.parameters,
        "layers": shape.layers,
        "hidden_size": shape.hidden_size,
        "vocabulary_size": shape.vocabulary_size,
        "source": model.source,
    }


def _hardware(hardware: Hardware) -> dict[str, Any] | None:
    budget = hardware.budget
    if budget is None:
        return None
    on_host = budget.source == "host"
    return {
        "source": budget.source,
        "driver_version": hardware.driver_version,
        "gpus": [gpu_document(gpu) for gpu in hardware.gpus],
        "judged": hardware.gpus.index(budget) if budget in hardware.gpus else None,
        "host": _host(budget) if on_host else None,
    }


def gpu_document(gpu: Budget) -> dict[str, Any]:
    """A GPU as every document writes it."""
    capability = gpu.compute_capability
    return {
        "index": gpu.index,
        "uuid": gpu.uuid,
        "name": gpu.name,
        "hwdb_id": gpu.card_id,
        "total_bytes": gpu.total_bytes,
        "free_bytes": gpu.free_bytes,
        "driver_reserved_bytes": gpu.driver_reserved_bytes,
        "compute_capability": None if capability is None else list(capability),
        "supports_bf16": gpu.supports_bf16,
    }


def _host(budget: Budget) -> dict[str, Any]:
    return {
        "name": budget.name,
        "total_bytes": budget.total_bytes,
        "available_bytes": budget.free_bytes,
    }


def _request(plan: Plan) -> dict[str, Any]:
    request = (plan.chosen or plan.answers[0]).request
    adapters = [answer.request.adapter for answer in plan.answers if answer.request.adapter]
    adapter = adapters[0] if adapters else None
    return {
        "sequence_tokens": request.sequence_tokens,
        "micro_batch_sequences": request.micro_batch,
        "accumulation_steps": request.accumulation,
        "checkpoint_activations": request.checkpointing != "none",
        "optimizer": request.optimizer,
        "compute_dtype": compute_dtype(request),
        "lora_rank": None if adapter is None else adapter.rank,
        "lora_targets": None if adapter is None else list(adapter.targets),
    }


def _method(answer: MethodAnswer) -> dict[str, Any]:
    memory, verdict = answer.memory, answer.verdict
    basis = memory.basis
    return {
        "method": answer.method,
        "weights": answer.request.weights,
        "fits": verdict.fits,
        "expected_peak_bytes": memory.needed.expected_bytes,
        "low_bytes": memory.needed.low_bytes,
        "high_bytes": memory.needed.high_bytes,
        "spare_bytes": verdict.spare_bytes,
        "parts": memory.parts._asdict(),
        "memory": memory_numbers(memory),
        "time": time_numbers(answer.time),
        "largest_sequence_tokens": answer.largest_sequence_tokens,
        "largest_micro_batch": answer.largest_micro_batch,
        "smallest_cards": [card.id for card in cards_for(answer)],
        "basis": {
            "kind": basis.tier,
            "runs": basis.runs,
            "median_error_fraction": basis.median_error_fraction,
        },
    }
