"""What is said of rows that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launcher.data.problems import accepted_layouts
from launcher.data.rows import PROBLEM_LIMIT, read_data
from launcher.errors import DataError
from launcher.exit_codes import ExitCode

GOOD_CHAT = (
    '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}'
)


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages show the path as it was typed, here without a folder."""
    monkeypatch.chdir(tmp_path)


def failure_of(content: bytes | str) -> DataError:
    """The error that reading a file with this content ends in."""
    path = Path("train.jsonl")
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError) as caught:
        read_data(path)
    return caught.value


def chat(*messages: object) -> str:
    """One line of the messages layout."""
    return json.dumps({"messages": messages})


USER = {"role": "user", "content": "a"}
ANSWER = {"role": "assistant", "content": "b"}
ROLES = "use one of system, user, assistant, tool"

BAD_CHATS = {
    "not a list": (
        '{"messages": "a"}',
        "messages: must be a list, not text (put the messages in [ ])",
    ),
    "empty list": (
        chat(),
        "messages: is empty (add the conversation or remove the row)",
    ),
    "message is text": (
        chat("Hi"),
        "messages[0]: must be an object, not text (give it a role and a content)",
    ),
    "no role": (
        chat({"content": "a"}, ANSWER),
        f"messages[0].role: is missing ({ROLES})",
    ),
    "role is null": (
        chat({"role": None, "content": "a"}, ANSWER),
        f"messages[0].role: must be text, not null ({ROLES})",
    ),
    "unknown role": (
        chat({"role": "bot\x1b", "content": "a"}, ANSWER),
        f"messages[0].role: is unknown: 'bot\\x1b' ({ROLES})",
    ),
    "no content": (
        chat(USER, {"role": "assistant"}),
        "messages[1].content: is missing (add it or remove the row)",
    ),
    "content in parts": (
        chat({"role": "user", "content": [{"type": "image_url", "image_url": "a"}]}, ANSWER),
        "messages[0].content[0]: is of type 'image_url' (only text can be learned here)",
    ),
    "tool call": (
        chat(USER, {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}),
        "messages[1].tool_calls: cannot be learned yet (write the call as content)",
    ),
    "no assistant": (
        chat(USER, USER),
        "messages: has no assistant message (add the answer to learn or remove the row)",
    ),
    "last is the user": (
        chat(USER, ANSWER, USER),
        (
            "messages: ends with the user, not the assistant "
            "(add the last answer or remove what follows it)"
        ),
    ),
    "late system": (
        chat(USER, {"role": "system", "content": "c"}, ANSWER),
        "messages[1].role: is a system message that is not first (move it to the front)",
    ),
    "empty answer": (
        chat(USER, {"role": "assistant", "content": " \n"}),
        "messages[1].content: is an empty answer (write the answer or remove the row)",
    ),
    "escaped NUL": (
        chat({"role": "user", "content": "a\x00"}, ANSWER),
        "messages[0].content: holds a NUL character (remove the \\u0000)",
    ),
    "lone surrogate": (
        chat({"role": "user", "content": "a\ud83d"}, ANSWER),
        "messages[0].content: holds half a character, \\ud83d (write the pair or remove it)",
    ),
    "mixed layouts": (
        '{"text": "a"}',
        'mixed layouts: this row is "text", line 1 is "messages" (keep one layout in a file)',
    ),
    "no layout at all": (
        '{"chat": []}',
        "messages: is missing (add it or remove the row)",
    ),
}


@pytest.mark.parametrize(("line", "message"), BAD_CHATS.values(), ids=BAD_CHATS.keys())
def test_a_bad_chat_is_named_with_line_field_reason_and_fix(line: str, message: str) -> None:
    """One line says where it is, what is wrong and what to do."""
    failure = failure_of(f"{GOOD_CHAT}\n\n{line}\n")

    assert failure.message == f"train.jsonl:3: {message}"
    assert failure.hints == ()
    assert failure.code == ExitCode.BAD_DATA


BAD_PROMPTS = {
    "no completion": (
        '{"prompt": "a"}',
        "completion: is missing (add it or remove the row)",
    ),
    "no prompt": (
        '{"completion": "a"}',
        "prompt: is missing (add it or remove the row)",
    ),
    "number": (
        '{"prompt": "a", "completion": 4}',
        "completion: must be text, not a number (write it as a string)",
    ),
    "true": (
        '{"prompt": true, "completion": "a"}',
        "prompt: must be text, not true or false (write it as a string)",
    ),
    "empty completion": (
        '{"prompt": "a", "completion": ""}',
        "completion: is empty (write what should be learned or remove the row)",
    ),
    "not UTF-8": (
        b'{"prompt": "a", "completion": "caf\xe9"}',
        "is not UTF-8 at byte 34 of the line (save the file as UTF-8)",
    ),
    "raw NUL": (
        b'{"prompt": "a\x00", "completion": "b"}',
        "holds a NUL byte at byte 13 of the line (remove the byte)",
    ),
    "broken JSON": (
        '{"prompt": "\u00fc\u2028", "completion": }',
        (
            "broken JSON at column 32: Expecting value, "
            'near \'"\u00fc ", "completion": }\' (mend or remove the row)'
        ),
    ),
    "cut off": (
        '{"prompt": "' + "x" * 500,
        "broken JSON at column 12: Unterminated string, "
        'near \'{"prompt": "' + "x" * 28 + "' (mend or remove the row)",
    ),
    "control character": (
        '{"prompt": "a\x1b[31m"}',
        (
            "broken JSON at column 14: Invalid control character, "
            'near \'{"prompt": "a [31m"}\' (mend or remove the row)'
        ),
    ),
    "a list": (
        '["a", "b"]',
        "must be a JSON object, not a list (write one object a line)",
    ),
    "null": (
        "null",
        "must be a JSON object, not null (write one object a line)",
    ),
    "nested for ever": (
        "[" * 100_000,
        "is nested too deeply (flatten or remove the row)",
    ),
    "endless number": (
        '{"prompt": ' + "9" * 5000 + "}",
        "holds a number of too many digits (shorten it)",
    ),
}


@pytest.mark.parametrize(("line", "message"), BAD_PROMPTS.values(), ids=BAD_PROMPTS.keys())
def test_a_bad_line_is_named_in_any_layout(line: str | bytes, message: str) -> None:
    """Broken bytes, broken JSON and broken fields are told apart."""
    raw = line.encode() if isinstance(line, str) else line
    failure = failure_of(b'{"prompt": "a", "completion": "b"}\n' + raw + b"\n")

    assert failure.message == f"train.jsonl:2: {message}"


def test_an_empty_text_is_refused() -> None:
    """A row without content teaches nothing but the end token."""
    failure = failure_of('{"text": "a"}\n{"text": "  "}\n')

    assert failure.message == (
        "train.jsonl:2: text: is empty (write what should be learned or remove the row)"
    )


def test_each_further_bad_row_is_a_hint() -> None:
    """All bad rows can be mended in one go."""
    failure = failure_of('{"text": "a"}\n{"text": 1}\n{"text": 2}\n{"text": "b"}\nx\n')

    assert failure.message.startswith("train.jsonl:2: ")
    assert failure.hints == (
        ("2 more bad rows: train.jsonl:3: text: must be text, not a number (write it as a string)"),
        (
            "train.jsonl:5: broken JSON at column 1: Expecting value, near 'x' "
            "(mend or remove the row)"
        ),
    )


def test_reading_stops_after_enough_bad_rows() -> None:
    """A file of another kind does not flood the terminal."""
    failure = failure_of('{"text": "a"}\n' + '{"text": 1}\n' * 500)

    assert len(failure.hints) == PROBLEM_LIMIT + 1
    assert failure.hints[-2] == f"reading stopped at line {PROBLEM_LIMIT + 1}; there may be more"
    assert failure.hints[-1].startswith("tlplan data train.jsonl names them all")


def test_the_layout_is_that_of_most_rows() -> None:
    """A bad first row does not make the rest of the file wrong."""
    failure = failure_of('{"prompt": "a"}\n{"text": "a"}\n{"text": "b"}\n')

    assert failure.message == (
        'train.jsonl:1: mixed layouts: this row is "prompt" and "completion", line 2 is "text" '
        "(keep one layout in a file)"
    )
    assert failure.hints == ()


def test_without_a_good_row_the_layouts_are_shown() -> None:
    """Somebody with another layout sees what to turn it into."""
    failure = failure_of('{"lorem": "a", "ipsum": "b"}\n')

    assert failure.message == (
        'train.jsonl:1: has none of the fields "messages", or "prompt" and "completion", '
        'or "instruction" and "output", or "text" and "label", or "image" and "label", '
        "or \"text\"; found 'lorem', 'ipsum' "
        "(rename its fields to these; in a table the first line names them)"
    )
    assert failure.hints == accepted_layouts()
    assert failure.hints[1].startswith('or {"messages": [')
