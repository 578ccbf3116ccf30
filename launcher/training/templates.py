"""A chat template that marks the answers, so that the loss can be taken on them alone.

Chat templates of published models rarely mark what the assistant says. TRL knows a marked
twin of many by heart; for the others that speak ChatML, a generic one is used here, and only
where it renders conversations exactly as the model's own template does. What is left is marked
by where each turn begins and ends, see `launcher.training.answer_marks`.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from launcher.data.generic_template import generic_template, generic_training_template
from launcher.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SYSTEM = {"role": "system", "content": "Be brief."}
_USER = {"role": "user", "content": "1 + 1?"}
_ASSISTANT = {"role": "assistant", "content": "2"}
_PROBES: tuple[tuple[dict[str, str], ...], ...] = (
    (_USER,),
    (_USER, _ASSISTANT),
    (_SYSTEM, _USER, _ASSISTANT, _USER, _ASSISTANT),
)
_SYSTEM_START, _TURN_END = "<|im_start|>system\n", "<|im_end|>\n"


def training_template(tokenizer: PreTrainedTokenizerBase, model_name: str) -> str | None:
    """A template like the tokenizer's own, with every answer and its stop token marked.

    None when there is none; raises DataError when its stop token would never be learned.
    """
    from trl.chat_template_utils import (
        get_training_chat_template,
        is_chat_template_stop_token_trained,
    )

    if tokenizer.chat_template == generic_template():
        return generic_training_template()
    template: str | None
    try:
        template = get_training_chat_template(tokenizer) or _default_variant(tokenizer)
    except ValueError:
        template = _generic_chatml(tokenizer)
    if template is None:
        return None
    if not is_chat_template_stop_token_trained(tokenizer, chat_template=template):
        raise all_tokens_instead(
            f"with the chat template of {model_name} the model would never learn to stop"
        )
    return template


def _generic_chatml(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """The generic template with the model's default system prompt; None unless it is a twin."""
    generic = files("launcher.training").joinpath("chatml.jinja").read_text(encoding="utf-8")
    default_system = json.dumps(_default_system(tokenizer), ensure_ascii=False)
    candidate = f"{{%- set default_system = {default_system} -%}}\n{generic}"
    for messages in _PROBES:
        for wants_answer in (False, True):
            own = _rendered(tokenizer, None, messages, wants_answer)
            if own is None or own != _rendered(tokenizer, candidate, messages, wants_answer):
                return None
    return candidate


def _default_system(tokenizer: PreTrainedTokenizerBase) -> str:
    """What the model's own template says as the system when the conversation has no system."""
    text = _rendered(tokenizer, None, (_USER,), wants_answer=False) or ""
    if not text.startswith(_SYSTEM_START):
        return ""
    return text.removeprefix(_SYSTEM_START).split(_TURN_END, 1)[0]


def _rendered(
    tokenizer: PreTrainedTokenizerBase,
    template: str | None,
    messages: tuple[dict[str, str], ...],
    wants_answer: bool,
) -> str | None:
    try:
        text: Any = tokenizer.apply_chat_template(
            list(messages),
            chat_template=template,
            tokenize=False,
            add_generation_prompt=wants_answer,
        )
    except (TemplateError, TypeError, ValueError, KeyError):
        return None
    return str(text)


def _default_variant(tokenizer: PreTrainedTokenizerBase) -> str:
    template = tokenizer.chat_template
    return str(template["default"] if isinstance(template, dict) else template)


def all_tokens_instead(message: str) -> DataError:
    """The refusal of a template whose answers cannot be learned alone."""
    return DataError(message, "set loss_on: all-tokens in section data of the plan")
