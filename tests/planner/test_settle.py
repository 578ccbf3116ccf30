"""A plan becomes a run: every key set, each choice with its reason."""

from __future__ import annotations

from dataclasses import fields

import pytest

from planner.advice.settings import ASKED, Asked
from planner.budget import budget_of_gib, budget_of_host
from planner.memory.estimate import estimate_memory
from planner.plan import make_plan
from planner.settle import NothingChosen, Settled, settle
from planner.units import GIB
from tests.planner.samples import data_facts, plan_for, planned


def _settled(gib: float = 24, *, model: str = "llama-3.1-8b", **asked: object) -> Settled:
    return settle(plan_for(gib, model=model, **asked), folder="/runs/a")


def _with_data(**facts: object) -> Settled:
    plan = make_plan(planned(), budget_of_gib(24), Asked(), data_facts(**facts))
    return settle(plan, folder="/runs/a")


@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
def test_the_run_is_the_step_that_was_estimated(method: str) -> None:
    """The run's own request has the same bytes as the plan's answer."""
    plan = plan_for(80, model="llama-3.2-1b", method=method)

    run_plan = settle(plan, folder="/runs/a").run_plan

    assert plan.chosen is not None
    again = estimate_memory(plan.model.shape, run_plan.request())
    assert again == plan.chosen.memory
    assert run_plan.hardware.predicted_peak_bytes == again.device.expected_bytes
    assert run_plan.hardware.predicted_allocated_bytes == again.allocated.expected_bytes


def test_what_was_asked_for_is_taken_and_said() -> None:
    """Every wish arrives in the run, with no other reason than that."""
    settled = _settled(
        method="lora",
        rank=4,
        targets=("q_proj",),
        sequence_tokens=512,
        micro_batch=2,
        accumulation=3,
        epochs=2.5,
        max_steps=7,
        learning_rate=1e-3,
        seed=11,
        packing=True,
        optimizer="adamw",
        checkpointing="none",
        attention="eager",
        loss="torch",
    )
    method, training = settled.run_plan.method, settled.run_plan.training

    assert (method.name, method.rank, method.targets) == ("lora", 4, ("q_proj",))
    assert (training.sequence_tokens, training.micro_batch_rows) == (512, 2)
    assert (training.accumulation_steps, training.epochs, training.max_steps) == (3, 2.5, 7)
    assert (training.learning_rate, training.seed, training.packing) == (1e-3, 11, True)
    assert (training.optimizer, training.checkpointing) == ("adamw", "none")
    assert (training.attention, training.loss) == ("eager", "torch")
    for key in ("sequence_tokens", "micro_batch_rows", "epochs", "learning_rate", "optimizer"):
        assert settled.reasons[f"training.{key}"] == ASKED
    for key in ("name", "rank", "targets"):
        assert settled.reasons[f"method.{key}"] == ASKED


def test_reasons_belong_to_keys_that_exist() -> None:
    """A reason beside no key would never be shown."""
    settled = _settled()
    keys = {
        f"{section.name}.{key.name}"
        for section in fields(settled.run_plan)
        for key in fields(getattr(settled.run_plan, section.name))
    }

    assert set(settled.reasons) <= keys
    assert all("\n" not in reason for reason in settled.reasons.values())


@pytest.mark.parametrize(
    ("longest", "exact", "tokens"),
    [(1, True, 8), (700, True, 704), (1000, False, 1024), (5000, True, 2048)],
)
def test_rows_are_as_long_as_the_data(longest: int, exact: bool, tokens: int) -> None:
    """Rounded up to 8 tokens that were counted or 32 that were guessed, never beyond 2048."""
    settled = _with_data(longest_tokens=longest, lengths_exact=exact)

    assert settled.run_plan.training.sequence_tokens == tokens


@pytest.mark.parametrize(("rows", "share"), [(9, 0.0), (10, 0.1), (1000, 0.1), (20_000, 0.01)])
def test_some_rows_are_held_out(rows: int, share: float) -> None:
    """A tenth, at most 200 rows, none of fewer than ten."""
    assert _with_data(rows=rows).run_plan.data.held_out_fraction == share


@pytest.mark.parametrize(
    ("layout", "loss_on"),
    [("messages", "answers"), ("prompt-completion", "answers"), ("text", "all-tokens")],
)
def test_answers_are_learned_where_there_are_any(layout: str, loss_on: str) -> None:
    """Plain text is learned whole."""
    assert _with_data(layout=layout).run_plan.data.loss_on == loss_on


@pytest.mark.parametrize(("rows", "epochs"), [(50, 5.0), (500, 3.0), (5000, 2.0), (50_000, 1.0)])
def test_fewer_rows_are_seen_more_often(rows: int, epochs: float) -> None:
    """Five passes where three are hardly any steps, one over much data."""
    assert _with_data(rows=rows).run_plan.training.epochs == epochs


@pytest.mark.parametrize("rows", [1, 12, 1000, 200_000])
def test_checkpoints_come_regularly(rows: int) -> None:
    """At most a hundred steps apart, and evaluations only where there is a checkpoint."""
    training = _with_data(rows=rows).run_plan.training

    assert 1 <= training.checkpoint_every_steps <= 100
    assert training.evaluate_every_steps % training.checkpoint_every_steps == 0


@pytest.mark.parametrize("micro", [1, 2, 3, 16, 40])
def test_the_effective_batch_stays_near_sixteen_rows(micro: int) -> None:
    """Accumulation makes up for small batches."""
    training = _settled(micro_batch=micro, model="smollm2-135m").run_plan.training

    assert training.micro_batch_rows == micro
    assert training.accumulation_steps == max(1, 16 // micro)


def test_the_step_size_follows_the_method() -> None:
    """Adapters take ten times what full fine-tuning takes."""
    lora = _settled(80, model="llama-3.2-1b", method="lora").run_plan.training.learning_rate
    full = _settled(80, model="llama-3.2-1b", method="full").run_plan.training.learning_rate

    assert lora == pytest.approx(10 * full)


def test_a_host_run_is_planned_for_the_cpu() -> None:
    """fp32 without autocast, and no card is named."""
    from hwdb.detect.machine import HostReading

    host = HostReading(
        total_bytes=16 * GIB,
        available_bytes=12 * GIB,
        cpu_cores=2,
        cpu_name="Some CPU",
        swap_bytes=0,
        operating_system="Linux",
    )
    plan = make_plan(planned("smollm2-135m"), budget_of_host(host), Asked(), data_facts())

    run_plan = settle(plan, folder="/runs/a").run_plan

    assert run_plan.hardware.device == "cpu"
    assert (run_plan.hardware.gpu, run_plan.hardware.gpu_uuid) == (None, None)
    assert run_plan.hardware.available_bytes == 12 * GIB
    assert (run_plan.method.weights, run_plan.method.autocast) == ("fp32", None)


def test_a_run_needs_a_method_and_data() -> None:
    """Neither is made up."""
    with pytest.raises(NothingChosen):
        settle(plan_for(4), folder="/runs/a")
    without = make_plan(planned(), budget_of_gib(24), Asked())
    with pytest.raises(ValueError, match="data"):
        settle(without, folder="/runs/a")


def test_rows_of_like_length_stay_together_in_a_step_that_is_pinned() -> None:
    """As a plan that was changed in one key, or is priced, has them."""
    training = _settled(micro_batch=4, group_by_length=True).run_plan.training

    assert (training.group_by_length, training.packing) == (True, False)
