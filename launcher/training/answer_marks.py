"""Which tokens of a conversation are answers: by a marked template, or by where turns begin.

A template without marks renders a conversation turn by turn: what it renders up to a question is
the beginning of what it renders up to the answer. So the answer is what the second has more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from launcher.training.templates import all_tokens_instead, training_template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Messages = Sequence[Mapping[str, Any]]
Marking = Callable[[Messages], tuple[list[int], list[bool]]]
"""Tokens of a conversation, and for each whether it belongs to an answer."""

_PROBE: Messages = (
    {"role": "user", "content": "1 + 1?"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "2 + 2?"},
    {"role": "assistant", "content": "four"},
)


def answer_marking(tokenizer: PreTrainedTokenizerBase, model_name: str) -> Marking:
    """How to mark answers and their stop tokens with this tokenizer's template.

    Raises DataError when that cannot be told, or when the stop token would never be learned.
    """
    template = training_template(tokenizer, model_name)
    if template is not None:
        return _ByTemplate(tokenizer, template)
    by_turns = _ByTurns(tokenizer)
    try:
        texts = by_turns.answers(_PROBE)
    except Exception as problem:  # a template is somebody's program: it can raise anything
        raise all_tokens_instead(
            f"the chat template of {model_name} does not mark the answers ({problem})"
        ) from problem
    if not all(text.endswith(str(tokenizer.eos_token)) for text in texts):
        raise all_tokens_instead(
            f"with the chat template of {model_name} the model would never learn to stop"
        )
    return by_turns


class _ByTemplate:
    def __init__(self, tokenizer: Any, template: str) -> None:
        self._tokenizer = tokenizer
        self._template = template

    def __call__(self, messages: Messages) -> tuple[list[int], list[bool]]:
        encoded = self._tokenizer.apply_chat_template(
            messages,
            chat_template=self._template,
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=True,
        )
        return encoded["input_ids"], [bool(mask) for mask in encoded["assistant_masks"]]


class _ByTurns:
    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, messages: Messages) -> tuple[list[int], list[bool]]:
        whole, spans = self._spans(messages)
        encoded = self._tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
        learned = [
            any(start < end and first <= start and end <= last for first, last in spans)
            for start, end in encoded["offset_mapping"]
        ]
        return encoded["input_ids"], learned

    def answers(self, messages: Messages) -> list[str]:
        """The text of each answer with its stop token."""
        whole, spans = self._spans(messages)
        return [whole[first:last] for first, last in spans]

    def _spans(self, messages: Messages) -> tuple[str, list[tuple[int, int]]]:
        """The rendered conversation, and where each answer begins and ends in it."""
        whole, spans = self._rendered(messages), []
        for index, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            before = self._rendered(messages[:index], wants_answer=True)
            up_to = self._rendered(messages[: index + 1]).rstrip()
            if not (whole.startswith(up_to) and up_to.startswith(before)):
                raise ValueError("its turns do not follow one another")
            spans.append((len(before), len(up_to)))
        return whole, spans

    def _rendered(self, messages: Messages, *, wants_answer: bool = False) -> str:
        return str(
            self._tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=wants_answer
            )
        )
