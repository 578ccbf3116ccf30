"""Behaviour of CUDA_VISIBLE_DEVICES, as the CUDA runtime reads it."""

from __future__ import annotations

import pytest

from hwdb.detect.visible import GpuIdentity, visible_positions
from tests.fake_nvml import machines
from tests.hwdb.detect.survey import survey_of

FOUR = [GpuIdentity(index=i, uuid=f"GPU-{letter}0-1") for i, letter in enumerate("abcd")]


@pytest.mark.parametrize(
    ("value", "positions"),
    [
        (None, (0, 1, 2, 3)),
        ("", ()),
        ("2", (2,)),
        ("3,1", (3, 1)),
        (" 3 , 1 ", (3, 1)),
        ("0,7,1", (0,)),
        ("-1", ()),
        ("0,-1,1", (0,)),
        ("NoDevFiles", ()),
        ("1card,2", (1, 2)),
        ("1,1", ()),
        ("GPU-c", (2,)),
        ("gpu-c", ()),
        ("GPU-c,GPU-a", (2, 0)),
        ("GPU-", ()),
        ("GPU-b0-1", (1,)),
        ("GPU-x,0", ()),
    ],
)
def test_the_list_is_read_as_cuda_reads_it(value: str | None, positions: tuple[int, ...]) -> None:
    """Order counts, an entry that names nothing ends the list, a repeated one empties it."""
    assert visible_positions(FOUR, value) == positions


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("", []),
        ("0", ["NVIDIA H100 80GB HBM3"]),
        ("1", ["NVIDIA A100-SXM4-40GB MIG 3g.20gb"]),
        ("GPU-bbbb", ["NVIDIA A100-SXM4-40GB MIG 3g.20gb"]),
        ("MIG-dddddddd-0000-0000-0000-000000000000", ["NVIDIA A100-SXM4-40GB MIG 1g.5gb"]),
        ("MIG-dddd,GPU-aaaa", ["NVIDIA A100-SXM4-40GB MIG 1g.5gb", "NVIDIA H100 80GB HBM3"]),
        ("2", []),
    ],
)
def test_the_survey_lists_what_is_visible(value: str, names: list[str]) -> None:
    """A survey shows the named GPUs and instances only, and says so when that leaves none."""
    survey = survey_of(machines.H100_AND_A100_WITH_MIG, visible=value)

    assert [gpu["name"] for gpu in survey["gpus"]] == names
    hidden = "no GPU visible through CUDA_VISIBLE_DEVICES"
    assert survey["problem"] == (None if names else hidden)
    assert survey["driver_version"] == "580.95.05"
