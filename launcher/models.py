"""The model that --model names: a row of hwdb, a local folder, or a repository on the Hub."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import hwdb
from launcher.config_checks import check_config
from launcher.errors import BadConfig, UsageError
from launcher.typed_path import typed_path
from launcher.unknown_name import unknown_name
from planner.plan import PlannedModel
from planner.shape import ModelShape, ShapeError, shape_of
from planner.stand_in import stand_in_shape

_CONFIG = "config.json"


def resolve_model(name: str) -> PlannedModel:
    """The model of that name, with its shape.

    A local path wins when it is written as one; a plain word is only looked up in hwdb and
    never on the network. Raises UsageError for a name or a config.json that will not do, and
    NoAccess when the Hub does not give it.
    """
    if _is_written_as_path(name) or _is_model_folder(name):
        return _local_model(name)
    base, _, revision = name.partition("@")
    try:
        return _known_model(hwdb.find_model(base), base, revision or None)
    except hwdb.NotFound as failure:
        if base.count("/") != 1 or not all(base.split("/")):
            raise unknown_name(failure) from None
    return _hub_model(base, revision or None)


def _is_written_as_path(name: str) -> bool:
    return name.startswith((".", "~", "/")) or name.endswith(".json")


def _is_model_folder(name: str) -> bool:
    try:
        return Path(name, _CONFIG).is_file()
    except (OSError, ValueError):
        return False  # longer than a path can be, or with a character that none has


def _known_model(row: hwdb.Model, name: str, revision: str | None) -> PlannedModel:
    instruct = row.instruct_hub_id
    if instruct is not None and name.lower() == instruct.lower():
        hub_id: str | None = instruct
    else:
        hub_id = row.hub_id or instruct
    return PlannedModel(
        id=row.id,
        hub_id=hub_id,
        revision=revision,
        folder=None,
        source="hwdb",
        shape=shape_of_row(row),
        gated=row.gated,
        # Where the family is not known, these numbers are not the whole of the model's config.
        config=config_of_row(row) if hwdb.find_family(row.architecture) else None,
    )


def shape_of_row(row: hwdb.Model) -> ModelShape:
    """The shape of a model of hwdb, by its family or, for decoders, with a Llama-like block.

    Raises UsageError when neither describes it.
    """
    family = hwdb.find_family(row.architecture)
    config = config_of_row(row)
    try:
        if family is not None:
            shape = shape_of(config, family, _llama())
            if row.architecture not in family.wrappers.values():
                return shape
            # The row counts the whole checkpoint, its config here is that of the text part.
            return replace(shape, idle_parameters=max(row.parameters - shape.parameters, 0))
        if row.task == "causal-lm":
            config["model_type"] = row.architecture
            return stand_in_shape(config, hwdb.families(), parameters=row.parameters)
    except ShapeError as problem:
        raise _not_described(row, str(problem)) from None
    raise _not_described(row, "a Llama-like block does not stand in for it")


def config_of_row(row: hwdb.Model) -> dict[str, Any]:
    """What hwdb knows of a model's config.json."""
    from hwdb.model import config_of

    return config_of(row, hwdb.find_family(row.architecture) or _llama())


def _not_described(row: hwdb.Model, why: str) -> UsageError:
    return UsageError(
        f"{row.id} cannot be planned yet: hwdb does not describe the layers of "
        f"{row.architecture} ({why})",
        "tlplan models lists the models that can be",
    )


def _local_model(name: str) -> PlannedModel:
    path = typed_path(name).absolute()
    shown = name
    try:
        if path.is_dir():
            path, shown = path / _CONFIG, str(Path(name) / _CONFIG)
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        hint = "--model takes a folder with a config.json, or the file itself"
        raise UsageError(f"{shown}: no such file", hint) from None
    except (OSError, ValueError) as problem:
        raise UsageError(f"{shown}: cannot be read: {problem}") from None
    folder = path.resolve().parent
    return PlannedModel(
        id=folder.name or str(folder),
        hub_id=None,
        revision=None,
        folder=str(folder),
        source="folder",
        shape=shape_of_config(text, shown),
        config=json.loads(text),
    )


def _hub_model(repository: str, revision: str | None) -> PlannedModel:
    from launcher.hub import config_text

    text = config_text(repository, revision)
    return PlannedModel(
        id=repository,
        hub_id=repository,
        revision=revision,
        folder=None,
        source="hub",
        shape=shape_of_config(text, f"{_CONFIG} of {repository}"),
        config=json.loads(text),
    )


def shape_of_config(text: str, where: str) -> ModelShape:
    """The shape that the text of a config.json describes; `where` is the file in errors.

    Raises UsageError naming the file, and the line or the key.
    """
    try:
        config = json.loads(text)
    except json.JSONDecodeError as problem:
        raise UsageError(f"{where}:{problem.lineno}: not JSON: {problem.msg}") from None
    if not isinstance(config, dict):
        raise BadConfig(f"{where}: must be a JSON object with keys such as hidden_size")
    family = _family_of(config)
    check_config(config, family, where)
    try:
        if family is None:
            return _stand_in(config)
        shape = shape_of(config, family, _llama())
        if _names_family(config):
            return shape
        return replace(shape, described=False, model_type=str(config.get("model_type")))
    except ShapeError as problem:
        raise BadConfig(f"{where}: {problem}", problem.key) from None


def _stand_in(config: Mapping[str, Any]) -> ModelShape:
    if config.get("is_encoder_decoder") or "encoder_layers" in config:
        name = config.get("model_type", "this model")
        raise ShapeError("model_type", f"{name} is an encoder-decoder, not planned yet")
    return stand_in_shape(config, hwdb.families())


def _family_of(config: Mapping[str, Any]) -> hwdb.Family | None:
    text = config.get("text_config")
    inner = text.get("model_type") if isinstance(text, dict) else None
    return _first_family((config.get("model_type"), *_architectures(config), inner))


def _names_family(config: Mapping[str, Any]) -> bool:
    """Whether the whole model is of a known family, and not only its text part."""
    return _first_family((config.get("model_type"), *_architectures(config))) is not None


def _first_family(names: Iterable[Any]) -> hwdb.Family | None:
    for name in names:
        family = hwdb.find_family(name) if isinstance(name, str) else None
        if family is not None:
            return family
    return None


def _architectures(config: Mapping[str, Any]) -> list[Any]:
    names = config.get("architectures")
    return names if isinstance(names, list) else []


def _llama() -> hwdb.Family:
    family = hwdb.find_family("llama")
    assert family is not None, "hwdb has no Llama family"
    return family
