"""A plan recommends the lightest change that fits, and says how far it could go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import hwdb
from planner.advice.settings import Asked
from planner.budget import Budget, budget_of_card, budget_of_gib
from planner.memory.estimate import MemoryEstimate, estimate_memory
from planner.plan import MethodAnswer, Plan, make_plan
from planner.request import METHODS, RequestError, TrainingRequest
from planner.settle import NothingChosen, settle
from planner.shape import ModelShape
from tests.planner.samples import data_facts, plan_for, planned, tiny_llama


def _needed(method: str, *, model: str = "llama-3.1-8b") -> tuple[int, int]:
    needed = plan_for(None, model=model).answer(method).memory.needed  # type: ignore[arg-type]
    return needed.expected_bytes, needed.high_bytes


def _card_with(free_bytes: int) -> Budget:
    return replace(budget_of_gib(24), free_bytes=free_bytes)


@pytest.mark.parametrize(
    ("gib", "method", "code"),
    [
        (80, "lora", "FITS_WITHOUT_QUANTIZATION"),
        (24, "lora", "FITS_WITHOUT_QUANTIZATION"),
        (12, "qlora", "FITS_QUANTIZED_ONLY"),
    ],
)
def test_an_8b_model_by_card_size(gib: int, method: str, code: str) -> None:
    """LoRA where it fits, QLoRA where only that fits."""
    plan = plan_for(gib)

    assert plan.recommendation is not None
    assert (plan.recommendation.method, plan.recommendation.reason_code) == (method, code)
    assert plan.recommendation.reason
    assert plan.chosen is plan.answer(method)  # type: ignore[arg-type]
    assert plan.fits


def test_full_fine_tuning_is_not_recommended_where_lora_fits() -> None:
    """Changing every weight is for those who ask for it."""
    plan = plan_for(80, model="smollm2-135m")

    assert plan.answer("full").verdict.fits == "yes"
    assert plan.recommendation is not None
    assert plan.recommendation.method == "lora"


def test_a_tight_fit_comes_after_a_sure_one() -> None:
    """Between LoRA's expected value and its upper end QLoRA is the safe choice."""
    expected, high = _needed("lora")
    plan = plan_for(_card_with((expected + high) // 2))

    assert plan.answer("lora").verdict.fits == "tight"
    assert plan.recommendation is not None
    assert plan.recommendation.method == "qlora"
    assert "tight" in plan.recommendation.reason


def test_a_tight_fit_is_better_than_none() -> None:
    """When only the expected value of QLoRA fits, that is what is said."""
    expected, high = _needed("qlora")
    plan = plan_for(_card_with((expected + high) // 2))

    assert plan.recommendation is not None
    assert plan.recommendation.method == "qlora"
    assert plan.recommendation.reason_code == "TIGHT_QUANTIZED"
    assert plan.fits


def test_nothing_fits_a_4_gib_card() -> None:
    """No method is recommended and none is settled on."""
    plan = plan_for(4)

    assert plan.recommendation is None
    assert plan.chosen is None
    assert not plan.fits
    assert {answer.verdict.fits for answer in plan.answers} == {"no"}
    assert all(answer.largest_micro_batch == 0 for answer in plan.answers)
    with pytest.raises(NothingChosen):
        settle(plan, folder="/runs/a")


def test_without_a_card_nothing_is_judged() -> None:
    """All three methods have numbers, none a verdict, and that is no failure."""
    plan = plan_for(None)

    assert [answer.method for answer in plan.answers] == list(METHODS)
    assert all(answer.verdict.fits is None for answer in plan.answers)
    assert all(answer.largest_sequence_tokens is None for answer in plan.answers)
    assert plan.recommendation is None
    assert plan.fits


def test_the_method_asked_for_is_the_only_answer() -> None:
    """--method full answers about full, fitting or not."""
    plan = plan_for(24, method="full")

    assert [answer.method for answer in plan.answers] == ["full"]
    assert plan.chosen is plan.answers[0]
    with pytest.raises(KeyError):
        plan.answer("lora")


def test_one_method_gives_no_reason_about_others() -> None:
    """Nothing is claimed about unquantized weights that nobody estimated."""
    plan = plan_for(24, method="qlora")

    assert plan.recommendation is not None
    assert "unquantized" not in plan.recommendation.reason


@pytest.mark.parametrize("gib", [8, 16, 24, 48])
@pytest.mark.parametrize("model", ["llama-3.2-1b", "llama-3.1-8b"])
def test_the_growth_limits_are_the_largest_that_fit(gib: int, model: str) -> None:
    """The longest sequence and the largest batch fit; one step more does not."""
    plan = plan_for(gib, model=model)
    context = plan.model.shape.max_context_tokens
    assert context is not None

    for answer in plan.answers:
        tokens, rows = answer.largest_sequence_tokens, answer.largest_micro_batch
        assert tokens is not None
        assert rows is not None
        assert not tokens or _fits(plan, answer, sequence_tokens=tokens)
        assert tokens + 64 > context or not _fits(plan, answer, sequence_tokens=tokens + 64)
        assert not rows or _fits(plan, answer, micro_batch=rows)
        assert not _fits(plan, answer, micro_batch=rows + 1)


def _fits(plan: Plan, answer: MethodAnswer, **change: int) -> bool:
    request = replace(answer.request, **change)  # type: ignore[arg-type]
    capacity = answer.verdict.capacity_bytes
    assert capacity is not None
    return estimate_memory(plan.model.shape, request).needed.high_bytes <= capacity


def test_a_sequence_never_grows_beyond_the_context() -> None:
    """Memory for more than the model was made for is no offer."""
    plan = plan_for(80, model="gpt2")

    assert plan.answer("lora").largest_sequence_tokens == 1024


def test_rows_beyond_the_context_are_warned_about() -> None:
    """Asking for more tokens than positions is possible and said."""
    plan = plan_for(80, model="gpt2", sequence_tokens=4096)

    assert "BEYOND_CONTEXT" in [warning.code for warning in plan.warnings]


def test_lengths_that_are_estimated_are_said_to_be() -> None:
    """Without the model's tokenizer; counted with it there is nothing to say."""
    how = "estimated at 3 bytes a token"
    facts = (data_facts(lengths_exact=False, how=how), data_facts())
    rough, exact = (make_plan(planned(), None, Asked(), each).warnings for each in facts)

    assert [each.text for each in rough if how in each.text]
    assert "LENGTHS_ESTIMATED" not in [each.code for each in exact]


def test_quantizing_experts_is_warned_about() -> None:
    """Fused experts stay in 16 bit under bitsandbytes."""
    plan = plan_for(80, model="qwen3-30b-a3b")

    assert "EXPERTS_NOT_QUANTIZED" in [warning.code for warning in plan.warnings]


def test_a_family_nobody_described_is_warned_about_unless_it_was_traced() -> None:
    """The interval is wide, and the option that makes it narrow is named."""

    def traced(shape: ModelShape, request: TrainingRequest) -> MemoryEstimate:
        memory = estimate_memory(shape, request)
        return memory._replace(basis=memory.basis._replace(tier="trace"))

    model = planned("llama-3.2-1b")._replace(shape=replace(tiny_llama(), recognized=False))
    plans = [
        make_plan(model, None, Asked(), data_facts(), estimate=estimate)
        for estimate in (estimate_memory, traced)
    ]

    warned, silent = ([each.text for each in plan.warnings] for plan in plans)
    assert "--trace" in warned[0]
    assert silent == []


def test_a_card_without_bf16_gets_numbers_it_can_compute() -> None:
    """On a T4, LoRA holds fp16 weights and full fine-tuning fp32 ones."""
    plan = make_plan(
        planned("llama-3.2-1b"), budget_of_card(hwdb.find_card("t4")), plan_for(None).asked
    )

    assert plan.answer("lora").request.weights == "fp16"
    assert plan.answer("lora").request.autocast == "fp16"
    assert plan.answer("full").request.weights == "fp32"


@pytest.mark.parametrize(
    "asked",
    [
        {"optimizer": "adamx"},
        {"attention": "quick"},
        {"sequence_tokens": 0},
        {"rank": 0},
        {"targets": ("nowhere",)},
        {"checkpointing": "some"},
    ],
)
def test_what_cannot_be_is_refused(asked: dict[str, Any]) -> None:
    """An impossible wish ends in a RequestError that names it."""
    with pytest.raises(RequestError):
        plan_for(24, method="lora", **asked)


def test_a_learning_rate_far_above_the_usual_is_warned_of() -> None:
    """Ten times as much as any of the methods planned takes; below that it is somebody's choice."""

    def codes(rate: float) -> list[str]:
        plan = plan_for(80, learning_rate=rate)
        return [warning.code for warning in plan.warnings]

    assert "RATE_FAR_ABOVE" in codes(0.5)
    assert "RATE_FAR_ABOVE" not in codes(1e-3)
