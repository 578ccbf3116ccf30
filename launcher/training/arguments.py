"""A plan in the words of TRL's SFTConfig, and what of a plan cannot be carried out yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import hwdb
from launcher.errors import UsageError
from planner.request import IN_BACKWARD
from planner.run_plan import RunPlan, TrainingSection

if TYPE_CHECKING:
    from transformers import TrainingArguments
    from trl.trainer.sft_config import SFTConfig

_OPTIMIZERS = {
    "adamw": "adamw_torch",
    "adamw-fused": "adamw_torch_fused",
    "adamw-8bit": "adamw_8bit",
    "paged-adamw": "paged_adamw_32bit",
    "paged-adamw-8bit": "paged_adamw_8bit",
    "adafactor": "adafactor",
    "sgd": "sgd",
}


def refuse_what_is_not_there(plan: RunPlan) -> None:
    """Raise UsageError, naming the key, for what a plan may say but no launch can do yet."""
    training = plan.training
    if training.loss not in ("chunked", "torch"):
        raise _not_there("loss", training.loss, "chunked or torch")
    if training.checkpointing == "offloaded":
        raise _not_there("checkpointing", training.checkpointing, "full or none")
    if training.optimizer.endswith(IN_BACKWARD):
        raise _not_there(
            "optimizer",
            training.optimizer,
            training.optimizer.removesuffix(IN_BACKWARD),
        )
    if training.packing and training.task != "causal-lm":
        raise UsageError(
            f"training.packing cannot go with task {training.task}: each row has a label of its "
            "own",
            "set packing: false",
        )
    if training.packing and training.group_by_length:
        raise UsageError(
            "training.packing cannot go with group_by_length: packed rows have no padding",
            "set one of them to false",
        )
    if training.packing and training.attention == "eager":
        raise UsageError(
            "training.packing cannot go with attention eager: packed rows could see each other",
            "set attention: sdpa, or packing: false",
        )


def refuse_leaking_rows(plan: RunPlan, model_type: str) -> None:
    """Raise UsageError where packed rows of this family could see each other."""
    family = hwdb.find_family(model_type)
    if plan.training.packing and (family is None or not family.packs):
        raise UsageError(
            f"training.packing: packed rows of this model ({model_type}) could see each other",
            "set packing: false; group_by_length: true saves padding too",
        )


def sft_config(plan: RunPlan, output_folder: Path) -> SFTConfig:
    """The trainer's arguments; everything it writes goes below `output_folder`."""
    from trl.trainer.sft_config import SFTConfig

    return SFTConfig(
        **_common(plan, output_folder), **_rows(plan.training), trust_remote_code=False
    )


def classifier_arguments(plan: RunPlan, output_folder: Path) -> TrainingArguments:
    """The same for a classifier, whose rows the collator makes into batches."""
    from transformers import TrainingArguments

    return TrainingArguments(
        **_common(plan, output_folder), remove_unused_columns=False, label_names=["labels"]
    )


def _common(plan: RunPlan, output_folder: Path) -> dict[str, Any]:
    training = plan.training
    on_cpu = plan.hardware.device == "cpu"
    return dict(
        output_dir=str(output_folder),
        **_loop(training),
        bf16=plan.method.autocast == "bf16",
        fp16=plan.method.autocast == "fp16",
        use_cpu=on_cpu,
        dataloader_pin_memory=not on_cpu,
        gradient_checkpointing=training.checkpointing == "full",
        gradient_checkpointing_kwargs={"use_reentrant": False},
        seed=training.seed,
        data_seed=training.seed,
        logging_steps=1,
        # The default filter would log the mean of earlier losses in place of a NaN.
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        eval_strategy="no",
        save_strategy="steps",
        save_steps=training.checkpoint_every_steps,
        push_to_hub=False,
    )


def _loop(training: TrainingSection) -> dict[str, Any]:
    schedule: str = training.schedule
    if schedule == "constant" and training.warmup_fraction > 0:
        schedule = "constant_with_warmup"
    return {
        "per_device_train_batch_size": training.micro_batch_rows,
        "gradient_accumulation_steps": training.accumulation_steps,
        "num_train_epochs": training.epochs,
        "max_steps": training.max_steps if training.max_steps is not None else -1,
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": schedule,
        # Below 1 it is a share of all steps.
        "warmup_steps": training.warmup_fraction,
        "optim": _OPTIMIZERS[training.optimizer],
    }


def _rows(training: TrainingSection) -> dict[str, Any]:
    return {
        "max_length": training.sequence_tokens,
        "packing": training.packing,
        "packing_strategy": "bfd",
        # Rows arrive tokenized, labelled and cut; only packing is left to do.
        "dataset_kwargs": {"skip_prepare_dataset": not training.packing},
    }


def _not_there(key: str, value: str, instead: str) -> UsageError:
    return UsageError(
        f"training.{key}: {value} can be estimated but not trained yet",
        f"use {key}: {instead}",
    )
