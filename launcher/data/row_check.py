"""Whether one object is a row of the layout it is meant as, and what is wrong when it is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launcher.data.dataset import Row
from launcher.data.messages import checked_messages
from launcher.data.recognise import Shape
from launcher.data.row_problem import RowProblemError, checked_text, json_type

__all__ = ["RowProblemError", "checked_row", "json_type"]

_ANSWERLESS = "write what should be learned or remove the row"


def checked_row(
    candidate: Row, shape: Shape, *, has_escapes: bool, folder: Path, decode: bool = False
) -> Row:
    """The row in the words of its layout, nothing else kept.

    `has_escapes` says that a lone surrogate or NUL may have got past the decoder; paths of
    images are relative to `folder`; `decode` looks at all of each, not at its first bytes alone.
    Raises RowProblemError.
    """
    for field in shape.fields:
        if field not in candidate:
            raise RowProblemError(field, "is missing", "add it or remove the row")
    if shape.form in ("messages", "conversations"):
        field = shape.fields[0]
        system = _text_or_none(candidate, shape, has_escapes=has_escapes)
        messages = checked_messages(candidate[field], field, has_escapes=has_escapes)
        return {"messages": _with_system(messages, system)}
    if shape.form == "pair of chats":
        return {"messages": _chat_in_two_parts(candidate, has_escapes=has_escapes)}
    if shape.form in ("instruction", "pair"):
        return _pair(candidate, shape, has_escapes=has_escapes)
    if shape.form == "prompt_completion":
        return _prompt_completion(candidate, has_escapes=has_escapes)
    if shape.form == "text":
        return {"text": _filled(candidate, "text", has_escapes=has_escapes)}
    content, label = shape.fields
    if shape.form == "text_label":
        text = _filled(candidate, content, has_escapes=has_escapes)
        return {"text": text, "label": _label(candidate[label], label)}
    return {
        **_image(candidate[content], content, folder, decode=decode),
        "label": _label(candidate[label], label),
    }


def _prompt_completion(candidate: Row, *, has_escapes: bool) -> Row:
    # An empty prompt is fine: the answer is then learned without one.
    return {
        "prompt": checked_text(candidate["prompt"], "prompt", has_escapes=has_escapes),
        "completion": _filled(candidate, "completion", has_escapes=has_escapes),
    }


def _chat_in_two_parts(candidate: Row, *, has_escapes: bool) -> list[dict[str, str]]:
    parts = candidate["prompt"], candidate["completion"]
    for field, part in zip(("prompt", "completion"), parts, strict=True):
        if not isinstance(part, list):
            raise RowProblemError(
                field, f"must be a list, not {json_type(part)}", "put the messages in [ ]"
            )
    return checked_messages([*parts[0], *parts[1]], "messages", has_escapes=has_escapes)


def _pair(candidate: Row, shape: Shape, *, has_escapes: bool) -> Row:
    """A question and its answer as a chat, with what may stand before them."""
    asked, answered = shape.fields
    question = _filled(candidate, asked, has_escapes=has_escapes)
    more = candidate.get("input") if "input" in shape.optional else None
    if more not in (None, ""):
        question += "\n\n" + checked_text(more, "input", has_escapes=has_escapes)
    answer = _filled(candidate, answered, has_escapes=has_escapes)
    messages = [
        *_history(candidate.get("history"), has_escapes=has_escapes),
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
    ]
    system = _text_or_none(candidate, shape, has_escapes=has_escapes)
    return {"messages": _with_system(messages, system)}


def _history(turns: Any, *, has_escapes: bool) -> list[dict[str, str]]:
    if turns in (None, "", []):
        return []
    messages = []
    if not isinstance(turns, list):
        raise RowProblemError("history", f"must be a list, not {json_type(turns)}", "remove it")
    for position, turn in enumerate(turns):
        where = f"history[{position}]"
        if not isinstance(turn, list) or len(turn) != 2:
            raise RowProblemError(where, "must be a question and its answer", "write [q, a]")
        for role, text in zip(("user", "assistant"), turn, strict=True):
            content = checked_text(text, where, has_escapes=has_escapes)
            messages.append({"role": role, "content": content})
    return messages


def _text_or_none(candidate: Mapping[str, Any], shape: Shape, *, has_escapes: bool) -> str | None:
    for field in ("system", "system_prompt"):
        value = candidate.get(field)
        if value not in (None, "") and (field in shape.optional or shape.layout == "messages"):
            return checked_text(value, field, has_escapes=has_escapes)
    return None


def _with_system(messages: list[dict[str, str]], system: str | None) -> list[dict[str, str]]:
    if system is None or messages[0]["role"] == "system":
        return messages
    return [{"role": "system", "content": system}, *messages]


def _filled(candidate: Row, field: str, *, has_escapes: bool) -> str:
    text = checked_text(candidate[field], field, has_escapes=has_escapes)
    if not text.strip():
        raise RowProblemError(field, "is empty", _ANSWERLESS)
    return text


def _label(value: Any, field: str) -> str:
    """A label as text: words as they are, whole numbers and true or false in JSON's words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        # 1.0: a column of whole numbers with a gap becomes fractions in pandas.
        return str(int(value))
    if isinstance(value, str):
        if not value.strip():
            raise RowProblemError(field, "is empty", "write the class or remove the row")
        return value.strip()
    if value is None:
        raise RowProblemError(field, "is null", "write the class or remove the row")
    if isinstance(value, list):
        raise RowProblemError(
            field, "must be one class, not a list", "one row for each class, or keep the main one"
        )
    kind = "a fraction" if isinstance(value, float) else json_type(value)
    raise RowProblemError(field, f"must be a word or a whole number, not {kind}", "name the class")


def _image(value: Any, field: str, folder: Path, *, decode: bool) -> Row:
    """The path of a picture, or its bytes where they stand in the row."""
    from launcher.data import images
    from launcher.data.embedded import FIELD, embedded_bytes

    data = embedded_bytes(value)
    if data is not None:
        look = images.problem_with_embedded if decode else images.problem_with_bytes
        problem = look(data)
        if problem is not None:
            raise RowProblemError(field, problem, "replace the picture or remove the row")
        named = value.get("path") if isinstance(value, dict) else None
        return {"image": named or "", FIELD: data}
    if isinstance(value, dict) and isinstance(value.get("path"), str):
        value = value["path"]
    if not isinstance(value, str) or not value.strip():
        found = "empty text" if isinstance(value, str) else json_type(value)
        raise RowProblemError(
            field, f"must be the path of a picture, not {found}", "write its path"
        )
    path = Path(value) if Path(value).is_absolute() else folder / value
    problem = images.problem_with_picture(path) if decode else images.problem_with_head(path)
    if problem is not None:
        torn = problem.startswith("cannot be decoded")
        fix = "replace the picture" if torn else "correct the path"
        raise RowProblemError(field, problem, f"{fix} or remove the row")
    return {"image": str(path)}
