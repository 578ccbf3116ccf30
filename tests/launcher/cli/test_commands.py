"""The table of commands, their options, and that no advice names what does not exist."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.cli.command_line import CHECK, COMMANDS, command_module, parse, parser_of
from launcher.cli.help import SHORT_HELP, TOPICS, help_text
from launcher.errors import UsageError
from launcher.exit_codes import ExitCode
from tests.launcher.cli.program import REPOSITORY, check_golden

ALL = (CHECK, *COMMANDS)
FOREIGN = {
    "launcher/demo/wheel.py",
    "launcher/runs/starting.py",
    "launcher/runs/supervisor.py",
    "launcher/training/worker.py",
    "launcher/wizard/gpu/text.py",
}
"""Files whose options belong to other programs."""
PROSE = {"in", "knows", "needs", "never", "plans", "reads", "tlplan"}
"""Words that follow the name tlplan without being a command."""


def options_of(name: str) -> set[str]:
    """Every option string of a command."""
    parser = parser_of(name, command_module(name))
    return {word for action in parser._actions for word in action.option_strings}


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_help_of_its_own(name: str) -> None:
    """Has one line for the list and a help text within 80 columns."""
    module = command_module(name)
    text = parser_of(name, module).format_help()

    assert module.HELP
    assert "\n" not in module.HELP
    assert len(f"  {name:14}{module.HELP}") <= 80
    assert max(map(len, text.splitlines())) <= 80
    assert callable(module.run)


def test_the_options_are_frozen() -> None:
    """A new option is a decision: it shows in the golden file."""
    lines = [f"{name}: {' '.join(sorted(options_of(name)))}" for name in ALL]

    check_golden("flags.txt", "\n".join([*lines, ""]))


def test_planning_options_have_one_spelling_everywhere() -> None:
    """What the check takes, plan and launch take too."""
    looks = {"--color", "--ascii"}

    assert options_of(CHECK) - looks <= options_of("plan")
    assert options_of(CHECK) - looks <= options_of("launch")


def test_every_command_is_listed() -> None:
    """`tlplan help commands` has a line for each, and the short help names only real ones."""
    listed = help_text("commands")
    named = SHORT_HELP.partition("\nCommands\n")[2].partition("\n\n")[0]

    for name in COMMANDS:
        assert f"\n  {name:14}" in listed
    for name in re.findall(r"(?:^| {2,})([a-z]+) {2,}", named):
        assert name in COMMANDS


def test_every_exit_code_is_explained() -> None:
    """`tlplan help exit-codes` explains each code."""
    explained = {
        int(word) for word in re.findall(r"^ +(\d+)  ", help_text("exit-codes"), re.MULTILINE)
    }

    assert explained == set(ExitCode)


@pytest.mark.parametrize("topic", [*TOPICS, *COMMANDS])
def test_every_topic_has_a_text(topic: str) -> None:
    """Help on a topic is never empty."""
    assert help_text(topic).strip()


def sentences() -> Iterator[tuple[str, str]]:
    """Every text in the program with its place, placeholders written as X."""
    for folder in ("launcher", "planner", "hwdb"):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            where = path.relative_to(REPOSITORY).as_posix()
            if where not in FOREIGN:
                yield from ((f"{where}:{line}", text) for line, text in texts_of(path))
    yield "short help", SHORT_HELP


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """Texts of one file: no docstrings, and f-strings as a whole."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped.update(id(part) for part in ast.walk(node) if part is not node)
            parts = [p.value if isinstance(p, ast.Constant) else "X" for p in node.values]
            yield node.lineno, "".join(map(str, parts))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in skipped
        ):
            yield node.lineno, node.value


def commands_in(text: str) -> Iterator[list[str]]:
    """Words of each tlplan command in a text, up to where prose goes on."""
    for match in re.finditer(r"(?<![\w'./-])tlplan ((?:[^\n]|\\\n)+)", text):
        words: list[str] = []
        for word in match[1].split():
            bare = word.strip("`'\",;:()|").rstrip(".")
            follows_option = bool(words) and words[-1].startswith("--") and words[-1] != "--json"
            is_part = bare.startswith("-") or bare.isupper() or re.search(r"[./\d]", bare)
            if words and not (is_part or follows_option):
                break
            words.append(bare)
            if word[-1] in ",;:)|`":
                break
        yield words


def test_every_command_in_a_text_can_be_typed() -> None:
    """Parses each command that any hint, note, error or help text names."""
    found = 0
    for where, text in sentences():
        for words in commands_in(text):
            if not words or words[0] in PROSE or words[0].startswith(("X", "{", "[")):
                continue
            found += 1
            if words[0] == "COMMAND":
                continue
            assert words[0] in COMMANDS or words[0].startswith("--"), f"{where}: {words}"
            typed = [word.replace("|", "") for word in words]
            try:
                parse(typed)
            except SystemExit:
                continue
            except UsageError as problem:
                pytest.fail(f"{where}: {' '.join(words)}: {problem}")
    assert found > 20


def test_every_option_in_a_text_exists() -> None:
    """No hint, note, error or help text names an option that no command has."""
    known = set().union(*(options_of(name) for name in ALL)) | {"--version"}
    for where, text in sentences():
        if " " not in text or "pip " in text:
            continue
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", text):
            assert option in known, f"{where}: {option} in {text!r}"


def readme_commands() -> list[str]:
    """Lines of the README's code blocks that start with tlplan."""
    readme = REPOSITORY / "README.md"
    if not readme.is_file():
        return []
    blocks = re.findall(r"```[a-z]*\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("tlplan ")]


@pytest.mark.parametrize("line", readme_commands())
def test_every_command_of_the_readme_can_be_typed(line: str) -> None:
    """Parses each command in a code block of the README."""
    words = shlex.split(line.split("|", maxsplit=1)[0].split(" #", maxsplit=1)[0], comments=True)[
        1:
    ]
    if words in (["--version"], ["--help"]):
        return
    try:
        parse(words)
    except SystemExit:
        return
