"""Versions of the libraries that train, read without importing them."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

QUANTIZING = "bitsandbytes"
TRACED = ("torch", "transformers", "peft", "trl", QUANTIZING)
"""Libraries whose classes make the tensors of a step."""
PACKAGES = (*TRACED, "accelerate", "datasets", "tokenizers")
"""All that can change the numbers of a run."""


def versions_of(names: Iterable[str]) -> dict[str, str | None]:
    """Installed versions by name, None for what is not installed."""
    return {name: _version_of(name) for name in names}


def traced_versions() -> dict[str, str]:
    """Versions of the installed libraries that a trace rests on."""
    return {name: found for name, found in versions_of(TRACED).items() if found is not None}


def _version_of(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
