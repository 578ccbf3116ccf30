"""What a search answers: the best, the front of time against memory, the price of every toggle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from planner.advice.fastest import ROOM_LEFT
from planner.search.asides import asides, lost_text
from planner.search.explore import SETTINGS, Configuration, Explored

_USUAL_OPTIMIZER = "adamw-fused"
_EQUAL = 1.005
"""Times this close are one."""


class Priced(NamedTuple):
    """A change of one setting, all else as in the best configuration."""

    setting: str
    value: str
    time_fraction: float
    """Of the best's time: -0.21 is 21 % less."""
    memory_bytes: int
    """More (+) or less (-) than the best needs."""
    fits: bool
    runnable: bool
    """Whether a plain launch takes it."""


class Rejected(NamedTuple):
    """A value that the best configuration does not have, and why the best with it lost."""

    setting: str
    value: str
    reason: str


def best(explored: Explored, *, runnable: bool, method: str | None = None) -> Configuration | None:
    """The fastest that fits; among equals the usual optimizer, then the one that needs least.

    `method` keeps to one method; `runnable` to what a plain launch runs. None where nothing fits.
    """
    equal: list[Configuration] = []
    for one in _fitting(explored, runnable=runnable):
        if method is not None and one.structure.method != method:
            continue
        if equal and one.seconds_per_row > _EQUAL * equal[0].seconds_per_row:
            break
        equal.append(one)
    if not equal:
        return None
    return min(
        equal,
        key=lambda one: (
            one.structure.optimizer != _USUAL_OPTIMIZER,
            explored.needed(one).expected_bytes,
        ),
    )


def _fitting(explored: Explored, *, runnable: bool) -> Iterator[Configuration]:
    for one in explored.by_time:
        if (one.runnable or not runnable) and explored.fits(one):
            yield one


def front(explored: Explored, *, runnable: bool = False) -> list[tuple[Configuration, int]]:
    """Fastest first, each one slower than the last and lighter: nothing beats it in both."""
    found: list[tuple[Configuration, int]] = []
    lightest: int | None = None
    fastest = 0.0  # of those that take as long as the last one found
    for one in explored.by_time:
        if runnable and not one.runnable:
            continue
        # From the cheapest question to the dearest: most are answered by what others told.
        if lightest is not None and (
            explored.floor_bytes(one.structure) >= lightest
            or explored.least_bytes(one) >= lightest
            or explored.least(one).expected_bytes >= lightest
            or explored.needed(one).expected_bytes >= lightest
        ):
            continue
        if not explored.fits(one):
            continue
        needed = explored.needed(one).expected_bytes
        if lightest is None or needed < lightest:
            lightest = needed
            if found and one.seconds_per_row <= _EQUAL * fastest:
                found.pop()
            else:
                fastest = one.seconds_per_row
            found.append((one, needed))
    return found


def toggles(explored: Explored, chosen: Configuration) -> list[Priced]:
    """Every configuration that differs from the chosen one in a single setting."""
    here, needed = chosen.words, explored.needed(chosen).expected_bytes
    found = []
    for one in (*explored.configurations, *asides(explored, chosen)):
        name = _single_change(here, one.words)
        if name is not None:
            found.append(
                Priced(
                    setting=name,
                    value=one.words[SETTINGS.index(name)],
                    time_fraction=one.seconds_per_row / chosen.seconds_per_row - 1,
                    memory_bytes=explored.needed(one).expected_bytes - needed,
                    fits=explored.fits(one),
                    runnable=one.runnable,
                )
            )
    return sorted(found, key=lambda one: SETTINGS.index(one.setting))


def _single_change(here: Sequence[str], there: Sequence[str]) -> str | None:
    """The setting that differs, None for none or several; a method brings its weights along."""
    changed = [at for at in range(len(SETTINGS)) if here[at] != there[at]]
    if len(changed) == 1:
        return SETTINGS[changed[0]]
    with_method = changed == [0, 1] and there[1] in ("bf16", "fp16", "nf4-dq")
    return "method" if with_method else None


def rejected(explored: Explored, chosen: Configuration) -> list[Rejected]:
    """Every other value of every setting, with the reason its best configuration lost."""
    here = chosen.words
    groups: dict[tuple[int, str], list[Configuration]] = {}
    for one in (*explored.by_time, *asides(explored, chosen)):
        for at, value in enumerate(one.words):
            if value != here[at]:
                groups.setdefault((at, value), []).append(one)
    ordered = sorted(groups.items(), key=lambda group: (group[0][0], _by_number(group[0][1])))
    return [
        Rejected(SETTINGS[at], value, _reason(explored, chosen, SETTINGS[at], configurations))
        for (at, value), configurations in ordered
    ]


def _by_number(value: str) -> tuple[int, str]:
    return (int(value), "") if value.isdigit() else (0, value)


def _reason(
    explored: Explored, chosen: Configuration, setting: str, ordered: Sequence[Configuration]
) -> str:
    """Judged by what a launch runs and, but for a change of method, by the chosen method."""
    if setting not in ("method", "weights"):
        same = [one for one in ordered if one.structure.method == chosen.structure.method]
        ordered = same or ordered
    plain = [one for one in ordered if one.runnable]
    other = next((one for one in plain or ordered if explored.fits(one)), None)
    if other is None:
        fastest = (plain or list(ordered))[0]
        if explored.needed(fastest).expected_bytes <= explored.capacity_bytes:
            return "tight: its upper end does not fit"
        return "does not fit, whatever the other settings"
    percent = 100 * (other.seconds_per_row / chosen.seconds_per_row - 1)
    if percent >= 0.5:
        return f"at best {percent:.0f} % slower"
    if percent > -0.5:
        return "no faster, and no lighter or less usual"
    return f"{-percent:.0f} % faster{_but(explored, setting, other, runs=bool(plain))}"


def _but(explored: Explored, setting: str, other: Configuration, *, runs: bool) -> str:
    """Why something faster was not taken."""
    if setting == "sequence_tokens":
        return f", {lost_text(explored.lengths, other.structure.request.sequence_tokens)}"
    if not runs:
        return ", but no plain launch runs it"
    room = round((1 - ROOM_LEFT) * explored.capacity_bytes)
    if explored.needed(other).high_bytes > room:
        return f", but under {100 * ROOM_LEFT:.0f} % of memory is free"
    if setting in ("method", "weights", "loss", "attention", "optimizer"):
        return f"; --{setting} takes it"
    return ", for more memory"


def smallest_change(
    explored: Explored, wanted: Sequence[str], *, runnable: bool = False
) -> Configuration | None:
    """The configuration with the fewest changes from `wanted` that fits, the fastest of those.

    `wanted` has its settings in the order of `SETTINGS` and need not be one that was explored.
    """

    def changes(one: Configuration) -> int:
        return sum(value != other for value, other in zip(one.words, wanted, strict=True))

    ordered = sorted(explored.by_time, key=changes)
    return next(
        (one for one in ordered if (one.runnable or not runnable) and explored.fits(one)), None
    )
