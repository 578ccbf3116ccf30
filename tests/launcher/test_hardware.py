"""What --gpu may name."""

from __future__ import annotations

import pytest

from launcher.errors import UsageError
from launcher.hardware import hardware_for

GIB = 2**30


@pytest.mark.parametrize("name", ["rtx-4090", "RTX 4090", "NVIDIA GeForce RTX 4090", "1x rtx-4090"])
def test_a_card_has_many_names(name: str) -> None:
    """Finds the card by id, marketing name and driver name."""
    budget = hardware_for([name], host_without_gpu=False).budget

    assert budget is not None
    assert (budget.card_id, budget.source) == ("rtx-4090", "simulated")


@pytest.mark.parametrize("size", ["24GiB", "24 GiB", "24gb", "24G", "24.0gib"])
def test_a_size_is_a_card_without_a_name(size: str) -> None:
    """Takes GiB, however it is written."""
    budget = hardware_for([size], host_without_gpu=False).budget

    assert budget is not None
    assert budget.total_bytes == 24 * GIB
    assert budget.card_id is None


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (["24"], "neither a card nor a size"),
        (["0GiB"], "no size a card can have"),
        (["-3GiB"], "no size a card can have"),
        (["nanGiB"], "no size a card can have"),
        (["rtx-4091"], 'no card named "rtx-4091"'),
        (["2x rtx-4090"], "several GPUs"),
        (["rtx-4090", "rtx-3090"], "several GPUs"),
        (["m3-max"], ""),
        ([""], ""),
    ],
)
def test_what_is_no_card_is_told(named: list[str], told: str) -> None:
    """Never takes a near match, a bare number or more than one card."""
    with pytest.raises(UsageError) as caught:
        hardware_for(named, host_without_gpu=False)

    assert told in caught.value.message


def test_cpu_is_the_memory_of_the_host() -> None:
    """--gpu cpu plans for no GPU at all."""
    budget = hardware_for(["cpu"], host_without_gpu=False).budget

    assert budget is not None
    assert (budget.device, budget.source) == ("cpu", "host")
