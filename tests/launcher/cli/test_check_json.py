"""The quick check as JSON: one document, valid, complete, and the same numbers as the text."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

import hwdb
from launcher.__main__ import main
from launcher.cli.schema import schema_text
from tests.fake_nvml import fake_driver_environment, machines
from tests.launcher.cli.program import tlplan

SCHEMA = json.loads(schema_text("check"))
CARDS = ("rtx-4090", "t4", "h200-sxm-141gb", "6GiB")


def checked(text: str) -> dict[str, Any]:
    """The one document in `text`, valid against the published schema."""
    document: dict[str, Any] = json.loads(text)
    jsonschema.validate(document, SCHEMA)
    return document


def plannable_models() -> list[str]:
    """Ids of hwdb whose family the planner can count."""
    found = []
    for row in hwdb.all_models():
        family = hwdb.find_family(row.architecture)
        if family is not None and family.kind == "decoder":
            found.append(row.id)
    return found


@pytest.mark.parametrize("model", plannable_models())
def test_every_model_on_every_kind_of_card_gives_a_valid_document(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Validates against the schema, and the parts add up exactly."""
    for card in CARDS:
        code = main(["--model", model, "--gpu", card, "--json"])
        document = checked(capsys.readouterr().out)

        assert code in (0, 3)
        for method in document["methods"]:
            assert sum(method["parts"].values()) == method["expected_peak_bytes"]
            assert method["memory"]["needed_bytes"]["expected"] == method["expected_peak_bytes"]
            assert method["low_bytes"] <= method["expected_peak_bytes"] <= method["high_bytes"]
            spare = document["budget_bytes"] - method["expected_peak_bytes"]
            assert method["spare_bytes"] == spare


@pytest.mark.parametrize("model", plannable_models())
def test_a_lighter_method_never_needs_more(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Full needs at least what lora needs."""
    main(["--model", model, "--gpu", "h200-sxm-141gb", "--json"])
    needs = {
        method["method"]: method["expected_peak_bytes"]
        for method in json.loads(capsys.readouterr().out)["methods"]
    }

    assert needs["lora"] <= needs["full"]


def test_a_machine_is_told_with_all_its_gpus() -> None:
    """Lists every visible GPU and says which one was judged."""
    environment = fake_driver_environment(machines.TWO_UNEQUAL_3090S)
    document = checked(tlplan("--model", "qwen3-8b", "--json", environment=environment).out)

    hardware = document["hardware"]
    assert hardware["source"] == "nvml"
    assert [gpu["index"] for gpu in hardware["gpus"]] == [0, 1]
    assert hardware["judged"] == 0
    assert document["budget_bytes"] == hardware["gpus"][0]["free_bytes"]
    assert hardware["gpus"][0]["hwdb_id"] == "rtx-3090"


def test_without_a_gpu_nothing_is_judged() -> None:
    """Answers with nulls and the smallest cards, and exit code 0."""
    answer = tlplan("--model", "llama-3.1-8b", "--json")
    document = checked(answer.out)

    assert answer.code == 0
    assert document["hardware"] is None
    assert document["budget_bytes"] is None
    assert document["recommendation"] is None
    for method in document["methods"]:
        assert method["fits"] is None
        assert method["spare_bytes"] is None
        assert len(method["smallest_cards"]) == 3


def test_host_memory_is_judged_on_request() -> None:
    """--gpu cpu plans with the memory of the host."""
    document = checked(tlplan("--model", "smollm2-135m", "--gpu", "cpu", "--json").out)

    assert document["hardware"]["source"] == "host"
    assert document["hardware"]["host"]["available_bytes"] == document["budget_bytes"]


@pytest.mark.parametrize(
    ("words", "code", "name"),
    [
        (("--model", "lama"), 2, "USAGE"),
        (("--modle", "llama-3.1-8b"), 2, "USAGE"),
        (("--model", "./nowhere"), 2, "USAGE"),
        (("--model", "llama-3.1-8b", "--data", "nowhere.jsonl"), 4, "BAD_DATA"),
    ],
)
def test_a_failure_is_one_document_too(words: tuple[str, ...], code: int, name: str) -> None:
    """Prints the error as JSON on stdout, its lines on stderr, and keeps the exit code."""
    answer = tlplan(*words, "--json")
    document = checked(answer.out)

    assert answer.code == code
    assert document["error"]["code"] == name
    assert document["error"]["message"] in answer.err
    assert answer.err.startswith("error:")


def test_stays_parsable_under_forced_color() -> None:
    """Ignores FORCE_COLOR and --color in JSON."""
    words = ("--model", "llama-3.1-8b", "--gpu", "rtx-4090", "--json", "--color", "always")
    answer = tlplan(*words, FORCE_COLOR="1")

    assert "\x1b" not in answer.out
    checked(answer.out)


def test_text_and_document_show_the_same_numbers() -> None:
    """The needs in the text are those of the document, in GiB."""
    words = ("--model", "llama-3.1-8b", "--gpu", "rtx-4090")
    out = tlplan(*words).out
    for method in checked(tlplan(*words, "--json").out)["methods"]:
        line = next(line for line in out.splitlines() if line.startswith(method["method"]))

        assert line.split()[1] == f"{method['expected_peak_bytes'] / 2**30:.1f}"
