"""A run ends with evidence, `tlplan eval` measures it again, `tlplan chat` asks the same models.

The model is SmolLM2 cut to two layers, which babbles: no score but the loss means anything. After
30 steps it has learned the one answer form of 24 tickets, which the untrained one never gives.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launcher.demo.tickets import TICKETS_FILE
from launcher.evaluation.outcomes import read_outcomes
from launcher.exit_codes import ExitCode
from launcher.runs.events import Event
from planner.advice.situation import FAR_NATS
from planner.optional_sections import EvaluationSection
from planner.plan_file import plan_file_text
from tests.launcher.cli.program import tlplan
from tests.launcher.training.plans import carry_out, make_plan, of_type


@pytest.fixture(scope="module")
def run(
    tiny_model: Path, chats: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Event]]:
    """A run of 30 steps with all the evidence there is."""
    folder = tmp_path_factory.mktemp("evidence") / "run"
    plan = make_plan(model=tiny_model, data=chats, run=folder, max_steps=30, schedule="constant")
    plan = replace(
        plan,
        evaluation=EvaluationSection(
            answer_rows=6, answer_tokens=24, few_shot_examples=2, forgetting=True
        ),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("launcher.training.context.SECONDS_BETWEEN_COUNTS", 0.0)
        events = carry_out(plan)
    (folder / "plan.yaml").write_text(plan_file_text(plan, {}))
    return folder, events


def test_the_same_rows_are_answered_under_three_conditions(run: tuple[Path, list[Event]]) -> None:
    """All six held-out rows, each with its answer; the loss where there is no example before it."""
    folder, _ = run

    kept = {name: read_outcomes(folder, name) for name in ("base", "few-shot", "tuned")}

    assert {len(rows) for rows in kept.values()} == {6}
    assert len({tuple(each.key for each in rows) for rows in kept.values()}) == 1
    assert all(each.answer is not None for rows in kept.values() for each in rows)
    assert all(each.loss is not None for each in (*kept["base"], *kept["tuned"]))


def test_the_report_is_an_event_and_a_file(run: tuple[Path, list[Event]]) -> None:
    """The tuned model's loss is lower by more than one, and what was forgotten is told."""
    folder, events = run

    report: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())

    (told,) = of_type(events, "comparison")
    assert told["verdict"] == report["verdict"]
    losses = {name: scores["loss"] for name, scores in report["conditions"].items()
              if "loss" in scores}  # fmt: skip
    assert losses["tuned"]["high"] < losses["base"]["low"] - 1
    assert report["conditions"]["tuned"]["ended"]["value"] == 1.0
    assert report["forgetting"]["verdict"].startswith(("Forgotten: ", "Nothing forgotten"))


def test_how_far_each_measurement_is_was_told(run: tuple[Path, list[Event]]) -> None:
    """In the order of the run, and each to its last row."""
    _, events = run

    told = of_type(events, "measuring")

    assert list(dict.fromkeys(each["what"] for each in told)) == [
        "held-out rows", "base", "base with examples", "general text", "tuned",
    ]  # fmt: skip
    last = {each["what"]: (each["done"], each["total"]) for each in told}
    assert all(done == total for done, total in last.values())
    assert last["tuned"][1] == 6


def test_eval_shows_it_and_gates(run: tuple[Path, list[Event]]) -> None:
    """The table of the run; exit code 10 with --gate unless tuned is better beyond doubt."""
    folder, _ = run
    report = json.loads((folder / "evaluation.json").read_text())

    shown, gated = tlplan("eval", str(folder)), tlplan("eval", str(folder), "--gate")

    assert shown.code == ExitCode.DONE
    assert "6 held-out rows" in shown.out
    better = report["judgement"] == "better"
    assert gated.code == (ExitCode.DONE if better else ExitCode.NOT_BETTER)


def test_eval_measures_again_what_the_run_measured(run: tuple[Path, list[Event]]) -> None:
    """Another process, loading the result from the disk, finds the same scores."""
    folder, _ = run
    before = json.loads((folder / "evaluation.json").read_text())["conditions"]["tuned"]

    answer = tlplan("eval", str(folder), "--again", "--json", OMP_NUM_THREADS="1")

    again = json.loads(answer.out)["conditions"]["tuned"]
    assert again["exact match"] == before["exact match"]
    assert again["ROUGE-L"] == before["ROUGE-L"]


def test_how_far_rows_are_is_measured_by_the_models_own_loss(smollm2: Path) -> None:
    """General prose is at no distance; letters at random are farther than far."""
    import random

    from launcher.evaluation.distance import distance_of
    from launcher.evaluation.likelihood import general_suite

    draw = random.Random(3)
    noise = ["".join(draw.choices("abcdefghij klmnop", k=80)) for _ in range(8)]

    near = distance_of(smollm2, general_suite()[1])["distance_nats"]
    far = distance_of(smollm2, noise)["distance_nats"]

    assert near["low"] < 0 < near["high"]
    assert far["low"] > FAR_NATS


def test_general_text_is_taken_as_far_as_a_row_goes() -> None:
    """The first tokens of a text surprise most, so a short row stands against short passages."""
    from launcher.evaluation.distance import UsualLoss

    usual = UsualLoss([[6.0, 2.0, 1.0], [4.0]])

    assert usual.of_first(1) == pytest.approx(5.0)
    assert usual.of_first(2) == pytest.approx(4.0)
    assert usual.of_first(64) == pytest.approx(3.5)


def test_the_command_measures_the_distance_and_advises_by_it(
    tiny_model: Path, tmp_path: Path
) -> None:
    """A model cut to two layers is asked; a plan of the same rows knows what was found."""
    about = (*("--model", str(tiny_model)), "--json")
    answer = tlplan("data", str(TICKETS_FILE), *about, "--distance", XDG_CACHE_HOME=str(tmp_path))
    plan = tlplan("plan", "--data", str(TICKETS_FILE), *about, XDG_CACHE_HOME=str(tmp_path))

    told = json.loads(answer.out)
    assert told["distance"]["rows"] >= 16
    (item,) = [each for each in told["ways"]["items"] if each["code"].startswith("DOMAIN_")]
    assert item["data"]["distance_nats"] == told["distance"]["distance_nats"]["value"]
    assert item in json.loads(plan.out)["advice"]["items"]
    assert item["text"] in plan.err
