"""What each of several cards holds."""

from __future__ import annotations

import pytest

from planner.memory.estimate import MemoryEstimate, estimate_memory
from planner.request import AdapterSettings
from planner.units import GIB
from tests.planner.samples import known_model, request_of, shape_of_config, tiny_llama


def memory(method: str = "full", **changes: object) -> MemoryEstimate:
    """A tiny step on some cards, its gradients whole once."""
    return estimate_memory(tiny_llama(), request_of(method, optimizer="adamw", **changes))


ONE = memory()


@pytest.mark.parametrize("sharding", ["fsdp", "zero3"])
def test_weights_are_shared(sharding: str):
    """Four cards hold a quarter each."""
    parts = memory(gpus=4, sharding=sharding, autocast=None).parts

    assert parts.weights_bytes == pytest.approx(ONE.parts.weights_bytes / 4, rel=0.01)


def test_accelerate_trains_fp32_shares_under_mixed_precision():
    """16-bit weights become fp32, and with them gradients and moments; frozen ones do not."""
    pure, mixed = (memory(gpus=4, sharding="fsdp", autocast=cast) for cast in (None, "bf16"))
    frozen = [memory("lora", gpus=4, sharding="fsdp", autocast=cast) for cast in (None, "bf16")]

    assert mixed.parts.weights_bytes == pytest.approx(2 * pure.parts.weights_bytes, rel=0.01)
    assert mixed.parts.optimizer_bytes == pytest.approx(2 * pure.parts.optimizer_bytes, rel=0.01)
    assert frozen[0].parts.weights_bytes == frozen[1].parts.weights_bytes


def test_litgpt_reads_its_checkpoint_into_a_whole_model_on_every_card():
    """The load is the peak of a small step, whatever the share."""
    request = request_of(
        "lora", stack="litgpt", autocast=None, loss="chunked", sequence_tokens=8, gpus=8,
        sharding="fsdp",
    )  # fmt: skip
    deep = estimate_memory(tiny_llama(num_hidden_layers=60), request)

    assert deep.peak_phase == "load"


def test_copies_of_the_model_add_buckets_for_their_gradients():
    """Replicas hold all states, and their gradients a second time."""
    replica = memory(gpus=2, sharding="ddp")

    assert replica.parts.weights_bytes == ONE.parts.weights_bytes
    assert replica.parts.optimizer_bytes == ONE.parts.optimizer_bytes
    assert replica.allocated.expected_bytes >= ONE.allocated.expected_bytes + (
        ONE.parts.weights_bytes
    )


def test_several_cards_without_sharding_are_replicas():
    """What torchrun does when nothing else is asked."""
    assert memory(gpus=2) == memory(gpus=2, sharding="ddp")


def test_zero_keeps_fp32_copies_of_what_it_trains():
    """Two fp32 moments and the weights: twelve bytes a parameter, shared."""
    trained = ONE.trained_parameters
    for sharding in ("zero2", "zero3"):
        parts = memory(gpus=2, sharding=sharding).parts

        assert parts.optimizer_bytes == pytest.approx(12 * trained / 2, rel=0.01)


def test_the_second_stage_of_zero_keeps_all_weights():
    """Only gradients and optimizer state are shared."""
    parts = memory(gpus=4, sharding="zero2").parts

    assert parts.weights_bytes == ONE.parts.weights_bytes


def test_accumulating_keeps_gradients_whole_under_fsdp():
    """Nothing is reduced before the last micro-batch."""
    once, often = (memory(gpus=4, sharding="fsdp", accumulation=a) for a in (1, 4))

    assert often.allocated.expected_bytes > once.allocated.expected_bytes


def test_one_card_has_nothing_to_share_with():
    """Fully sharded on a single card is not sharded; the master copies of zero are there."""
    assert memory(sharding="fsdp").parts == ONE.parts
    assert memory(sharding="zero3").parts.optimizer_bytes > ONE.parts.optimizer_bytes


@pytest.mark.parametrize("sharding", ["ddp", "fsdp", "zero2", "zero3"])
@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
def test_parts_add_up_and_the_interval_is_wider(method: str, sharding: str):
    """Every method under every sharding."""
    alone = memory(method)
    shared = memory(method, gpus=2, sharding=sharding)

    assert shared.parts.total_bytes == shared.device.expected_bytes
    assert shared.allocated.high_bytes / shared.allocated.expected_bytes > (
        alone.allocated.high_bytes / alone.allocated.expected_bytes
    )


@pytest.mark.parametrize("sharding", ["fsdp", "zero3"])
def test_more_cards_never_need_more_each(sharding: str):
    """A share shrinks with the number of cards."""
    peaks = [memory(gpus=cards, sharding=sharding).allocated.expected_bytes for cards in (2, 4, 8)]

    assert peaks == sorted(peaks, reverse=True)


def test_litgpt_flattens_adapters_with_frozen_blocks():
    """Gradients are as large as the blocks: whole while they accumulate, else a share of it."""
    request = {"stack": "litgpt", "autocast": None, "loss": "chunked", "sharding": "fsdp"}
    once, often = (
        memory("lora", gpus=4, micro_batch=16, accumulation=rounds, **request) for rounds in (1, 8)
    )
    blocks = 2 * tiny_llama().block_parameters * tiny_llama().layers

    assert often.parts.gradients_bytes >= blocks
    assert once.parts.gradients_bytes < blocks


@pytest.mark.parametrize(
    ("method", "version", "more"),
    [("lora", (4, 45), 1), ("qlora", (4, 45), 1), ("lora", (5, 0), 0), ("full", (4, 45), 0)],
)
def test_hooks_of_fsdp_hold_what_entered_frozen_blocks(
    method: str, version: tuple[int, int], more: int
):
    """A gradient for each block beside its checkpoint, where checkpoints are reentrant."""
    fields = {"loss": "liger", "sequence_tokens": 4096, "transformers_version": version}
    deep, flat = (
        estimate_memory(
            tiny_llama(num_hidden_layers=layers),
            request_of(method, gpus=4, sharding="fsdp", **fields),
        )
        for layers in (42, 2)
    )
    alone = [
        estimate_memory(tiny_llama(num_hidden_layers=layers), request_of(method, **fields))
        for layers in (42, 2)
    ]
    stream = 2 * tiny_llama().hidden_size * request_of(method, **fields).tokens

    grown = deep.parts.activations_bytes - flat.parts.activations_bytes
    usual = alone[0].parts.activations_bytes - alone[1].parts.activations_bytes
    assert (grown - usual) / (40 * stream) == pytest.approx(more, abs=0.3)


@pytest.mark.parametrize(
    ("gpus", "rows", "method", "measured_gib"),
    [(2, 4, "lora", 19.762), (2, 16, "qlora", 50.241), (4, 8, "lora", 28.344),
     (4, 16, "qlora", 49.306)],
)  # fmt: skip
def test_adapters_under_fsdp_take_what_published_runs_took(
    gpus: int, rows: int, method: str, measured_gib: float
):
    """FMS-473, 483, 506 and 515: Mistral-7B, Liger, 4096 tokens, Transformers 4.45 on A100s."""
    mistral = shape_of_config(
        {
            "model_type": "mistral", "hidden_size": 4096, "intermediate_size": 14336,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
            "vocab_size": 32000,
        }
    )  # fmt: skip
    request = request_of(
        method, gpus=gpus, sharding="fsdp", micro_batch=rows, sequence_tokens=4096, loss="liger",
        attention="flash2", optimizer="adamw", transformers_version=(4, 45), allocator="classic",
        adapter=AdapterSettings(
            targets=("q_proj", "k_proj", "v_proj", "o_proj"), dropout=0.1, dtype="fp32"
        ),
    )  # fmt: skip

    expected = estimate_memory(mistral, request).allocated.expected_bytes

    assert expected / GIB == pytest.approx(measured_gib, rel=0.035)


@pytest.mark.parametrize(
    ("rows", "loss", "rest_gib", "device_gib"),
    [(4, "triton", 29.931, 65.416), (4, "liger", 29.931, 53.425), (8, "liger", 29.932, 62.122),
     (16, "liger", 29.932, 77.395)],
)  # fmt: skip
def test_streams_of_fsdp_keep_what_published_runs_kept(
    rows: int, loss: str, rest_gib: float, device_gib: float
):
    """FMS-397, 401, 402 and 403: Llama-3-8B trained whole on four A100s, 4096 tokens."""
    llama = known_model("llama-3-8b")
    request = request_of(
        "full", gpus=4, sharding="fsdp", micro_batch=rows, sequence_tokens=4096, loss=loss,
        attention="flash2", optimizer="adamw", transformers_version=(4, 45), allocator="classic",
    )  # fmt: skip
    memory = estimate_memory(llama, request)

    assert memory.rest_allocated_bytes / GIB == pytest.approx(rest_gib, rel=0.002)
    assert memory.device.expected_bytes / GIB == pytest.approx(device_gib, rel=0.15)
    assert memory.device.low_bytes < device_gib * GIB < memory.device.high_bytes
