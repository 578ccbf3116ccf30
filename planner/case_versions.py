"""Which versions of which libraries a case means, named or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.request import RequestError, shortened

_BEFORE_PACKING = (4, 40)
"""Before it, Transformers could not keep packed rows apart: batches were as long as their rows."""

_TRANSFORMERS_OF_TORCH = {
    (2, 0): (4, 33), (2, 1): (4, 36), (2, 2): (4, 39), (2, 3): (4, 42), (2, 4): (4, 45),
    (2, 5): (4, 47), (2, 6): (4, 50), (2, 7): (4, 53), (2, 8): (4, 56), (2, 9): (4, 57),
}  # fmt: skip
"""The Transformers that was new when that torch was, for a case that names only torch."""


def transformers_version(case: Mapping[str, Any]) -> tuple[int, int] | None:
    """The Transformers of a case; None is the one the launcher runs with.

    Raises RequestError for a version that cannot be read.
    """
    versions = case.get("versions")
    return (
        version_of(versions, "transformers")
        or _version_of_patches(case)
        or _version_of_torch(versions)
    )


def version_of(versions: Mapping[str, Any] | None, library: str) -> tuple[int, int] | None:
    """(major, minor) of a library; None where the case does not name it."""
    version = (versions or {}).get(library)
    if version is None:
        return None
    try:
        # As a number 4.50 would be 4.5.
        major, minor = (version if isinstance(version, str) else "").split(".")[:2]
        return int(major), int(minor)
    except ValueError:
        text = f'versions.{library} must be text like "4.48.1", got {shortened(version)}'
        raise RequestError("versions", text) from None


def _version_of_patches(case: Mapping[str, Any]) -> tuple[int, int] | None:
    """The Transformers that the Triton cross entropy was patched into, where a case names none."""
    patched = case.get("loss") == "triton" and case.get("stack", "transformers") == "transformers"
    return (4, 45) if patched else None


def rows_varied(version: tuple[int, int] | None, case: Mapping[str, Any]) -> bool:
    """Whether a run of that time had batches of unequal lengths, as far as anyone can tell."""
    alone = case.get("gpus", 1) == 1 and case.get("stack", "transformers") == "transformers"
    return alone and version is not None and version < _BEFORE_PACKING


def _version_of_torch(versions: Mapping[str, Any] | None) -> tuple[int, int] | None:
    torch = version_of(versions, "torch")
    return None if torch is None else _TRANSFORMERS_OF_TORCH.get(torch)
