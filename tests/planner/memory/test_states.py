"""Bytes that stay, against what bitsandbytes, torch and PEFT really store."""

from __future__ import annotations

from typing import Any

import pytest

from planner.memory.adapted import adapted_linears, adapter_parameters
from planner.memory.numerics import numerics_of
from planner.memory.states import (
    BLOCK,
    int8_bytes,
    nf4_bytes,
    optimizer_bytes,
    rounded,
    states_of,
)
from planner.request import AdapterSettings
from tests.planner.samples import TINY_LLAMA, request_of, tiny_llama

torch = pytest.importorskip("torch")
# PEFT asks transformers by names that are on their way out.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def _storages(quantized: Any, state: Any) -> list[int]:
    """Bytes of every tensor of a 4-bit matrix, once each."""
    tensors = [quantized, state.absmax, state.code]
    if state.nested:
        tensors += [state.offset, state.state2.absmax, state.state2.code]
    return [tensor.untyped_storage().nbytes() for tensor in tensors]


@pytest.mark.parametrize("double", [False, True], ids=["nf4", "nf4-dq"])
@pytest.mark.parametrize("shape", [(512, 1024), (64, 64), (320, 960)])
def test_a_4_bit_matrix_has_the_bytes_of_bitsandbytes(
    shape: tuple[int, int], *, double: bool
) -> None:
    """The formula is the real storage, each of its tensors rounded up to the allocator's block."""
    functional = pytest.importorskip("bitsandbytes.functional")
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    quantized, state = functional.quantize_4bit(
        matrix, quant_type="nf4", compress_statistics=double, blocksize=64
    )

    real = _storages(quantized, state)

    estimated = nf4_bytes(matrix.numel(), double_quantized=double)
    assert sum(real) <= estimated <= sum(real) + BLOCK * len(real)
    assert estimated == sum(rounded(count) for count in real)


def test_an_8_bit_matrix_has_the_bytes_of_bitsandbytes() -> None:
    """One byte a weight and one fp32 scale a row."""
    functional = pytest.importorskip("bitsandbytes.functional")
    matrix = torch.randn((96, 256), generator=torch.Generator().manual_seed(0))
    packed, scales, _outliers = functional.int8_vectorwise_quant(matrix.half())

    estimated = int8_bytes(matrix.numel(), rows=96)

    assert estimated == rounded(packed.nbytes) + rounded(scales.nbytes)


def _state_bytes(optimizer: Any, parameters: list[Any]) -> list[int]:
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return [
        value.untyped_storage().nbytes()
        for state in optimizer.state.values()
        for name, value in state.items()
        if isinstance(value, torch.Tensor) and not name.startswith("qmap")
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_fused_adamw_keeps_two_moments_and_a_counter(dtype: Any) -> None:
    """Moments have the parameter's dtype; each tensor's counter takes a block."""
    parameters = [torch.nn.Parameter(torch.ones(count, 128, dtype=dtype)) for count in (64, 32)]

    real = _state_bytes(torch.optim.AdamW(parameters, fused=True), parameters)

    count, width = 96 * 128, dtype.itemsize
    assert optimizer_bytes("adamw-fused", count, width, tensors=2) == sum(map(rounded, real))


def test_foreach_adamw_keeps_two_moments() -> None:
    """Its counters stand on the host."""
    parameters = [torch.nn.Parameter(torch.ones(64, 128))]

    real = _state_bytes(torch.optim.AdamW(parameters, foreach=True), parameters)

    moments = [size for size in real if size > 4]
    assert optimizer_bytes("adamw", 64 * 128, 4, tensors=1) == sum(moments)


def test_8_bit_adamw_keeps_a_byte_a_moment() -> None:
    """And one fp32 scale for 256 elements of each moment."""
    bitsandbytes = pytest.importorskip("bitsandbytes")
    parameters = [torch.nn.Parameter(torch.ones(64, 128))]

    real = _state_bytes(bitsandbytes.optim.AdamW8bit(parameters), parameters)

    assert optimizer_bytes("adamw-8bit", 64 * 128, 4, tensors=1) == sum(real)


def test_plain_descent_keeps_nothing() -> None:
    """Without momentum there is no state."""
    parameters = [torch.nn.Parameter(torch.ones(64, 128))]

    real = _state_bytes(torch.optim.SGD(parameters), parameters)

    assert optimizer_bytes("sgd", 64 * 128, 4, tensors=1) == sum(real) == 0


@pytest.mark.parametrize(
    ("targets", "kind", "rank"),
    [
        (("all-linear",), "lora", 16),
        (("q_proj", "v_proj"), "lora", 8),
        (("down_proj",), "rslora", 1),
        (("k_proj", "o_proj", "gate_proj"), "dora", 4),
    ],
)
def test_adapters_count_as_peft_builds_them(targets: tuple[str, ...], kind: str, rank: int) -> None:
    """Parameters and tensors of the adapters are those of a real PEFT model."""
    transformers, peft = pytest.importorskip("transformers"), pytest.importorskip("peft")
    config = transformers.AutoConfig.for_model(**TINY_LLAMA)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    settings = peft.LoraConfig(
        r=rank,
        target_modules=targets[0] if targets == ("all-linear",) else list(targets),
        use_rslora=kind == "rslora",
        use_dora=kind == "dora",
        task_type="CAUSAL_LM",
    )
    built = peft.get_peft_model(model, settings, low_cpu_mem_usage=True)
    real = [item.numel() for item in built.parameters() if item.requires_grad]

    request = request_of(adapter=AdapterSettings(kind=kind, rank=rank, targets=targets))  # type: ignore[arg-type]

    assert adapter_parameters(tiny_llama(), request) == sum(real)


def test_targets_match_whole_names() -> None:
    """A target is a module name, never a part of one."""
    assert adapted_linears(tiny_llama(), ("proj",)) == frozenset()
    assert adapted_linears(tiny_llama(), ("q_proj",)) == {"q_proj"}


def test_only_the_last_blocks_are_trained() -> None:
    """With trainable_layers, gradients and moments belong to those blocks and the head."""
    shape = tiny_llama()
    request = request_of("full", trainable_layers=1)

    states = states_of(shape, request, numerics_of(request, shape.family))

    assert states.trained_parameters == shape.block_parameters + shape.head_parameters
    assert states.gradients_bytes == 2 * states.trained_parameters
    assert states.weights_bytes == 2 * shape.parameters


def test_stepping_in_backward_never_piles_up_gradients() -> None:
    """Each gradient is used and dropped at once."""
    shape, request = tiny_llama(), request_of("full", optimizer="adamw-8bit-in-backward")

    states = states_of(shape, request, numerics_of(request, shape.family))

    assert states.gradients_bytes == 0
    assert states.optimizer_bytes > 0
