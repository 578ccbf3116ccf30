"""How tlplan starts and ends: help, version, pipes, interruptions and bugs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from launcher.__main__ import main
from launcher.cli import check
from launcher.version import VERSION
from tests.launcher.cli.program import REPOSITORY, plain_environment, tlplan

CARD = ("--model", "llama-3.1-8b", "--gpu", "rtx-4090")


def test_the_version_is_that_of_the_package() -> None:
    """Prints the version pyproject.toml has."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    answer = tlplan("--version")

    assert project["version"] == VERSION
    assert answer.out == f"tlplan {VERSION}\n"
    assert answer.code == 0


def test_without_words_and_terminal_prints_usage_on_stderr() -> None:
    """Ends with 2 and leaves stdout empty."""
    answer = tlplan()

    assert answer.code == 2
    assert answer.out == ""
    assert "Examples" in answer.err


@pytest.mark.parametrize("columns", ["40", "200"])
def test_help_fits_a_small_terminal(columns: str) -> None:
    """Has at most 24 lines of at most 80 columns, three examples and eight commands."""
    answer = tlplan("--help", COLUMNS=columns)
    lines = answer.out.splitlines()
    commands = answer.out.partition("\nCommands\n")[2].partition("\n\n")[0].splitlines()

    assert answer.code == 0
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("  tlplan ") for line in lines) == 3
    assert 2 * len(commands) <= 8


def test_a_reader_that_leaves_early_ends_it_silently() -> None:
    """Says nothing on stderr when stdout is closed, as `| head -3` does."""
    command = f"{sys.executable} -m launcher help options | head -3; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=REPOSITORY,
        env=plain_environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 3


def test_a_closed_pipe_gives_no_traceback() -> None:
    """Even a reader that never read leaves stderr empty."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "launcher", *CARD],
        cwd=REPOSITORY,
        env=plain_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 0


def test_an_interruption_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C during a check is no error message and no traceback."""

    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "run", interrupted)

    assert main(list(CARD)) == 130


def test_a_bug_leaves_a_report_without_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ends with 1, one error line and the path of a report that holds no token."""

    def broken(_: object) -> int:
        raise RuntimeError("cannot go on with hf_abcdefghijklmnop and my-own-secret")

    monkeypatch.setattr(check, "run", broken)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HF_TOKEN", "my-own-secret")

    assert main([*CARD, "--json"]) == 1

    (report,) = (tmp_path / "tlplan").glob("report-*.txt")
    shown = capsys.readouterr()
    assert str(report) in shown.err
    assert "Traceback" not in shown.err
    assert "RuntimeError" in report.read_text()
    for text in (report.read_text(), shown.err, shown.out):
        assert "hf_abcdefghijklmnop" not in text
        assert "my-own-secret" not in text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("lauch",), "did you mean launch"),
        (("--modle", "x"), "did you mean --model"),
        ((*CARD, "--method", "lorra"), "did you mean lora, qlora?"),
        ((*CARD, "--seq", "long"), '--seq takes a whole number, not "long"'),
        ((*CARD, "--batch", "0"), "--batch must be at least 1, not 0"),
        ((*CARD, "--seq"), "--seq"),
        ((*CARD, "more"), 'nothing is expected here: "more"'),
        ((*CARD, "--rank", "999999"), "--rank 999999 is above"),
        ((*CARD, "--targets", "q_prj"), '--targets names "q_prj"'),
        ((*CARD, "--method", "full", "--rank", "8"), "--rank goes with"),
        ((*CARD, "--method", "lora", "--weights", "nf4"), "--weights nf4 goes with"),
        ((*CARD, "--method", "lora", "--train-last", "2"), "--train-last goes with"),
        (("plan", "--model", "smollm2-135m", "--gpu", "cpu"), "--data is missing"),
        (("plan", *CARD, "--trace"), "--data is missing"),
        (("plan",), "--model is missing"),
        (("schema", "chekc"), "did you mean check?"),
        (("help", "exit-code"), "did you mean exit-codes?"),
    ],
)
def test_a_slip_is_told_in_one_line_with_a_hint(
    words: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names what is wrong and what is near, and ends with 2."""
    code = main(list(words))
    shown = capsys.readouterr()

    assert code == 2
    assert shown.out == ""
    assert expected in shown.err
    assert shown.err.startswith("error:")
    assert shown.err.count("error:") == 1
