"""`tlplan plan`: a file that launch reads, never over another file, and refusal with a way out."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from launcher.__main__ import main
from launcher.cli.schema import schema_text
from planner.plan_file import read_plan_file
from tests.launcher.cli.program import tlplan

MODEL = ("--model", "smollm2-135m", "--gpu", "24GiB")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A training file of twelve rows in the working folder."""
    monkeypatch.chdir(tmp_path)
    rows = [{"prompt": f"{n} + 1 =", "completion": f" {n + 1}"} for n in range(12)]
    (tmp_path / "train.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return "train.jsonl"


def test_the_plan_goes_to_stdout_or_a_file(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without -o the plan is the answer; with it, the same bytes are in the file."""
    assert main(["plan", *MODEL, "--data", data]) == 0
    printed = capsys.readouterr().out
    assert main(["plan", *MODEL, "--data", data, "-o", "plan.yaml"]) == 0
    summary = capsys.readouterr().out

    assert Path("plan.yaml").read_text() == printed
    assert "tlplan launch plan.yaml" in summary
    assert read_plan_file(printed, "plan.yaml").training.micro_batch_rows == 1
    jsonschema.validate(yaml.safe_load(printed), json.loads(schema_text("plan")))


def test_the_same_question_gives_the_same_bytes(
    data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing in a plan depends on the time or on chance."""
    main(["plan", *MODEL, "--data", data])
    first = capsys.readouterr().out
    main(["plan", *MODEL, "--data", data])

    assert capsys.readouterr().out == first


def test_options_arrive_in_the_plan(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every planning option changes its key."""
    words = "--method lora --rank 8 --targets q_proj,v_proj --seq 64 --batch 2 --accumulate 3"
    words += " --optimizer adafactor --weights fp32 --checkpointing none --attention eager"
    words += " --loss torch --packing yes --epochs 0.5 --max-steps 7 --learning-rate 0.001 --seed 5"
    main(["plan", *MODEL, "--data", data, *words.split(), "--out", "there"])
    plan = read_plan_file(capsys.readouterr().out, "plan")

    assert (plan.method.name, plan.method.rank) == ("lora", 8)
    assert plan.method.targets == ("q_proj", "v_proj")
    assert plan.method.weights == "fp32"
    training = plan.training
    assert (training.sequence_tokens, training.micro_batch_rows) == (64, 2)
    assert (training.accumulation_steps, training.optimizer) == (3, "adafactor")
    assert (training.checkpointing, training.attention, training.loss) == ("none", "eager", "torch")
    assert (training.packing, training.epochs, training.max_steps) == (True, 0.5, 7)
    assert (training.learning_rate, training.seed) == (0.001, 5)
    assert plan.output.folder == str(Path("there").absolute())


def test_an_existing_file_is_left_as_it_is(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Refuses with 2 and touches nothing."""
    Path("plan.yaml").write_text("mine")

    assert main(["plan", *MODEL, "--data", data, "-o", "plan.yaml"]) == 2
    assert Path("plan.yaml").read_text() == "mine"
    assert "exists already" in capsys.readouterr().err


def test_a_run_folder_that_reads_like_a_plan_file_is_refused(
    data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who writes --out plan.yaml means -o plan.yaml, and would wonder where the plan went."""
    assert main(["plan", *MODEL, "--data", data, "--out", "p.yaml"]) == 2
    assert "-o p.yaml is the plan file" in capsys.readouterr().err


def test_what_does_not_fit_is_refused_with_a_way_out(
    data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ends with 3, writes nothing and names changes that would do; --force plans all the same."""
    words = ["plan", "--model", "llama-3.1-70b", "--gpu", "12GiB", "--data", data]

    assert main([*words, "-o", "plan.yaml"]) == 3
    told = capsys.readouterr().err
    assert "makes qlora fit" in told
    assert "--model llama-3.1-8b" in told
    assert not Path("plan.yaml").exists()
    assert main([*words, "--force"]) == 0
    assert read_plan_file(capsys.readouterr().out, "plan").method.name == "qlora"


def test_a_method_that_does_not_fit_is_refused(
    data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was asked for is not changed silently for what fits."""
    words = ["--model", "llama-3.1-8b", "--gpu", "24GiB", "--method", "full", "--data", data]

    assert main(["plan", *words]) == 3
    assert "full does not fit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no such file"),
        ("", "is empty"),
        ('{"prompt": "a", "completion": "b"}\n{"prompt": "a"}\n', "bad.jsonl:2"),
        ("not json\n", "bad.jsonl:1"),
    ],
)
def test_bad_data_ends_with_4(
    data: str, content: str | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names the file and the line, and writes no plan."""
    if content is not None:
        Path("bad.jsonl").write_text(content)

    assert main(["plan", *MODEL, "--data", "bad.jsonl", "-o", "plan.yaml"]) == 4
    assert told in capsys.readouterr().err
    assert not Path("plan.yaml").exists()
    assert data


def test_as_json_the_plan_is_data(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One document with the sections, the reasons and the verdict."""
    assert main(["plan", *MODEL, "--data", data, "--json", "-o", "plan.yaml"]) == 0
    document = json.loads(capsys.readouterr().out)

    assert document["file"] == "plan.yaml"
    assert document["fits"] == "yes"
    assert document["plan"]["training"]["sequence_tokens"] > 0
    assert "training.learning_rate" in document["reasons"]


def test_check_and_plan_say_the_same_number(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same job needs the same bytes wherever it is asked about."""
    words = [*MODEL, "--data", data, "--method", "lora"]
    main([*words, "--json"])
    checked = json.loads(capsys.readouterr().out)["methods"][0]
    main(["plan", *words, "--json"])
    planned = json.loads(capsys.readouterr().out)["plan"]["hardware"]

    assert planned["predicted_peak_bytes"] == checked["memory"]["device_bytes"]["expected"]
    assert planned["predicted_peak_bytes"] == checked["expected_peak_bytes"]
    assert planned["predicted_high_bytes"] == checked["memory"]["device_bytes"]["high"]


def test_each_way_comes_with_its_time_and_cost(tmp_path: Path) -> None:
    """On a card whose speed and rent are known; a way that does not fit has neither."""
    rows = [{"prompt": f"Question {n}?", "completion": f"Answer {n}."} for n in range(200)]
    data = tmp_path / "d.jsonl"
    data.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    words = ("--model", "llama-3.1-8b", "--gpu", "rtx-4090")

    planned = tlplan("plan", *words, "--data", str(data), "--json")
    looked = tlplan("data", str(data), *words, "--json")

    for advice in (json.loads(planned.out)["advice"], json.loads(looked.out)["ways"]):
        ways = {option["approach"]: option for option in advice["options"]}
        assert advice["advised"] == "lora"
        assert ways["in-context"]["seconds"] == 0
        assert 0 < ways["lora"]["seconds"] < 3600
        assert 0 < ways["lora"]["usd"] < 1
        assert (ways["full"]["fits"], ways["full"]["seconds"]) == ("no", None)
