"""`tlplan gpus`, `models`, `doctor`, `schema` and `verify`: what is there, as text and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import hwdb
from launcher.__main__ import main
from launcher.cli.schema import NAMES
from launcher.runs.checkpoints import publish, writing_folder
from tests.fake_nvml import fake_driver_environment, machines
from tests.launcher.cli.program import tlplan


@pytest.mark.parametrize("command", ["gpus", "models"])
def test_lists_keep_to_80_columns(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No line is wider, whatever is in hwdb, and no model's row is cut."""
    assert main([command]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert command != "models" or not any(line.endswith("...") for line in lines)


def test_words_narrow_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    """All words have to occur, upper and lower case alike."""
    main(["gpus", "LAPTOP", "4090"])
    lines = capsys.readouterr().out.splitlines()

    assert [line.split()[0] for line in lines] == ["Card", "rtx-4090-laptop"]


@pytest.mark.parametrize("command", ["gpus", "models"])
def test_no_match_is_an_answer(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Ends with 0, an empty list and a note."""
    assert main([command, "zzz"]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "zzz" in shown.err
    main([command, "zzz", "--json"])
    listed = json.loads(capsys.readouterr().out)
    assert listed["cards" if command == "gpus" else "models"] == []


def test_lists_are_data_too(capsys: pytest.CaptureFixture[str]) -> None:
    """--json has every row of hwdb."""
    main(["gpus", "--json"])
    assert len(json.loads(capsys.readouterr().out)["cards"]) == len(hwdb.all_cards())
    main(["models", "--json"])
    models = json.loads(capsys.readouterr().out)["models"]
    assert len(models) == len(hwdb.all_models())
    assert {model["id"] for model in models if model["plannable"]} >= {"llama-3.1-8b", "qwen3-4b"}


def test_the_gpus_of_this_machine_come_first() -> None:
    """Lists what the driver shows with its free memory and its name in hwdb."""
    answer = tlplan("gpus", environment=fake_driver_environment(machines.TWO_UNEQUAL_3090S))
    head, columns, first, second = answer.out.splitlines()[:4]

    assert head == "This machine, driver 575.64.03"
    assert columns.split()[:2] == ["GPU", "Free"]
    assert "rtx-3090" in first
    assert second.split()[:2] == ["1", "14.6"]


def test_the_doctor_tells_what_a_question_needs() -> None:
    """Names Python, driver, GPUs, memory, disk and each package."""
    answer = tlplan("doctor", environment=fake_driver_environment(machines.RTX_4090_DESKTOP))

    for word in ("Python", "Driver", "580.95.05", "RTX 4090", "Memory", "Disk", "torch"):
        assert word in answer.out


def test_the_doctor_is_data_too() -> None:
    """--json has the machine, the packages and the line that mends them."""
    document = json.loads(tlplan("doctor", "--json").out)

    assert document["machine"]["gpus"] == []
    assert {"name", "wanted", "installed", "fits", "needed_for"} == set(document["packages"][0])
    assert "fix" in document


@pytest.mark.parametrize("name", NAMES)
def test_every_schema_is_one(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints a valid JSON Schema."""
    assert main(["schema", name]) == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


def test_estimates_validate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Answers and failures of `tlplan estimate` are what its schema says."""
    case = '{"id": "a", "model": "llama-3.1-8b", "method": "lora", "micro_batch": 1, '
    case += '"sequence_tokens": 512}\n{"id": "b"}\n'
    (tmp_path / "cases.jsonl").write_text(case)
    main(["schema", "estimate"])
    schema = json.loads(capsys.readouterr().out)
    main(["estimate", str(tmp_path / "cases.jsonl")])
    lines = capsys.readouterr().out.splitlines()

    assert len(lines) == 2
    for line in lines:
        jsonschema.validate(json.loads(line), schema)


def test_verify_finds_a_changed_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Says which checkpoint is intact and which file is not what was written."""
    run = tmp_path / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "plan.yaml").write_text("plan_version: 1\n")
    monkeypatch.chdir(tmp_path)
    for step in (5, 10):
        written = writing_folder(run)
        written.mkdir(parents=True)
        (written / "weights").write_bytes(b"0123456789")
        publish(written, run, step)

    assert main(["verify", "mine"]) == 0
    assert capsys.readouterr().out.splitlines() == ["step-10     intact", "step-5      intact"]
    (run / "checkpoints" / "step-10" / "weights").write_bytes(b"0123456780")
    assert main(["verify", "--json"]) == 1
    newest, oldest = json.loads(capsys.readouterr().out)["checkpoints"]
    assert (newest["intact"], oldest["intact"]) == (False, True)
    assert "weights" in newest["problems"][0]
