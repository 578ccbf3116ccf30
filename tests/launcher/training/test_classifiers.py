"""Classifiers of texts and pictures learn, by every method, well above chance.

Texts are the demo's 240 tickets, whose label is the queue they go to: four classes, the largest
has 28 % of the rows. Digits are scikit-learn's, ten classes of about 10 % each, on a ViT that was
trained on the digits 0 to 4 alone: what it does not know it has to learn here.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launcher.demo.tickets import TICKETS_FILE
from launcher.errors import DataError
from launcher.exit_codes import ExitCode
from launcher.runs.events import Event
from planner.plan_file import plan_file_text
from tests.launcher.cli.program import tlplan
from tests.launcher.training.plans import (
    FULL,
    LORA,
    QLORA,
    carry_out,
    make_plan,
    of_type,
    write_rows,
)


@pytest.fixture(scope="session")
def tickets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's tickets, each with the queue it goes to as its label."""
    rows = []
    for line in TICKETS_FILE.read_text().splitlines():
        messages = json.loads(line)["messages"]
        queue = messages[-1]["content"].split()[0].removeprefix("QUEUE=")
        rows.append({"text": messages[-2]["content"], "label": queue})
    assert max(Counter(row["label"] for row in rows).values()) / len(rows) < 0.3
    return write_rows(tmp_path_factory.mktemp("tickets") / "tickets.jsonl", rows)


def text_plan(model: Path, data: Path, run: Path, **changes: Any) -> Any:
    """Five passes of 16 rows a step."""
    usual: dict[str, Any] = {
        "task": "text-classification",
        "sequence_tokens": 48,
        "micro_batch_rows": 16,
        "epochs": 5.0,
        "max_steps": None,
        "learning_rate": 1e-3,
        "head_learning_rate": 1e-3,
        "schedule": "linear",
        "checkpoint_every_steps": 30,
        "evaluate_every_steps": 30,
        "loss": "torch",
    }
    return make_plan(model=model, data=data, run=run, **{**usual, **changes})


def scores(events: list[Event]) -> list[float]:
    """Accuracy on held-out rows, first to last."""
    return [event["accuracy"] for event in of_type(events, "evaluation")]


@pytest.fixture(scope="module")
def lora_run(
    minilm: Path, tickets: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Event]]:
    """MiniLM with adapters, told apart the four queues."""
    run = tmp_path_factory.mktemp("text") / "run"
    return run, carry_out(text_plan(minilm, tickets, run))


def test_adapters_teach_an_encoder_four_classes(lora_run: tuple[Path, list[Event]]) -> None:
    """80 % of the held-out rows or more, where guessing the largest class gives 28 %."""
    _, events = lora_run

    before, *_, after = scores(events)

    assert before < 0.6
    assert after >= 0.8
    assert of_type(events, "evaluation")[-1]["macro_f1"] >= 0.75
    (data,) = of_type(events, "data")
    assert data["classes"] == ["access", "billing", "hardware", "network"]
    assert events[-1]["result"] == "adapter"
    steps = of_type(events, "step")
    assert steps[-1]["tokens"] > steps[0]["tokens"] > 0


def test_the_adapter_of_a_classifier_brings_its_head(
    lora_run: tuple[Path, list[Event]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines of its README give the probabilities that the run showed, under their names."""
    import torch
    from transformers import AutoTokenizer

    run, events = lora_run
    answer = of_type(events, "answer")[-1]
    lines = (run / "adapter" / "README.md").read_text().split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(run / "adapter")
    loaded: dict[str, Any] = {}
    exec(lines, loaded)
    model = loaded["model"]
    tokenizer = AutoTokenizer.from_pretrained(str(run / "adapter"))

    with torch.no_grad():
        logits = model(**tokenizer(answer["prompt"], return_tensors="pt")).logits
    chances = torch.softmax(logits[0], dim=-1)

    best = int(chances.argmax())
    assert answer["answer"].startswith(
        f"{model.config.id2label[best]}: {100 * float(chances[best]):.0f} %"
    )


@pytest.mark.parametrize(
    ("changes", "least", "trained"),
    [
        ({"method": FULL, "learning_rate": 1e-4}, 0.8, 22_000_000),
        ({"method": FULL, "trainable_layers": 2, "learning_rate": 5e-4}, 0.75, 3_700_000),
        ({"method": FULL, "trainable_layers": 0, "learning_rate": 3e-3}, 0.6, 149_000),
    ],
    ids=["full", "last two layers", "head alone"],
)
def test_full_and_frozen_encoders_learn_too(
    changes: dict[str, Any], least: float, trained: int, minilm: Path, tickets: Path, tmp_path: Path
) -> None:
    """At least twice the 28 % of guessing even where only pooler and head are trained."""
    run = tmp_path / "run"

    events = carry_out(text_plan(minilm, tickets, run, **changes))

    assert scores(events)[-1] >= least
    assert of_type(events, "model")[0]["trainable_parameters"] == pytest.approx(trained, rel=0.05)
    config = json.loads((run / "model" / "config.json").read_text())
    assert config["id2label"] == {"0": "access", "1": "billing", "2": "hardware", "3": "network"}


def test_frozen_layers_do_not_move(minilm: Path, tickets: Path, tmp_path: Path) -> None:
    """After training the head alone, every weight below it is the model's own, bit for bit."""
    from safetensors.numpy import load_file

    run = tmp_path / "run"
    carry_out(
        text_plan(minilm, tickets, run, method=FULL, trainable_layers=0, max_steps=2, epochs=1.0)
    )

    before, after = (
        load_file(minilm / "model.safetensors"),
        load_file(run / "model" / "model.safetensors"),
    )
    layers = [name for name in after if ".encoder.layer." in name]
    assert len(layers) > 90
    assert all((after[name] == before[name.removeprefix("bert.")]).all() for name in layers)


@pytest.mark.parametrize("method", [LORA, QLORA], ids=["lora", "qlora"])
def test_a_decoder_tells_classes_apart(
    method: Any, tiny_model: Path, tickets: Path, tmp_path: Path
) -> None:
    """Two layers of SmolLM2 learn the queues in 60 steps: 50 % or more against 28 %."""
    plan = text_plan(
        tiny_model,
        tickets,
        tmp_path / "run",
        method=replace(method, dropout=0.0),
        max_steps=60,
        learning_rate=3e-3,
        head_learning_rate=1e-2,
    )

    events = carry_out(plan)

    assert scores(events)[-1] >= 0.5
    assert events[-1]["result"] == "adapter"


@pytest.mark.parametrize("task", ["text-classification", "image-classification"])
def test_adapters_of_16_bit_leave_the_head_what_comes_out_of_4_bit_layers(
    task: Any, minilm: Path, tiny_vit: Path, tickets: Path, digit_folder: Path, tmp_path: Path
) -> None:
    """As a plan for QLoRA on a CPU has it: two steps and an evaluation, no score to reach."""
    text = task == "text-classification"
    plan = text_plan(
        minilm if text else tiny_vit,
        tickets if text else digit_folder,
        tmp_path / "run",
        task=task,
        method=replace(QLORA, adapter_dtype="bf16"),
        sequence_tokens=48 if text else 17,
        max_steps=2,
    )

    events = carry_out(plan)

    assert events[-1]["type"] == "finished"


@pytest.mark.parametrize(("method", "rate"), [(LORA, 3e-3), (FULL, 1e-3)], ids=["lora", "full"])
def test_pictures_are_told_apart(
    method: Any, rate: float, tiny_vit: Path, digit_folder: Path, tmp_path: Path
) -> None:
    """75 % of ten digits or more, where chance is 10 % and the new head starts there."""
    run = tmp_path / "run"
    plan = text_plan(
        tiny_vit,
        digit_folder,
        run,
        task="image-classification",
        sequence_tokens=17,
        micro_batch_rows=32,
        epochs=6.0,
        learning_rate=rate,
        head_learning_rate=rate,
        checkpoint_every_steps=60,
        evaluate_every_steps=60,
        method=method,
    )

    events = carry_out(plan)

    assert scores(events)[0] < 0.4
    assert scores(events)[-1] >= 0.75
    assert (run / events[-1]["result"] / "preprocessor_config.json").is_file()
    if method == LORA:
        (run / "plan.yaml").write_text(plan_file_text(plan, {}))
        shown = next((digit_folder / "0").iterdir())

        answer = tlplan("chat", str(run), stdin=f"nowhere.png\n{shown}\n")

        digits = {str(digit) for digit in range(10)}
        base, tuned = (side.split() for side in answer.out.splitlines()[2].split("|"))
        assert base[1] in digits, "the class whose examples are nearest"
        assert tuned[2] in digits
        assert float(tuned[0]) > 10
        assert "error: nowhere.png: image: No such file or directory" in answer.err
        assert answer.code == ExitCode.BAD_DATA, "a mistyped path ends nothing, and is told"
        again = json.loads(tlplan("eval", str(run), "--again", "--rows", "20", "--json").out)
        accuracy = {name: each["accuracy"]["value"] for name, each in again["conditions"].items()}
        assert accuracy["base"] < accuracy["few-shot"] < accuracy["tuned"]


def test_one_class_is_nothing_to_learn(minilm: Path, tmp_path: Path) -> None:
    """An error of the data, before any weight is loaded."""
    rows = [{"text": f"Text {n}.", "label": "same"} for n in range(12)]
    data = write_rows(tmp_path / "d.jsonl", rows)

    with pytest.raises(DataError, match='every row has the label "same"'):
        carry_out(text_plan(minilm, data, tmp_path / "run"))


def test_the_best_checkpoint_is_kept_and_training_ends_early(
    tiny_vit: Path, digit_folder: Path, tmp_path: Path
) -> None:
    """A head at a rate that makes it jump about: the result is its best state, not its last."""
    run = tmp_path / "run"
    plan = text_plan(
        tiny_vit,
        digit_folder,
        run,
        task="image-classification",
        sequence_tokens=17,
        method=FULL,
        trainable_layers=0,
        learning_rate=0.5,
        head_learning_rate=0.5,
        schedule="constant",
        epochs=20.0,
        checkpoint_every_steps=10,
        evaluate_every_steps=10,
        stop_after_evaluations=3,
        keep_best=True,
    )

    events = carry_out(plan)

    measured, finished = of_type(events, "evaluation"), events[-1]
    total_steps = of_type(events, "step")[0]["total_steps"]
    best = max(measured[1:], key=lambda event: event["macro_f1"] - 1e-3 * event["loss"])
    assert finished["steps"] < total_steps
    assert finished["best_step"] == best["step"] < finished["steps"]
    assert measured[-1]["macro_f1"] == best["macro_f1"]
    assert f"step-{best['step']}" in {path.name for path in (run / "checkpoints").iterdir()}
