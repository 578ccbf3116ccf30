"""The models to choose from: those used before, those of hwdb, and what was typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import hwdb
from launcher.errors import UsageError
from launcher.models import resolve_model
from launcher.planning import task_for
from launcher.wizard.draft import ChosenModel, Draft
from launcher.wizard.model.verdicts import NOT_PLANNED, Verdict, Verdicts, planned_row, verdict_of
from planner.advice.model import Candidate, suggested_classifier, suggested_model
from planner.request import RequestError, Task
from planner.shape import ModelShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One row of the list."""

    name: str
    model: hwdb.Model | None = None
    """Of hwdb; None for what was typed."""
    chosen: ChosenModel | None = None
    """Read already, from the Hub or a folder."""
    verdict: Verdict | None = None
    """Of a model that was read; those of hwdb have theirs in Verdicts."""
    used_before: bool = False

    @property
    def kind(self) -> Literal["hwdb", "read", "to be read"]:
        """Where its numbers come from, or that they are still to be read."""
        if self.model is not None:
            return "hwdb"
        return "to be read" if self.chosen is None else "read"


class Catalogue:
    """What the list shows without a filter, and what only words bring up."""

    def __init__(
        self,
        used_before: Sequence[str] = (),
        learns: Task | None = None,
        read: Sequence[Listed] = (),
    ) -> None:
        self.learns = learns
        suited = suited_models(learns)
        by_name = {name: model for model in suited for name in _names(model)}
        recent = {by_name[name].id: by_name[name] for name in used_before if name in by_name}
        rest = [model for model in suited if model.id not in recent]
        self.read = tuple(read)
        self.rows: tuple[Listed, ...] = (
            *self.read,
            *(Listed(name=each.id, model=each, used_before=True) for each in recent.values()),
            *(Listed(name=each.id, model=each) for each in rest),
        )
        shown = {model.id for model in suited}
        others = [each for each in _planned_models() if each.id not in shown]
        self.others = tuple(Listed(name=each.id, model=each) for each in others)

    @property
    def models(self) -> list[hwdb.Model]:
        """Models of hwdb, those that are shown first."""
        return [row.model for row in (*self.rows, *self.others) if row.model is not None]

    def matching(self, text: str) -> list[Listed]:
        """Rows that have every word of the text, the model of that name first.

        A name hwdb does not know can be read.
        """
        words = text.lower().split()
        if not words:
            return list(self.rows)
        rows = (*self.rows, *self.others)
        found = [row for row in rows if all(word in _searched(row) for word in words)]
        # Who types a whole name wants that model, not those made from it.
        found.sort(key=lambda row: words[0] not in _searched(row).split())
        if can_be_read(text) and not any(row.name == text.strip() for row in rows):
            found.insert(0, Listed(name=text.strip()))
        return found

    def with_read(self, row: Listed) -> Catalogue:
        """The same with a model that was read."""
        read = (row, *(each for each in self.read if each.name != row.name))
        used = [each.name for each in self.rows if each.used_before]
        return Catalogue(used, self.learns, read)


@cache
def _planned_models() -> tuple[hwdb.Model, ...]:
    """Models of hwdb from a to z, numbers in names by size: of language, of text, of pictures."""
    found = [model for model in hwdb.all_models() if model.task in _ORDER]
    return tuple(sorted(found, key=lambda each: (_ORDER.index(each.task), natural_key(each.id))))


@cache
def suited_models(learns: Task | None) -> tuple[hwdb.Model, ...]:
    """Models that can learn a task; None is what most come for, language.

    Texts are told apart by encoders, which come first, and by decoders with a head for it.
    """
    wanted: tuple[str, ...] = (learns or "causal-lm",)
    if learns == "text-classification":
        wanted = (learns, "causal-lm")
    found = [model for model in _planned_models() if model.task in wanted]
    return tuple(sorted(found, key=lambda each: wanted.index(each.task)))


_ORDER = ("causal-lm", "text-classification", "image-classification")


def natural_key(name: str) -> list[tuple[bool, float, str]]:
    """Sorts "qwen3-4b" before "qwen3-14b"."""
    parts = re.findall(r"\d+(?:\.\d+)?|\D+", name.lower())
    return [(part[0].isdigit(), float(part) if part[0].isdigit() else 0.0, part) for part in parts]


def chosen_of(row: Listed, *, instruct: bool) -> ChosenModel:
    """A row as an answer. Raises UsageError for a model that cannot be planned."""
    if row.chosen is not None:
        return row.chosen
    assert row.model is not None
    planned = planned_row(row.model, instruct=instruct)
    # The short name means the base model, where there is one.
    by_id = planned.hub_id == (row.model.hub_id or row.model.instruct_hub_id)
    argument = row.model.id if by_id else planned.hub_id
    assert argument is not None
    return ChosenModel(argument=argument, planned=planned)


def read_model(name: str, draft: Draft) -> Listed:
    """A row of a Hub name or a folder, its verdicts worked out.

    Raises what reading its numbers does, and UsageError for a model that cannot be planned.
    """
    planned = resolve_model(name)
    task_for(planned)
    try:
        verdict_of(planned, draft.budget, draft.learns)
    except RequestError as failure:
        raise UsageError(f"{name} cannot be planned: {failure}") from None
    return Listed(name=name, chosen=ChosenModel(argument=name, planned=planned))


def shape_of(row: Listed | None) -> ModelShape | None:
    """The shape of a row's model; None for one that is still to be read or cannot be planned."""
    if row is None or row.kind == "to be read":
        return None
    try:
        return chosen_of(row, instruct=True).planned.shape
    except UsageError:
        return None


def can_be_read(text: str) -> bool:
    """Whether the text is a Hub name hwdb does not know, or a path."""
    name = text.strip()
    if not name or any(sign.isspace() for sign in name):
        return False
    if name.startswith((".", "~", "/")) or name.endswith(".json") or is_model_folder(name):
        return True
    owner, _, repository = name.partition("@")[0].partition("/")
    return bool(owner and repository and "/" not in repository) and not _is_known(name)


def is_model_folder(name: str) -> bool:
    """Whether a folder of that name has a config.json."""
    try:
        return Path(name, "config.json").is_file()
    except (OSError, ValueError):
        return False


def suggestion(verdicts: Verdicts, *, on_cpu: bool) -> str | None:
    """Id of the model to begin with, None while not every verdict is known."""
    candidates = []
    for model in suited_models(verdicts.learns):
        if verdicts.learns is not None and model.task != verdicts.learns:
            continue
        verdict = verdicts.of(model.id)
        if verdict is None:
            return None
        if verdict is NOT_PLANNED:
            continue
        candidates.append(
            Candidate(
                id=model.id,
                parameters=model.parameters,
                release_date=model.release_date,
                gated=model.gated,
                has_instruct=model.instruct_hub_id is not None,
                lora_fits=verdict.fits.get("lora"),
            )
        )
    if verdicts.learns in (None, "causal-lm"):
        return suggested_model(candidates, on_cpu=on_cpu)
    return suggested_classifier(candidates, on_cpu=on_cpu)


def _is_known(name: str) -> bool:
    try:
        hwdb.find_model(name.partition("@")[0])
    except hwdb.NotFound:
        return False
    return True


def _names(model: hwdb.Model) -> list[str]:
    names = (model.id, model.hub_id, model.instruct_hub_id)
    return [name for name in names if name]


def _searched(row: Listed) -> str:
    if row.model is None:
        return row.name.lower()
    aliases = " ".join(row.model.aliases)
    return f"{' '.join(_names(row.model))} {aliases} {row.model.task}".lower()
