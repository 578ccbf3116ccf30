"""How people write rows: which fields make which layout, told from the rows themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from launcher.data.dataset import Layout, Row

Form = Literal[
    "messages", "conversations", "pair of chats", "prompt_completion", "instruction", "pair",
    "text_label", "image_label", "text",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The fields that rows of a file have, and what they stand for."""

    form: Form
    layout: Layout
    fields: tuple[str, ...]
    """All of them must be there."""
    optional: tuple[str, ...] = ()
    name: str = ""
    """What the world calls it, where that is not the layout's own name."""


_CHAT_FIELDS = ("messages", "conversations", "conversation", "dialogue", "dialog")
_PAIRS = (
    ("instruction", "output"), ("instruction", "response"), ("input", "output"),
    ("question", "answer"), ("prompt", "response"), ("query", "response"), ("user", "assistant"),
    ("prompt", "output"), ("input", "response"),
)  # fmt: skip
_TEXTS = ("text", "sentence", "content", "review", "document")
_LABELS = ("label", "labels", "category", "class", "sentiment", "section")
_IMAGES = ("image", "image_path", "file_name", "filename", "filepath", "path", "img")
_SYSTEMS = ("system", "system_prompt")

SHAPES: tuple[Shape, ...] = (
    *(
        Shape(
            form="messages" if name == "messages" else "conversations",
            layout="messages",
            fields=(name,),
            optional=_SYSTEMS,
            name="" if name == "messages" else f"ShareGPT ({name})",
        )
        for name in _CHAT_FIELDS
    ),
    Shape(
        form="pair of chats",
        layout="messages",
        fields=("prompt", "completion"),
        name="messages in two parts (prompt, completion)",
    ),
    Shape(form="prompt_completion", layout="prompt_completion", fields=("prompt", "completion")),
    *(
        Shape(
            form="instruction" if question == "instruction" else "pair",
            layout="messages",
            fields=(question, answer),
            optional=(
                *_SYSTEMS,
                "history",
                *(("input",) if question in ("instruction", "prompt") else ()),
            ),
            name=f"{'Alpaca ' if question == 'instruction' else ''}({question}, {answer})",
        )
        for question, answer in _PAIRS
    ),
    *(
        Shape(
            form="image_label",
            layout="image_label",
            fields=(image, label),
            name="" if (image, label) == ("image", "label") else f"({image}, {label})",
        )
        for image in _IMAGES
        for label in _LABELS
    ),
    *(
        Shape(
            form="text_label",
            layout="text_label",
            fields=(text, label),
            name="" if (text, label) == ("text", "label") else f"({text}, {label})",
        )
        for text in _TEXTS
        for label in _LABELS
    ),
    Shape(form="text", layout="text", fields=("text",)),
)
"""In the order in which they are looked for."""

KNOWN_FIELDS = frozenset(name for shape in SHAPES for name in (*shape.fields, *shape.optional))


def shape_of_rows(rows: Iterable[Mapping[str, Any]]) -> Shape | None:
    """The shape most rows have, the earlier one of SHAPES where rows have two; None for none."""
    votes = Counter(
        index
        for row in rows
        if (index := next((i for i, s in enumerate(SHAPES) if _has_all(row, s)), None)) is not None
    )
    if not votes:
        return None
    most = max(votes.values())
    return SHAPES[min(index for index, count in votes.items() if count == most)]


def meant_shape(row: Mapping[str, Any]) -> Shape | None:
    """The shape a row has, or seems to be meant as when fields are missing; None for neither."""
    whole = next((shape for shape in SHAPES if _has_all(row, shape)), None)
    if whole is not None:
        return whole
    return next((shape for shape in SHAPES if row.get(shape.fields[0]) is not None), None) or next(
        (shape for shape in SHAPES if any(name in row for name in shape.fields)), None
    )


def shown_fields(shape: Shape) -> str:
    """`"prompt" and "completion"`."""
    return " and ".join(f'"{name}"' for name in shape.fields)


def unused_fields(row: Row, shape: Shape) -> list[str]:
    """Fields of a row that nothing is learned from."""
    known = (*shape.fields, *shape.optional)
    return [name for name in row if name not in known]


def _has_all(row: Mapping[str, Any], shape: Shape) -> bool:
    if not all(name in row for name in shape.fields):
        return False
    return shape.form != "pair of chats" or isinstance(row["prompt"], list)
