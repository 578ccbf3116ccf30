"""`python -m hwdb.check` finds what is wrong and says what it could not prove."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hwdb import find_card, find_model
from hwdb.check import problems_with
from hwdb.load import all_offers


def test_the_shipped_rows_have_no_problem() -> None:
    """The command ends with 0 and one line that counts rows, proofs and gaps."""
    done = subprocess.run(
        [sys.executable, "-m", "hwdb.check"], capture_output=True, text=True, check=False
    )

    assert done.stdout == (
        "260 cards, 204 models, 292 offers: 0 problems; parameter counts recomputed for 166, "
        "not determined by the columns for 38\n"
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"bandwidth_bytes_per_second": 1008}, "bandwidth_bytes_per_second"),
        ({"memory_bytes": 48 * 2**30}, "of the marketed size"),
        ({"release_date": "2022-13-12"}, "is no date"),
        ({"release_date": "2031-01-01"}, "the day the rows were collected"),
        ({"sources": ("hearsay",)}, "unknown source hearsay"),
        ({"supports_bf16": False}, "bf16 support disagrees"),
        ({"bf16_tflops": 700.0}, "is above fp8_tflops"),
        ({"pci_device_ids": ("10de:268",)}, "is no PCI id"),
    ],
)
def test_a_wrong_card_is_reported(change: dict[str, object], problem: str) -> None:
    """Each rule of a card notices a value that breaks it."""
    card = find_card("rtx-4090")._replace(**change)  # type: ignore[arg-type]

    assert any(problem in line for line in problems_with(card))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"parameters": 8_030_261_249}, "its shape gives 8030261248"),
        ({"kv_heads": 5}, "no multiple"),
        ({"experts": 8}, "expert fields"),
        ({"hub_id": "llama"}, "is no Hub repository name"),
    ],
)
def test_a_wrong_model_is_reported(change: dict[str, object], problem: str) -> None:
    """A single parameter too many is noticed, as is a shape that cannot be."""
    model = find_model("llama-3.1-8b")._replace(**change)  # type: ignore[arg-type]

    assert any(problem in line for line in problems_with(model))


def test_a_wrong_offer_is_reported() -> None:
    """A price per card must be the instance's price shared out."""
    offer = all_offers()[0]._replace(on_demand_usd_per_gpu_hour=1.0)

    assert any("each" in line for line in problems_with(offer))


def test_a_multimodal_total_must_hold_its_text_part() -> None:
    """A total below the text part alone is noticed, though it cannot be recomputed."""
    model = find_model("gemma-3-4b")._replace(parameters=3_800_000_000)

    assert any("text part" in line for line in problems_with(model))
