"""launcher/typed_path.py, and that no command stumbles over a home that nobody has."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.__main__ import main
from launcher.exit_codes import ExitCode
from launcher.typed_path import typed_path


def test_a_home_is_made_whole_where_somebody_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """~ alone is one's own; ~name of nobody stays as it was typed."""
    monkeypatch.setenv("HOME", "/home/ada")

    assert typed_path("~/rows.jsonl") == Path("/home/ada/rows.jsonl")
    assert typed_path("~nobody-here/rows.jsonl") == Path("~nobody-here/rows.jsonl")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["data", "~nobody-here/rows.jsonl"], ExitCode.BAD_DATA),
        (["--model", "~nobody-here/tiny"], ExitCode.USAGE),
    ],
    ids=["data", "model"],
)
def test_a_path_in_nobodys_home_is_no_file(
    words: list[str], code: ExitCode, capsys: pytest.CaptureFixture[str]
) -> None:
    """As any other path that leads nowhere."""
    assert main(words) == code
    assert "no such file" in capsys.readouterr().err
