"""Paths as people type them."""

from __future__ import annotations

from pathlib import Path


def typed_path(text: str) -> Path:
    """The path with ~ and ~name made whole; as it stands where nobody has that name."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)
