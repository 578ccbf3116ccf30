"""Handwritten digits as PNG files by class, and a tiny ViT that knows half of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.cache import cache_folder

_MAKE_VIT = """
import sys, numpy, torch
from sklearn.datasets import load_digits
from transformers import ViTConfig, ViTForImageClassification
torch.manual_seed(0); torch.set_num_threads(1)
digits = load_digits()
keep = digits.target < 5
pixels = torch.tensor((digits.images[keep] / 16 - 0.5) / 0.5, dtype=torch.float32)[:, None]
labels = torch.tensor(digits.target[keep])
model = ViTForImageClassification(ViTConfig(
    image_size=8, patch_size=2, num_channels=1, hidden_size=96, num_hidden_layers=4,
    num_attention_heads=4, intermediate_size=192, num_labels=5,
    hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0))
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
for _ in range(12):
    for rows in torch.randperm(len(labels)).split(64):
        loss = model(pixel_values=pixels[rows], labels=labels[rows]).loss
        loss.backward(); optimizer.step(); optimizer.zero_grad()
model.save_pretrained(sys.argv[1])
"""


def write_digits(folder: Path, count: int) -> Path:
    """The first `count` digits of scikit-learn's set as 8 x 8 PNG files by class."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    for index in range(count):
        path = folder / str(digits.target[index]) / f"{index:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits.images[index] / 16 * 255).astype(np.uint8)).save(path)
    return folder


@pytest.fixture(scope="session")
def digit_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """700 digits of ten classes."""
    return write_digits(tmp_path_factory.mktemp("digits"), 700)


@pytest.fixture(scope="session")
def tiny_vit() -> Path:
    """A ViT of 0.3 M parameters that was trained on the digits 0 to 4 alone."""
    target = cache_folder() / "models" / "tiny-vit-of-five-digits"
    if not (target / "model.safetensors").is_file():
        # In its own process: the making must not leave torch in the memory of every test.
        made = target.with_name(f".making-{os.getpid()}")
        subprocess.run(
            [sys.executable, "-c", _MAKE_VIT, str(made)], check=True, capture_output=True
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        made.rename(target)
    return target
