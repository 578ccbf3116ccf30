"""Every setting of a run, chosen with its reason; what the user asked for always wins."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import Any, NamedTuple

# Also found here, beside what is made of it.
from planner.advice.asked import Asked as Asked  # noqa: PLC0414
from planner.advice.asked import DataFacts as DataFacts  # noqa: PLC0414
from planner.advice.learning import AUTO, layers_asked, learning_rate, passes
from planner.advice.rows import packed_accumulation, rows_held
from planner.budget import Budget
from planner.memory.adapted import usual_targets
from planner.request import (
    AdapterSettings,
    Autocast,
    Method,
    Task,
    TrainingRequest,
)
from planner.shape import ModelShape

SEQUENCE_TOKENS = 2048
EFFECTIVE_ROWS = 16
RANK = 16
FEWEST_ROWS_TO_HOLD_OUT = 10
"""Below this a held-out row says too little and costs too much of what is learned."""
ASKED = "as asked"


TASK_OF_LAYOUT: dict[str, Task] = {
    "text_label": "text-classification",
    "image_label": "image-classification",
}
"""What rows with labels are for; what others are for depends on the model."""


class Choice(NamedTuple):
    """A value and why."""

    value: Any
    reason: str


def sequence_choice(asked: Asked, data: DataFacts | None, shape: ModelShape) -> Choice:
    """Tokens a row may have; longer rows are cut."""
    if asked.sequence_tokens is not None:
        return Choice(value=asked.sequence_tokens, reason=ASKED)
    if shape.image_tokens is not None:
        return Choice(value=shape.image_tokens, reason="the patches of an image, and one for all")
    limit = min(SEQUENCE_TOKENS, shape.max_context_tokens or SEQUENCE_TOKENS)
    if data is None:
        return Choice(value=limit, reason="usual length for instruction data")
    multiple = 8 if data.lengths_exact else 32
    needed = min(limit, ceil(data.longest_tokens / multiple) * multiple)
    if data.longest_tokens > limit:
        return Choice(
            value=limit,
            reason=f"the longest row has about {data.longest_tokens} tokens and is cut here",
        )
    return Choice(value=needed, reason=f"the longest row has {data.longest_tokens}; {data.how}")


_SMALL_MODEL = 1_000_000_000


def batch_choices(asked: Asked, shape: ModelShape | None = None) -> tuple[Choice, Choice]:
    """Rows at once and micro-batches a step."""
    small = shape is not None and shape.parameters < _SMALL_MODEL
    if asked.micro_batch is not None:
        micro = Choice(value=asked.micro_batch, reason=ASKED)
    elif small and task_of(asked) != "causal-lm":
        micro = Choice(value=EFFECTIVE_ROWS, reason="a small model has room for a whole step")
    else:
        micro = Choice(value=1, reason="least memory; --batch raises it")
    if asked.accumulation is not None:
        return micro, Choice(value=asked.accumulation, reason=ASKED)
    steps = max(1, EFFECTIVE_ROWS // micro.value)
    rows = steps * micro.value
    return micro, Choice(value=steps, reason=f"{rows} rows a step, at no memory")


def weights_choice(asked: Asked, method: Method, budget: Budget | None) -> Choice:
    """Dtype of the weights."""
    if asked.weights is not None and (
        asked.weights.startswith(("nf4", "int8")) == (method == "qlora")
    ):
        return Choice(value=asked.weights, reason=ASKED)
    if method == "qlora":
        return Choice(
            value="nf4-dq", reason="4 bit with double quantization, as in the QLoRA paper"
        )
    if budget is not None and budget.device == "cpu":
        return Choice(value="fp32", reason="exact on every CPU, and not slower on most")
    if budget is not None and not budget.supports_bf16:
        if method == "full":
            return Choice(
                value="fp32", reason="fp16 weights cannot be trained; this card has no bf16"
            )
        return Choice(value="fp16", reason="this card has no bf16")
    return Choice(value="bf16", reason="half the memory of fp32, and its range")


def autocast_of(budget: Budget | None) -> Autocast | None:
    """What products run in when it is not the dtype of the weights."""
    if budget is not None and budget.device == "cpu":
        return None
    if budget is not None and not budget.supports_bf16:
        return "fp16"
    return "bf16"


def adapter_of(
    asked: Asked, method: Method, shape: ModelShape, budget: Budget | None
) -> AdapterSettings | None:
    """The adapter of lora and qlora. TRL casts adapters over a quantized base to bf16.

    All linears of a mixture are those a launch adapts: none of its experts.
    """
    if method == "full":
        return None
    half = method == "qlora" and (budget is None or budget.supports_bf16)
    named = None if asked.targets == ("all-linear",) else asked.targets
    return AdapterSettings(
        rank=RANK if asked.rank is None else asked.rank,
        targets=named or usual_targets(shape),
        dtype="bf16" if half else "fp32",
    )


def attention_choice(asked: Asked, shape: ModelShape) -> Choice:
    """The attention kernel."""
    if asked.attention is not None:
        return Choice(value=asked.attention, reason=ASKED)
    if shape.usual_attention == "eager":
        return Choice(value="eager", reason="Transformers has no other kernel for this family")
    return Choice(value="sdpa", reason="torch's own kernel")


def learning_rate_choice(asked: Asked, method: Method, parameters: int | None = None) -> Choice:
    """Step size by method, task and size."""
    if asked.learning_rate is not None:
        return Choice(value=asked.learning_rate, reason=ASKED)
    found = learning_rate(
        method,
        task=task_of(asked),
        parameters=parameters,
        trained_layers=asked.train_last if method == "full" and asked.train_last != AUTO else None,
    )
    return Choice(value=found.value, reason=found.reason)


_LARGEST_VOCABULARY_ON_CPU = 90_000
"""Up to here all logits at once take less than the tile that TRL's fused head makes on a CPU."""


def loss_choice(asked: Asked, shape: ModelShape, budget: Budget | None) -> Choice:
    """How the loss is computed: in tiles, which saves much on a card and little on a CPU."""
    if asked.loss is not None:
        return Choice(value=asked.loss, reason=ASKED)
    if task_of(asked) != "causal-lm":
        return Choice(value="torch", reason="a row has few classes, so logits are small")
    on_cpu = budget is not None and budget.device == "cpu"
    if on_cpu and shape.vocabulary_size <= _LARGEST_VOCABULARY_ON_CPU:
        return Choice(value="torch", reason="on a CPU all logits at once are smaller and faster")
    return Choice(value="chunked", reason="never holds all logits")


def epochs_choice(asked: Asked, rows: int, rows_a_step: int = EFFECTIVE_ROWS) -> Choice:
    """Passes over the data."""
    if asked.epochs is not None:
        return Choice(value=asked.epochs, reason=ASKED)
    found = passes(rows, task=task_of(asked), rows_a_step=rows_a_step)
    return Choice(value=found.value, reason=found.reason)


def task_of(asked: Asked) -> Task:
    """The task to train for."""
    return asked.task or "causal-lm"  # type: ignore[return-value]


def request_for(
    method: Method,
    *,
    asked: Asked,
    shape: ModelShape,
    budget: Budget | None,
    data: DataFacts | None,
) -> TrainingRequest:
    """The step that a method would run with these choices.

    Raises RequestError when what was asked for cannot be.
    """
    micro, accumulation = batch_choices(asked, shape)
    weights = weights_choice(asked, method, budget).value
    rows = None if data is None else data.rows
    layers = layers_asked(asked.train_last, shape.layers, rows=rows, task=task_of(asked))
    packed = bool(asked.packing) and task_of(asked) == "causal-lm"
    request = TrainingRequest(
        method=method,
        task=task_of(asked),
        micro_batch=micro.value,
        accumulation=accumulation.value,
        sequence_tokens=sequence_choice(asked, data, shape).value,
        trainable_layers=layers if method == "full" else None,
        adapter=adapter_of(asked, method, shape, budget),
        weights=weights,
        autocast=autocast_of(budget),
        optimizer=asked.optimizer or "adamw-fused",
        checkpointing=asked.checkpointing or "full",  # type: ignore[arg-type]
        attention=attention_choice(asked, shape).value,
        loss=loss_choice(asked, shape, budget).value,
        # Rows of different lengths are filled up to the longest; without data all are full.
        padded=data is not None and micro.value > 1 and not packed,
        batching="packed" if packed else "grouped" if asked.group_by_length else "random",
        device="cpu" if budget is not None and budget.device == "cpu" else "cuda",
        compute_capability=None if budget is None else budget.compute_capability,
    )
    if packed and data is not None and asked.accumulation is None:
        wanted = micro.value * accumulation.value
        held = rows_held(request, data.lengths)
        steps = packed_accumulation(wanted, micro.value, held) or 1
        return replace(request, accumulation=steps)
    return request
