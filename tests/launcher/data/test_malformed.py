"""A hundred ways in which people's files are broken, each with the line that names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from launcher.data.checkup import check_up
from launcher.data.rows import read_data
from launcher.errors import DataError
from launcher.exit_codes import ExitCode

MALFORMED: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("malformed.json").read_text(encoding="utf-8")
)
each = pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case["name"])


def written(case: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The broken file, in the working folder, so that messages name it as it was typed."""
    monkeypatch.chdir(folder)
    path = Path(case["file"])
    content = bytes.fromhex(case["hex"]) if "hex" in case else case["content"].encode()
    path.write_bytes(content)
    return path


def test_there_are_a_hundred() -> None:
    """None of them twice."""
    assert len({case["name"] for case in MALFORMED}) == len(MALFORMED) >= 100


@each
def test_reading_names_file_line_field_reason_and_fix(
    case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`file:line: field: reason (fix)`, as the error a launch ends with."""
    path = written(case, tmp_path, monkeypatch)

    with pytest.raises(DataError) as caught:
        read_data(path)

    assert caught.value.message == case["expected"]
    assert caught.value.code == ExitCode.BAD_DATA


@each
def test_a_check_names_the_same(
    case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tlplan data` and a launch never disagree about a row."""
    path = written(case, tmp_path, monkeypatch)

    found = check_up(path)

    assert found.problems[0].describe() == case["expected"]
    assert found.verdict == "not usable as it is"
