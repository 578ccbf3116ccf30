"""Full, LoRA and QLoRA really train, and what they leave behind can be used."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from launcher.errors import Diverged
from launcher.runs.checkpoints import list_checkpoints, newest_verified, verify
from launcher.runs.events import Event
from planner.run_plan import MethodSection
from tests.launcher.training.plans import FULL, QLORA, carry_out, make_plan, of_type

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def lora_run(
    tiny_model: Path, chats: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Event]]:
    """A finished LoRA run and its events."""
    run = tmp_path_factory.mktemp("lora") / "run"
    plan = make_plan(
        model=tiny_model,
        data=chats,
        run=run,
        schedule="constant",
        warmup_fraction=0.0,
        evaluate_every_steps=2,
    )
    return run, carry_out(plan)


def test_lora_tells_its_story_in_events(lora_run: tuple[Path, list[Event]]) -> None:
    """Phases, facts, steps and measurements come in the order in which they happen."""
    _, events = lora_run

    phases = [event["phase"] for event in of_type(events, "phase")]
    assert phases[:5] == ["tokenizing", "loading weights", "evaluating", "answering", "training"]
    assert phases[-3:] == ["evaluating", "answering", "saving"]
    (data,), (model,) = of_type(events, "data"), of_type(events, "model")
    assert (data["rows"], data["held_out_rows"], data["truncated_rows"]) == (18, 6, 0)
    assert 0 < data["trained_token_fraction"] < 0.5
    assert model["trainable_parameters"] == 162_816
    assert model["parameters"] == 35_555_136
    assert model["loaded_bytes"] == pytest.approx(4 * 35_555_136, rel=1e-4)
    steps = of_type(events, "step")
    assert [step["step"] for step in steps] == [1, 2, 3, 4, 5, 6]
    assert all(step["total_steps"] == 6 and step["tokens_per_second"] > 0 for step in steps)
    assert steps[-1]["tokens"] > steps[0]["tokens"]
    measured = [(each["when"], each["step"]) for each in of_type(events, "evaluation")]
    assert measured == [("before", 0), ("during", 2), ("during", 4), ("after", 6)]
    assert events[-1]["type"] == "finished"


def test_lora_learns(lora_run: tuple[Path, list[Event]]) -> None:
    """Six steps lower the loss on rows that were never trained on."""
    _, events = lora_run

    finished = events[-1]

    assert finished["evaluation_after"] < finished["evaluation_before"] - 1
    assert finished["loss_last"] < finished["loss_first"] - 1
    assert finished["result"] == "adapter"


def test_answers_stand_beside_what_was_expected(lora_run: tuple[Path, list[Event]]) -> None:
    """The same held-out question is asked before and after."""
    _, events = lora_run

    before, after = of_type(events, "answer")

    assert (before["when"], after["when"]) == ("before", "after")
    assert before["prompt"] == after["prompt"]
    assert before["prompt"].startswith("Ticket ")
    assert before["expected"].startswith("QUEUE=hardware | ")
    assert before["answer"] != after["answer"]


def test_the_adapter_loads_with_peft_alone(
    lora_run: tuple[Path, list[Event]], tiny_model: Path
) -> None:
    """Plain PeftModel.from_pretrained on the named base gives the answer the run showed."""
    import torch
    from peft import PeftConfig, PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run, events = lora_run
    base_name = PeftConfig.from_pretrained(str(run / "adapter")).base_model_name_or_path
    assert base_name == str(tiny_model)
    base = AutoModelForCausalLM.from_pretrained(base_name, dtype=torch.float32)
    model: Any = PeftModel.from_pretrained(base, str(run / "adapter"))
    tokenizer = AutoTokenizer.from_pretrained(str(run / "adapter"))
    after = of_type(events, "answer")[1]

    prompt: Any = tokenizer.apply_chat_template(
        [{"role": "user", "content": after["prompt"]}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    output = model.generate(**prompt, max_new_tokens=64, do_sample=False)

    answer = tokenizer.decode(output[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    assert answer == after["answer"]


def test_the_saved_tokenizer_has_its_own_template(
    lora_run: tuple[Path, list[Event]], tiny_model: Path
) -> None:
    """The template with generation marks is for training only."""
    run, _ = lora_run

    for folder in (run / "adapter", *list_checkpoints(run)):
        assert (folder / "chat_template.jinja").read_bytes() == (
            tiny_model / "chat_template.jinja"
        ).read_bytes()


def test_results_are_safetensors_that_others_may_read(
    lora_run: tuple[Path, list[Event]],
) -> None:
    """No pickle stands in the result, and its files have the mode of any new file."""
    run, _ = lora_run
    probe = run / "probe"
    probe.touch()
    usual = stat.S_IMODE(probe.stat().st_mode)

    files = list((run / "adapter").iterdir())

    assert "adapter_model.safetensors" in {path.name for path in files}
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".jinja", ".md"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {usual}


def test_checkpoints_are_whole_and_few(lora_run: tuple[Path, list[Event]]) -> None:
    """Each checkpoint verifies, the event names it, nothing half-written stays."""
    run, events = lora_run

    checkpoints = list_checkpoints(run)

    assert [path.name for path in checkpoints] == ["step-6", "step-4"]
    assert all(verify(path) == [] for path in checkpoints)
    assert [event["path"] for event in of_type(events, "checkpoint")] == [
        "checkpoints/step-4",
        "checkpoints/step-6",
    ]
    assert not list((run / "checkpoints").glob(".*"))


@pytest.mark.parametrize(
    ("method", "result"), [(FULL, "model"), (QLORA, "adapter")], ids=["full", "qlora"]
)
def test_other_methods_learn_too(
    method: MethodSection, result: str, tiny_model: Path, chats: Path, tmp_path: Path
) -> None:
    """A full fine-tune and one on 4-bit weights lower the loss and leave their result."""
    run = tmp_path / "run"
    rate = 1e-3 if result == "model" else 1e-2
    plan = make_plan(
        model=tiny_model, data=chats, run=run, method=method, max_steps=3, learning_rate=rate
    )

    finished = carry_out(plan)[-1]

    assert finished["evaluation_after"] < finished["evaluation_before"]
    assert finished["result"] == result
    weights = "model" if result == "model" else "adapter_model"
    assert (run / result / f"{weights}.safetensors").is_file()


def test_the_last_layer_and_the_head_learn_and_nothing_else(
    tiny_model: Path, chats: Path, tmp_path: Path
) -> None:
    """A language model with its lower layer frozen learns too, and that layer stays bit for bit."""
    from safetensors.torch import load_file

    run = tmp_path / "run"
    plan = make_plan(
        model=tiny_model, data=chats, run=run, method=FULL, trainable_layers=1, max_steps=3,
        learning_rate=1e-3,
    )  # fmt: skip

    events = carry_out(plan)

    assert events[-1]["evaluation_after"] < events[-1]["evaluation_before"]
    (told,) = of_type(events, "model")
    assert 0 < told["trainable_parameters"] < told["parameters"]
    before = load_file(tiny_model / "model.safetensors")
    after = load_file(run / "model" / "model.safetensors")
    moved = {name for name in after if not before[name].float().equal(after[name].float())}
    assert any(name.startswith("model.layers.1.") for name in moved)
    assert not any(name.startswith("model.layers.0.") for name in moved)


@pytest.mark.parametrize(
    "setting",
    [{"loss": "torch"}, {"checkpointing": "full"}, {"attention": "eager"}],
    ids=["loss torch", "checkpointing full", "attention eager"],
)
def test_settings_that_save_memory_or_time_learn_the_same(
    setting: dict[str, Any],
    lora_run: tuple[Path, list[Event]],
    tiny_model: Path,
    chats: Path,
    tmp_path: Path,
) -> None:
    """Loss, checkpointing and attention change how a step is computed, not its result."""
    plan = make_plan(
        model=tiny_model,
        data=chats,
        run=tmp_path / "run",
        max_steps=3,
        schedule="constant",
        warmup_fraction=0.0,
        **setting,
    )
    expected = [event["loss"] for event in of_type(lora_run[1], "step")][:3]

    losses = [event["loss"] for event in of_type(carry_out(plan), "step")]

    assert losses == pytest.approx(expected, rel=1e-3)


def test_divergence_ends_the_run_and_keeps_the_last_checkpoint(
    tiny_model: Path, chats: Path, tmp_path: Path
) -> None:
    """A loss that is not a number is an error of its own, and what was saved before stays."""
    run = tmp_path / "run"
    plan = make_plan(
        model=tiny_model, data=chats, run=run, learning_rate=1e30, checkpoint_every_steps=1
    )

    with pytest.raises(Diverged, match=r"diverged at step \d: loss is nan"):
        carry_out(plan)

    checkpoint, skipped = newest_verified(run)
    assert checkpoint is not None
    assert skipped == {}
    assert not (run / "adapter").exists()


def test_more_steps_than_the_passes_have_add_no_pass(
    tiny_model: Path, chats: Path, tmp_path: Path
) -> None:
    """18 rows in micro-batches of 4 are 5 steps; the limit of 50 ends nothing and adds nothing."""
    plan = make_plan(
        model=tiny_model,
        data=chats,
        run=tmp_path / "run",
        epochs=1.0,
        max_steps=50,
        micro_batch_rows=4,
        accumulation_steps=1,
        evaluate_every_steps=0,
    )

    steps = of_type(carry_out(plan), "step")

    assert [step["total_steps"] for step in steps] == [5] * 5
