"""Lines that keep to a width."""

from __future__ import annotations

from collections.abc import Sequence

from launcher.output.style import Style


def fitted(label: str, facts: Sequence[str], style: Style) -> str:
    """Label and facts on one line: the last facts are left out where the line is too short."""
    kept = [fact for fact in facts if fact]
    while len(kept) > 1 and len(label) + len("".join(kept)) > style.width:
        kept.pop()
    line = label + "".join(kept)
    return line if len(line) <= style.width else line[: style.width - 3] + "..."


def filled(sentence: str, width: int) -> list[str]:
    """A sentence on as many lines as it takes; a longer word, such as a path, is broken."""
    lines = [""]
    for word in (part for whole in sentence.split(" ") for part in _broken(whole, width)):
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _broken(word: str, width: int) -> list[str]:
    parts = []
    while len(word) > width > 0:
        at = word.rfind("/", 1, width) + 1 or width
        parts.append(word[:at])
        word = word[at:]
    return [*parts, word]
