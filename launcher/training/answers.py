"""What the model answers to one held-out row, before and after, for people to compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from launcher.data.dataset import Layout, Row
from launcher.training.evaluating import autocast, evaluation_mode
from launcher.training.trainer import RunTrainer
from planner.run_plan import RunPlan

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LONGEST_ANSWER_TOKENS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A prompt and the answer its row gives."""

    prompt: str
    """As a person would write it, without the template."""
    expected: str
    prompt_ids: tuple[int, ...]


def question_of(row: Row, layout: Layout, tokenizer: PreTrainedTokenizerBase) -> Question:
    """The question a row asks: its last answer, its completion or its second half is expected."""
    if layout == "messages":
        return _chat_question(row, tokenizer)
    if layout == "prompt_completion":
        prompt, expected = row["prompt"], row["completion"]
    else:
        words = row["text"].split(" ")
        half = (len(words) + 1) // 2
        prompt, expected = " ".join(words[:half]), " " + " ".join(words[half:])
    return Question(
        prompt=prompt,
        expected=expected,
        prompt_ids=tuple(tokenizer(prompt)["input_ids"]),
    )


def greedy_answer(trainer: RunTrainer, question: Question, plan: RunPlan) -> str:
    """The model's most likely answer, at most LONGEST_ANSWER_TOKENS tokens of it."""
    tokenizer = trainer.processing_class
    room = max(plan.training.sequence_tokens, LONGEST_ANSWER_TOKENS)
    prompt = torch.tensor([question.prompt_ids[-room:]], device=trainer.args.device)
    with evaluation_mode(trainer.model), torch.no_grad(), autocast(plan):
        output = trainer.model.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=LONGEST_ANSWER_TOKENS,
            do_sample=False,
            use_cache=True,
            pad_token_id=tokenizer.pad_token_id,
        )
    return str(tokenizer.decode(output[0, prompt.shape[1] :], skip_special_tokens=True))


def _chat_question(row: Row, tokenizer: PreTrainedTokenizerBase) -> Question:
    messages = row["messages"]
    last = max(index for index, each in enumerate(messages) if each["role"] == "assistant")
    asked = [message for message in messages[:last] if message["role"] == "user"]
    encoded: Any = tokenizer.apply_chat_template(
        messages[:last], tokenize=True, return_dict=True, add_generation_prompt=True
    )
    return Question(
        prompt=asked[-1]["content"] if asked else "",
        expected=messages[last]["content"],
        prompt_ids=tuple(encoded["input_ids"]),
    )
