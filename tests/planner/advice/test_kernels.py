"""What computes the same is chosen by time; what changes what is learned is only priced."""

from __future__ import annotations

from dataclasses import replace

import pytest

import hwdb
from planner.advice.kernels import Weighed, weighed
from planner.advice.settings import Asked
from planner.request import TrainingRequest
from planner.units import GIB
from tests.planner.samples import known_model, request_of

_SHAPE = known_model("llama-3.2-1b")
_LORA = request_of("lora", micro_batch=4, accumulation=4, sequence_tokens=512)


def _weighed(request: TrainingRequest, **asked: str) -> Weighed:
    return weighed(
        _SHAPE,
        request,
        card=hwdb.find_card("rtx-4090"),
        free_bytes=22 * GIB,
        lengths=(),
        asked=Asked(**asked),  # type: ignore[arg-type]
    )


def test_the_usual_kernels_stay_where_they_are_fastest() -> None:
    """Every other one has its price."""
    found = _weighed(_LORA)

    assert found.request == _LORA
    assert found.prices["loss"].startswith("torch: +")
    assert found.prices["attention"].startswith("eager: +")
    assert found.prices["optimizer"].endswith("but rounds its state")


def test_a_slower_kernel_gives_way() -> None:
    """A step that writes scores out is given torch's kernel, and what it saves is said."""
    found = _weighed(replace(_LORA, attention="eager", sequence_tokens=4096, micro_batch=1))

    assert found.request.attention == "sdpa"
    assert found.prices["attention"].startswith("eager: +")


@pytest.mark.parametrize("name", ["loss", "attention", "optimizer"])
def test_what_was_asked_for_is_neither_changed_nor_priced(name: str) -> None:
    """The user's word stands."""
    found = _weighed(_LORA, **{name: getattr(_LORA, name)})

    assert name not in found.prices


def test_weights_are_priced_where_they_are_quantized() -> None:
    """4 bit without the second quantization: more memory, the same method."""
    qlora = request_of("qlora", micro_batch=4, accumulation=4, sequence_tokens=512)

    assert _weighed(qlora).prices["weights"].startswith("nf4: ")
    assert "weights" not in _weighed(_LORA).prices
