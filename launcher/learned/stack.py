"""Versions of the libraries a run rests on, read without importing anything.

importlib.metadata takes longer than the whole quick check, so names of folders are read.
"""

from __future__ import annotations

import os
import sys

_LIBRARIES = ("torch", "transformers", "peft", "bitsandbytes")
_END = ".dist-info"


def stack_text() -> str:
    """Such as "torch 2.13 transformers 5.23 peft 0.21": to the minor version; None is left out."""
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208 - names alone are wanted
        except OSError:
            continue
        for name in names:
            library, _, version = name.removesuffix(_END).partition("-")
            if name.endswith(_END) and library in _LIBRARIES:
                found.setdefault(library, ".".join(version.split("+")[0].split(".")[:2]))
    return " ".join(f"{name} {found[name]}" for name in _LIBRARIES if name in found)
