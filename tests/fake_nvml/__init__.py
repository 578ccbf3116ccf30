"""A scripted NVIDIA driver for tests: a real shared library under the real pynvml.

    environment = fake_driver_environment(machines.RTX_4090_DESKTOP)
    subprocess.run([sys.executable, "-m", "launcher", ...], env=environment)

pynvml loads the driver by name, so whatever reads GPUs must be a process of its own, started with
one of the environments made here. `fake_nvml.c` lists what a machine text may say.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_SOURCE = Path(__file__).with_name("fake_nvml.c")
_REPOSITORY = Path(__file__).parents[2]
_LIBRARY = "libnvidia-ml.so.1"


def fake_driver_environment(machine_text: str) -> dict[str, str]:
    """A whole process environment in which the machine's GPUs are those of `machine_text`."""
    machine = Path(tempfile.mkdtemp(dir=_folder())) / "machine.txt"
    machine.write_text(machine_text)
    return _environment(_fake_driver_folder()) | {"FAKE_NVML": str(machine)}


def no_driver_environment() -> dict[str, str]:
    """A whole process environment without an NVIDIA driver, also on a machine that has one."""
    folder = _folder() / "no-driver"
    folder.mkdir(exist_ok=True)
    # The loader takes the first file of that name and gives up: this one is no library.
    (folder / _LIBRARY).touch()
    return _environment(folder)


def change_machine(environment: dict[str, str], machine_text: str) -> None:
    """Give processes that already run in `environment` another machine, in one step."""
    machine = Path(environment["FAKE_NVML"])
    replacement = machine.with_suffix(".next")
    replacement.write_text(machine_text)
    replacement.replace(machine)


def with_lines(machine_text: str, *lines: str) -> str:
    """The machine with some keys changed: where a key stands twice, the first one counts."""
    return "\n".join([*lines, machine_text])


def run_python(code: str, environment: dict[str, str]) -> Any:
    """Run `code` in a process of its own and return the JSON it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=_REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"the process ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def _environment(library_folder: Path) -> dict[str, str]:
    environment = dict(os.environ)
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    searched = [str(library_folder), environment.get("LD_LIBRARY_PATH", "")]
    environment["LD_LIBRARY_PATH"] = ":".join(folder for folder in searched if folder)
    return environment


@functools.cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fake-nvml-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def _fake_driver_folder() -> Path:
    compiler = shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("gcc is needed to build the fake NVIDIA driver: apt install gcc")
    folder = _folder() / "driver"
    folder.mkdir()
    options = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", f"-Wl,-soname,{_LIBRARY}"]
    subprocess.run([compiler, *options, "-o", str(folder / _LIBRARY), str(_SOURCE)], check=True)
    return folder
