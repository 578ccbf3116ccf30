"""A conversation as it stands in a file, in the words of OpenAI or of ShareGPT."""

from __future__ import annotations

import json
from typing import Any

from launcher.data.row_problem import RowProblemError, checked_text, json_type

ROLES = ("system", "user", "assistant", "tool")
_OPENAI_ROLES = {"developer": "system", "function": "tool", **{role: role for role in ROLES}}
_SHAREGPT_ROLES = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "model": "assistant",
    "function_call": "assistant",
    "observation": "tool",
    "function_response": "tool",
    **_OPENAI_ROLES,
}


def checked_messages(messages: Any, field: str, *, has_escapes: bool) -> list[dict[str, str]]:
    """Role and content of each message. Raises RowProblemError, the place starting with `field`."""
    if isinstance(messages, str) and messages.lstrip().startswith("["):
        messages = _unpacked(messages, field)
    if not isinstance(messages, list):
        raise RowProblemError(
            field, f"must be a list, not {json_type(messages)}", "put the messages in [ ]"
        )
    if not messages:
        raise RowProblemError(field, "is empty", "add the conversation or remove the row")
    checked = [
        _checked_message(message, f"{field}[{position}]", position, has_escapes=has_escapes)
        for position, message in enumerate(messages)
    ]
    roles = [message["role"] for message in checked]
    if "assistant" not in roles:
        raise RowProblemError(
            field, "has no assistant message", "add the answer to learn or remove the row"
        )
    if roles[-1] != "assistant":
        raise RowProblemError(
            field,
            f"ends with the {roles[-1]}, not the assistant",
            "add the last answer or remove what follows it",
        )
    return checked


def _unpacked(text: str, field: str) -> Any:
    """A conversation that stands in a table, as JSON in one field."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise RowProblemError(field, "is text that is no JSON", "write it as JSON") from None


def order_problem(messages: list[dict[str, str]]) -> tuple[int, str] | None:
    """The first message whose role many chat templates refuse, and why; None when all is well."""
    before = None
    for position, message in enumerate(messages):
        role = message["role"]
        if role == before and role in ("user", "assistant"):
            return position, f"is a second {role} message in a row"
        if role == "assistant" and before in (None, "system"):
            return position, "is an answer before any question"
        before = role
    return None


def _checked_message(
    message: Any, where: str, position: int, *, has_escapes: bool
) -> dict[str, str]:
    if not isinstance(message, dict):
        raise RowProblemError(
            where, f"must be an object, not {json_type(message)}", "give it a role and a content"
        )
    shared = "role" not in message and ("from" in message or "value" in message)
    role = _checked_role(message, where, "from" if shared else "role")
    content_key = "value" if "value" in message and "content" not in message else "content"
    if role == "system" and position > 0:
        raise RowProblemError(
            f"{where}.{'from' if shared else 'role'}",
            "is a system message that is not first",
            "move it to the front",
        )
    if message.get("tool_calls"):
        raise RowProblemError(
            f"{where}.tool_calls", "cannot be learned yet", "write the call as content"
        )
    if content_key not in message:
        name = "value" if shared else "content"
        raise RowProblemError(f"{where}.{name}", "is missing", "add it or remove the row")
    content = checked_text(
        _joined(message[content_key], f"{where}.{content_key}"),
        f"{where}.{content_key}",
        has_escapes=has_escapes,
    )
    if role == "assistant" and not content.strip():
        raise RowProblemError(
            f"{where}.{content_key}", "is an empty answer", "write the answer or remove the row"
        )
    return {"role": role, "content": content}


def _checked_role(message: dict[str, Any], where: str, key: str) -> str:
    names = _SHAREGPT_ROLES if key == "from" else _OPENAI_ROLES
    use = f"use one of {', '.join(('human', 'gpt', 'system') if key == 'from' else ROLES)}"
    if key not in message:
        raise RowProblemError(f"{where}.{key}", "is missing", use)
    role = message[key]
    if not isinstance(role, str):
        raise RowProblemError(f"{where}.{key}", f"must be text, not {json_type(role)}", use)
    if role not in names:
        raise RowProblemError(f"{where}.{key}", f"is unknown: {role[:20]!a}", use)
    return names[role]


def _joined(content: Any, where: str) -> Any:
    """OpenAI's list of parts as one text, where every part is text."""
    if not isinstance(content, list) or not content:
        return content
    texts: list[Any] = []
    for number, part in enumerate(content):
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and part.get("type") == "text":
            texts.append(part.get("text"))
        elif isinstance(part, dict) and "type" in part:
            kind = str(part["type"])[:20]
            raise RowProblemError(
                f"{where}[{number}]", f"is of type {kind!a}", "only text can be learned here"
            )
        else:
            return content
    return "".join(texts) if all(isinstance(text, str) for text in texts) else content
