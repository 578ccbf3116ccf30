"""The traced step against what torch's CPU allocator really hands out in the same step."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from launcher.tracing.allocation_log import RealAllocationLog  # noqa: E402
from launcher.tracing.depths import config_of  # noqa: E402
from launcher.tracing.model_on_paper import base_of, build_model  # noqa: E402
from launcher.tracing.step import run_steps  # noqa: E402
from launcher.tracing.trace import record  # noqa: E402
from planner.case import request_of_case  # noqa: E402
from tests.launcher.tracing.samples import case, config  # noqa: E402

# Kernels of the CPU take scratch memory inside for fused attention; eager attention has none.
ON_CPU = {
    "device": "cpu",
    "attention": "eager",
    "loss": "torch",
    "weights": "fp32",
    # Long enough for the random state that checkpoints keep on the CPU not to matter.
    "sequence_tokens": 384,
}
PLAIN = {"autocast": None, "checkpointing": "none"}
CASES = [
    ("llama", {"method": "full", **PLAIN}),
    ("llama", {"method": "lora", "autocast": None, "checkpointing": "full", "padded": True}),
    ("qwen3", {"method": "full", "autocast": None, "checkpointing": "full", "optimizer": "adamw"}),
    ("gemma3_text", {"method": "lora", **PLAIN}),
    ("gpt2", {"method": "full", "autocast": None, "checkpointing": "full"}),
    ("phi", {"method": "lora", "autocast": None, "checkpointing": "full"}),
    ("gpt_neox", {"method": "full", "autocast": None, "checkpointing": "none", "accumulation": 2}),
    ("bert", {"method": "full", "task": "text-classification", **PLAIN}),
    ("bert", {"method": "lora", "task": "text-classification", **PLAIN}),
    ("vit", {"method": "lora", "task": "image-classification", **PLAIN}),
]


def handed_out_bytes(family: str, case_of_family: dict) -> int:
    """Most bytes the allocator had handed out at once during the steps, beyond the model."""
    from torch.profiler import ProfilerActivity, profile

    request = request_of_case(case_of_family)
    model = build_model(config_of(config(family)), request).to_empty(device="cpu")
    base_of(model).tie_weights()  # to_empty parts them
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data.zero_()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        # A mode above would keep autograd from adding gradients in place.
        run_steps(model, request, SegmentsOnly())
    events = [
        event
        for event in profiled.profiler.kineto_results.events()
        if event.name() == "[memory]" and str(event.device_type()).endswith("CPU")
    ]
    alive = most = 0
    for event in sorted(events, key=lambda each: each.start_ns()):
        alive += event.nbytes()
        most = max(most, alive)
    return most


class SegmentsOnly(RealAllocationLog):
    """Takes the names of segments and looks at no operation."""


def traced_bytes(family: str, case_of_family: dict) -> int:
    """Most bytes alive during the traced steps, beyond the model."""
    recording = record(config_of(config(family)), request_of_case(case_of_family))
    alive = most = base = 0
    for position, (_, change) in enumerate(recording.events):
        alive += change
        if position < recording.marks[0].position:
            base = most = alive
        most = max(most, alive)
    return most - base


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("family", "changes"), CASES, ids=[f"{name}-{c['method']}" for name, c in CASES]
)
def test_a_traced_step_needs_what_the_cpu_allocator_hands_out(family, changes):
    """Peaks differ by at most one in a thousand."""
    torch.set_num_threads(1)
    small = case(family, **{**ON_CPU, **changes})

    assert traced_bytes(family, small) == pytest.approx(handed_out_bytes(family, small), rel=1e-3)
