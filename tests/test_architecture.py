"""Who may import whom, who owns which library, and what no file may be or say."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_PACKAGES = ("hwdb", "planner", "launcher")
_SOURCES = sorted(path for name in _PACKAGES for path in (_ROOT / name).rglob("*.py"))
_TESTS = sorted((_ROOT / "tests").rglob("*.py"))

_MAY_IMPORT = {
    "hwdb": {"hwdb"},
    "planner": {"hwdb", "planner"},
    "launcher": {"hwdb", "planner", "launcher"},
}

_TRAINING = ("launcher/training/", "launcher/tracing/", "launcher/evaluation/")
_OWNERS: dict[str, tuple[str, ...]] = {
    "pynvml": ("hwdb/detect/nvml",),
    "psutil": ("hwdb/detect/host.py", "launcher/runs/process_identity.py"),
    "yaml": ("planner/plan_file.py",),
    "huggingface_hub": ("launcher/hub.py",),
    "rich": ("launcher/wizard/",),
    "textual": ("launcher/wizard/",),
    "textual_serve": ("launcher/wizard/serving/",),
    "aiohttp": ("launcher/wizard/serving/",),
    "tokenizers": (*_TRAINING, "launcher/data/token_count.py"),
    "pyarrow": ("launcher/data/arrow.py",),
    "PIL": (*_TRAINING, "launcher/data/images.py"),
    "jinja2": (*_TRAINING, "launcher/data/chat_template.py"),
    **dict.fromkeys(
        (
            *("torch", "transformers", "peft", "trl", "bitsandbytes", "accelerate"),
            *("datasets", "safetensors", "gguf", "numpy"),
        ),
        _TRAINING,
    ),
}

_NEVER_IN_PLANNER = frozenset(
    (
        *("torch", "transformers", "textual", "rich", "psutil", "pynvml", "huggingface_hub"),
        *("time", "datetime", "subprocess", "pathlib", "os", "io", "shutil", "tempfile"),
        *("socket", "urllib", "http", "logging", "random", "argparse", "sys"),
    )
)
_WRITES_STDOUT = (
    *("launcher/cli/", "launcher/view/", "launcher/output/", "launcher/__main__.py"),
    *("launcher/training/", "launcher/evaluation/worker.py", "hwdb/check.py"),
)
_EMPTY_NAMES = ("util", "utils", "helper", "helpers", "common", "misc", "manager", "managers")
_LONGEST_FILE = 300


def _name(path: Path) -> str:
    return path.relative_to(_ROOT).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _imports(path: Path) -> Iterator[str]:
    """Every module a file imports anywhere, TYPE_CHECKING blocks and functions included."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(path)}:{node.lineno}: relative import"
            yield node.module or ""


def _top_level_imports(path: Path) -> Iterator[str]:
    for node in _tree(path).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def _calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(_tree(path)) if isinstance(node, ast.Call))


each_source = pytest.mark.parametrize("path", _SOURCES, ids=_name)


@each_source
def test_imports_point_one_way(path: Path) -> None:
    """Direction: hwdb <- planner <- launcher, never back, types included."""
    package = _name(path).split("/")[0]
    imported = {module.split(".")[0] for module in _imports(path)}

    assert imported & {*_PACKAGES, "tests", "bench"} <= _MAY_IMPORT[package]


@each_source
def test_each_library_has_its_owner(path: Path) -> None:
    """A library is imported only by the files that exist to talk to it."""
    strays = {
        module
        for module in (name.split(".")[0] for name in _imports(path))
        if module in _OWNERS and not _name(path).startswith(_OWNERS[module])
    }

    assert not strays


_PLANNER_FILES = [path for path in _SOURCES if _name(path).startswith("planner/")]


@pytest.mark.parametrize("path", _PLANNER_FILES, ids=_name)
def test_the_planner_only_computes(path: Path) -> None:
    """No clock, no process, no file, no printing: the same input gives the same answer."""
    imported = {module.split(".")[0] for module in _imports(path)}
    called = {call.func.id for call in _calls(path) if isinstance(call.func, ast.Name)}

    assert not imported & _NEVER_IN_PLANNER
    assert not called & {"open", "print", "input", "exec", "eval", "__import__"}


_LATE = {"launcher.data.token_count", "launcher.data.chat_template", "launcher.data.arrow"}


@each_source
def test_tokenizers_and_templates_are_loaded_late(path: Path) -> None:
    """Nobody imports their owners at the top of a file."""
    assert not _LATE & set(_top_level_imports(path))


@each_source
def test_print_belongs_to_the_error_stream(path: Path) -> None:
    """Lines for people go through launcher.stderr."""
    prints = [
        call.lineno
        for call in _calls(path)
        if isinstance(call.func, ast.Name) and call.func.id == "print"
    ]

    assert not prints or _name(path) == "launcher/stderr.py"


@each_source
def test_standard_output_has_few_writers(path: Path) -> None:
    """The answer is written by commands and views, by nobody else."""
    names_stdout = [
        node.lineno
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute) and node.attr == "stdout"
        and isinstance(node.value, ast.Name) and node.value.id == "sys"
    ]  # fmt: skip

    assert not names_stdout or _name(path).startswith(_WRITES_STDOUT)


@pytest.mark.parametrize("path", [*_SOURCES, *_TESTS], ids=_name)
def test_files_stay_small_and_say_their_reason(path: Path) -> None:
    """At most 300 lines, and a docstring on top wherever there is code."""
    text = path.read_text(encoding="utf-8")

    assert len(text.splitlines()) <= _LONGEST_FILE
    assert not text.strip() or ast.get_docstring(_tree(path))


@pytest.mark.parametrize("path", [*_SOURCES, *_TESTS], ids=_name)
def test_names_say_what_a_file_is_for(path: Path) -> None:
    """No utils, helpers, common, misc or manager."""
    words = {word for part in path.relative_to(_ROOT).parts for word in re.split(r"[_.]", part)}

    assert not words & set(_EMPTY_NAMES)


def _tracked_texts() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "*.py", "*.md"],
        cwd=_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        return []
    return [_ROOT / name for name in listed.stdout.split("\0") if name and (_ROOT / name).exists()]


def test_texts_speak_of_the_program_alone() -> None:
    """No ticket numbers, and nothing about how the code came to be written."""
    forbidden = re.compile(
        r"\bissue\s*#?\d|\b(?:in|this|previous|later|earlier) (?:session|sub-?agent)s?\b"
        r"|(?<![\w&/])#\d+\b(?!\w)|/work/|\bsub-?agents?\b",
        re.IGNORECASE,
    )
    found = [
        f"{_name(path)}:{number}: {line.strip()}"
        for path in _tracked_texts()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if forbidden.search(line)
    ]

    assert found == []
