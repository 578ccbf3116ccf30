"""The trace of a request: peak bytes of every part of a step of the full model."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from torch._subclasses.fake_tensor import FakeTensorMode

from launcher.tracing.allocation_log import AllocationLog
from launcher.tracing.autograd_rules import AUTOGRAD_RULES
from launcher.tracing.cuda_rules import cuda_rules
from launcher.tracing.depths import Share, block_kinds, config_of, depths_of, depths_of_split
from launcher.tracing.kernels import KERNEL_SCRATCH
from launcher.tracing.model_on_paper import blocks_path, build_model, give_fake_tensors
from launcher.tracing.recording import Recording
from launcher.tracing.step import run_steps
from planner.request import TrainingRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class FullDepth:
    """What the full model's step needs."""

    segments: Mapping[str, int]
    """Peak bytes of each part of the step, such as "backward:-1" for the last block's."""
    rest_bytes: int
    """Bytes between steps."""
    recordings: Sequence[Recording]
    shares: Sequence[Share]

    @property
    def peak_bytes(self) -> int:
        """Peak of the whole step."""
        return max(self.segments.values())

    @property
    def peak_segment(self) -> str:
        """Where the peak is."""
        return max(self.segments, key=lambda name: self.segments[name])


def trace_request(config: Mapping[str, Any], request: TrainingRequest) -> FullDepth:
    """Trace shallow models of a config and follow each part of the step to the full depth.

    Every part grows linearly with the number of blocks; the largest of them need not.
    """
    shares = _shares(config, request)
    recordings = [_record_share(config, request, share) for share in shares]
    ends = max(min(recording.layers - recording.frozen for recording in recordings) // 2, 1)
    peaks = [recording.peaks(ends=ends) for recording in recordings]
    shared = [name for name in peaks[0] if all(name in each for each in peaks)]
    return FullDepth(
        segments={
            name: sum(share.times * each[name] for share, each in zip(shares, peaks, strict=True))
            for name in shared
        },
        rest_bytes=sum(
            share.times * recording.rest_bytes
            for share, recording in zip(shares, recordings, strict=True)
        ),
        recordings=recordings,
        shares=shares,
    )


def _shares(config: Mapping[str, Any], request: TrainingRequest) -> list[Share]:
    kinds = block_kinds(config, sequence_tokens=request.sequence_tokens)
    if request.trainable_layers is None or request.trainable_layers >= len(kinds):
        return depths_of(kinds)
    return depths_of_split(kinds, trained=request.trainable_layers)


def _record_share(
    config: Mapping[str, Any], request: TrainingRequest, share: Share
) -> Recording:
    if share.frozen:
        request = replace(request, trainable_layers=share.layers - share.frozen)
    return record(config_of(config, share.layers), request)


def record(config: Any, request: TrainingRequest) -> Recording:
    """Take the steps of one model on fake tensors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = build_model(config, request)
        log = AllocationLog(scratch=KERNEL_SCRATCH, replaced=AUTOGRAD_RULES)
        with FakeTensorMode(allow_non_fake_inputs=True), cuda_rules(request), _no_collection():
            give_fake_tensors(model)
            with log:
                log.add_model(model)
                run_steps(model, request, log)
    layers: int = config.num_hidden_layers
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
    )


@contextmanager
def _no_collection() -> Iterator[None]:
    """Cycles are collected at chance moments; the log must not depend on them."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
