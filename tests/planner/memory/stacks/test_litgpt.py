"""What litgpt's own model, adapters and loop make different from Transformers with PEFT."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.memory.adapted import adapter_parameters
from planner.memory.estimate import estimate_memory
from planner.memory.stacks.own_model import own_model
from planner.request import AdapterSettings, RequestError, TrainingRequest
from tests.planner.samples import request_of, shape_of_config, tiny_llama

PHI3 = {
    "model_type": "phi3", "hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": 2000, "pad_token_id": 0,
}  # fmt: skip


def litgpt(method: str = "lora", **changes: object) -> TrainingRequest:
    """bf16-true without checkpointing, its usual step."""
    usual = {"stack": "litgpt", "autocast": None, "checkpointing": "none", "loss": "chunked"}
    adapter = AdapterSettings(targets=("q_proj", "v_proj"), dropout=0.05, dtype="bf16")
    if method != "full":
        usual["adapter"] = adapter  # type: ignore[assignment]
    return request_of(method, **{**usual, **changes})


def allocated(shape, request) -> int:
    return estimate_memory(shape, request).allocated.expected_bytes


def test_it_never_ties_the_output_layer():
    """A tied model is stored with its table twice."""
    tied, untied = tiny_llama(tie_word_embeddings=True), tiny_llama()

    weights = [estimate_memory(shape, litgpt()).parts.weights_bytes for shape in (tied, untied)]

    assert weights[0] == weights[1]


@pytest.mark.parametrize("targets", [("q_proj", "k_proj", "v_proj"), ("qkv_proj",), ("Wqkv",)])
def test_names_of_a_fused_matrix_mean_its_parts(targets: tuple[str, ...]):
    """However a checkpoint names them, adapters on queries, keys and values are the same ones."""
    request = litgpt(adapter=AdapterSettings(rank=4, targets=targets, dtype="bf16"))
    shape, translated = own_model(shape_of_config(PHI3), request)

    assert adapter_parameters(shape, translated) == 3 * 4 * 3 * (256 + 256)


def test_an_adapter_on_a_part_of_the_mlp_is_one_on_all_of_it():
    """One switch turns the whole MLP on."""
    one, all_ = (
        allocated(tiny_llama(), litgpt(adapter=AdapterSettings(targets=targets, dtype="bf16")))
        for targets in (("up_proj",), ("gate_proj", "up_proj", "down_proj"))
    )

    assert one == all_


def test_a_target_that_no_model_has_is_named():
    """The message lists what there is."""
    request = litgpt(adapter=AdapterSettings(targets=("xq",)))

    with pytest.raises(RequestError, match="q_proj, k_proj") as caught:
        estimate_memory(tiny_llama(), request)

    assert caught.value.field_name == "adapter.targets"


def test_leaving_keys_out_of_a_fused_adapter_costs_a_padded_copy():
    """index_copy keeps what it copies: two widths, more than the third adapter would."""
    some, every = (
        allocated(
            tiny_llama(num_key_value_heads=4),
            litgpt(adapter=AdapterSettings(targets=targets, dtype="bf16", rank=2)),
        )
        for targets in (("q_proj", "v_proj"), ("q_proj", "k_proj", "v_proj"))
    )
    tokens, layers = 2 * 512, 3

    assert some - every == pytest.approx(layers * tokens * 2 * 2 * 256, rel=0.05)


def test_older_bitsandbytes_keeps_every_linears_input():
    """Once for this micro-batch, and once more from the one before."""
    old, first, new = (
        allocated(tiny_llama(), litgpt("qlora", weights="nf4", bitsandbytes_version=version))
        for version in ((0, 42), (0, 41), (0, 45))
    )

    assert new < first < old


def test_logits_of_all_chunks_are_kept():
    """Chunks of 128 tokens bound the gradients, not the logits."""
    small, large = (
        allocated(tiny_llama(vocab_size=vocabulary), litgpt()) for vocabulary in (20000, 40000)
    )
    weights = 2 * 2 * 256 * 20000  # table and head

    assert (large - small - weights) / (20000 * 2 * 512) > 8


def test_an_expert_model_is_estimated_with_a_wide_interval():
    """Its mixture is not written for litgpt, so the answer says so by its width."""
    mixtral = shape_of_config(
        {
            "model_type": "mixtral", "hidden_size": 256, "intermediate_size": 512,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "vocab_size": 2000, "num_local_experts": 4, "num_experts_per_tok": 2,
        }
    )  # fmt: skip
    request = replace(litgpt(), adapter=AdapterSettings(targets=("q_proj",), dtype="bf16"))
    band = estimate_memory(mixtral, request).allocated

    assert band.high_bytes > 1.15 * band.expected_bytes
