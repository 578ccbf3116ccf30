"""What is odd about a row that can be used: damage, a cut answer, a template, private data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from launcher.data.dataset import Row
from launcher.data.messages import order_problem
from launcher.data.private import personal_data_in, secrets_in

_TEMPLATE_PARTS = ("<|", "[INST]", "<start_of_turn>", "### ", "</s>", "[/INST]")
_TEMPLATE = re.compile(
    r"<\|(?:im_start|im_end|start_header_id|end_header_id|eot_id|begin_of_text|endoftext|end|user"
    r"|assistant|system)\|>|\[/?INST\]|<(?:start|end)_of_turn>|</s>"
    r"|### (?:Instruction|Response|Assistant|User|Human):"
)
_DAMAGE = re.compile("\ufffd|[\u00c2\u00c3][\u0080-\u00bf]|\u00e2\u20ac|\u00ef\u00bf\u00bd")
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)
_JSON_START = re.compile(r'[\[{]\s*(?:["{\[]|-?\d|$)')
_LONG_ENOUGH_TO_BE_CUT = 200
_SENTENCE_ENDS = (". ", "? ", "! ", ".\n", "\u3002")


class Suspicion(NamedTuple):
    """Something to look at in one row."""

    code: str
    field: str | None
    reason: str
    fix: str


ANSWER_CUT = "ANSWER_CUT"
ALL_OR_REMOVE = "complete it or remove the row"


def suspicions_of(row: Row, text: str, *, has_escapes: bool) -> Iterator[Suspicion]:
    """Everything odd about a row, whose text is `text`; private data by kind, its text never."""
    if "image" in row:
        return
    if _may_hold_template(text) and _TEMPLATE.search(text):
        yield Suspicion(
            "TEMPLATE_IN_TEXT",
            _where(row, _TEMPLATE),
            "holds marks of a chat template, which is added anyway",
            "write the messages without it",
        )
    if not text.isascii() and _DAMAGE.search(text):
        yield Suspicion(
            "ENCODING_DAMAGE",
            _where(row, _DAMAGE),
            "holds characters of a wrong encoding",
            "read the source again as UTF-8",
        )
    if has_escapes and _CONTROL.search(text.replace("\x1e", "").replace("\x1f", "")):
        yield Suspicion(
            "ENCODING_DAMAGE", None, "holds control characters", "remove them from the text"
        )
    yield from _of_the_conversation(row)
    for kind in secrets_in(text):
        yield Suspicion("SECRET", None, f"seems to hold a secret: {kind}", "replace it")
    for kind in personal_data_in(text):
        yield Suspicion("PERSONAL_DATA", None, f"seems to hold personal data: {kind}", "replace it")


def _may_hold_template(text: str) -> bool:
    for part in _TEMPLATE_PARTS:  # noqa: SIM110  any() is three times as slow, a million times
        if part in text:
            return True
    return False


def _of_the_conversation(row: Row) -> Iterator[Suspicion]:
    if "messages" in row:
        wrong = order_problem(row["messages"])
        if wrong is not None:
            position, reason = wrong
            yield Suspicion(
                "ROLE_ORDER",
                f"messages[{position}].role",
                f"{reason}, which many chat templates refuse",
                "join or reorder the messages",
            )
    answer = answer_of(row)
    if answer is not None and is_cut(answer):
        reason = "ends in the middle of a sentence or of code"
        yield Suspicion(ANSWER_CUT, answer_field(row), reason, ALL_OR_REMOVE)


def answer_of(row: Row) -> str | None:
    """What is to be answered last; None where a row has no answer."""
    if "messages" in row:
        last: str = row["messages"][-1]["content"]
        return last
    return row.get("completion")


def answer_field(row: Row) -> str:
    """Where that stands."""
    return f"messages[{len(row['messages']) - 1}]" if "messages" in row else "completion"


def is_cut(answer: str) -> bool:
    """Whether an answer shows by itself that it breaks off.

    Long prose whose last character is a letter or a comma, code whose fence stays open, JSON that
    is not closed.
    """
    if "```" in answer and len(_FENCE.findall(answer)) % 2:
        return True
    if answer[:1] in ("{", "["):
        return _is_cut_json(answer.rstrip())
    if len(answer) < _LONG_ENOUGH_TO_BE_CUT:
        return False
    end = answer.rstrip()[-1:]
    if not (end in ",;-(" or (end.isalpha() and answer.rsplit(maxsplit=1)[-1].isalpha())):
        return False
    last_line = answer[answer.rfind("\n", 0, len(answer.rstrip())) + 1 :].strip()
    # A last line of its own without an end, such as a signature or an item, is no cut.
    return (
        len(last_line) > 60
        and any(end in last_line for end in _SENTENCE_ENDS)
        and sum(answer.count(end) for end in _SENTENCE_ENDS) >= 2
    )


def _is_cut_json(answer: str) -> bool:
    if answer.count("{") == answer.count("}") and answer.count("[") == answer.count("]"):
        return False
    if not _JSON_START.match(answer):
        return False
    try:
        json.loads(answer)
    except json.JSONDecodeError as error:
        return error.pos >= len(answer) or error.msg.startswith("Unterminated string")
    except (ValueError, RecursionError):
        return False
    return False


def _where(row: Row, pattern: re.Pattern[str]) -> str | None:
    """The field that a pattern is found in."""
    if "messages" in row:
        return next(
            (
                f"messages[{index}].content"
                for index, message in enumerate(row["messages"])
                if pattern.search(message["content"])
            ),
            None,
        )
    return next(
        (name for name, text in row.items() if isinstance(text, str) and pattern.search(text)), None
    )
