"""A plan as the launcher carries it out: the sections and keys of plan.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from hwdb import find_capability
from planner.optional_sections import EvaluationSection, ExpectedSection, RecoverySection
from planner.request import (
    QUANTIZED_WEIGHTS,
    AdapterDtype,
    AdapterSettings,
    Attention,
    Autocast,
    Batching,
    Checkpointing,
    Device,
    LoraKind,
    Loss,
    Method,
    RequestError,
    Task,
    TrainingRequest,
    Weights,
    above,
    at_least,
    check_optimizer,
    share,
)

_COMMIT = re.compile("[0-9a-f]{40}")

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
    trust_remote_code: bool = False
    """Whether Python code that comes with the model may be run: of that very commit."""

    def __post_init__(self) -> None:
        if not (self.hub_id or self.folder):
            raise RequestError("model.hub_id", "model.hub_id or model.folder must name the model")
        pinned = self.folder is None and _COMMIT.fullmatch(self.revision or "")
        if self.trust_remote_code and not pinned:
            raise RequestError(
                "model.trust_remote_code",
                "model.trust_remote_code needs a whole commit of the Hub (40 digits) as "
                "model.revision: code that may change must not be run",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSection:
    """What it learns from."""

    train: str
    """Absolute path of the training data, or a data set of the Hub: `org/name@commit:split`."""
    held_out_fraction: float
    """Share of rows kept out of training to measure on."""
    loss_on: LossOn
    """Whether only the answers (assistant turns, completions) or every token is learned."""
    held_out: str | None = None
    """The same of the rows to measure on; None holds out a share of `train`."""

    def __post_init__(self) -> None:
        if not self.train:
            raise RequestError("data.train", "data.train must name a file")
        share("data.held_out_fraction", self.held_out_fraction)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodSection:
    """How the weights change. The adapter keys are None for full."""

    name: Method
    weights: Weights
    autocast: Autocast | None
    adapter: LoraKind | None
    rank: int | None
    alpha: int | None
    dropout: float | None
    targets: tuple[str, ...] | None
    adapter_dtype: AdapterDtype | None

    def __post_init__(self) -> None:
        adapter_keys = ("adapter", "rank", "alpha", "dropout", "targets", "adapter_dtype")
        for key in adapter_keys:
            missing = getattr(self, key) is None
            if self.name == "full" and not missing:
                raise RequestError(f"method.{key}", f"method.{key} must be null for full")
            if self.name != "full" and missing:
                raise RequestError(f"method.{key}", f"method.{key} must be set for {self.name}")
        if self.rank is not None and self.alpha is not None:
            at_least("method.rank", self.rank, 1)
            at_least("method.alpha", self.alpha, 1)
            share("method.dropout", self.dropout or 0.0)
        if self.targets is not None and not all(self.targets):
            raise RequestError("method.targets", "method.targets must name layers")
        if (self.name == "qlora") != (self.weights in QUANTIZED_WEIGHTS):
            raise RequestError(
                "method.weights", f"method.weights {self.weights} cannot go with {self.name}"
            )


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
    trainable_layers: int | None = None
    """With method full: only the last N blocks and the head are trained; 0 is the head alone."""
    head_learning_rate: float | None = None
    """Of a new classification head; None takes `learning_rate`."""
    stop_after_evaluations: int = 0
    """Evaluations in a row without a better one after which training ends early; 0 never does."""
    group_by_length: bool = False
    """Whether the rows of a micro-batch are of like length, in a random order of micro-batches."""
    keep_best: bool = False
    """Whether the result is the best checkpoint by held-out rows, not the last."""

    def __post_init__(self) -> None:
        for key in (
            *("sequence_tokens", "micro_batch_rows", "accumulation_steps"),
            *("checkpoint_every_steps", "keep_checkpoints"),
        ):
            at_least(f"training.{key}", getattr(self, key), 1)
        if self.max_steps is not None:
            at_least("training.max_steps", self.max_steps, 1)
        above("training.epochs", self.epochs, 0)
        above("training.learning_rate", self.learning_rate, 0)
        share("training.warmup_fraction", self.warmup_fraction)
        if self.head_learning_rate is not None:
            above("training.head_learning_rate", self.head_learning_rate, 0)
        self._check_choice_of_best()
        check_optimizer("training.optimizer", self.optimizer)

    @property
    def batching(self) -> Batching:
        """How rows are put together."""
        if self.packing:
            return "packed"
        return "grouped" if self.group_by_length else "random"

    def _check_choice_of_best(self) -> None:
        """What is evaluated must be a checkpoint, or the best one could not be gone back to."""
        for key, wanted in (
            ("stop_after_evaluations", self.stop_after_evaluations > 0),
            ("keep_best", self.keep_best),
        ):
            if not wanted:
                continue
            if self.evaluate_every_steps == 0:
                raise RequestError(
                    f"training.{key}", f"training.{key} needs evaluate_every_steps above 0"
                )
            if self.evaluate_every_steps % self.checkpoint_every_steps:
                raise RequestError(
                    "training.evaluate_every_steps",
                    f"training.evaluate_every_steps must be a multiple of checkpoint_every_steps "
                    f"({self.checkpoint_every_steps}) with {key}",
                )


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

    def compute_capability(self) -> tuple[int, int] | None:
        """(major, minor) of the card; None on the CPU and for a card that hwdb does not know."""
        return None if self.gpu is None else find_capability(self.gpu)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSection:
    """Where results go."""

    folder: str
    """Absolute path of the run folder; it must not exist before the first launch."""

    def __post_init__(self) -> None:
        if not self.folder:
            raise RequestError("output.folder", "output.folder must name a folder")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """Everything a launch needs to know; plan.yaml is this, with a reason beside each choice."""

    model: ModelSection
    data: DataSection
    method: MethodSection
    training: TrainingSection
    hardware: HardwareSection
    output: OutputSection
    recovery: RecoverySection = field(default_factory=RecoverySection)
    evaluation: EvaluationSection = field(default_factory=EvaluationSection)
    expected: ExpectedSection = field(default_factory=ExpectedSection)

    def __post_init__(self) -> None:
        if self.training.trainable_layers is not None and self.method.name != "full":
            raise RequestError(
                "training.trainable_layers",
                f"training.trainable_layers must be null for {self.method.name}: it goes with full",
            )

    def request(self) -> TrainingRequest:
        """The step this plan will run, in the words of the estimator."""
        return TrainingRequest(
            method=self.method.name,
            task=self.training.task,
            trainable_layers=self.training.trainable_layers,
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
            batching=self.training.batching,
            compute_capability=self.hardware.compute_capability(),
        )

    def adapter(self) -> AdapterSettings | None:
        """The adapter to train, None for full."""
        method = self.method
        if method.name == "full":
            return None
        return AdapterSettings(
            kind=method.adapter,  # type: ignore[arg-type]
            rank=method.rank,  # type: ignore[arg-type]
            targets=method.targets,  # type: ignore[arg-type]
            dropout=method.dropout,  # type: ignore[arg-type]
            dtype=method.adapter_dtype or "fp32",
        )
