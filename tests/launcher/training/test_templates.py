"""The template used for training renders what the model's own renders, with marks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from launcher.errors import DataError

CHATML_WITHOUT_SYSTEM = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' "
    "+ '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
STOP_TOKEN_OUTSIDE = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] }}"
    "{% endgeneration %}{% else %}{{ m['content'] }}{% endif %}<|im_end|>{% endfor %}"
)


@pytest.fixture
def tokenizer(tiny_model: Path) -> Any:
    """SmolLM2's tokenizer, fresh."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(tiny_model))


@pytest.mark.parametrize("own", [None, CHATML_WITHOUT_SYSTEM], ids=["SmolLM2", "plain ChatML"])
def test_chatml_gets_a_marked_twin(tokenizer: Any, own: str | None) -> None:
    """Also with a default system prompt, every conversation comes out the same."""
    from launcher.training.templates import training_template

    if own is not None:
        tokenizer.chat_template = own
    template = training_template(tokenizer, "some model")
    messages = [
        {"role": "user", "content": 'Say "hi" \\ twice'},
        {"role": "assistant", "content": "hi\nhi"},
    ]

    for conversation in (messages, [{"role": "system", "content": "S"}, *messages]):
        rendered = tokenizer.apply_chat_template(conversation, tokenize=False)
        assert rendered == tokenizer.apply_chat_template(
            conversation, chat_template=template, tokenize=False
        )


def test_a_template_that_never_teaches_to_stop_is_refused(tokenizer: Any) -> None:
    """Marks that leave the stop token out would train a model that talks on."""
    from launcher.training.templates import training_template

    tokenizer.chat_template = STOP_TOKEN_OUTSIDE

    with pytest.raises(DataError, match="never learn to stop"):
        training_template(tokenizer, "some model")
