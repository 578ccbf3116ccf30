"""Whether rows can teach a task at all."""

from __future__ import annotations

from launcher.data.dataset import DataSet
from launcher.errors import DataError

_WANTED = {"text-classification": "text_label", "image-classification": "image_label"}
_WORDS = {
    "messages": "chats",
    "prompt_completion": "prompts and completions",
    "text": "plain text",
    "text_label": "texts with labels",
    "image_label": "pictures with labels",
}


def require_suitable(data: DataSet, task: str, model: str) -> None:
    """Raise DataError when the layout does not go with the task, or every label is the same."""
    wanted = _WANTED.get(task)
    if wanted is not None and data.layout != wanted:
        raise DataError(
            f"{data.path}: {task} of {model} needs {_WORDS[wanted]}, these rows are "
            f"{_WORDS[data.layout]}",
            f"tlplan data {data.path} shows what is in it",
        )
    if wanted is None and data.layout == "image_label":
        raise DataError(
            f"{data.path}: {model} reads text, these rows are {_WORDS[data.layout]}",
            "take an image model: tlplan models image",
        )
    if wanted is not None and len(data.classes) == 1:
        raise DataError(
            f'{data.path}: every row has the label "{data.classes[0]}": there is nothing to tell '
            "apart",
            "add rows of a second class",
        )
