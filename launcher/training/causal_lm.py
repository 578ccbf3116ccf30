"""The parts of a run that trains a language model: its trainer and what it is measured by."""

from __future__ import annotations

from collections.abc import Callable

from launcher.runs.checkpoints import writing_folder
from launcher.training.arguments import refuse_leaking_rows, sft_config
from launcher.training.context import Context
from launcher.training.dataset import as_dataset
from launcher.training.evidence import LanguageEvidence
from launcher.training.freezing import train_last
from launcher.training.loading import cast_adapters, load_model, load_tokenizer, lora_config
from launcher.training.measuring import Measurements
from launcher.training.preparing import PreparedRows, prepare_rows
from launcher.training.trainer import FullLogitsTrainer, RunTrainer


def language_model_parts(
    context: Context,
    *,
    pick: Callable[[PreparedRows], PreparedRows] | None = None,
) -> tuple[RunTrainer, Measurements, LanguageEvidence]:
    """Rows first, then weights: what is wrong with the data must show before gigabytes load."""
    plan, events = context.plan, context.events
    events.append("phase", phase="tokenizing")
    tokenizer = load_tokenizer(plan)
    rows = prepare_rows(plan, tokenizer, events)
    if pick is not None:
        rows = pick(rows)

    events.append("phase", phase="loading weights")
    model = load_model(plan)
    refuse_leaking_rows(plan, model.config.model_type)
    if plan.training.trainable_layers is not None:
        train_last(model, plan.training.trainable_layers, plan.training.task)
    trainer_class = RunTrainer if plan.training.loss == "chunked" else FullLogitsTrainer
    trainer = trainer_class(
        model=model,
        args=sft_config(plan, writing_folder(context.run)),
        train_dataset=as_dataset(rows.train),
        processing_class=tokenizer,
        peft_config=lora_config(plan, model),
    )
    if plan.training.group_by_length:
        trainer.grouped_lengths = [len(row.input_ids) for row in rows.train]
    cast_adapters(trainer.model, plan)
    return (trainer, Measurements(trainer, rows, context), LanguageEvidence(trainer, rows, context))
