"""plan.yaml: a run plan as text with its reasons as comments, read back strictly.

The same plan gives the same bytes. Unknown, missing and wrongly typed keys are errors that name
the line.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from planner.request import RequestError
from planner.run_plan import RunPlan

PLAN_VERSION = 1

_OPTIONAL = ("recovery", "evaluation", "expected")
"""Sections that a file may leave out: their keys then have their defaults."""

_HEADER = """\
# A tlplan plan. Start it with: tlplan launch THIS-FILE
# Change any value; keys that are unknown or wrong are refused with their line.
"""


class PlanFileError(ValueError):
    """A plan file that cannot be read: where and why, and what would do."""

    def __init__(self, name: str, line: int, message: str, *hints: str) -> None:
        super().__init__(f"{name}:{line}: {message}")
        self.line = line
        self.hints = hints


def plan_file_text(run_plan: RunPlan, reasons: Mapping[str, str]) -> str:
    """The plan as YAML; `reasons` are comments by "section.key"."""
    lines = [_HEADER, f"plan_version: {PLAN_VERSION}\n"]
    for section in fields(run_plan):
        lines.append(f"\n{section.name}:\n")
        values = getattr(run_plan, section.name)
        for key in fields(values):
            written = f"  {key.name}: {_scalar(getattr(values, key.name))}"
            reason = reasons.get(f"{section.name}.{key.name}")
            lines.append(f"{written:<40}  # {reason}\n" if reason else f"{written}\n")
    return "".join(lines)


def _scalar(value: object) -> str:
    """One value in YAML's flow style."""
    if isinstance(value, tuple):
        return f"[{', '.join(_scalar(item) for item in value)}]"
    if isinstance(value, float):
        return repr(value)
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("\n...\n").strip()


def read_plan_file(text: str, name: str) -> RunPlan:
    """The plan in `text`; `name` is the file as errors shall call it.

    Raises PlanFileError with the line of the first problem.
    """
    return _Reader(name).read(text)


class _Reader:
    """Reads YAML nodes, which know their lines, into the sections of a plan."""

    def __init__(self, name: str) -> None:
        self.name = name

    def read(self, text: str) -> RunPlan:
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as problem:
            mark = problem.problem_mark
            line = mark.line + 1 if mark else 1
            raise PlanFileError(self.name, line, f"not YAML: {problem.problem}") from None
        except (yaml.YAMLError, RecursionError) as problem:
            reason = " ".join(str(problem).split())
            raise PlanFileError(self.name, 1, f"not YAML: {reason}") from None
        if not isinstance(root, yaml.MappingNode):
            raise PlanFileError(self.name, 1, "no plan: expected sections such as model and data")
        entries = self._entries(root)
        self._version(entries, root)
        sections = {field.name: field.type for field in fields(RunPlan)}
        self._names_known(entries, ("plan_version", *sections), "section")
        hints = get_type_hints(RunPlan)
        read = {name: self._section(name, hints[name], entries, root) for name in sections}
        try:
            return RunPlan(**read)
        except RequestError as problem:
            section, _, key = problem.field_name.partition(".")
            node = entries[section].value
            assert isinstance(node, yaml.MappingNode)
            raise self._problem(self._entries(node)[key].value, str(problem)) from None

    def _version(self, entries: dict[str, _Entry], root: yaml.Node) -> None:
        if "plan_version" not in entries:
            raise self._problem(
                root, "plan_version is missing", f"add plan_version: {PLAN_VERSION}"
            )
        value = entries["plan_version"].value
        version = self._constructed(value)
        if version != PLAN_VERSION or not isinstance(version, int) or version is True:
            raise self._problem(value, f"plan_version must be {PLAN_VERSION}")

    def _section(self, name: str, kind: Any, entries: dict[str, _Entry], root: yaml.Node) -> Any:
        if name not in entries:
            if name in _OPTIONAL:
                return kind()
            raise self._problem(root, f"section {name} is missing")
        node = entries[name].value
        if not isinstance(node, yaml.MappingNode):
            raise self._problem(node, f"{name} must be a section with keys")
        keys = self._entries(node)
        expected = get_type_hints(kind)
        self._names_known(keys, tuple(expected), f"key in {name}")
        values = {}
        for key, annotation in expected.items():
            if key not in keys:
                if key in _with_default(kind):
                    continue
                raise self._problem(entries[name].key, f"{name}.{key} is missing")
            values[key] = self._value(f"{name}.{key}", annotation, keys[key].value)
        try:
            return kind(**values)
        except RequestError as problem:
            key = problem.field_name.partition(".")[2]
            raise self._problem(keys[key].value if key in keys else node, str(problem)) from None

    def _value(self, name: str, annotation: Any, node: yaml.Node) -> Any:
        value = self._constructed(node)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            value = tuple(value)
        if isinstance(value, int) and not isinstance(value, bool) and _takes_float(annotation):
            value = float(value)
        # YAML 1.1 reads 2e-4 as text; people write it and mean the number.
        if isinstance(value, str) and _takes_float(annotation):
            value = _as_float(value)
        if not _matches(value, annotation):
            raise self._problem(node, f"{name} must be {_words(annotation)}, got {_shown(node)}")
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0:
            raise self._problem(node, f"{name} must not be negative, got {_shown(node)}")
        return value

    def _constructed(self, node: yaml.Node) -> Any:
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError, TypeError, RecursionError):
            raise self._problem(node, f"cannot read {_shown(node)}") from None
        finally:
            loader.dispose()

    def _entries(self, node: yaml.MappingNode) -> dict[str, _Entry]:
        entries: dict[str, _Entry] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._problem(key, "keys must be plain words")
            if key.value in entries:
                raise self._problem(key, f"{key.value} stands here twice")
            entries[key.value] = _Entry(key, value)
        return entries

    def _names_known(self, entries: dict[str, _Entry], known: tuple[str, ...], what: str) -> None:
        for name, entry in entries.items():
            if name not in known:
                from difflib import get_close_matches

                close = get_close_matches(name, known, n=2)
                hint = (
                    f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}"
                )
                raise self._problem(entry.key, f'unknown {what}: "{name}"', hint)

    def _problem(self, node: yaml.Node, message: str, *hints: str) -> PlanFileError:
        return PlanFileError(self.name, node.start_mark.line + 1, message, *hints)


def _with_default(kind: Any) -> tuple[str, ...]:
    """Keys that a file may leave out."""
    return tuple(field.name for field in fields(kind) if field.default is not MISSING)


class _Entry:
    """A key and its value, as nodes."""

    def __init__(self, key: yaml.ScalarNode, value: yaml.Node) -> None:
        self.key = key
        self.value = value


def _as_float(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _options(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def _takes_float(annotation: Any) -> bool:
    return float in _options(annotation)


def _matches(value: object, annotation: Any) -> bool:
    for option in _options(annotation):
        if option is type(None):
            found = value is None
        elif get_origin(option) is Literal:
            found = value in get_args(option)
        elif get_origin(option) is tuple:
            found = isinstance(value, tuple) and len(value) > 0
        else:
            found = isinstance(value, option) and not (option is int and isinstance(value, bool))
        if found:
            return True
    return False


def _words(annotation: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    words: list[str] = []
    for option in _options(annotation):
        if option is type(None):
            words.append("null")
        elif get_origin(option) is Literal:
            words.extend(str(word) for word in get_args(option))
        elif get_origin(option) is tuple:
            words.append("a list of names")
        else:
            words.append(names.get(option, option.__name__))
    return " or ".join(words)


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value) if node.value else "nothing"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a section"
