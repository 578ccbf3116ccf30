"""A name that hwdb does not know, or that stands for more than one row.

NotFound         no row has this name
    Ambiguous    several rows have it
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal


class NotFound(LookupError):
    """No row has this name; `suggestions` are close ones, best first, at most three."""

    def __init__(
        self,
        *,
        kind: Literal["card", "model", "word"],
        name: str,
        suggestions: tuple[str, ...],
        known_count: int,
        known_bytes: tuple[int, ...] = (),
    ) -> None:
        self.kind = kind
        self.name = name
        self.suggestions = suggestions
        self.known_count = known_count
        self.known_bytes = known_bytes
        """Memory sizes of the rows with this name, when the size was what did not fit."""
        super().__init__(self._message())

    def _message(self) -> str:
        if self.known_bytes:
            sizes = ", ".join(f"{size >> 20} MiB" for size in self.known_bytes)
            return f'no {self.kind} "{self.name}" with this memory in hwdb (known: {sizes})'
        return f'no {self.kind} named "{self.name}" in hwdb ({self.known_count} known)'


class Ambiguous(NotFound):
    """Several rows have this name; `suggestions` are their ids, all of them."""

    def _message(self) -> str:
        return f'{self.kind} name "{self.name}" stands for several: {", ".join(self.suggestions)}'


def close_ids(wanted: str, ids_by_name: Mapping[str, str], *, limit: int = 3) -> tuple[str, ...]:
    """Ids whose names are close to `wanted`: those that begin with it first, then by likeness.

    Names and `wanted` are expected in one normal form. The same input gives the same order.
    """
    from difflib import get_close_matches  # about 2 ms, only after a miss

    begun = [name for name in ids_by_name if wanted and name.startswith(wanted)]
    alike = get_close_matches(wanted, ids_by_name, n=4 * limit, cutoff=0.6)
    return _first_distinct((ids_by_name[name] for name in (*begun, *alike)), limit)


def _first_distinct(ids: Iterable[str], limit: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))[:limit]
