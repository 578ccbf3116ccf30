"""Messages of the planner and the readers in the words of a screen, which has no options."""

from __future__ import annotations

import re

_OPTION_BEFORE_A_VALUE = re.compile(r"(?<![\w-])--(?:model|gpu|data|seq|batch|out|method) (?=\S)")
_GIVEN_WITH = re.compile(r" given with --[a-z-]+")


def without_options(text: str) -> str:
    """The text as one reads it where nothing is typed as an option."""
    named = text.replace("--model FOLDER", "a folder in the Model step")
    return _OPTION_BEFORE_A_VALUE.sub("", _GIVEN_WITH.sub("", named))
