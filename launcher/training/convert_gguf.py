"""Turns a GGUF model into a folder of config, tokenizer and safetensors; run as a process.

python -m launcher.training.convert_gguf MODEL.gguf FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

_NOT_TRAINED_ON = ("is_local", "local_files_only")
"""Keys of the loading call that transformers leaks into tokenizer_config.json."""


def convert(gguf: Path, folder: Path) -> None:
    """Write `folder` with bf16 weights: half the size, and what the model was published in."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call,unused-ignore]
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    model: Any = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32
    )
    # The weights are dequantized by now, yet the model still refuses to be saved as "gguf".
    model.hf_quantizer = None
    model.is_quantized = False
    del model.config.quantization_config
    for key in _NOT_TRAINED_ON:
        tokenizer.init_kwargs.pop(key, None)
    model.to(torch.bfloat16).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    _open_to_others(folder)


def _open_to_others(folder: Path) -> None:
    """The safetensors writer sets mode 0600; a shared cache needs what the umask allows."""
    umask = os.umask(0)
    os.umask(umask)
    for path in folder.iterdir():
        path.chmod(0o666 & ~umask)


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
