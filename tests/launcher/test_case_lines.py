"""A long list of cases is answered by several processes, and nobody can tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from launcher.case_lines import answer_line, card_of_case, shape_of_case
from launcher.case_processes import answer_lines
from planner.case_answer import answer_case

_CASE = {
    "model": "smollm2-135m",
    "method": "lora",
    "sequence_tokens": 512,
    "gpu": "rtx-4090",
}
_MANY = 2600


def _lines() -> list[tuple[int, str]]:
    """Cases of many batches and some that are wrong, each with its number for an id."""
    cases = [{**_CASE, "id": number, "micro_batch": number % 97} for number in range(1, _MANY)]
    return [(case["id"], json.dumps(case)) for case in cases]


def test_answers_of_many_lines_come_in_order_and_are_those_of_each_line_alone() -> None:
    """Batches that repeat, batches of none, and parts that end anywhere change nothing."""
    lines = _lines()

    together = [json.loads(line) for text in answer_lines(lines) for line in text.splitlines()]

    assert [answer["id"] for answer in together] == [number for number, _ in lines]
    for number, line in lines[::211]:
        alone = answer_line(
            number, line, lambda case: answer_case(case, shape_of_case, card_of_case)
        )
        assert together[number - 1] == json.loads(json.dumps(alone))


def test_a_case_with_lengths_is_not_taken_for_the_one_without() -> None:
    """Lengths decide what is padded, so such a case is read whole."""
    lengths = {**_CASE, "micro_batch": 2, "lengths": [10, 500, 30]}
    lines = [(1, json.dumps({**_CASE, "micro_batch": 2})), (2, json.dumps(lengths))]

    plain, unequal = (json.loads(text)["memory"] for text in answer_lines(lines))

    assert plain["allocated_bytes"] != unequal["allocated_bytes"]


def test_an_answer_is_the_same_the_first_time_and_the_second() -> None:
    """What cuBLAS keeps on a Hopper card is counted from the first line on."""
    line = json.dumps({**_CASE, "micro_batch": 3, "gpu": "h100-sxm5-80gb"})

    first, second = (json.loads(text)["memory"] for text in answer_lines([(1, line), (2, line)]))

    assert first == second


@pytest.mark.parametrize("model", ["bert-base-uncased", "vit-base-patch16-224"])
def test_a_case_without_a_task_has_the_models_own(model: str) -> None:
    """A task may be left out, and no encoder predicts tokens."""
    case = {**_CASE, "micro_batch": 2, "model": model}

    (answer,) = (json.loads(text) for text in answer_lines([(1, json.dumps(case))]))

    assert "memory" in answer


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "mamba", "state_size": 16}, "little like it"),
        ({"model_type": "new", "num_attention_heads": 4}, "Llama-like"),
        ({"model_type": "llama", "num_attention_heads": 4}, None),
    ],
)
def test_an_answer_says_that_the_family_is_not_known(
    config: dict[str, Any], said: str | None
) -> None:
    """And names the option that knows it."""
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 128}
    case = {**_CASE, "config": {**sizes, "vocab_size": 100, **config}, "micro_batch": 2}
    del case["model"]

    (answer,) = (json.loads(text) for text in answer_lines([(1, json.dumps(case))]))

    told = " ".join(answer.get("warnings", ()))
    assert (said in told and "--trace" in told) if said else told == ""
