"""The trace of a step: shallow models against the full one, and what settings change."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from launcher.tracing.depths import config_of
from launcher.tracing.trace import FullDepth, record, trace_request
from planner.case import request_of_case
from planner.memory.allocator import replay
from tests.launcher.tracing.samples import CONFIGS, case, config

pytestmark = pytest.mark.filterwarnings("ignore")

DEEP = {"num_hidden_layers": 7}


def trace(**changes) -> FullDepth:
    """The trace of the sample case with changes."""
    changed = case(**changes)
    return trace_request(changed["config"], request_of_case(changed))


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "lora"},
        {"method": "lora", "checkpointing": "none", "loss": "torch", "accumulation": 2},
        {"method": "full", "optimizer": "adamw", "checkpointing": "none"},
        {"method": "full", "optimizer": "adamw-8bit", "weights": "fp32"},
        {"method": "full", "optimizer": "adafactor"},
        {"method": "full", "trainable_layers": 4},
        {"config": config("qwen3_moe", **DEEP), "adapter": {"targets": ["q_proj"]}},
        {"config": config("qwen3", **DEEP), "method": "full"},
    ],
    ids=lambda changes: "-".join(str(value) for value in changes.values())[:60],
)
def test_shallow_models_tell_the_full_one_to_the_byte(changes):
    """Peak, rest and every part of the step are those of a trace of all blocks."""
    changed = case(**{"config": config("llama", **DEEP), **changes})
    request = request_of_case(changed)
    traced = trace_request(changed["config"], request)
    whole = record(config_of(changed["config"]), request)
    ends = max(min(each.layers - each.frozen for each in traced.recordings) // 2, 1)
    parts = whole.peaks(ends=ends)

    assert traced.peak_bytes == pytest.approx(max(parts.values()), abs=16 * 512)
    assert traced.rest_bytes == pytest.approx(whole.rest_bytes, abs=16 * 512)
    assert traced.segments == pytest.approx(
        {name: parts[name] for name in traced.segments}, abs=16 * 512
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "lora"},
        {"method": "lora", "checkpointing": "none", "accumulation": 2},
        {"method": "full", "loss": "torch"},
    ],
    ids=["lora", "lora-plain", "full"],
)
def test_repeated_blocks_give_the_full_models_events(changes):
    """As many events with the same peak, and nearly the same reserved bytes."""
    changed = case(**{"config": config("llama", **DEEP), **changes})
    request = request_of_case(changed)
    events = trace_request(changed["config"], request).events()
    whole = record(config_of(changed["config"]), request).events
    unrolled, real = (replay(each, expandable=True) for each in (events, whole))

    assert len(events) == pytest.approx(len(whole), rel=0.005)
    assert unrolled.peak_allocated_bytes == pytest.approx(real.peak_allocated_bytes, rel=1e-4)
    assert unrolled.peak_reserved_bytes == pytest.approx(real.peak_reserved_bytes, rel=0.1)


def test_checkpointing_needs_less_and_padding_more():
    """Checkpoints keep one tensor a block; a mask repeats keys and adds a bias."""
    plain = trace(checkpointing="none")

    assert trace(checkpointing="full").peak_bytes < plain.peak_bytes
    assert trace(checkpointing="none", padded=True).peak_bytes > plain.peak_bytes
    assert trace(checkpointing="none", attention="eager").peak_bytes > plain.peak_bytes


def test_offloaded_checkpoints_need_less_than_checkpoints():
    """Nothing is kept on the card."""
    deep = config("llama", num_hidden_layers=12)

    assert (
        trace(config=deep, checkpointing="offloaded", sequence_tokens=1024).peak_bytes
        < trace(config=deep, checkpointing="full", sequence_tokens=1024).peak_bytes
    )


def test_the_chunked_loss_never_holds_all_logits():
    """With a large vocabulary the whole logits in fp32 are the peak."""
    wide = config("llama", vocab_size=64_000)
    whole = trace(config=wide, loss="torch", sequence_tokens=512)
    logits = 2 * 512 * 64_000

    assert whole.peak_bytes - trace(config=wide, sequence_tokens=512).peak_bytes > 8 * logits


def test_older_transformers_hold_more_logits():
    """14 bytes a logit in 4.48, 12 in 4.44 and 12, of which 10 in forward, today."""
    wide = {"config": config("llama", vocab_size=64_000), "loss": "torch", "sequence_tokens": 512}
    newer = trace(**wide, versions={"transformers": "4.48.1"})
    older = trace(**wide, versions={"transformers": "4.44.2"})
    logits = 2 * 512 * 64_000

    assert newer.peak_bytes - older.peak_bytes == pytest.approx(2 * logits, rel=0.01)


def test_quantized_weights_take_about_half_a_byte_a_parameter():
    """nf4 of the same linears; embeddings and head stay 16 bit."""
    shallow = config("llama", vocab_size=64)
    half = trace(config=shallow, method="lora").rest_bytes
    quarter = trace(config=shallow, method="qlora", adapter={"dtype": "fp32"}).rest_bytes
    linears = 4 * (2 * 256 * 256 + 2 * 256 * 128 + 3 * 256 * 704)

    assert half - quarter == pytest.approx((2 - 0.52) * linears, rel=0.02)


@pytest.mark.parametrize("kind", ["dora", "rslora"])
def test_other_adapters_are_traced_over_quantized_weights_too(kind):
    """DoRA unpacks the whole weight; rsLoRA differs from LoRA by a number."""
    plain = trace(method="qlora", weights="nf4").peak_bytes
    other = trace(method="qlora", weights="nf4", adapter={"kind": kind}).peak_bytes

    assert other > plain if kind == "dora" else other == plain


@pytest.mark.parametrize("kind", ["adalora", "ia3", "vera", "loha", "lokr", "oft", "boft"])
def test_adapters_beyond_lora_are_traced(kind):
    """PEFT builds them; each trains a share of the model and needs more than the model alone."""
    deep = config("llama", num_hidden_layers=6)
    traced = trace(config=deep, adapter={"kind": kind, "rank": 16})
    weights_bytes = traced.peak_parts["weights"]

    assert 0 < 2 * traced.trained_parameters < weights_bytes / 2
    assert traced.peak_bytes > traced.rest_bytes > weights_bytes


@pytest.mark.parametrize("kind", ["fourierft", "ln-tuning", "miss", "prompt-tuning"])
def test_adapters_are_built_by_the_names_of_their_settings(kind):
    """PEFT's other kinds need no lines of their own."""
    traced = trace(adapter={"kind": kind, "rank": 8})

    assert traced.peak_bytes > traced.rest_bytes > traced.peak_parts["weights"]
    assert traced.trained_parameters > 0


def test_a_model_that_is_no_stack_of_blocks_is_traced_whole():
    """ALBERT runs one block again and again."""
    albert = {**CONFIGS["bert"], "model_type": "albert", "embedding_size": 64}
    asked = {"task": "text-classification", "method": "full", "checkpointing": "none"}
    once = trace(config={**albert, "num_hidden_layers": 1}, **asked)
    often = trace(config={**albert, "num_hidden_layers": 5}, **asked)

    assert often.trained_parameters == once.trained_parameters
    assert often.peak_bytes > once.peak_bytes


def test_small_paged_state_stays_on_the_card():
    """The paging of bitsandbytes leaves tensors below 100 000 elements alone."""
    paged = trace(method="lora", optimizer="paged-adamw").rest_bytes
    on_card = trace(method="lora", optimizer="adamw").rest_bytes

    assert paged == pytest.approx(on_card, rel=0.005)  # less AdamW's counters
    assert (
        trace(method="full", optimizer="paged-adamw").rest_bytes
        < trace(method="full", optimizer="adamw").rest_bytes
    )


def test_paged_state_is_counted_apart_by_what_every_tensor_keeps():
    """Tables keep fp32 moments where others have 8 bits; small tensors are not paged."""
    traced = trace(method="full", optimizer="paged-adamw-8bit")
    plain = trace(method="full", optimizer="paged-adamw")

    assert 2 * traced.trained_parameters < traced.paged_bytes < plain.paged_bytes
    assert plain.paged_bytes < 8 * plain.trained_parameters
    assert trace(method="full", optimizer="adamw-8bit").paged_bytes == 0
