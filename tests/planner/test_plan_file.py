"""plan.yaml: the same bytes for the same plan, and every mistake named with its line."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from planner.plan_file import PlanFileError, plan_file_text, read_plan_file
from planner.run_plan import RunPlan
from planner.settle import settle
from tests.planner.samples import plan_for


def _run_plan(method: str = "lora") -> RunPlan:
    plan = plan_for(80, model="llama-3.2-1b", method=method)
    return settle(plan, folder="/runs/a").run_plan


def _text(method: str = "lora") -> str:
    settled = settle(plan_for(80, model="llama-3.2-1b", method=method), folder="/runs/a")
    return plan_file_text(settled.run_plan, settled.reasons)


def _line_of(text: str, start: str) -> int:
    lines = text.splitlines()
    return next(n for n, line in enumerate(lines, start=1) if line.strip().startswith(start))


def _changed(text: str, key: str, value: str) -> str:
    """`text` with the value of one key replaced, comments left out."""
    lines = text.splitlines()
    at = _line_of(text, f"{key}:") - 1
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    lines[at] = f"{indent}{key}: {value}".rstrip()
    return "\n".join(lines) + "\n"


def _problem(text: str) -> PlanFileError:
    with pytest.raises(PlanFileError) as caught:
        read_plan_file(text, "plan.yaml")
    assert str(caught.value).startswith(f"plan.yaml:{caught.value.line}: ")
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
def test_a_plan_survives_the_file(method: str) -> None:
    """Written and read back, a plan is the same, and so is the text written from it."""
    text = _text(method)

    again = read_plan_file(text, "plan.yaml")

    assert again == _run_plan(method)
    settled = settle(plan_for(80, model="llama-3.2-1b", method=method), folder="/runs/a")
    assert plan_file_text(again, settled.reasons) == text


def test_the_same_inputs_give_the_same_bytes() -> None:
    """Nothing of the moment gets into the file."""
    assert _text() == _text()


def test_the_text_is_plain_yaml() -> None:
    """Any other reader sees the same values."""
    values = yaml.safe_load(_text())

    assert values["plan_version"] == 1
    assert set(values) == {
        "plan_version", "model", "data", "method", "training", "hardware", "output",
            "recovery", "evaluation", "expected",
    }  # fmt: skip
    assert values["training"]["micro_batch_rows"] == 1


def test_reasons_stand_beside_their_keys() -> None:
    """A comment follows the value on its line."""
    line = next(line for line in _text().splitlines() if "learning_rate:" in line)

    assert "#" in line
    assert "adapters take" in line


@pytest.mark.parametrize(
    "name",
    ["no", "null", "1.5", "a: b", "# not a comment", "'quoted'", "ünïcode 模型", "", "a" * 300],
)
def test_any_name_survives(name: str) -> None:
    """Words that YAML would read as something else stay text."""
    run_plan = _run_plan()
    named = replace(run_plan, model=replace(run_plan.model, name=name))

    assert read_plan_file(plan_file_text(named, {}), "plan.yaml") == named


@pytest.mark.parametrize(
    ("written", "value"), [("2e-4", 2e-4), ("0.0002", 2e-4), ("1", 1.0), ("1.5e-05", 1.5e-5)]
)
def test_numbers_may_be_written_as_people_do(written: str, value: float) -> None:
    """YAML 1.1 takes 2e-4 for text; a plan takes it for a number."""
    run_plan = read_plan_file(_changed(_text(), "learning_rate", written), "plan.yaml")

    assert run_plan.training.learning_rate == value


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("micro_batch_rows", "two", "whole number"),
        ("micro_batch_rows", "1.5", "whole number"),
        ("micro_batch_rows", "true", "whole number"),
        ("micro_batch_rows", "", "whole number"),
        ("micro_batch_rows", "-1", "negative"),
        ("learning_rate", "fast", "number"),
        ("learning_rate", "[1]", "a list"),
        ("packing", "maybe", "true or false"),
        ("packing", "1", "true or false"),
        ("schedule", "sometimes", "constant or linear or cosine"),
        ("targets", "[]", "list of names"),
        ("targets", "[1, 2]", "list of names"),
        ("targets", "{a: 1}", "a section"),
        ("device", "tpu", "cuda or cpu"),
        ("train", "null", "text"),
        ("weights", "bf15", "bf16"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(key: str, value: str, words: str) -> None:
    """The message says where, which key and what would do."""
    text = _changed(_text(), key, value)

    problem = _problem(text)

    assert problem.line == _line_of(text, f"{key}:")
    assert f".{key}" in str(problem)
    assert words in str(problem)


@pytest.mark.parametrize("key", ["seed", "rank", "train", "hub_id", "predicted_low_bytes"])
def test_a_missing_key_is_named_with_its_section(key: str) -> None:
    """The line is that of the section the key belongs to."""
    lines = _text().splitlines()
    at = max(n for n, line in enumerate(lines) if line.strip().startswith(f"{key}:"))
    section = max(n for n in range(at) if lines[n] and not lines[n].startswith((" ", "#")))
    del lines[at]

    problem = _problem("\n".join(lines))

    assert problem.line == section + 1
    assert f"{lines[section].rstrip(':')}.{key} is missing" in str(problem)


@pytest.mark.parametrize(
    "section", ["model", "data", "method", "training", "hardware", "output", "plan_version"]
)
def test_a_missing_section_is_named(section: str) -> None:
    """Every section has to be there."""
    blocks = _text().split("\n\n")
    kept = [block for block in blocks if not block.startswith(f"{section}:")]
    text = "\n\n".join(kept).replace("plan_version: 1\n" if section == "plan_version" else "\0", "")

    assert f"{section} is missing" in str(_problem(text))


@pytest.mark.parametrize(
    ("wrong", "meant"), [("learning_rat", "learning_rate"), ("micro_batch", "micro_batch_rows")]
)
def test_an_unknown_key_gets_a_suggestion(wrong: str, meant: str) -> None:
    """A slip of the pen is named, with what may have been meant."""
    text = _text().replace(f"  {meant}:", f"  {wrong}:")

    problem = _problem(text)

    assert problem.line == _line_of(text, f"{wrong}:")
    assert f'"{wrong}"' in str(problem)
    assert meant in problem.hints[0]


def test_an_unknown_section_is_refused() -> None:
    """Nothing is skipped in silence."""
    problem = _problem(_text() + "\nextras:\n  a: 1\n")

    assert '"extras"' in str(problem)


def test_a_key_that_stands_twice_is_refused() -> None:
    """Neither value would be right."""
    text = _text().replace("  seed: 0", "  seed: 0\n  seed: 1")

    problem = _problem(text)

    assert problem.line == _line_of(text, "seed: 1")
    assert "twice" in str(problem)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("- a\n- b\n", 1),
        ("plan_version: 2\n", 1),
        ("model: [\n", 2),
        ("a: 1\n  b: 2\n", 2),
        ("plan_version: 1\nmodel: 3\n", 2),
        ("? [a]\n: 1\n", 1),
        ("a: 'open\n", 2),
        ("\tmodel: 1\n", 1),
    ],
)
def test_what_is_no_plan_is_refused(text: str, line: int) -> None:
    """Broken YAML and other documents end in one line that says where."""
    assert _problem(text).line == line


def test_a_section_must_have_keys() -> None:
    """A word where a section belongs is named with its line."""
    text = "\n\n".join(
        "output: here" if block.startswith("output:") else block for block in _text().split("\n\n")
    )

    problem = _problem(text)

    assert "output must be a section" in str(problem)
    assert problem.line == _line_of(text, "output:")
