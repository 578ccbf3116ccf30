"""What the wizard reads of this machine; a test may put another machine in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwdb.detect.machine import HostReading
    from hwdb.detect.nvml_survey import GpuSurvey


def _survey() -> GpuSurvey:
    from hwdb.detect.nvml import read_gpus

    return read_gpus()


def _host() -> HostReading:
    from hwdb.detect.host import read_host

    return read_host()


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """How GPUs and the host are read."""

    read_gpus: Callable[[], GpuSurvey] = _survey
    read_host: Callable[[], HostReading] = _host
