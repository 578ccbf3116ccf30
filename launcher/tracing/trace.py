"""The trace of a request: peak bytes of every part of a step of the full model."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from torch._subclasses.fake_tensor import FakeTensorMode

from launcher.tracing.allocation_log import BLOCK_BYTES, AllocationLog, Workspace
from launcher.tracing.autograd_rules import rules_without_data
from launcher.tracing.cuda_rules import cuda_rules
from launcher.tracing.depths import (
    Share,
    block_kinds,
    config_of,
    depths_of,
    depths_of_split,
    layers_of,
)
from launcher.tracing.kernels import KERNEL_SCRATCH, MATRIX_PRODUCTS
from launcher.tracing.many_steps import TracedStep, length_apart
from launcher.tracing.model_on_paper import blocks_path, build_model, give_fake_tensors
from launcher.tracing.optimizers import paged_bytes
from launcher.tracing.outside import bytes_while_loading, bytes_while_saving
from launcher.tracing.recording import PartName, Recording
from launcher.tracing.step import HEAD_BLOCKS, STEPS, run_steps
from launcher.tracing.unrolling import Unrolled, unrolled
from planner.memory.allocator import Event
from planner.request import TrainingRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class FullDepth:
    """What the full model's step needs."""

    segments: Mapping[str, int]
    """Peak bytes of each part of the step, such as "backward:-1" for the last block's."""
    rest_bytes: int
    """Bytes between steps."""
    peak_parts: Mapping[PartName, int]
    """What is alive at the peak."""
    trained_parameters: int
    paged_bytes: int
    """Optimizer state in pages, which the driver moves."""
    recordings: Sequence[Recording]
    shares: Sequence[Share]
    ends: int
    """How many first and last blocks have segments of their own."""

    @property
    def peak_bytes(self) -> int:
        """Peak of the whole step."""
        return max(self.segments.values())

    @property
    def peak_segment(self) -> str:
        """Where the peak is."""
        return max(self.segments, key=lambda name: self.segments[name])

    def phases(self) -> dict[str, int]:
        """Peak bytes of each phase of the step."""
        peaks: dict[str, int] = {}
        for segment, most in self.segments.items():
            phase = _phase(segment)
            if phase is not None:
                peaks[phase] = max(most, peaks.get(phase, 0))
        return peaks

    def outside(self) -> dict[str, dict[PartName, int]]:
        """What is alive while the model is loaded, before adapters and optimizer, and saved."""
        standing: tuple[PartName, ...] = ("weights", "runtime", "adapters", "optimizer")
        states = {name: self.peak_parts.get(name, 0) for name in standing}
        in_flight = max(recording.loading_bytes for recording in self.recordings)
        looked_through = max(recording.saving_bytes for recording in self.recordings)
        loading: dict[PartName, int] = {**states, "adapters": 0, "optimizer": 0}
        return {
            "load": {**loading, "temporaries": in_flight},
            "save": {**states, "temporaries": looked_through},
        }

    def events(self) -> list[Event]:
        """Every birth and death of the full model's steps, for the allocator.

        What the repeated blocks do not account for, such as frozen blocks below trained ones,
        stands there from the beginning.
        """
        events = self.written_out(self.recordings[-1]).events
        missing = self.peak_bytes - _peak(events)
        return [(_MISSING, missing), *events] if missing > 0 else events

    def written_out(self, recording: Recording) -> Unrolled:
        """The full model's stream after a recording as deep as the last of these."""
        share, period = self.shares[-1], recording.layers - self.recordings[0].layers
        repeats = period > 0 and share.times > 0
        first = max(recording.layers - 2 * period, recording.frozen + 1)
        copies = share.times if repeats else 1
        return unrolled(recording, first=first, period=period, copies=copies)


def _phase(segment: str) -> str | None:
    """The phase a segment belongs to; None between steps."""
    stage, _, block = segment.partition(":")
    if stage == "rest":
        return None
    return "loss" if stage != "evaluate" and block in HEAD_BLOCKS else stage


_MISSING = -2
"""Number of the tensor that stands for what was not traced."""


def _peak(events: Iterable[Event]) -> int:
    alive = most = 0
    for _, change in events:
        alive += change
        most = max(most, alive)
    return most


def trace_request(
    config: Mapping[str, Any], request: TrainingRequest, *, workspace_bytes: int = 0
) -> FullDepth:
    """Trace shallow models of a config and follow each part of the step to the full depth.

    Every part grows linearly with the number of blocks; the largest of them need not.
    `workspace_bytes` is what cuBLAS keeps in each of two threads.
    """
    shares = _shares(config, request)
    recordings = [_record_share(config, request, share, workspace_bytes) for share in shares]
    ends = max(min(recording.layers - recording.frozen for recording in recordings) // 2, 1)
    parts = [recording.parts(ends=ends) for recording in recordings]
    shared = [name for name in parts[0] if all(name in each for each in parts)]
    segments = {name: _summed(shares, [each[name] for each in parts]) for name in shared}
    peak = max(segments, key=lambda name: sum(segments[name].values()))
    return FullDepth(
        segments={name: sum(each.values()) for name, each in segments.items()},
        peak_parts=_without_negatives(segments[peak]),
        trained_parameters=sum(
            share.times * recording.trained_parameters
            for share, recording in zip(shares, recordings, strict=True)
        ),
        paged_bytes=sum(
            share.times * recording.paged_bytes
            for share, recording in zip(shares, recordings, strict=True)
        ),
        rest_bytes=sum(
            share.times * recording.rest_bytes
            for share, recording in zip(shares, recordings, strict=True)
        ),
        recordings=recordings,
        shares=shares,
        ends=ends,
    )


def trace_one_step(
    full: FullDepth, config: Mapping[str, Any], request: TrainingRequest, workspace_bytes: int
) -> TracedStep:
    """The step that many of unequal lengths are written after."""
    length = length_apart(request.sequence_tokens, full.recordings[-1].origins)
    at_length = replace(request, sequence_tokens=length, lengths=None)
    recording = _record_share(config, at_length, full.shares[-1], workspace_bytes)
    stream = full.written_out(recording)
    begin, *_, end = (
        stream.places[mark.position]
        for mark in recording.marks
        if mark.segment in _LAST_STEP_AND_AFTER
    )
    missing = max(full.peak_bytes - _peak(full.written_out(full.recordings[-1]).events), 0)
    return TracedStep(
        standing=[(_MISSING, missing), *_left(stream.events[:begin])],
        events=stream.events[begin:end],
        origins=recording.origins,
        copies=stream.copies,
        length=length,
    )


def _left(events: Iterable[Event]) -> list[Event]:
    """Births of what is still there at the end."""
    alive: dict[int, int] = {}
    for number, change in events:
        if change > 0:
            alive[number] = change
        else:
            alive.pop(number, None)
    return list(alive.items())


_LAST_STEP_AND_AFTER = (f"{STEPS - 1}/forward:before", f"{STEPS - 1}/evaluate:before")


def _summed(
    shares: Sequence[Share], parts: Sequence[Mapping[PartName, int]]
) -> dict[PartName, int]:
    return {
        name: sum(share.times * each[name] for share, each in zip(shares, parts, strict=True))
        for name in parts[0]
    }


def _without_negatives(parts: Mapping[PartName, int]) -> dict[PartName, int]:
    """The same sum where shallow models had their peaks at different operations."""
    missing = sum(value for value in parts.values() if value < 0)
    kept = {name: max(value, 0) for name, value in parts.items()}
    kept[max(kept, key=lambda name: kept[name])] += missing
    return kept


def _shares(config: Mapping[str, Any], request: TrainingRequest) -> list[Share]:
    kinds = block_kinds(config, sequence_tokens=request.sequence_tokens)
    if kinds is None:
        return [Share(layers=layers_of(config_of(config)), times=1)]
    if request.trainable_layers is None or request.trainable_layers >= len(kinds):
        return depths_of(kinds)
    return depths_of_split(kinds, trained=request.trainable_layers)


def _record_share(
    config: Mapping[str, Any], request: TrainingRequest, share: Share, workspace_bytes: int
) -> Recording:
    if share.frozen:
        request = replace(request, trainable_layers=share.layers - share.frozen)
    return record(config_of(config, share.layers), request, workspace_bytes=workspace_bytes)


def record(config: Any, request: TrainingRequest, *, workspace_bytes: int = 0) -> Recording:
    """Take the steps of one model on fake tensors, as on the request's device."""
    on_cuda = request.device == "cuda"
    with warnings.catch_warnings(), _quantized_rules(request):
        warnings.simplefilter("ignore")
        model = build_model(config, request)
        log = AllocationLog(
            replaced=rules_without_data(padded=request.padded),
            scratch=KERNEL_SCRATCH if on_cuda else None,
            workspace=Workspace(workspace_bytes, MATRIX_PRODUCTS) if workspace_bytes else None,
            block_bytes=BLOCK_BYTES if on_cuda else 1,
        )
        rules = cuda_rules(request) if on_cuda else nullcontext()
        with FakeTensorMode(allow_non_fake_inputs=True), rules, _no_collection():
            give_fake_tensors(model)
            with log:
                log.add_model(model)
                run_steps(model, request, log)
    layers = layers_of(config)
    trained = layers if request.trainable_layers is None else request.trainable_layers
    return Recording(
        layers=layers,
        frozen=max(layers - trained, 0),
        # What is freed when the step's own variables go is no part of it.
        events=tuple(log.events[: log.marks[-1].position]),
        marks=log.marks,
        origins=log.origins,
        owners=log.owners,
        blocks_path=blocks_path(model, layers),
        operations=log.operations,
        trained_parameters=sum(
            parameter.numel() for parameter in model.parameters() if parameter.requires_grad
        ),
        paged_bytes=paged_bytes(model, request),
        loading_bytes=bytes_while_loading(model, request),
        saving_bytes=bytes_while_saving(model),
        gradients=frozenset(log.gradients),
        hidden_size=getattr(config, "hidden_size", None),
    )


def _quantized_rules(request: TrainingRequest) -> AbstractContextManager[None]:
    if request.method != "qlora":
        return nullcontext()
    # bitsandbytes: about 5 s.
    from launcher.tracing.quantized import unpacked_by_peft

    return unpacked_by_peft()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Cycles are collected at chance moments; the log must not depend on them."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
