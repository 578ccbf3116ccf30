"""Trainers without what would reach for the network or hide a broken model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import Trainer, TrainerState
from trl.trainer.sft_trainer import SFTTrainer

from launcher.errors import Diverged
from launcher.runs.checkpoints import newest_bytes
from launcher.runs.disk import RESERVE_BYTES, require_free
from launcher.training.grouping import RowsOfLikeLength
from launcher.training.resuming import fit_to_plan

_OTHER_FILES_BYTES = 4 << 20


class SafeSaving(Trainer):
    """Saves what resumes bit for bit, never a weight that is NaN or infinite."""

    run: Path | None = None
    """The run folder, whose disk is looked at before each save; None looks at none."""
    model: Any
    """A PreTrainedModel or a PeftModel around one; transformers allows more, and None."""
    processing_class: Any
    """The tokenizer."""
    grouped_lengths: Sequence[int] | None = None
    """Tokens of each training row where those of like length go together; None: as they come."""
    grouped_rows: int | None = None
    """How many go together; None: a micro-batch. A smaller one must not change the order."""

    @property
    def own_processing(self) -> Any:
        """What is saved beside the weights, as it came with the model."""
        return self.processing_class

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write none: a checkpoint is for resuming, and the card asks the Hub."""

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save weights and tokenizer. Raises Diverged when a trained weight is not finite."""
        refuse_broken_weights(self.model)
        super().save_model(output_dir, _internal_call)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if self.grouped_lengths is None:
            return super()._get_train_sampler(train_dataset)  # type: ignore[no-untyped-call,unused-ignore]
        together = self.grouped_rows or self.args.per_device_train_batch_size
        return RowsOfLikeLength(self.grouped_lengths, together, self.args.seed)

    def set_initial_training_values(self, args: Any, dataloader: Any) -> Any:
        """Steps and passes: `max_steps` ends a run early, and adds no pass nobody asked for."""
        most, args.max_steps = args.max_steps, -1
        by_passes = super().set_initial_training_values(args, dataloader)
        args.max_steps = most
        if most < 0 or by_passes[-1] <= most:
            return by_passes
        return super().set_initial_training_values(args, dataloader)

    def take_up(self, checkpoint: Path) -> None:
        """Take weights and step count of a checkpoint, without going on training."""
        self.load_weights(checkpoint)
        self.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))

    def load_weights(self, checkpoint: Path) -> None:
        """Take the weights of a checkpoint and nothing else."""
        self._load_from_checkpoint(str(checkpoint))

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        """Write one. Raises NoDisk, before anything is written, when it would not fit."""
        self._require_room()
        try:
            super()._save_checkpoint(model, trial)  # type: ignore[no-untyped-call,unused-ignore]
        except (OSError, RuntimeError):
            # Each library has words of its own for a disk that others have filled meanwhile.
            self._require_room()
            raise

    def _require_room(self) -> None:
        if self.run is not None:
            needed_bytes = newest_bytes(self.run) or self._checkpoint_bytes()
            require_free(self.run, needed_bytes + RESERVE_BYTES, "the next checkpoint")

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            own = getattr(self.optimizer, "optimizer", self.optimizer)
            fit_to_plan(own, self.lr_scheduler, learning_rate=self.args.learning_rate)

    def _checkpoint_bytes(self) -> int:
        """What the first checkpoint will take: trained weights, optimizer, tokenizer and state."""
        trained = [each for each in self.model.parameters() if each.requires_grad]
        states = getattr(self.optimizer, "state", {}).values()
        moments = [each for state in states for each in state.values() if torch.is_tensor(each)]
        tensors: int = sum(each.numel() * each.element_size() for each in (*trained, *moments))
        return tensors + _OTHER_FILES_BYTES

    def _save(
        self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None
    ) -> None:
        if output_dir is None or not isinstance(self.model, PeftModel):
            super()._save(output_dir, state_dict)
            if output_dir is not None and self.processing_class is None:
                self.own_processing.save_pretrained(output_dir)
            return
        # "auto", PEFT's default, asks the Hub for the base model's config on every save.
        self.model.save_pretrained(output_dir, state_dict=state_dict, save_embedding_layers=False)
        self.own_processing.save_pretrained(output_dir)


class RunTrainer(SafeSaving, SFTTrainer):
    """TRL's trainer of language models, with the loss of its fused head."""


class FullLogitsTrainer(RunTrainer):
    """Takes the model's own loss, from all logits at once, as Transformers' Trainer does."""

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The loss of one micro-batch."""
        inputs["use_cache"] = False
        if "attention_mask" in inputs:
            self._total_train_tokens += int(inputs["attention_mask"].sum())
        else:
            self._total_train_tokens += inputs["input_ids"].numel()
        self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
        return Trainer.compute_loss(self, model, inputs, return_outputs, num_items_in_batch)


def refuse_broken_weights(model: torch.nn.Module) -> None:
    """Raise Diverged when a trained weight is NaN or infinite."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and not bool(torch.isfinite(parameter).all()):
            raise Diverged(
                f"training diverged: {name} holds NaN or infinite values",
                "lower learning_rate, for instance to a tenth",
            )
