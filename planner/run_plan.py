"""A plan as the launcher carries it out: the sections and keys of plan.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from planner.request import (
    AdapterDtype,
    AdapterKind,
    AdapterSettings,
    Attention,
    Autocast,
    Checkpointing,
    Device,
    Loss,
    Method,
    Task,
    TrainingRequest,
    Weights,
)

LossOn = Literal["answers", "all-tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSection:
    """Which model is trained. `folder` wins over `hub_id`; one of them is set."""

    name: str
    """The name the user gave: a short name of hwdb, a Hub name or a folder."""
    hub_id: str | None
    revision: str | None
    """Commit, tag or branch on the Hub; None is the default branch."""
    folder: str | None
    """Absolute path of a local folder with config.json, tokenizer and safetensors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSection:
    """What it learns from."""

    train: str
    """Absolute path of the training file."""
    held_out_fraction: float
    """Share of rows kept out of training to measure on."""
    loss_on: LossOn
    """Whether only the answers (assistant turns, completions) or every token is learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodSection:
    """How the weights change. The adapter keys are None for full."""

    name: Method
    weights: Weights
    autocast: Autocast | None
    adapter: AdapterKind | None
    rank: int | None
    alpha: int | None
    dropout: float | None
    targets: tuple[str, ...] | None
    adapter_dtype: AdapterDtype | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSection:
    """The loop."""

    task: Task
    sequence_tokens: int
    """Longer rows are cut."""
    micro_batch_rows: int
    accumulation_steps: int
    epochs: float
    max_steps: int | None
    """Stop after this many optimizer steps even if epochs are left."""
    learning_rate: float
    schedule: Literal["constant", "linear", "cosine"]
    warmup_fraction: float
    optimizer: str
    checkpointing: Checkpointing
    attention: Attention
    loss: Loss
    packing: bool
    checkpoint_every_steps: int
    evaluate_every_steps: int
    """0 evaluates only before and after."""
    keep_checkpoints: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareSection:
    """Where it runs, and the memory that was promised there."""

    device: Device
    gpu: str | None
    """Name of the card; None on the CPU."""
    gpu_uuid: str | None
    """Which card of this machine; None lets the launch take the first that fits."""
    available_bytes: int | None
    """Free memory the plan was made against."""
    predicted_allocated_bytes: int
    predicted_peak_bytes: int
    predicted_low_bytes: int
    predicted_high_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSection:
    """Where results go."""

    folder: str
    """Absolute path of the run folder; it must not exist before the first launch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """Everything a launch needs to know; plan.yaml is this, with a reason beside each choice."""

    model: ModelSection
    data: DataSection
    method: MethodSection
    training: TrainingSection
    hardware: HardwareSection
    output: OutputSection

    def request(self) -> TrainingRequest:
        """The step this plan will run, in the words of the estimator."""
        return TrainingRequest(
            method=self.method.name,
            task=self.training.task,
            micro_batch=self.training.micro_batch_rows,
            accumulation=self.training.accumulation_steps,
            sequence_tokens=self.training.sequence_tokens,
            adapter=self.adapter(),
            weights=self.method.weights,
            autocast=self.method.autocast,
            optimizer=self.training.optimizer,
            checkpointing=self.training.checkpointing,
            attention=self.training.attention,
            loss=self.training.loss,
            device=self.hardware.device,
            padded=self.training.micro_batch_rows > 1 and not self.training.packing,
        )

    def adapter(self) -> AdapterSettings | None:
        """The adapter to train, None for full."""
        method = self.method
        if method.name == "full":
            return None
        if None in (method.adapter, method.rank, method.dropout, method.targets):
            raise ValueError(f"method {method.name} needs adapter, rank, dropout and targets")
        return AdapterSettings(
            kind=method.adapter,  # type: ignore[arg-type]
            rank=method.rank,  # type: ignore[arg-type]
            targets=method.targets,  # type: ignore[arg-type]
            dropout=method.dropout,  # type: ignore[arg-type]
            dtype=method.adapter_dtype or "fp32",
        )
