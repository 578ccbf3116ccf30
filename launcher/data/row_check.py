"""Whether one JSON object is a row of a layout, and what is wrong when it is not."""

from __future__ import annotations

from typing import Any

from launcher.data.dataset import LAYOUT_FIELDS, Layout, Row

ROLES = ("system", "user", "assistant", "tool")

_JSON_TYPES: tuple[tuple[type, str], ...] = (
    (type(None), "null"),
    (bool, "true or false"),
    (int, "a number"),
    (float, "a number"),
    (str, "text"),
    (list, "a list"),
    (dict, "an object"),
)


class RowProblemError(Exception):
    """A row cannot be used: the field (None: the whole row), the reason and the fix."""

    def __init__(self, field: str | None, reason: str, fix: str | None) -> None:
        super().__init__(field, reason, fix)
        self.field = field
        self.reason = reason
        self.fix = fix


def json_type(value: object) -> str:
    """The value's type in the words of a data file: `a list`."""
    return next(name for kind, name in _JSON_TYPES if isinstance(value, kind))


def layout_of(candidate: Row) -> Layout | None:
    """The layout a row seems to be meant as, None when it has no field of any."""
    for layout, fields in LAYOUT_FIELDS.items():
        if any(field in candidate for field in fields):
            return layout
    return None


def checked_row(candidate: Row, layout: Layout, *, has_escapes: bool) -> Row:
    """The layout's own fields of a row.

    `has_escapes` says that the line holds backslash-u escapes, the only way for a lone
    surrogate or NUL to get past the decoder. Raises RowProblemError.
    """
    if layout == "messages":
        return {"messages": _checked_messages(candidate["messages"], has_escapes=has_escapes)}
    row = {}
    for field in LAYOUT_FIELDS[layout]:
        if field not in candidate:
            raise RowProblemError(field, "is missing", "add it or remove the row")
        row[field] = _checked_text(candidate[field], field, has_escapes=has_escapes)
    # An empty prompt is fine: the answer is then learned without one.
    learned = LAYOUT_FIELDS[layout][-1]
    if not row[learned].strip():
        raise RowProblemError(learned, "is empty", "write what should be learned or remove the row")
    return row


def _checked_messages(messages: Any, *, has_escapes: bool) -> list[dict[str, str]]:
    if not isinstance(messages, list):
        raise RowProblemError(
            "messages", f"must be a list, not {json_type(messages)}", "put the messages in [ ]"
        )
    if not messages:
        raise RowProblemError("messages", "is empty", "add the conversation or remove the row")
    checked = [
        _checked_message(message, position, has_escapes=has_escapes)
        for position, message in enumerate(messages)
    ]
    roles = [message["role"] for message in checked]
    if "assistant" not in roles:
        raise RowProblemError(
            "messages", "has no assistant message", "add the answer to learn or remove the row"
        )
    if roles[-1] != "assistant":
        raise RowProblemError(
            "messages",
            f"ends with the {roles[-1]}, not the assistant",
            "add the last answer or remove what follows it",
        )
    return checked


def _checked_message(message: Any, position: int, *, has_escapes: bool) -> dict[str, str]:
    where = f"messages[{position}]"
    if not isinstance(message, dict):
        raise RowProblemError(
            where, f"must be an object, not {json_type(message)}", "give it a role and a content"
        )
    role = _checked_role(message, where)
    if role == "system" and position > 0:
        raise RowProblemError(
            f"{where}.role", "is a system message that is not first", "move it to the front"
        )
    if message.get("tool_calls"):
        raise RowProblemError(
            f"{where}.tool_calls", "cannot be learned yet", "write the call as content"
        )
    if "content" not in message:
        raise RowProblemError(f"{where}.content", "is missing", "add it or remove the row")
    content = _checked_text(message["content"], f"{where}.content", has_escapes=has_escapes)
    if role == "assistant" and not content.strip():
        raise RowProblemError(
            f"{where}.content", "is an empty answer", "write the answer or remove the row"
        )
    return {"role": role, "content": content}


def _checked_role(message: Row, where: str) -> str:
    if "role" not in message:
        raise RowProblemError(f"{where}.role", "is missing", f"use one of {', '.join(ROLES)}")
    role = message["role"]
    if not isinstance(role, str):
        raise RowProblemError(
            f"{where}.role",
            f"must be text, not {json_type(role)}",
            f"use one of {', '.join(ROLES)}",
        )
    if role not in ROLES:
        raise RowProblemError(
            f"{where}.role", f"is unknown: {role[:20]!a}", f"use one of {', '.join(ROLES)}"
        )
    return role


def _checked_text(value: Any, field: str, *, has_escapes: bool) -> str:
    if not isinstance(value, str):
        raise RowProblemError(
            field, f"must be text, not {json_type(value)}", "write it as a string"
        )
    if has_escapes:
        _refuse_unwritable(value, field)
    return value


def _refuse_unwritable(text: str, field: str) -> None:
    if "\x00" in text:
        raise RowProblemError(field, "holds a NUL character", r"remove the \u0000")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        surrogate = f"\\u{ord(text[error.start]):04x}"
        raise RowProblemError(
            field, f"holds half a character, {surrogate}", "write the pair or remove it"
        ) from None
