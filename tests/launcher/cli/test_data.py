"""`tlplan data` as a person types it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from launcher.data.fixing import write_good_rows
from launcher.data.sources import source_of
from launcher.errors import DataError
from launcher.exit_codes import ExitCode
from tests.launcher.cli.program import tlplan
from tests.models import smollm2, tiny_model

__all__ = ["smollm2", "tiny_model"]

SECRET = "sk-abcdefghijklmnopqrstuvwx"


def chat(question: str, answer: str) -> dict[str, Any]:
    """A row of one question and its answer."""
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
    }


def written(path: Path, rows: list[Any]) -> Path:
    """Rows as JSON Lines; text stands as it is."""
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Two good rows, one of them twice, one suspicious and three bad ones."""
    return written(
        tmp_path / "train.jsonl",
        [
            chat("Hi", "Hello"),
            chat("Hi", ""),
            {"messages": [{"role": "user", "content": "Hi"}]},
            chat(f"Write to bob@example.com, the key is {SECRET}", "<|im_start|>caf\u00c3\u00a9"),
            chat("Hi", "Hello"),
            '{"broken',
        ],
    )


def test_every_bad_row_is_named_with_line_field_reason_and_fix(damaged: Path) -> None:
    """The answer is on stdout, the exit code says that a launch would refuse the file."""
    ended = tlplan("data", str(damaged))

    assert ended.code == ExitCode.BAD_DATA
    assert (
        f"  {damaged}:2: messages[1].content: is an empty answer "
        "(write the answer or remove the row)\n"
    ) in ended.out
    assert f"  {damaged}:3: messages: has no assistant message" in ended.out
    assert f"  {damaged}:6: broken JSON at column 2" in ended.out


def test_secrets_are_counted_and_never_printed(damaged: Path) -> None:
    """Neither the text nor the JSON holds any of them, nor an address."""
    for words in (["data", str(damaged)], ["data", str(damaged), "--json"]):
        ended = tlplan(*words)

        assert SECRET not in ended.out + ended.err
        assert "bob@example.com" not in ended.out + ended.err
        assert "API key 1" in ended.out
        assert "e-mail address 1" in ended.out


def test_json_tells_the_same(damaged: Path) -> None:
    """Counts, problems and findings by code."""
    document = json.loads(tlplan("data", str(damaged), "--json").out)

    assert (document["rows"], document["bad_rows"]) == (3, 3)
    assert [problem["line"] for problem in document["problems"]] == [2, 3, 6]
    assert {finding["code"] for finding in document["findings"]} == {
        "DUPLICATES", "TEMPLATE_IN_TEXT", "ENCODING_DAMAGE", "SECRET", "PERSONAL_DATA",
        "NOTHING_HELD_OUT",
    }  # fmt: skip
    assert document["verdict"] == "not usable as it is"
    assert [item["code"] for item in document["advice"]] == ["IN_CONTEXT_FIRST"]


def test_fix_writes_the_good_rows_and_a_list_of_the_rest(damaged: Path, tmp_path: Path) -> None:
    """The new file is usable, each row left out is named, nothing is overwritten."""
    clean = tmp_path / "clean.jsonl"

    ended = tlplan("data", str(damaged), "--fix", str(clean))

    assert ended.code == ExitCode.DONE
    assert [json.loads(line) for line in clean.read_text().splitlines()] == [
        chat("Hi", "Hello"),
        json.loads(damaged.read_text().splitlines()[3]),
    ]
    rest = (tmp_path / "clean.jsonl.rest.txt").read_text().splitlines()
    assert [line.split(": ")[0] for line in rest] == [f"{damaged}:{n}" for n in (2, 3, 5, 6)]
    assert tlplan("data", str(clean)).code == ExitCode.DONE
    assert tlplan("data", str(damaged), "--fix", str(clean)).code == ExitCode.USAGE


def test_rows_near_to_held_out_ones_are_named(tmp_path: Path) -> None:
    """A held-out file whose rows stand in the training data in other words is found."""
    words = [f"word{number}" for number in range(400)]
    rows = [chat(" ".join(words[n : n + 30]), f"Answer {n}.") for n in range(0, 370, 30)]
    train = written(tmp_path / "train.jsonl", rows)
    nearly = chat(" ".join(["Please:", *words[60:90], "Thanks!"]), "Answer 60.")
    test = written(tmp_path / "test.jsonl", [nearly, chat("Something else entirely.", "Yes.")])

    document = json.loads(tlplan("data", str(train), "--held-out", str(test), "--json").out)

    (leak,) = [each for each in document["findings"] if each["code"] == "LEAKAGE"]
    assert leak["rows"] == 1
    assert leak["places"][0].startswith(f"{train}:3: repeats ")
    assert f"of {test}:1" in leak["places"][0]


def test_labels_are_looked_at(tmp_path: Path) -> None:
    """Spelling, kinds, contradictions and balance."""
    rows = [{"text": f"Text {n}.", "label": "Spam" if n % 12 else "ham"} for n in range(120)]
    rows += [{"text": "Text 1.", "label": "ham"}, {"text": "New.", "label": "spam"}]
    rows += [{"text": "Newer.", "label": 3}]
    path = written(tmp_path / "train.jsonl", rows)

    document = json.loads(tlplan("data", str(path), "--json").out)

    assert {each["code"] for each in document["findings"]} >= {
        "CONTRADICTION", "LABEL_TYPES", "LABEL_SPELLING", "SMALL_CLASSES", "LABEL_IMBALANCE",
    }  # fmt: skip
    assert document["labels"] == {"3": 1, "Spam": 110, "ham": 11, "spam": 1}


def test_a_large_file_is_read_by_several_processes_with_the_same_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line numbers, counts and places do not depend on how the work is shared."""
    from launcher.data import surveying
    from launcher.data.checkup import check_up

    rows: list[Any] = [chat(f"Question {n}?", f"Answer {n}.") for n in range(3000)]
    rows[1500], rows[2999] = chat("Q", ""), '{"broken'
    rows[2000] = rows[17]
    path = written(tmp_path / "train.jsonl", rows)

    alone = check_up(path)
    monkeypatch.setattr(surveying, "_LARGE_BYTES", 1)
    monkeypatch.setattr(surveying, "_PART_BYTES", 50_000)
    shared = check_up(path)

    assert shared == alone
    assert [problem.line for problem in shared.problems] == [1501, 3000]


def test_a_model_counts_the_tokens(tmp_path: Path, tiny_model: Path) -> None:
    """With the model's folder at hand, lengths are those of training."""
    path = written(tmp_path / "train.jsonl", [chat("Hi", "Hello")] * 12)

    document = json.loads(tlplan("data", str(path), "--model", str(tiny_model), "--json").out)

    assert document["lengths"]["exact"] is True
    assert document["lengths"]["how"] == "counted with the model's tokenizer and chat template"


def test_fix_leaves_nothing_where_it_cannot_end(tmp_path: Path) -> None:
    """A file that breaks off behind good rows; and what is refused is refused at the start."""
    rows = gzip.compress("".join(f'{{"text": "{n}"}}\n' for n in range(100_000)).encode())
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl.gz").write_bytes(rows[: len(rows) // 2])
    before = sorted(tmp_path.iterdir())

    source = source_of(tmp_path / "in")
    with pytest.raises(DataError):
        write_good_rows(source, tmp_path / "clean.jsonl", frozenset())

    assert sorted(tmp_path.iterdir()) == before
    missing = tmp_path / "nowhere" / "clean.jsonl"
    assert tlplan("data", str(tmp_path / "in"), "--fix", str(missing)).code == ExitCode.USAGE
