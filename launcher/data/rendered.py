"""Whether a model's chat template takes the conversations that are to be learned."""

from __future__ import annotations

from pathlib import Path

from launcher.data.dataset import DataSet
from launcher.data.tokenizer_files import chat_template_source, special_tokens
from launcher.errors import DataError

MOST_ROWS = 1000
"""Rows looked at, some 50 microseconds each. The worker looks at every one before it loads."""


def require_rendered(data: DataSet, model_folder: Path, model_name: str) -> None:
    """Raise DataError naming the first row that the template refuses, or a broken template.

    A model without a template gets a generic one, which takes every conversation, unless it has
    no end token either: then no answer would ever end.
    """
    if data.layout != "messages":
        return
    from launcher.data.chat_template import ChatTemplate, TemplateFailedError  # jinja2: 40 ms

    tokens, source = special_tokens(model_folder), chat_template_source(model_folder)
    if source is None:
        _require_end(data, tokens, model_name)
        return
    try:
        template = ChatTemplate(source, tokens)
    except TemplateFailedError as problem:
        raise DataError(
            f"the chat template of {model_name} is broken: {problem}",
            f"copy the model's files to {model_folder} again",
        ) from problem
    for index, row in enumerate(data.rows[:MOST_ROWS]):
        try:
            template.render(row["messages"])
        except TemplateFailedError as problem:
            raise refused_row(data.place(index), model_name, problem) from problem


def _require_end(data: DataSet, tokens: dict[str, str], model_name: str) -> None:
    # Without a tokenizer_config.json the tokens may stand elsewhere; the worker will see.
    if tokens and "eos_token" not in tokens:
        raise without_template(data.path, model_name)


def refused_row(place: str, model_name: str, problem: Exception) -> DataError:
    """The template is somebody's program, and it raised on this row."""
    return DataError(
        f"{place}: the chat template of {model_name} refuses this row: {problem}",
        "mend or remove the row: many templates want user and assistant by turns, and no system",
    )


def without_template(path: Path, model_name: str) -> DataError:
    """Nothing can say where a turn ends."""
    return DataError(
        f"{path}: its rows are chats, but {model_name} has neither a chat template nor an end "
        "token",
        "use an instruct model, or rows of prompt and completion",
    )
