"""Files that are not quite what their name or their first row says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from launcher.data.checkup import check_up
from launcher.data.rows import read_data
from launcher.errors import DataError


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    """Rows as JSON Lines."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize(
    ("name", "content", "first"),
    [
        ("a.txt", jsonl([{"prompt": "a", "completion": "b" * 5000}]), {"completion": "b" * 5000}),
        ("a.csv", b"Text, LABEL \na,x\n", {"text": "a", "label": "x"}),
        (
            "a.csv",
            (
                b'id,messages\n1,"[{""role"":""user"",""content"":""a""},'
                b'{""role"":""assistant"",""content"":""b""}]"\n'
            ),
            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        ),
        ("a.jsonl", b'{"text": "a", "label": 1.0}\n', {"label": "1"}),
    ],
    ids=["JSON lines named text", "names in capitals", "chats in a table", "whole fractions"],
)
def test_what_people_have_is_taken_as_it_is_meant(
    tmp_path: Path, name: str, content: bytes, first: dict[str, Any]
) -> None:
    """By what stands there, where the name or the program that wrote it misleads."""
    (tmp_path / name).write_bytes(content)

    assert first.items() <= read_data(tmp_path / name).rows[0].items()


@pytest.mark.parametrize(
    ("asked", "answered"), [("developer", "assistant"), ("function", "assistant")]
)
def test_roles_of_older_and_newer_interfaces_are_known(
    tmp_path: Path, asked: str, answered: str
) -> None:
    """`developer` is the system, `function` a tool."""
    first = [{"role": asked, "content": "x"}, {"role": answered, "content": "y"}]
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"messages": first}]))

    (row,) = read_data(tmp_path / "a.jsonl").rows
    assert row["messages"][0]["role"] == {"developer": "system", "function": "tool"}[asked]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"text": "a"}\n'.encode("utf-16-le"), "a.jsonl: is UTF-16 text, not UTF-8"),
        ("a.json", b"[]", "a.json: has only blank lines"),
        (
            "a.json",
            b'{"train": [{"text": "a"}],\n"test": [{"text": "b"}]}',
            (
                'a.json:2: starts a second list, "test", which is not read (write each list to a '
                "file of its own, such as train.json and test.json)"
            ),
        ),
        (
            "a.jsonl",
            b'{"prompt": "a", "chosen": "b", "rejected": "c"}\n',
            (
                "a.jsonl:1: is a pair of a chosen and a rejected answer, which cannot be learned "
                "from here (write the prompt with the chosen answer as prompt and completion)"
            ),
        ),
    ],
    ids=["UTF-16 without a mark", "an empty list", "a second list", "a preference"],
)
def test_what_cannot_be_taken_is_called_what_it_is(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    """So that nobody looks for a mistake that is not there, and no row is lost in silence."""
    (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError) as caught:
        read_data(tmp_path / name)

    assert caught.value.message.removeprefix(f"{tmp_path}/") == message


def test_a_quote_left_open_costs_its_own_row_alone(tmp_path: Path) -> None:
    """The rows it would swallow up to the end of the file are good ones."""
    path = tmp_path / "a.csv"
    path.write_text('text,label\na,x\n"open,y\n' + "b,z\n" * 50)

    found = check_up(path)

    assert (found.rows, [problem.line for problem in found.problems]) == (51, [3])
