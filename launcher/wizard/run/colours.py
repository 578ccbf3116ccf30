"""What each role looks like: colour-blind safe on dark and light, the terminal's own in ansi."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style

from launcher.view.spans import Role

if TYPE_CHECKING:
    from textual.theme import Theme

# Okabe-Ito, lightened or darkened to a contrast of 4.5 against the background of the theme.
_DARK: dict[Role, str] = {
    "title": "bold",
    "strong": "bold",
    "dim": "#9a9fa8",
    "measured": "#56b4e9",
    "predicted": "#2fc79a",
    "fits": "#56b4e9",
    "tight": "#e69f00",
    "over": "bold #ff8a4c",
    "chosen": "bold reverse",
}
_LIGHT: dict[Role, str] = {
    "title": "bold",
    "strong": "bold",
    "dim": "#5b6068",
    "measured": "#0072b2",
    "predicted": "#00694e",
    "fits": "#0072b2",
    "tight": "#8a5a00",
    "over": "bold #b34700",
    "chosen": "bold reverse",
}
_ANSI: dict[Role, str] = {
    "title": "bold",
    "strong": "bold",
    "dim": "dim",
    "measured": "blue",
    "predicted": "green",
    "fits": "blue",
    "tight": "yellow",
    "over": "bold red",
    "chosen": "bold reverse",
}


def role_styles(theme: Theme) -> dict[str, Style]:
    """Style of every role under a theme of Textual."""
    if theme.name.startswith("ansi") or theme.name == "textual-ansi":
        table = _ANSI
    else:
        table = _DARK if theme.dark else _LIGHT
    styles: dict[str, Style] = {role: Style.parse(words) for role, words in table.items()}
    return styles | {"plain": Style()}
