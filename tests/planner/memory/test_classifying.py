"""Classifiers: encoders, decoders with a score, images as tokens."""

from __future__ import annotations

import pytest

from planner.memory.estimate import estimate_memory
from planner.request import RequestError
from tests.planner.samples import known_model, request_of, shape_of_config

TEXT = {"task": "text-classification", "sequence_tokens": 256}
DEBERTA = {
    "model_type": "deberta-v2",
    "hidden_size": 64,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 1000,
}
IMAGE = {"task": "image-classification"}

_MODELS = {
    "bert-base-uncased": TEXT,
    "roberta-base": TEXT,
    "modernbert-base": TEXT,
    "deberta-v3-base": TEXT,
    "llama-3.2-1b": TEXT,
    "vit-base-patch16-224": IMAGE,
    "dinov2-base": IMAGE,
}


@pytest.mark.parametrize("name", _MODELS)
@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
def test_a_classifier_gets_an_answer_that_adds_up(name: str, method: str) -> None:
    """Parts sum to the byte, and adapters train little more than the head."""
    shape = known_model(name)
    estimate = estimate_memory(shape, request_of(method, **_MODELS[name]))
    share = estimate.trained_parameters / shape.parameters

    assert estimate.parts.total_bytes == estimate.device.expected_bytes
    assert share > 0.9 if method == "full" else share < 0.1


@pytest.mark.parametrize(
    ("name", "task", "instead"),
    [
        ("bert-base-uncased", "causal-lm", "text-classification"),
        ("llama-3.2-1b", "image-classification", "causal-lm, text-classification"),
        ("vit-base-patch16-224", "text-classification", "image-classification"),
    ],
)
def test_a_task_without_a_head_is_refused(name: str, task: str, instead: str) -> None:
    """With the tasks the model has one for."""
    with pytest.raises(RequestError, match=instead) as caught:
        estimate_memory(known_model(name), request_of("lora", task=task))

    assert caught.value.field_name == "task"


def test_an_image_has_the_tokens_of_its_patches() -> None:
    """196 and the class token, whatever length is asked for; more images need more."""
    shape = known_model("vit-base-patch16-224")
    short, long = (
        estimate_memory(shape, request_of("full", **IMAGE, sequence_tokens=tokens))
        for tokens in (16, 4096)
    )
    more = estimate_memory(shape, request_of("full", **IMAGE, micro_batch=64, checkpointing="none"))

    assert shape.image_tokens == 197
    assert short.allocated == long.allocated
    assert more.allocated.expected_bytes > short.allocated.expected_bytes


def test_a_classifier_of_a_decoder_has_no_logits_of_words() -> None:
    """The whole vocabulary's scores are the peak of one that predicts tokens."""
    shape = known_model("llama-3.2-1b")
    words = estimate_memory(shape, request_of("lora", loss="torch", sequence_tokens=2048))
    classes = estimate_memory(
        shape, request_of("lora", task="text-classification", sequence_tokens=2048)
    )

    assert classes.parts.logits_bytes < words.parts.logits_bytes / 20


def test_distances_of_tokens_are_counted_for_each_batch() -> None:
    """DeBERTa's grow with the square of a length and with rows alone, whoever asked before."""
    shape = known_model("deberta-v3-base")
    batches = [(1, 512), (4, 128), (16, 32)]
    few, many, most = (
        estimate_memory(
            shape,
            request_of(
                "full",
                **{**TEXT, "sequence_tokens": tokens},
                micro_batch=rows,
                checkpointing="none",
            ),
        ).parts.activations_bytes
        for rows, tokens in batches
    )
    kept_distances = shape.layers * 2 * shape.sizes["b"] * shape.sizes["q"] * 2 * 2

    assert many - few < most - many  # fewer scores, but more copies of distances
    assert most - many > 6 * kept_distances


def test_a_deberta_with_a_convolution_is_answered_with_a_wide_interval() -> None:
    """The formula knows no such layer."""
    config = {**DEBERTA, "conv_kernel_size": 3}
    known, unknown = (
        estimate_memory(shape_of_config(each), request_of("full", **TEXT)).allocated
        for each in (DEBERTA, config)
    )

    assert unknown.expected_bytes == known.expected_bytes
    assert unknown.high_bytes > known.high_bytes
