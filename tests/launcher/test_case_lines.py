"""A long list of cases is answered by several processes, and nobody can tell."""

from __future__ import annotations

import json

from launcher.case_lines import answer_line, answer_lines, card_of_case, shape_of_case
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
