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
    """A sentence on as many lines as it takes."""
    lines = [""]
    for word in sentence.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
