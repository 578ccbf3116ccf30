"""Models that bring code of their own: refused before anything is made, unless a plan trusts it."""

from __future__ import annotations

import json
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from launcher.errors import MissingHere, UsageError

_LISTS_OF_TYPES = ("auto_mappings.py", "configuration_auto.py")
"""Where Transformers names the architectures it has; the first one since its version 5."""


def require_known_architecture(config_text: str, name: str, *, trusted: bool = False) -> None:
    """Raise for a config.json that the installed Transformers has no class of its own for.

    UsageError when the model would have to run code it brings, MissingHere when it brings none.
    `trusted`: the plan lets that code run. Nothing is imported: Transformers takes seconds.
    """
    try:
        config = json.loads(config_text)
        model_type, code = config.get("model_type"), config.get("auto_map")
    except (ValueError, AttributeError):
        return  # whoever reads its numbers says so
    if not isinstance(model_type, str) or _is_known(model_type):
        return
    if code and trusted:
        return
    installed = f"Transformers {version('transformers')}"
    if code:
        raise UsageError(
            f"{name} brings code of its own (auto_map in config.json), which would have to be run "
            f"to load it: {installed} does not know its type {model_type}",
            "only a plan can allow it, for one commit of the Hub that was read: trust_remote_code: "
            "true in section model, with revision: COMMIT",
            "a model of an architecture that Transformers has itself needs none: tlplan models",
        )
    raise MissingHere(
        f"{installed} does not know the model type {model_type} of {name}",
        "pip install -U transformers, if it was added since",
        "tlplan models lists models that can be trained",
    )


def _is_known(model_type: str) -> bool:
    """Whether its name is listed; True where no list is found to look it up in."""
    spec = find_spec("transformers")
    if spec is None or spec.origin is None:
        return True
    folder = Path(spec.origin).parent / "models" / "auto"
    lists = [folder / name for name in _LISTS_OF_TYPES if (folder / name).is_file()]
    quoted = f'"{model_type}"'
    return not lists or any(quoted in each.read_text(encoding="utf-8") for each in lists)
