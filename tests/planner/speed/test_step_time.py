"""Seconds of a step follow what is computed and moved, and are None where nobody knows."""

from __future__ import annotations

from dataclasses import replace

import pytest

import hwdb
from planner.request import AdapterSettings, TrainingRequest
from planner.speed.step_time import TimeEstimate, estimate_time
from planner.speed.work import PLAIN, Execution
from tests.planner.samples import known_model, request_of

_SHAPE = known_model("llama-3.1-8b")
_A100 = hwdb.find_card("a100-sxm4-80gb")
_STEP = request_of("lora", micro_batch=4, sequence_tokens=2048, attention="flash2")


def _time(request: TrainingRequest = _STEP, execution: Execution = PLAIN) -> TimeEstimate:
    time = estimate_time(_SHAPE, request, _A100, execution)
    assert time is not None
    return time


def _seconds(request: TrainingRequest, execution: Execution = PLAIN) -> float:
    return _time(request, execution).step.expected


def test_a_step_takes_what_its_flops_allow() -> None:
    """Between 30 and 80 % of the card's specified rate for the FLOPs of LoRA with checkpoints."""
    flops = 6 * 8.03e9 * 4 * 2048

    share = flops / 312e12 / _seconds(_STEP)

    assert 0.3 < share < 0.8


def test_without_checkpoints_nothing_runs_twice() -> None:
    """The saving is a quarter to a third of a LoRA step."""
    saved = 1 - _seconds(replace(_STEP, checkpointing="none")) / _seconds(_STEP)

    assert 0.2 < saved < 0.35


def test_frozen_weights_have_no_gradient() -> None:
    """A full step takes longer than LoRA on few layers, QLoRA longer than LoRA."""
    few = replace(_STEP, adapter=AdapterSettings(targets=("q_proj", "v_proj")))
    full = replace(_STEP, method="full", adapter=None)
    packed = replace(few, method="qlora", weights="nf4")

    assert _seconds(few) < _seconds(full)
    assert _seconds(few) < _seconds(packed)


def test_only_the_last_blocks_cost_a_backward() -> None:
    """Training the last two of 32 blocks without checkpoints is mostly forward."""
    last = replace(_STEP, method="full", adapter=None, trainable_layers=2, checkpointing="none")

    assert _seconds(last) < 0.5 * _seconds(replace(last, trainable_layers=None))


@pytest.mark.parametrize("faster", [{"loss": "triton"}, {"loss": "liger"}, {"stack": "unsloth"}])
def test_fused_kernels_are_faster(faster: dict[str, str]) -> None:
    """Norm, rotation and loss in one kernel each move fewer bytes."""
    assert _seconds(replace(_STEP, **faster)) < _seconds(replace(_STEP, loss="torch"))  # type: ignore[arg-type]


def test_a_compiled_step_is_faster_where_the_host_sets_the_pace() -> None:
    """A row of 128 tokens leaves an A100 waiting for Python."""
    short = replace(_STEP, micro_batch=1, sequence_tokens=128)

    assert _time(short).situation == "rough"
    assert _seconds(short, Execution(compiled=True)) < 0.7 * _seconds(short)


def test_accumulation_repeats_micro_batches_and_shares_one_optimizer_step() -> None:
    """Sixteen micro-batches take a little less than sixteen steps."""
    once, sixteen = _seconds(_STEP), _seconds(replace(_STEP, accumulation=16))

    assert 15 * once < sixteen < 16.5 * once


def test_rows_are_as_long_as_the_longest_beside_them() -> None:
    """Padding costs time and is no token of the data; rows so long that the card sets the pace."""
    lengths = (400, 400, 400, 4000)
    step = replace(_STEP, sequence_tokens=4096, lengths=lengths)
    alone, together = _time(replace(step, micro_batch=1)), _time(replace(step, micro_batch=4))

    assert together.step.expected > 4 * alone.step.expected * 0.9
    per_row = together.tokens_per_second.expected * together.step.expected / 4
    assert per_row == pytest.approx(1300)


def test_the_interval_holds_what_is_expected() -> None:
    """Low, expected, high in this order, the inverse for tokens a second."""
    time = _time()

    assert time.situation == "measured"
    assert time.step.low < time.step.expected < time.step.high
    assert time.tokens_per_second.low < time.tokens_per_second.expected
    assert time.tokens_per_second.expected * time.step.expected == pytest.approx(4 * 2048)


@pytest.mark.parametrize("card", ["gtx-1080-ti", "rx-7900-xtx", "tpu-v5e", "m3-max-40c"])
def test_a_card_without_a_trustworthy_rate_has_no_time(card: str) -> None:
    """Unknown, never zero: no tensor cores, or a vendor no measured run covers."""
    found = [row for row in hwdb.all_cards() if row.id == card]
    for row in found:
        assert estimate_time(_SHAPE, _STEP, row) is None


def test_no_card_cpu_and_stacks_without_runs_have_no_time() -> None:
    """Nothing is borrowed from what was not measured."""
    assert estimate_time(_SHAPE, _STEP, None) is None
    assert estimate_time(_SHAPE, replace(_STEP, device="cpu"), _A100) is None
    assert estimate_time(_SHAPE, replace(_STEP, stack="litgpt"), _A100) is None


def test_dora_pays_for_whole_weights_and_fp32_outputs() -> None:
    """Most of what an H100 took beyond LoRA, 1.9 times as long; whatever the batch, some of it."""
    shape, card = known_model("llama-3.2-1b"), hwdb.find_card("h100-sxm5-80gb")
    step = request_of("lora", micro_batch=4, sequence_tokens=2048)
    dora = replace(step, adapter=AdapterSettings(kind="dora", targets=("all-linear",)))
    lora = replace(step, adapter=AdapterSettings(targets=("all-linear",)))
    ratios = []
    for tokens in (2048, 8):
        times = [
            estimate_time(shape, replace(each, sequence_tokens=tokens), card)
            for each in (dora, lora)
        ]
        ratios.append(times[0].step.expected / times[1].step.expected)  # type: ignore[union-attr]

    assert ratios[0] == pytest.approx(1.9, abs=0.15)
    assert ratios[1] > 1.5


def test_dropout_makes_dora_multiply_once_more() -> None:
    """What the linear made of undropped rows is of no use to it."""
    plain = AdapterSettings(kind="dora", targets=("all-linear",))
    more = _seconds(replace(_STEP, adapter=replace(plain, dropout=0.1)))
    dropped = AdapterSettings(targets=("all-linear",), dropout=0.1)
    lora = _seconds(replace(_STEP, adapter=dropped)) - _seconds(
        replace(_STEP, adapter=replace(dropped, dropout=0.0))
    )

    assert more - _seconds(replace(_STEP, adapter=plain)) > 2 * lora


def test_zero3_fetches_linear_by_linear() -> None:
    """On one card and little work its hooks set the pace; much work hides them."""
    short = replace(_STEP, method="full", adapter=None, micro_batch=1, sequence_tokens=128)
    long = replace(short, sequence_tokens=16384)
    fetched = [_seconds(replace(step, sharding="zero3")) / _seconds(step) for step in (short, long)]

    assert fetched[0] > 1.5
    assert fetched[1] < 1.05


def test_fp32_adapters_without_autocast_leave_the_tensor_cores() -> None:
    """Where the library's version is known to keep them in fp32."""
    adapter = AdapterSettings(rank=64, targets=("all-linear",), dtype="fp32")
    step = replace(_STEP, adapter=adapter, autocast=None)
    undated = replace(step, loss="torch", allocator="classic")
    dated = replace(undated, transformers_version=(4, 48))

    assert _seconds(dated) > 1.1 * _seconds(undated)


def test_several_gpus_share_the_rows_and_pay_for_talking() -> None:
    """Four GPUs under FSDP take more than one of them alone, far less than four in a row."""
    alone = _time(replace(_STEP, method="full", adapter=None))
    four = _time(replace(_STEP, method="full", adapter=None, gpus=4, sharding="fsdp"))

    assert alone.step.expected < four.step.expected < 1.5 * alone.step.expected
    assert four.tokens_per_second.expected > 2.5 * alone.tokens_per_second.expected


def test_rows_of_unknown_lengths_under_a_cap_may_take_far_less() -> None:
    """What is expected is the cap, as stated; the interval reaches down to short rows."""
    capped = _time(replace(_STEP, lengths_vary=True)).step

    assert capped.expected == _time().step.expected
    assert capped.low < 0.35 * capped.expected


def test_constants_are_physical() -> None:
    """Shares of a ceiling lie between nothing and all of it; intervals hold 1."""
    constants = hwdb.speed_constants()
    for name in ("matmul", "attention", "attention_of_2023", "bandwidth", "unpacking"):
        assert 0.05 < getattr(constants, name) < 1, name
    for low, high in constants.intervals.values():
        assert low < 1 < high
    assert {hwdb.find_card(card).id for card in constants.card_factors}
