"""launcher/download_meter.py and hub.py: bytes and speed of a download, as they are told."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from launcher.download_meter import Download, DownloadMeter
from launcher.view.words import download_text
from tests.hub import COMMIT, NAME, ModelHub

MIB = 1 << 20


class Clock:
    """Time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_speed_is_that_of_the_last_ten_seconds() -> None:
    """A fast start is forgotten; standing still for ten seconds is called so."""
    clock = Clock()
    meter = DownloadMeter(1000 * MIB, clock)
    for second in range(1, 41):
        clock.now = 100.0 + second
        meter.add("", 1, (30 if second <= 10 else 10) * MIB)
        now = meter.read()

    assert (now.done_bytes, now.bytes_per_second) == (600 * MIB, 10 * MIB)
    assert now.seconds_left == 40
    for second in range(41, 57):
        clock.now = 100.0 + second
        now = meter.read()
    assert now.stalled
    assert meter.result().bytes_per_second == 600 * MIB / 56


def test_bytes_counted_twice_count_once() -> None:
    """Of what came and what was written the larger is taken, part by part."""
    meter = DownloadMeter(None)
    meter.add("a", 1, 5)
    meter.add("a", 2, 7)
    meter.add("b", 3, 10)
    meter.add("b", 3, -2)

    assert meter.read().done_bytes == 7 + 8


@pytest.mark.parametrize(
    ("download", "said"),
    [
        ((600 * MIB, 5000 * MIB, 38.4 * MIB), "600 MiB of 4.9 GiB, 38.4 MiB/s"),
        ((2000 * MIB, 5000 * MIB, None), "2.0 of 4.9 GiB"),
        ((2000 * MIB, None, 0.0), "2.0 GiB, nothing comes"),
    ],
)
def test_it_is_said_in_the_unit_that_reads_best(
    download: tuple[int, int | None, float | None], said: str
) -> None:
    """One unit where both numbers share it; no total where none is known."""
    done, total, speed = download

    assert download_text(Download(done_bytes=done, total_bytes=total, bytes_per_second=speed)) == (
        said
    )


_FETCH = """
import json, sys
from dataclasses import asdict
from launcher.hub import download_model
print(download_model(sys.argv[1], None, lambda now: print(json.dumps(asdict(now)), flush=True)))
"""


def test_a_model_is_counted_as_it_comes(tmp_path: Path) -> None:
    """Half of the weights is there when half was sent; what the cache has is not counted again."""
    served = tmp_path / "model"
    served.mkdir()
    (served / "config.json").write_text("{}")
    (served / "model.safetensors").write_bytes(bytes(40 * MIB))
    (served / "pytorch_model.bin").write_bytes(bytes(MIB))
    with ModelHub.serving(served) as hub:
        environment = os.environ | {
            "HF_ENDPOINT": hub.endpoint,
            "HF_HOME": str(tmp_path / "cache"),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "NO_PROXY": "*",
        }
        command = [sys.executable, "-c", _FETCH, NAME]
        hub.held = "model.safetensors"
        with Popen(command, env=environment, stdout=PIPE, stderr=PIPE, text=True) as fetching:
            assert fetching.stdout is not None
            half = json.loads(next(line for line in fetching.stdout if f"{20 * MIB + 2}" in line))
            hub.go_on.set()
            *_, last, commit = fetching.stdout.read().splitlines()
        with Popen(command, env=environment, stdout=PIPE, text=True) as again:
            said = again.communicate()[0]

    assert half["total_bytes"] == 40 * MIB + 2
    assert half["finished"] is False
    told = json.loads(last)
    assert (told["done_bytes"], told["finished"]) == (40 * MIB + 2, True)
    assert commit == COMMIT
    assert said == f"{COMMIT}\n"
