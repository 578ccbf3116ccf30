"""`tlplan estimate` answers JSON lines in the order they came."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_LEAST = {"model": "llama-3.1-8b", "method": "qlora", "micro_batch": 1, "sequence_tokens": 2048}
_CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 100,
}


def _run(text: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "launcher", "estimate", *(words or ("-",))],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _answers(*cases: Any) -> list[dict[str, Any]]:
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in cases)
    done = _run(text)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_lines_are_answered_in_order() -> None:
    """One answer a line, with the id of its case; empty lines have none."""
    first, second = _answers({**_LEAST, "id": "a"}, "\n", {**_LEAST, "id": 2, "method": "lora"})

    assert (first["id"], second["id"]) == ("a", 2)
    assert (
        first["memory"]["needed_bytes"]["expected"] < second["memory"]["needed_bytes"]["expected"]
    )


def test_a_config_stands_for_a_model() -> None:
    """The numbers of a config.json are enough."""
    case = {key: value for key, value in _LEAST.items() if key != "model"}

    (answer,) = _answers({**case, "config": _CONFIG})

    assert 0 < answer["memory"]["parts"]["weights_bytes"] < 1_000_000


def test_a_card_is_judged_by_what_it_can_give() -> None:
    """The capacity is what one process can take of the card."""
    (answer,) = _answers({**_LEAST, "gpu": "rtx-4090"})

    assert answer["verdict"]["fits"] == "yes"
    assert 23e9 < answer["verdict"]["capacity_bytes"] < 24 * 2**30


def _with_config(**keys: Any) -> str:
    return json.dumps({**_LEAST, "model": None, "config": {**_CONFIG, **keys}})


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("{", "NOT_JSON", "line 1"),
        ("[1]", "NOT_AN_OBJECT", "line 1"),
        (json.dumps({**_LEAST, "batch": 1}), "BAD_FIELD", '"batch"'),
        (json.dumps({**_LEAST, "micro_batch": "1"}), "BAD_FIELD", "micro_batch"),
        (json.dumps({**_LEAST, "config": _CONFIG}), "BAD_FIELD", "either model or config"),
        (json.dumps({**_LEAST, "model": None, "config": {}}), "BAD_CONFIG", "hidden_size"),
        (_with_config(num_attention_heads=None), "BAD_CONFIG", "num_attention_heads"),
        (_with_config(hidden_size=62), "BAD_CONFIG", "multiple of the 4 attention heads"),
        (_with_config(rope_parameters=5), "BAD_CONFIG", "rope_parameters"),
        (_with_config(architectures=5), "BAD_CONFIG", "architectures"),
        (json.dumps({**_LEAST, "model": "a" * 5000}), "NOT_FOUND", "no model named"),
        ("[" * 100_000, "NOT_JSON", "nested too deep"),
        ('{"id": [NaN]}', "BAD_FIELD", "id must be a JSON value"),
    ],
)
def test_a_bad_line_fails_alone(line: str, code: str, words: str) -> None:
    """Its answer is an error object; the lines around it are answered."""
    bad, good = _answers(line + "\n", {**_LEAST, "id": "good"})

    assert bad["error"]["code"] == code
    assert words in bad["error"]["message"]
    assert isinstance(bad["error"]["hints"], list)
    assert "memory" in good


def test_cases_are_read_from_a_file(tmp_path: Path) -> None:
    """A file and standard input give the same bytes."""
    text = json.dumps(_LEAST) + "\n"
    file = tmp_path / "cases.jsonl"
    file.write_text(text, encoding="utf-8")

    assert _run("", str(file)).stdout == _run(text).stdout


def test_a_line_that_is_no_utf8_fails_alone(tmp_path: Path) -> None:
    """A byte order mark, carriage returns and a missing last newline are no mistakes."""
    case = json.dumps(_LEAST).encode()
    file = tmp_path / "cases.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + case + b"\r\n\xff\xfe{}\r\n" + case)

    answers = [json.loads(line) for line in _run("", str(file)).stdout.splitlines()]

    assert ["memory" in answer for answer in answers] == [True, False, True]
    assert answers[1]["error"]["message"] == "line 2: not UTF-8"


def test_nothing_in_gives_nothing_out() -> None:
    """An empty list of cases has an empty list of answers."""
    assert _answers() == []


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """One error line with the path, and the exit code of wrong usage."""
    missing = tmp_path / "no-cases.jsonl"

    done = _run("", str(missing))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error:")
    assert str(missing) in done.stderr


def test_an_unknown_card_leaves_the_estimate_without_a_verdict() -> None:
    """The bytes stand, the verdict is null, and the reason names the card."""
    (answer,) = _answers({**_LEAST, "gpu": "rtx-4091"})

    assert answer["memory"]["allocated_bytes"]["expected"] > 0
    assert answer["verdict"]["fits"] is None
    assert "rtx-4091" in answer["verdict"]["reason"]


def test_a_line_is_answered_while_the_next_is_being_written() -> None:
    """A program that asks one case after another waits for no more than its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "launcher", "estimate", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        for case_id in ("first", "second"):
            program.stdin.write(json.dumps({**_LEAST, "id": case_id}) + "\n")
            program.stdin.flush()
            assert json.loads(program.stdout.readline())["id"] == case_id
        program.stdin.close()
        assert program.wait(timeout=60) == 0
