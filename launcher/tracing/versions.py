"""Which libraries a trace rests on, read without importing them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

_LIBRARIES = ("torch", "transformers", "peft", "trl", "bitsandbytes")


def library_versions() -> dict[str, str]:
    """Versions of the installed libraries whose classes are traced."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
