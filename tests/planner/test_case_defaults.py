"""What a case leaves out has the default of its card and its family, in every answer."""

from __future__ import annotations

from typing import Any

import pytest

import hwdb
from launcher.models import resolve_model
from planner.advice.asked import Asked
from planner.advice.settings import attention_choice
from planner.case_answer import CaseAnswers, answer_case
from tests.planner.samples import tiny_llama

_LEAST = {"method": "lora", "micro_batch": 4, "sequence_tokens": 1024}


def test_a_case_on_a_card_is_answered_alike_each_time() -> None:
    """Hopper's larger workspaces count in the first answer as in later ones, with lengths too."""
    answers = CaseAnswers(lambda _case: tiny_llama(), hwdb.find_card)
    case = {**_LEAST, "gpu": "h100-sxm5-80gb", "micro_batch": 1}

    first, second = answers.answer(case), answers.answer(case)
    with_lengths = answers.answer({**case, "lengths": [1024]})
    elsewhere = answers.answer({**case, "gpu": "a100-sxm4-80gb"})

    def allocated(answer: dict[str, Any]) -> int:
        return int(answer["memory"]["allocated_bytes"]["expected"])

    assert first == second
    assert allocated(with_lengths) == allocated(first) > allocated(elsewhere)


def test_a_card_without_bf16_has_defaults_of_its_own() -> None:
    """Those of a launch there: what TRL would make bf16 over 4 bits stays fp32."""
    case = {**_LEAST, "method": "qlora"}
    said = {"autocast": "fp16", "adapter": {"dtype": "fp32"}}

    def answer(gpu: str, **more: Any) -> dict[str, Any]:
        shape = tiny_llama()
        return answer_case({**case, **more, "gpu": gpu}, lambda _case: shape, hwdb.find_card)

    assert answer("t4")["memory"] == answer("t4", **said)["memory"]
    assert answer("t4")["memory"] != answer("l4")["memory"]


def test_a_family_without_torchs_kernel_writes_its_scores_out() -> None:
    """By default as a plan has it, and where torch's kernel is asked for, which its class lacks."""
    case = {**_LEAST, "model": "gemma-2-2b"}

    def answer(**more: Any) -> dict[str, Any]:
        shape = resolve_model("gemma-2-2b").shape
        return answer_case({**case, **more}, lambda _case: shape, hwdb.find_card)["memory"]

    assert answer() == answer(attention="eager") == answer(attention="sdpa")


def test_deberta_is_timed_and_planned_with_the_attention_it_has() -> None:
    """Transformers refuses torch's kernel for it, which stopped every launch that named it."""
    shape = resolve_model("deberta-v3-base").shape
    case = {**_LEAST, "method": "full", "model": "deberta-v3-base", "gpu": "rtx-4090"}

    def answer(**more: Any) -> dict[str, Any]:
        return answer_case({**case, **more}, lambda _case: shape, hwdb.find_card)

    assert answer() == answer(attention="eager")
    assert attention_choice(Asked(), shape).value == "eager"


@pytest.mark.parametrize(
    ("model", "named", "everywhere"),
    [
        ("qwen3-30b-a3b", 13_369_344, 996_507_648),
        ("mixtral-8x7b", 13_631_488, 359_665_664),
        ("gpt-oss-20b", 7_962_624, 7_962_624),
    ],
)
def test_experts_have_adapters_where_a_case_says_all_linear(
    model: str, named: int, everywhere: int
) -> None:
    """The launcher names the other linears. Numbers are PEFT's own count of what is trained."""
    shape = resolve_model(model).shape

    def adapters(**adapter: Any) -> int:
        case = {**_LEAST, "method": "lora", "adapter": adapter}
        answer = answer_case(case, lambda _case: shape, hwdb.find_card)
        return int(answer["memory"]["parts"]["adapters_bytes"])

    assert adapters() == named * 4
    assert adapters(targets="all-linear") == everywhere * 4
