"""Asking for a trace: answers, errors, and what is kept."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from launcher.errors import TlplanError, UsageError
from launcher.tracing import cache, worker
from launcher.tracing.cache import find_trace, keep_trace
from launcher.tracing.client import Tracer, trace_case
from launcher.tracing.result import TraceResult
from planner.memory.candidate import Phase
from planner.memory.traced import KeptBytes
from tests.launcher.tracing.samples import case

RESULT = TraceResult(
    peak_bytes=5,
    rest_bytes=2,
    phases={"forward": 4, "backward": 5},
    parts={
        **dict.fromkeys(("adapters", "gradients", "optimizer", "logits", "temporaries"), 0),
        "weights": 2,
        "activations": 2,
        "runtime": 1,
    },
    trained_parameters=1,
    paged_bytes=0,
    needed_bytes=6,
    reserved_bytes=7,
    ways={"grouped": KeptBytes(expandable=7, classic=8)},
    seconds=0.5,
    versions={"torch": "2"},
)


def test_a_case_is_traced_in_a_worker_and_kept(tmp_path):
    """The second time the answer comes from the folder."""
    first = trace_case(case(), folder=tmp_path)
    kept = list(tmp_path.iterdir())
    second = trace_case(case(id="another"), folder=tmp_path)

    assert first == second
    assert len(kept) == 1
    assert 0 < first.rest_bytes < first.peak_bytes <= first.reserved_bytes
    assert first.peak_bytes <= first.needed_bytes
    assert set(first.phases) == set(get_args(Phase))
    assert first.phases["load"] < first.rest_bytes < first.phases["save"]
    assert sum(first.parts.values()) == first.peak_bytes
    assert min(first.parts.values()) >= 0
    assert max(first.phases.values()) == first.peak_bytes
    assert {"torch", "transformers", "peft"} <= set(first.versions)


def test_one_worker_answers_case_after_case(tmp_path):
    """A case that fails ends nothing, and what came before leaves nothing behind."""
    alone = trace_case(case(micro_batch=3), folder=tmp_path / "alone")
    with Tracer(folder=tmp_path / "together") as tracer:
        tracer.trace(case(method="qlora", loss="triton", versions={"transformers": "4.45.2"}))
        with pytest.raises(UsageError, match="cannot be traced"):
            tracer.trace(case(config={"model_type": "no-such-model"}))
        after = tracer.trace(case(micro_batch=3))

    assert (after.peak_bytes, after.reserved_bytes) == (alone.peak_bytes, alone.reserved_bytes)


def test_asking_imports_no_torch():
    """The client stays light; only the worker imports torch."""
    code = "import sys, launcher.tracing.client; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_kept_trace_is_found_by_its_case_alone(tmp_path):
    """Another case, or a broken file, is no trace."""
    keep_trace(case(), "random", RESULT, tmp_path)

    assert find_trace(case(id="x"), "random", tmp_path) == RESULT
    assert find_trace(case(micro_batch=3), "random", tmp_path) is None
    assert find_trace(case(lengths=[7, 9]), "random", tmp_path) is None
    assert find_trace(case(), "grouped", tmp_path) is None
    whole = next(tmp_path.iterdir()).read_text()
    for broken in ("", "{", "[]", "{}", whole[: len(whole) // 2], whole.replace("{", "[", 1)):
        for path in tmp_path.iterdir():
            path.write_text(broken)
        assert find_trace(case(), "random", tmp_path) is None


@pytest.mark.parametrize("library", ["torch", "transformers", "peft", "bitsandbytes"])
def test_a_kept_trace_is_of_the_libraries_it_was_made_with(tmp_path, monkeypatch, library):
    """With another version of one of them the step is traced anew."""
    keep_trace(case(), "random", RESULT, tmp_path)
    others = {**cache.traced_versions(), library: "0.0.1"}
    monkeypatch.setattr(cache, "traced_versions", lambda: others)

    assert find_trace(case(), "random", tmp_path) is None


def test_a_folder_that_takes_no_file_is_passed_over(tmp_path):
    """A cache that cannot be written is no reason to fail."""
    blocked = tmp_path / "file"
    blocked.write_text("")

    keep_trace(case(), "random", RESULT, blocked / "below")


def test_a_case_without_config_is_refused():
    """A name alone does not tell the model's classes."""
    with pytest.raises(UsageError, match="config"):
        trace_case({"model": "llama-3.1-8b", "method": "lora"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"micro_batch": 0}, "micro_batch must be at least 1"),
        ({"config": {"model_type": "no-such-model"}}, "no-such-model"),
        ({"stack": "litgpt"}, "stack litgpt cannot be traced"),
    ],
    ids=["field", "model", "stack"],
)
def test_what_cannot_be_traced_is_said_in_one_line(tmp_path, changes, message):
    """The worker's refusal arrives as a usage error, and nothing is kept."""
    with pytest.raises(UsageError, match=message) as caught:
        trace_case(case(**changes), folder=tmp_path)

    assert "\n" not in caught.value.message
    assert not list(tmp_path.iterdir())


def test_a_worker_that_takes_too_long_is_ended(tmp_path):
    """The limit and the way out are named."""
    with pytest.raises(TlplanError, match="longer than") as caught:
        trace_case(case(), folder=tmp_path, timeout_seconds=0.2)

    assert caught.value.hints


def test_a_step_that_takes_too_long_is_refused_and_leaves_nothing_behind(tmp_path):
    """A state-space model without kernels of its own loops over its tokens."""
    slow = case(config={"model_type": "mamba", "hidden_size": 64, "state_size": 4}, adapter=None)
    slow.update(method="full", sequence_tokens=4096)
    with pytest.raises(UsageError, match="more than 1 seconds of CPU"):
        trace_case(slow, folder=tmp_path, cpu_seconds=1.0)
    assert list(tmp_path.iterdir()) == []

    with Tracer(folder=tmp_path) as tracer:
        assert tracer.trace(case()).peak_bytes


_PICTURES = {"hidden_size": 32, "num_hidden_layers": 12, "num_attention_heads": 2, "image_size": 32}


@pytest.mark.parametrize(
    "config",
    [
        {
            "model_type": "dinov2", **_PICTURES, "patch_size": 16, "out_features": ["stage12"],
            "out_indices": [12], "stage_names": ["stem", *(f"stage{n}" for n in range(1, 13))],
        },
        {"model_type": "deit", **_PICTURES, "intermediate_size": 64, "architectures": None},
        {
            "model_type": "swin", "image_size": 32, "patch_size": 4, "embed_dim": 16,
            "depths": [1, 1], "num_heads": [2, 2], "window_size": 4,
        },
    ],
    ids=["stages named after blocks", "several classes", "patches and their number"],
)  # fmt: skip
def test_pictures_are_classified_by_whatever_class_there_is(config):
    """As their config.json says it, cut to fewer blocks or not."""
    pictures = case(config=config, method="full", task="image-classification", sequence_tokens=1)

    assert worker._answer({"case": pictures}).get("peak_bytes", 0) > 0


def test_a_class_without_checkpoints_is_told_from_one_with():
    """The field that can be changed is named."""
    deep = {"model_type": "openai-gpt", "n_embd": 32, "n_layer": 2, "n_head": 2}
    asked = case(config=deep, method="full", task="text-classification", checkpointing="full")

    assert "checkpointing none" in worker._answer({"case": asked})["error"]["message"]
    assert worker._answer({"case": {**asked, "checkpointing": "none"}})["peak_bytes"] > 0
