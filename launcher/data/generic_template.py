"""The chat template of a model that has none: roles as plain text, answers ended by its end token.

It is the form of Tülu (arXiv 2306.04751). It needs no token that the model does not have already,
so that no embedding has to be trained from random numbers.
"""

from __future__ import annotations

import re
from importlib.resources import files

_MARK = re.compile(r"\{%- (?:end)?generation -%\}\n")


def generic_training_template() -> str:
    """With `{% generation %}` around every answer and its end token."""
    return files("launcher.data").joinpath("turns.jinja").read_text(encoding="utf-8")


def generic_template() -> str:
    """The same without marks, which programs beside Transformers cannot read."""
    return _MARK.sub("", generic_training_template())
