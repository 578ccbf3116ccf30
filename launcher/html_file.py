"""A page written beside the answer, never over something that is there."""

from __future__ import annotations

from launcher.errors import UsageError


def write_page(file: str, page: str) -> None:
    """Write a page into a new file. Raises UsageError where it exists or cannot be written."""
    try:
        with open(file, "x", encoding="utf-8") as handle:  # noqa: PTH123  (pathlib has no "x")
            handle.write(page)
    except FileExistsError:
        raise UsageError(
            f"{file} exists already and is left as it is",
            f"name another file, or remove it: rm {file}",
        ) from None
    except OSError as problem:
        raise UsageError(f"{file} cannot be written: {problem.strerror}") from None
