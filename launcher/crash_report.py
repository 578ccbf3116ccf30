"""The file a bug leaves behind: what was run and where it broke, with no secret in it."""

from __future__ import annotations

import os
import platform
import re
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from launcher.version import VERSION

_TOKEN = re.compile(r"\b(hf|sk|ghp|gho|glpat|xox[abp])[-_][A-Za-z0-9_-]{8,}")
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|API_KEY")


def write_report(failure: BaseException, words: Sequence[str]) -> Path | None:
    """Write the report of a failure; None when no folder takes it."""
    text = "\n".join(
        [
            f"tlplan {VERSION}, Python {platform.python_version()}, {platform.platform()}",
            f"command: {' '.join(words)}",
            "".join(traceback.format_exception(failure)),
        ]
    )
    name = time.strftime("report-%Y%m%d-%H%M%S") + f"-{os.getpid()}.txt"
    for folder in _folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(without_secrets(text), encoding="utf-8")
        except OSError:
            continue
        return folder / name
    return None


def without_secrets(text: str) -> str:
    """The text with tokens, and values of secret environment variables, left out."""
    for name, value in os.environ.items():
        if _SECRET_NAME.search(name.upper()) and len(value) >= 8:
            text = text.replace(value, "[redacted]")
    return _TOKEN.sub("[redacted]", text)


def _folders() -> list[Path]:
    home = Path("~").expanduser()
    state = os.environ.get("XDG_STATE_HOME") or home / ".local" / "state"
    cache = os.environ.get("XDG_CACHE_HOME") or home / ".cache"
    return [Path(state) / "tlplan", Path(cache) / "tlplan"]
