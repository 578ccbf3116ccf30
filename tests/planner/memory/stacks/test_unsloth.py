"""What Unsloth's kernels make different."""

from __future__ import annotations

from planner.memory.estimate import estimate_memory
from planner.request import AdapterSettings
from tests.planner.memory.stacks.test_litgpt import PHI3
from tests.planner.samples import request_of, shape_of_config, tiny_llama


def allocated(**changes: object) -> int:
    request = request_of("lora", stack="unsloth", **{"checkpointing": "offloaded", **changes})
    return estimate_memory(tiny_llama(vocab_size=60000), request).allocated.expected_bytes


def test_its_loss_keeps_16_bit_logits_only():
    """Ten bytes a logit less than the stock loss."""
    stock = request_of("lora", checkpointing="offloaded", loss="torch")
    other = estimate_memory(tiny_llama(vocab_size=60000), stock).allocated.expected_bytes

    assert other - allocated(loss="torch") > 9 * 2 * 512 * 60000


def test_it_splits_what_a_checkpoint_fuses():
    """Adapters on q_proj alone exist although the checkpoint has one matrix for all three."""
    adapter = AdapterSettings(targets=("q_proj", "down_proj"), rank=4)
    memory = estimate_memory(
        shape_of_config(PHI3), request_of("lora", stack="unsloth", adapter=adapter)
    )

    assert memory.trained_parameters == 3 * 4 * ((256 + 256) + (704 + 256))
