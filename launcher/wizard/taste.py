"""The theme a person chose, kept in the user's config file among whatever else stands there."""

from __future__ import annotations

import os
import re
from pathlib import Path

from launcher.wizard.look import DARK

# Read and written as a line: a TOML library would cost the first paint more than the file does.
_LINE = re.compile(r'^theme[ \t]*=[ \t]*["\']([^"\'\n]*)["\'].*$', re.MULTILINE)


def config_file() -> Path:
    """$XDG_CONFIG_HOME/tlplan/config.toml."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "tlplan" / "config.toml"


def kept_theme() -> str:
    """TLPLAN_THEME, else that of the config file, else the dark one."""
    found = _LINE.search(_top_level(_text()))
    return os.environ.get("TLPLAN_THEME") or (found[1] if found else DARK)


def keep_theme(name: str) -> str | None:
    """Write it down; what went wrong, None where nothing did."""
    text, wanted = _text(), f'theme = "{name}"'
    top = _top_level(text)
    changed = _LINE.sub(lambda _: wanted, top) if _LINE.search(top) else f"{wanted}\n{top}"
    if changed == top:
        return None
    from launcher.runs.atomic_file import replace_text

    file = config_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_text(file, changed + text[len(top) :])
    except OSError as problem:
        return f"the theme is not kept: {file} cannot be written: {problem.strerror}"
    return None


def _text() -> str:
    try:
        return config_file().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _top_level(text: str) -> str:
    """What stands before the first [section]."""
    section = re.search(r"^\[", text, re.MULTILINE)
    return text if section is None else text[: section.start()]
