"""A model and settings, checked and written as a step once; batches and lengths vary freely."""

from __future__ import annotations

from operator import attrgetter
from typing import NamedTuple, get_args

from planner.memory.adapted import HEAD_NAME, expert_adapters
from planner.memory.block_settings import has_one_row, is_windowed
from planner.memory.checked import Checked, checked
from planner.memory.classifying import for_task
from planner.memory.disentangled import batch_of_scores
from planner.memory.expert_loop import as_modules, target_names
from planner.memory.interval import Basis, basis_of
from planner.memory.stacks.own_model import own_model
from planner.memory.step import WrittenStep, written_step
from planner.request import (
    BATCH_FIELDS,
    REQUEST_FIELDS,
    AdapterSettings,
    LoraKind,
    RequestError,
    TrainingRequest,
)
from planner.shape import ModelShape


class Job(NamedTuple):
    """What is known of a model and settings before the batch is."""

    request: TrainingRequest
    """In the terms of the library that trains; its batch is that of whoever asked first."""
    translated: bool
    image_tokens: int | None
    step: WrittenStep
    checked: Checked
    basis: Basis

    def request_for(self, asked: TrainingRequest) -> TrainingRequest:
        """The asked batch with the settings of this job."""
        if not self.translated:
            return asked
        return self.request.with_batch(
            micro_batch=asked.micro_batch,
            sequence_tokens=self.image_tokens or asked.sequence_tokens,
            lengths=asked.lengths,
            lengths_vary=asked.lengths_vary,
        )


def job_of(shape: ModelShape, request: TrainingRequest) -> Job:
    """The job of this model and the request's settings.

    Raises RequestError for a request that this model cannot have.
    """
    batch = batch_of_scores(shape, request)
    unlike = has_one_row(shape, request), is_windowed(shape, request)
    key = (id(shape), _settings(request), unlike, batch)
    known = _known.get(key)
    if known is None:
        if len(_known) >= _MOST:
            _known.clear()
        known = _known[key] = (shape, _written(shape, request))
    return known[1]


_settings = attrgetter(*(name for name in REQUEST_FIELDS if name not in BATCH_FIELDS))

_MOST = 2048
_known: dict[object, tuple[ModelShape, Job]] = {}
"""By identity of the shape, which is kept so that no other can take its place."""


def _written(shape: ModelShape, asked: TrainingRequest) -> Job:
    shape, request = for_task(*own_model(as_modules(shape, asked), asked))
    _check(shape, request)
    known = checked(shape, request)
    return Job(
        request=request,
        translated=_settings(request) != _settings(asked) or shape.image_tokens is not None,
        image_tokens=shape.image_tokens,
        step=written_step(shape, request),
        checked=known,
        basis=basis_of(known, request),
    )


def _check(shape: ModelShape, request: TrainingRequest) -> None:
    if request.trainable_layers is not None and request.trainable_layers > shape.layers:
        raise RequestError(
            "trainable_layers",
            f"trainable_layers {request.trainable_layers} is above the model's {shape.layers}",
        )
    if request.adapter is None:
        return
    if request.adapter.kind not in get_args(LoraKind):
        raise RequestError(
            "adapter.kind",
            f"adapter.kind {request.adapter.kind} is not known to the formula; "
            "--trace estimates it with PEFT's own layers",
        )
    widest = max(shape.hidden_size, shape.sizes.get("i", 0))
    if request.adapter.rank > widest:
        raise RequestError(
            "adapter.rank",
            f"adapter.rank {request.adapter.rank} is above the model's width {widest}",
        )
    if request.adapter.targets == ("all-linear",):
        _check_expert_adapters(shape, request.adapter)
        return
    names = [*target_names(shape.linears), HEAD_NAME]
    for target in request.adapter.targets:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            raise RequestError(
                "adapter.targets",
                f'adapter.targets names "{target}", but this model has {", ".join(names)}',
            )


def _check_expert_adapters(shape: ModelShape, adapter: AdapterSettings) -> None:
    """PEFT's adapters over experts know neither DoRA nor dropout."""
    if not expert_adapters(shape, adapter.targets):
        return
    names = ", ".join(line.name for line in shape.linears)
    text = f"cannot go with all-linear here: PEFT adapts the experts too; name linears: {names}"
    if adapter.kind == "dora":
        raise RequestError("adapter.kind", f"adapter.kind dora {text}")
    if adapter.dropout:
        raise RequestError("adapter.dropout", f"adapter.dropout {text}")
