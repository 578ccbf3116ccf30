"""How the wizard looks: two themes of its own, and a colour for each meaning in every theme.

Blue, amber and vermillion (Okabe and Ito) stay apart for colour-blind eyes; a word stands beside
every colour, so that nothing is lost without them.
"""

from __future__ import annotations

from typing import get_args

from textual.theme import Theme

from launcher.view.spans import Role

DARK, LIGHT = "tlplan-dark", "tlplan-light"

MEANINGS_ON_DARK = {
    "fits": "#56b4e9",
    "tight": "#e69f00",
    "over": "#f07c33",
    "measured": "#56b4e9",
    "predicted": "#3cc7a3",
    "dim": "#8b949e",
    "chosen": "#ffffff",
}
MEANINGS_ON_LIGHT = {
    "fits": "#005a8f",
    "tight": "#8a5a00",
    "over": "#b34700",
    "measured": "#00659e",
    "predicted": "#00704f",
    "dim": "#5a636d",
    "chosen": "black",
}
MEANINGS_IN_ANSI = {
    "fits": "ansi_bright_blue",
    "tight": "ansi_yellow",
    "over": "ansi_red",
    "measured": "ansi_bright_blue",
    "predicted": "ansi_green",
    "dim": "ansi_default",
    "chosen": "ansi_default",
}
"""The sixteen colours a terminal's own theme sets."""


THEMES = (
    Theme(
        name=DARK,
        primary="#56b4e9",
        accent="#e69f00",
        warning="#e69f00",
        error="#f07c33",
        success="#56b4e9",
        foreground="#d7dde4",
        background="#11151a",
        surface="#11151a",
        panel="#1c232b",
        dark=True,
        variables=MEANINGS_ON_DARK,
    ),
    Theme(
        name=LIGHT,
        primary="#005a8f",
        accent="#8a5a00",
        warning="#8a5a00",
        error="#b34700",
        success="#005a8f",
        foreground="#1b2128",
        background="#fbfbf9",
        surface="#fbfbf9",
        panel="#eceae4",
        dark=False,
        variables=MEANINGS_ON_LIGHT,
    ),
)


def meanings(theme: Theme) -> dict[str, str]:
    """Colours by meaning, for themes that bring none of their own."""
    if theme.ansi:
        return MEANINGS_IN_ANSI
    return MEANINGS_ON_DARK if theme.dark else MEANINGS_ON_LIGHT


ROLE_CLASSES = {f"role-{role}" for role in get_args(Role)}
"""Component classes of every widget that shows spans."""

ROLE_CSS = """
    {name} > .role-plain {{ color: $foreground; }}
    {name} > .role-strong {{ color: $foreground; text-style: bold; }}
    {name} > .role-title {{ color: $foreground; text-style: bold; }}
    {name} > .role-dim {{ color: $dim; }}
    {name} > .role-measured {{ color: $measured; }}
    {name} > .role-predicted {{ color: $predicted; }}
    {name} > .role-fits {{ color: $fits; }}
    {name} > .role-tight {{ color: $tight; }}
    {name} > .role-over {{ color: $over; }}
    {name} > .role-chosen {{ color: $chosen; text-style: bold; }}
"""


def role_css(name: str) -> str:
    """The CSS of the roles for a widget of that name."""
    return ROLE_CSS.format(name=name)


STYLES = """
Screen { background: $background; color: $foreground; layers: default above; }
#head, #rule { height: 1; }
#middle { height: 1fr; }
#column { width: 80; height: 100%; overflow: auto auto; scrollbar-size: 1 1; }
#side { display: none; width: 1fr; height: 100%; overflow: hidden auto; scrollbar-size: 1 1; }
#edge { display: none; width: 2; height: 100%; }
#message {
    layer: above; dock: bottom; margin-bottom: 1; height: auto; max-height: 6;
    background: $panel;
}
#keys { height: 1; }
#small { display: none; height: auto; }
Screen.wide #side, Screen.wide #edge { display: block; }
Screen.narrow #column { width: 100%; }
Screen.small #head, Screen.small #rule, Screen.small #middle { display: none; }
Screen.small #message, Screen.small #keys { display: none; }
Screen.small #small { display: block; }
Input.line {
    height: 1; border: none; padding: 0; background: $panel; color: $foreground;
}
Input.line:focus { border: none; background-tint: $foreground 0%; }
"""
