"""What torchtune's decoder, losses and optimizers make different."""

from __future__ import annotations

import pytest

from planner.memory.estimate import estimate_memory
from planner.request import AdapterSettings, TrainingRequest
from tests.planner.samples import request_of, tiny_llama


def torchtune(method: str = "full", **changes: object) -> TrainingRequest:
    """A pure bf16 step of its single-device recipes."""
    usual = {"stack": "torchtune", "autocast": None, "checkpointing": "none", "loss": "torch"}
    if method != "full":
        usual["adapter"] = AdapterSettings(dtype="bf16")  # type: ignore[assignment]
    return request_of(method, **{**usual, **changes})


def allocated(request: TrainingRequest, **config: object) -> int:
    return estimate_memory(tiny_llama(**config), request).allocated.expected_bytes


def test_its_adamw_is_the_fused_one():
    """No copy of all second moments at the optimizer's step."""
    step = estimate_memory(tiny_llama(), torchtune(optimizer="adamw", checkpointing="full"))
    fused = estimate_memory(tiny_llama(), torchtune(optimizer="adamw-fused", checkpointing="full"))

    assert step == fused


def test_the_chunked_loss_is_compiled_and_keeps_16_bit_logits():
    """Two bytes a logit, where the plain loss holds twelve."""
    plain, chunked = (
        allocated(torchtune("lora", loss=loss, checkpointing="full"), vocab_size=40000)
        for loss in ("torch", "chunked")
    )

    assert (plain - chunked) / (2 * 512 * 40000) == pytest.approx(10, abs=0.2)


def test_compiled_layers_keep_no_fp32_copies():
    """Norms keep their 16-bit input and the gated product its two factors only."""
    plain, compiled = (
        estimate_memory(tiny_llama(), torchtune(loss=loss)).parts.activations_bytes
        for loss in ("torch", "chunked")
    )
    tokens, layers = 2 * 512, 3

    assert plain - compiled >= layers * tokens * 2 * (704 + 256)


def test_eight_bit_adamw_steps_in_fp32_on_one_tensor_at_a_time():
    """The two moments and the parameter are unpacked, those of the largest table."""
    wide = {"vocab_size": 60000, "tie_word_embeddings": True}
    request = torchtune(optimizer="adamw-8bit-in-backward", checkpointing="full", loss="chunked")
    memory = estimate_memory(tiny_llama(**wide), request)

    assert memory.peak_phase == "optimizer"
    assert memory.parts.temporaries_bytes == 60000 * 256 * (12 + 2)
