"""What holds for every estimate: parts add up, intervals are ordered, more is never less."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwdb
from planner.memory.estimate import (
    MemoryEstimate,
    estimate_memory,
    verdict_of,
    without_pages_beyond,
)
from planner.memory.interval import Band
from planner.memory.step import step_of
from planner.request import AdapterSettings, RequestError, TrainingRequest
from planner.units import GIB
from tests.planner.samples import known_model, request_of, shape_of_config, tiny_llama

_MODELS = ("smollm2-135m", "llama-3.2-1b", "llama-3.1-8b", "gemma-2-9b", "gpt2", "qwen3-30b-a3b")
_SHAPES = {name: known_model(name) for name in _MODELS}
_VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"checkpointing": "none", "loss": "torch"},
    {"attention": "eager", "allocator": "classic"},
    {"optimizer": "adamw-8bit", "autocast": None},
    {"device": "cpu", "autocast": None, "optimizer": "adamw"},
)
_GRID = [
    (name, request_of(method, micro_batch=rows, sequence_tokens=tokens, **changes))
    for name, method, (rows, tokens), changes in product(
        _MODELS,
        ("full", "lora", "qlora"),
        ((1, 128), (4, 2048)),
        _VARIANTS,
    )
]


def _numbers(memory: MemoryEstimate) -> list[int]:
    bands = (memory.allocated, memory.reserved, memory.needed, memory.device)
    ends = [end for band in bands for end in band]
    parts = list(memory.parts)
    return [*ends, *parts, memory.rest_allocated_bytes, memory.trained_parameters]


@pytest.mark.parametrize(
    ("name", "request_"), _GRID, ids=[f"{name}-{step.method}" for name, step in _GRID]
)
def test_the_numbers_agree_with_one_another(name: str, request_: TrainingRequest) -> None:
    """Parts sum to the device bytes, intervals hold their middle, nothing is negative."""
    memory = estimate_memory(_SHAPES[name], request_)

    assert memory.parts.total_bytes == memory.device.expected_bytes
    for band in (memory.allocated, memory.reserved, memory.needed, memory.device):
        assert 0 < band.low_bytes <= band.expected_bytes <= band.high_bytes
    assert memory.allocated.expected_bytes <= memory.reserved.expected_bytes
    assert memory.reserved.expected_bytes <= memory.device.expected_bytes
    assert 0 < memory.rest_allocated_bytes <= memory.allocated.expected_bytes
    assert all(isinstance(number, int) and number >= 0 for number in _numbers(memory))


def test_on_the_cpu_allocated_is_the_tensors_alone() -> None:
    """No workspace and no context is added where there is no card."""
    memory = estimate_memory(tiny_llama(), request_of(device="cpu", autocast=None, weights="fp32"))

    tensors = memory.parts.total_bytes - memory.parts.runtime_bytes
    assert memory.allocated.expected_bytes == memory.reserved.expected_bytes == tensors


# -- properties -----------------------------------------------------------------------------------

_METHODS = st.sampled_from(("full", "lora", "qlora"))
_STEPS = st.fixed_dictionaries(
    {
        "micro_batch": st.integers(1, 16),
        "sequence_tokens": st.integers(1, 8192),
        "checkpointing": st.sampled_from(("none", "full", "offloaded")),
        "attention": st.sampled_from(("sdpa", "flash2", "eager")),
        "loss": st.sampled_from(("torch", "chunked")),
        "optimizer": st.sampled_from(("adamw", "adamw-fused", "adamw-8bit", "sgd", "adafactor")),
        "autocast": st.sampled_from((None, "bf16")),
        "allocator": st.sampled_from(("expandable", "classic")),
        "padded": st.booleans(),
    }
)
_NAMES = st.sampled_from(("smollm2-135m", "llama-3.2-1b", "llama-3.1-8b", "gemma-2-9b"))
_calm = settings(max_examples=120, deadline=None, derandomize=True, database=None)


def _need(name: str, request: TrainingRequest) -> tuple[int, int, int]:
    memory = estimate_memory(_SHAPES[name], request)
    return (
        memory.allocated.expected_bytes,
        memory.needed.expected_bytes,
        memory.device.expected_bytes,
    )


def _never_less(lesser: tuple[int, ...], greater: tuple[int, ...]) -> bool:
    return all(low <= high for low, high in zip(lesser, greater, strict=True))


@_calm
@given(_NAMES, _METHODS, _STEPS, st.integers(1, 16))
def test_more_rows_never_need_less(name: str, method: str, step: dict[str, Any], more: int) -> None:
    """Memory grows with the batch."""
    request = request_of(method, **step)
    larger = replace(request, micro_batch=request.micro_batch + more)

    assert _never_less(_need(name, request), _need(name, larger))


@_calm
@given(_NAMES, _METHODS, _STEPS, st.integers(1, 4096))
def test_longer_rows_never_need_less(
    name: str, method: str, step: dict[str, Any], more: int
) -> None:
    """Memory grows with the sequence."""
    request = request_of(method, **step)
    longer = replace(request, sequence_tokens=request.sequence_tokens + more)

    assert _never_less(_need(name, request), _need(name, longer))


@_calm
@given(_NAMES, st.sampled_from(("lora", "qlora")), _STEPS, st.integers(1, 256), st.integers(1, 64))
def test_a_higher_rank_never_needs_less(
    name: str, method: str, step: dict[str, Any], rank: int, more: int
) -> None:
    """Memory grows with the rank of the adapters."""
    low = request_of(method, adapter=AdapterSettings(rank=rank), **step)
    high = replace(low, adapter=AdapterSettings(rank=rank + more))

    assert _never_less(_need(name, low), _need(name, high))


@_calm
@given(_NAMES, _METHODS, _STEPS)
def test_checkpointing_never_needs_more(name: str, method: str, step: dict[str, Any]) -> None:
    """Computing activations twice saves memory; an offloaded block's frame holds what it gave."""
    rows = {"sequence_tokens": 64 + step["sequence_tokens"], "checkpointing": "none"}
    none = request_of(method, **{**step, **rows})
    full, offloaded = (replace(none, checkpointing=kind) for kind in ("full", "offloaded"))

    held = 4 * 4 * full.tokens * _SHAPES[name].hidden_size
    assert _never_less(_need(name, full), _need(name, none))
    assert _never_less(_need(name, offloaded), _need(name, none))
    assert _never_less(_need(name, offloaded), tuple(each + held for each in _need(name, full)))


@_calm
@given(_NAMES, _STEPS)
def test_lighter_methods_need_less(name: str, step: dict[str, Any]) -> None:
    """At up to 4096 tokens: qlora <= lora, and both below full with Adam."""
    step = step | {
        "micro_batch": 1 + step["micro_batch"] % 2,
        "sequence_tokens": 1 + step["sequence_tokens"] % 2048,
        "checkpointing": "full",
        "optimizer": "adamw-fused",
        "autocast": "bf16",
    }
    full, lora, qlora = (_need(name, request_of(method, **step)) for method in _TO_COMPARE)

    assert lora[0] <= full[0]
    if name != "smollm2-135m":  # 4 bit saves less there than unpacking one matrix takes
        assert qlora[0] <= lora[0]


_TO_COMPARE = ("full", "lora", "qlora")
_LLAMA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@_calm
@given(st.sets(st.sampled_from(_LLAMA_TARGETS), min_size=1), st.sampled_from(_LLAMA_TARGETS))
def test_more_targets_train_more(targets: set[str], another: str) -> None:
    """A target more never takes parameters away; all seven are all-linear."""
    fewer, more, every = (
        estimate_memory(
            _SHAPES["llama-3.2-1b"],
            request_of(adapter=AdapterSettings(targets=tuple(sorted(names)))),
        ).trained_parameters
        for names in (targets, targets | {another}, {"all-linear"})
    )

    assert 0 < fewer <= more <= every


# -- refusals and verdicts ------------------------------------------------------------------------


def test_a_target_the_model_lacks_is_refused_with_those_it_has() -> None:
    """GPT-2 has no q_proj, and the message says what it has."""
    request = request_of(adapter=AdapterSettings(targets=("q_proj",)))

    with pytest.raises(RequestError, match="c_attn") as caught:
        estimate_memory(_SHAPES["gpt2"], request)

    assert caught.value.field_name == "adapter.targets"


def test_a_rank_above_the_width_is_refused() -> None:
    """Such an adapter would be larger than what it adapts."""
    with pytest.raises(RequestError, match="above the model's width"):
        estimate_memory(tiny_llama(), request_of(adapter=AdapterSettings(rank=705)))


@pytest.mark.parametrize(
    ("capacity_gib", "fits", "spare_gib"), [(13, "yes", 3), (11, "tight", 1), (9, "no", -1)]
)
def test_a_verdict_compares_the_interval(capacity_gib: int, fits: str, spare_gib: int) -> None:
    """It says yes when the upper end fits, tight when only the middle does, no otherwise."""
    needed = Band(expected_bytes=10 * GIB, low_bytes=9 * GIB, high_bytes=12 * GIB)

    verdict = verdict_of(needed, capacity_gib * GIB)

    assert (verdict.fits, verdict.spare_bytes) == (fits, spare_gib * GIB)


def test_without_a_card_there_is_no_verdict() -> None:
    """Unknown capacity is unknown, not zero."""
    needed = Band(expected_bytes=1, low_bytes=1, high_bytes=1)

    verdict = verdict_of(needed, None)

    assert verdict.fits is None
    assert verdict.capacity_bytes is None
    assert verdict.spare_bytes is None


_DECODERS = [
    model
    for model in hwdb.all_models()
    if (family := hwdb.find_family(model.architecture)) is not None and family.kind == "decoder"
]


@pytest.mark.parametrize("model", _DECODERS, ids=lambda model: model.id)
def test_every_decoder_has_an_estimate(model: hwdb.Model) -> None:
    """All three methods give sound numbers for each row whose family is known."""
    shape = known_model(model.id)

    for method in _TO_COMPARE:
        memory = estimate_memory(shape, request_of(method))
        assert memory.parts.total_bytes == memory.device.expected_bytes
        assert min(_numbers(memory)) >= 0


def test_blooms_loop_holds_the_scores_of_the_block_before() -> None:
    """So its forward needs more than a block, the inputs of all, and the scores of one."""
    config = {"model_type": "bloom", "hidden_size": 1024, "n_layer": 10, "n_head": 16}
    shape = shape_of_config({**config, "vocab_size": 1000})
    step = step_of(shape, request_of(micro_batch=2, sequence_tokens=1024, checkpointing="full"))

    forward = [each.total_bytes for each in step.candidates if each.phase == "forward"]
    (block,) = [each.total_bytes for each in step.candidates if each.where == "block"]
    inputs, scores = 10 * 2 * 1024 * 1024 * 2, 2 * 16 * 1024 * 1024 * 2

    assert max(forward) > block + inputs + scores


@pytest.mark.parametrize("checkpointing", ["none", "full", "offloaded"])
@pytest.mark.parametrize("model", ["llama-3.2-1b", "phi-2"])
def test_the_head_alone_is_the_least_to_train(model: str, checkpointing: str) -> None:
    """No block has gradients then, and none is taken off anything."""
    shape = known_model(model)
    head, one = (
        estimate_memory(
            shape, request_of("full", trainable_layers=layers, checkpointing=checkpointing)
        )
        for layers in (0, 1)
    )

    assert min(_numbers(head)) >= 0
    assert head.allocated.expected_bytes <= one.allocated.expected_bytes


@pytest.mark.parametrize("allocator", ["classic", "expandable"])
def test_pages_without_room_on_the_card_lie_elsewhere(allocator: str) -> None:
    """The driver moves them, so the device is full and no part is below nothing."""
    memory = estimate_memory(
        known_model("llama-3.2-3b"),
        request_of("full", optimizer="paged-adamw", allocator=allocator),
    )
    capacity = memory.needed.high_bytes
    on_card = without_pages_beyond(memory, capacity)

    assert memory.device.expected_bytes > capacity
    assert on_card.device.expected_bytes == capacity
    assert on_card.parts.total_bytes == capacity
    assert min(on_card.parts) >= 0
