"""The parts of a run that trains a classifier of texts or pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model
from transformers import DataCollatorWithPadding, set_seed

from launcher.runs.checkpoints import writing_folder
from launcher.runs.events import EventLog
from launcher.training.arguments import classifier_arguments
from launcher.training.classifier_evidence import ClassifierEvidence
from launcher.training.classifier_measuring import ClassifierMeasurements
from launcher.training.context import Context
from launcher.training.freezing import head_parameters, train_last
from launcher.training.labelled_rows import (
    ROOM_FOR_PIXELS,
    LabelledRow,
    LabelledRows,
    PicturePreparation,
    TextPreparation,
    examples_of,
    prepare_labelled_rows,
)
from launcher.training.loading import (
    cast_adapters,
    classifier_lora_config,
    load_classifier,
    load_config,
    load_tokenizer,
)
from launcher.training.trainer import SafeSaving
from planner.run_plan import RunPlan


def classifier_parts(
    context: Context,
    *,
    pick: Callable[[LabelledRows], LabelledRows] | None = None,
) -> tuple[ClassifierTrainer, ClassifierMeasurements, ClassifierEvidence]:
    """Rows first, then weights: what is wrong with the data must show before gigabytes load."""
    plan, events = context.plan, context.events
    events.append("phase", phase="tokenizing")
    saved_beside, rows = _prepared(plan, events)
    if pick is not None:
        rows = pick(rows)

    events.append("phase", phase="loading weights")
    # A new head, and adapters, begin with random numbers: those of the plan's seed.
    set_seed(plan.training.seed)
    model = _model(plan, rows, saved_beside)
    trainer = ClassifierTrainer(
        model=model,
        args=classifier_arguments(plan, writing_folder(context.run)),
        train_dataset=_Examples(rows.train),
        data_collator=collator_for(saved_beside),
    )
    trainer.saved_beside = saved_beside
    trainer.head_learning_rate = plan.training.head_learning_rate
    # The trainer counts the rows of a step, and leaves its mean to `compute_loss`.
    trainer.model_accepts_loss_kwargs = True
    if plan.training.group_by_length:
        trainer.grouped_lengths = [row.tokens for row in rows.train]
    cast_adapters(trainer.model, plan)
    measurements = ClassifierMeasurements(trainer, rows, context)
    return trainer, measurements, ClassifierEvidence(trainer, rows, measurements, context)


def _prepared(plan: RunPlan, events: EventLog) -> tuple[Any, LabelledRows]:
    """What is saved beside the weights, and the rows."""
    if plan.training.task == "text-classification":
        tokenizer = load_tokenizer(plan)
        preparation = TextPreparation(tokenizer, plan.training.sequence_tokens)
        return tokenizer, prepare_labelled_rows(plan, preparation, events)
    # Pillow and numpy: about 100 ms.
    from launcher.training.pictures import PictureSettings, picture_preparation

    folder = Path(plan.model.folder) if plan.model.folder else None
    prepare, settings = picture_preparation(load_config(plan), folder)
    room_bytes = ROOM_FOR_PIXELS[plan.hardware.device]
    pictures = PicturePreparation(prepare, plan.training.sequence_tokens, room_bytes)
    rows = prepare_labelled_rows(plan, pictures, events)
    return PictureSettings(settings), rows


def _model(plan: RunPlan, rows: LabelledRows, saved_beside: Any) -> torch.nn.Module:
    model: Any = load_classifier(plan, rows.classes)
    if plan.training.task == "text-classification" and model.config.pad_token_id is None:
        # A decoder finds the last real token of each row by it.
        model.config.pad_token_id = saved_beside.pad_token_id
    adapters = classifier_lora_config(plan, model)
    if adapters is not None:
        if plan.training.checkpointing == "full":
            model.enable_input_require_grads()
        adapted: torch.nn.Module = get_peft_model(model, adapters)
        return adapted
    if plan.training.trainable_layers is not None:
        train_last(model, plan.training.trainable_layers, plan.training.task)
    whole: torch.nn.Module = model
    return whole


class ClassifierTrainer(SafeSaving):
    """Transformers' own trainer, counting tokens as TRL does, with a rate of its own for heads."""

    saved_beside: Any
    """The tokenizer, or the settings of the pictures."""
    head_learning_rate: float | None = None
    _tokens = 0

    @property
    def own_processing(self) -> Any:
        """What is written beside the weights."""
        return self.saved_beside

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """As planned, with parameters of a new head in groups of their own."""
        optimizer: torch.optim.Optimizer = super().create_optimizer(model)  # type: ignore[no-untyped-call,unused-ignore]
        rate = self.head_learning_rate
        if rate is None or rate == self.args.learning_rate:
            return optimizer
        head = {id(each) for each in head_parameters(self.model)}
        for group in list(optimizer.param_groups):
            own = [each for each in group["params"] if id(each) in head]
            others = [each for each in group["params"] if id(each) not in head]
            if own and others:
                group["params"] = others
                settings = {name: group[name] for name in group if name != "params"}
                optimizer.add_param_group({**settings, "params": own, "lr": rate})
        return optimizer

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The micro-batch's part of the mean cross-entropy over the rows of an optimizer step.

        Models differ in whether they look at `num_items_in_batch`; each gives its own mean here,
        and that becomes a part of the step's.
        """
        tokens = inputs.pop("tokens", None)
        if tokens is not None and model.training:
            self._tokens += int(tokens.sum())
        rows = len(inputs["labels"])
        found: Any = super().compute_loss(model, inputs, return_outputs=True)
        loss, outputs = found
        if num_items_in_batch is not None:
            loss = loss * (rows / num_items_in_batch)
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the tokens so far, as TRL's trainer does."""
        if "loss" in logs:
            logs["num_tokens"] = float(self._tokens)
        super().log(logs, start_time)


class _Examples(torch.utils.data.Dataset[dict[str, Any]]):
    """Rows as the collator takes them."""

    def __init__(self, rows: tuple[LabelledRow, ...]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._rows[index].example()

    def __getitems__(self, indices: list[int]) -> list[dict[str, Any]]:
        """What torch asks for where a dataset has it: a whole batch at once."""
        return examples_of([self._rows[index] for index in indices])


def collator_for(saved_beside: Any) -> Any:
    """Makes a batch of rows: texts filled up to the longest, pictures stacked."""
    if not hasattr(saved_beside, "pad_token_id"):
        return _stacked
    pad = DataCollatorWithPadding(saved_beside)

    def padded(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        tokens = torch.tensor([row["tokens"] for row in rows])
        batch = pad([{name: row[name] for name in ("input_ids", "labels")} for row in rows])
        return {**batch, "tokens": tokens}

    return padded


def _stacked(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    return {
        "pixel_values": torch.stack([torch.from_numpy(row["pixel_values"]) for row in rows]),
        "labels": torch.tensor([row["labels"] for row in rows]),
        "tokens": torch.tensor([row["tokens"] for row in rows]),
    }
