"""What is wanted: one training step, described completely enough to count its bytes.

Field names and words are those of `tlplan estimate`, so a case, a check and a plan file
describe a step in the same language.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any, Literal, get_args

Task = Literal["causal-lm", "text-classification", "image-classification"]
Method = Literal["full", "lora", "qlora"]
LoraKind = Literal["lora", "dora", "rslora"]  # the formula knows and a launch can train these
_LORA_KINDS: tuple[LoraKind, ...] = get_args(LoraKind)
AdapterKind = Literal[
    "lora", "dora", "rslora", "adalora", "ia3", "vera", "loha", "lokr", "oft", "boft", "beft",
    "c3a", "delora", "fourierft", "glora", "gralora", "hira", "hra", "ln-tuning", "miss",
    "p-tuning", "prefix-tuning", "prompt-tuning", "psoft", "pvera", "randlora", "road",
]  # fmt: skip
"""All that can be estimated, by PEFT's names; those beyond LoraKind by trace alone."""
AdapterDtype = Literal["fp32", "bf16"]
Weights = Literal["fp32", "bf16", "fp16", "int8", "nf4", "nf4-dq"]
Autocast = Literal["bf16", "fp16"]
Optimizer = Literal[
    "adamw", "adamw-fused", "adamw-8bit", "paged-adamw", "paged-adamw-8bit", "adafactor", "sgd"
]
_OPTIMIZERS: tuple[Optimizer, ...] = get_args(Optimizer)
Checkpointing = Literal["none", "full", "offloaded"]
Attention = Literal["sdpa", "flash2", "eager"]
Loss = Literal["torch", "chunked", "liger", "triton"]
Stack = Literal["transformers", "torchtune", "litgpt", "unsloth"]
Sharding = Literal["none", "ddp", "fsdp", "zero2", "zero3"]
Allocator = Literal["expandable", "classic"]
Batching = Literal["random", "grouped", "packed"]
"""How rows are put together: drawn at random or by like length and filled up to the longest, or
several of them behind each other in one row, kept apart by a mask."""
Device = Literal["cuda", "cpu"]

METHODS: tuple[Method, ...] = get_args(Method)
QUANTIZED_WEIGHTS: tuple[Weights, ...] = ("int8", "nf4", "nf4-dq")

IN_BACKWARD = "-in-backward"
"""Suffix of an optimizer that steps inside backward, so that gradients never pile up."""


class RequestError(ValueError):
    """A field of a request that cannot be, with its name."""

    def __init__(self, field_name: str, message: str) -> None:
        super().__init__(message)
        self.field_name = field_name


def shortened(value: object) -> str:
    """A value as an error shows it: of a long one only the beginning."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def one_of(field_name: str, value: object, allowed: tuple[object, ...]) -> None:
    """Raise RequestError unless `value` is one of `allowed`."""
    if value not in allowed:
        words = ", ".join("null" if word is None else str(word) for word in allowed)
        text = f"{field_name} must be one of {words}, got {shortened(value)}"
        raise RequestError(field_name, text)


def above(field_name: str, value: float, bound: float) -> None:
    """Raise RequestError unless `value` is a finite number above `bound`."""
    if not bound < value < float("inf"):
        raise RequestError(field_name, f"{field_name} must be above {bound:g}, got {value}")


def share(field_name: str, value: float) -> None:
    """Raise RequestError unless `value` is at least 0 and below 1."""
    if not 0 <= value < 1:
        raise RequestError(field_name, f"{field_name} must be at least 0 and below 1, got {value}")


def at_least(field_name: str, value: float, least: float) -> None:
    """Raise RequestError unless `value` is at least `least`."""
    if value < least:
        raise RequestError(field_name, f"{field_name} must be at least {least}, got {value}")


def check_optimizer(field_name: str, value: str) -> None:
    """Raise RequestError unless `value` is a known optimizer, in backward or not."""
    one_of(field_name, value.removesuffix(IN_BACKWARD), _OPTIMIZERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSettings:
    """The matrices that LoRA and QLoRA train."""

    kind: AdapterKind = "lora"
    """rslora scales by alpha / sqrt(rank); dora adds a magnitude vector per target."""
    rank: int = 16
    """Width of the two matrices; of oft and boft that of a rotated block, of prompts and prefixes
    their tokens. ia3, beft, c3a, fourierft, ln-tuning and road have none."""
    targets: tuple[str, ...] = ("all-linear",)
    """Names of the linear layers that get adapters; ("all-linear",) is every one but the head."""
    dropout: float = 0.0
    """Above 0, every target keeps a dropped-out copy of its input and a mask."""
    dtype: AdapterDtype = "fp32"
    """PEFT keeps adapters in fp32; TRL casts them to bf16 over a quantized base."""

    @property
    def lora_kind(self) -> LoraKind:
        """The kind, of adapters that a launch can train. Raises RequestError for others."""
        for kind in _LORA_KINDS:
            if self.kind == kind:
                return kind
        raise RequestError("adapter.kind", f"adapter.kind {self.kind} cannot be trained yet")

    def __post_init__(self) -> None:
        one_of("adapter.kind", self.kind, get_args(AdapterKind))
        one_of("adapter.dtype", self.dtype, get_args(AdapterDtype))
        at_least("adapter.rank", self.rank, 1)
        share("adapter.dropout", self.dropout)
        if not self.targets or not all(self.targets):
            raise RequestError("adapter.targets", "adapter.targets must name at least one layer")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """One optimizer step of one method on one model."""

    method: Method
    micro_batch: int
    """Rows that go through the model at once."""
    sequence_tokens: int
    """Tokens of each row, padding included."""
    task: Task = "causal-lm"
    trainable_layers: int | None = None
    """With method full: only the last N blocks and the head are trained; None trains all."""
    adapter: AdapterSettings | None = None
    """Set for lora and qlora, None for full."""
    weights: Weights = "bf16"
    autocast: Autocast | None = None
    kbit_prepare: bool = False
    """peft.prepare_model_for_kbit_training: embeddings, norms and head become fp32."""
    optimizer: str = "adamw-fused"
    """One of Optimizer, or one of them with "-in-backward" behind it."""
    accumulation: int = 1
    lengths: tuple[int, ...] | None = None
    """Token lengths of the data; None when every row is `sequence_tokens` long."""
    lengths_vary: bool = False
    """Without lengths: rows are known to be unequal, `sequence_tokens` being only their cap."""
    padded: bool = False
    """A batch of unequal rows carries a mask, which takes attention off its cheap path."""
    batching: Batching = "random"
    checkpointing: Checkpointing = "full"
    attention: Attention = "sdpa"
    loss: Loss = "chunked"
    stack: Stack = "transformers"
    transformers_version: tuple[int, int] | None = None
    """(major, minor) of Transformers; None is the version the launcher runs with."""
    bitsandbytes_version: tuple[int, int] | None = None
    """(major, minor) of bitsandbytes; None is the one the stack asks for."""
    gpus: int = 1
    sharding: Sharding = "none"
    allocator: Allocator = "expandable"
    """The launcher sets expandable segments; other people's runs mostly did not."""
    device: Device = "cuda"
    compute_capability: tuple[int, int] | None = None
    """(major, minor) of the card; None is unknown."""

    def __post_init__(self) -> None:
        self._check_fields()
        check_optimizer("optimizer", self.optimizer)
        if self.trainable_layers is not None:
            at_least("trainable_layers", self.trainable_layers, 0)
            if self.method != "full":
                raise RequestError("trainable_layers", "trainable_layers goes with method full")
        if self.steps_in_backward and self.accumulation > 1:
            text = f"optimizer {self.optimizer} steps in every backward: accumulation must be 1"
            raise RequestError("optimizer", text)
        if self.kbit_prepare and self.weights not in QUANTIZED_WEIGHTS:
            text = f"kbit_prepare goes with quantized weights, not with {self.weights}"
            raise RequestError("kbit_prepare", text)
        if (self.adapter is None) != (self.method == "full"):
            raise RequestError("adapter", "adapter goes with method lora or qlora, and only there")
        if (self.method == "qlora") != (self.weights in QUANTIZED_WEIGHTS):
            packed = self.method == "qlora"
            kinds = [kind for kind in get_args(Weights) if (kind in QUANTIZED_WEIGHTS) == packed]
            raise RequestError(
                "weights",
                f"weights {self.weights} cannot go with method {self.method}, "
                f"which takes {', '.join(kinds)}",
            )

    def with_batch(self, **batch: Any) -> TrainingRequest:
        """These settings with another batch, or any field that goes with all others.

        A batch goes with any settings, so unlike dataclasses.replace it looks at nothing again,
        which is most of an estimate's time where many are made.
        """
        made = object.__new__(TrainingRequest)
        for put, value in zip(_SETTERS, _values(self), strict=True):
            put(made, value)
        for name, value in batch.items():
            object.__setattr__(made, name, value)
        return made

    def _check_fields(self) -> None:
        """Each by itself. A search makes thousands of requests: right ones must be quick."""
        for field_name, words in _WORDS.items():
            if getattr(self, field_name) not in words:
                one_of(field_name, getattr(self, field_name), words)
        for field_name in ("micro_batch", "sequence_tokens", "accumulation", "gpus"):
            if getattr(self, field_name) < 1:
                at_least(field_name, getattr(self, field_name), 1)

    @property
    def runs_today(self) -> bool:
        """Whether this is a step of the launcher's libraries, and none of a run that is told of.

        Those name their version, or compute a language model's loss as others did without the
        launcher's allocator.
        """
        own = self.loss == "chunked" or self.task != "causal-lm" or self.allocator == "expandable"
        return self.transformers_version is None and self.stack == "transformers" and own

    @property
    def optimizer_name(self) -> str:
        """The optimizer without its in-backward suffix."""
        return self.optimizer.removesuffix(IN_BACKWARD)

    @property
    def steps_in_backward(self) -> bool:
        """Whether the optimizer steps inside backward."""
        return self.optimizer.endswith(IN_BACKWARD)

    @property
    def fused_kernels(self) -> bool:
        """Whether norms, rotary embedding and adapters run as fused Triton kernels.

        The patches that bring a Triton or Liger loss to Transformers bring these with it; Unsloth
        is made of them.
        """
        return self.loss in ("triton", "liger") or self.stack == "unsloth"

    @property
    def reentrant_checkpoints(self) -> bool:
        """Whether a recomputed block's output stays alive while the block is differentiated.

        Trainer asked for reentrant checkpoints until Transformers 5; Unsloth's offloaded ones are.
        """
        if self.checkpointing == "offloaded":
            return self.stack != "torchtune"
        version = self.transformers_version
        return version is not None and version < (5, 0)

    @property
    def masked(self) -> bool:
        """Whether torch's kernel gets a mask beside the causal one, and so computes every score."""
        return self.attention == "sdpa" and (self.padded or self.batching == "packed")

    @property
    def as_computed(self) -> TrainingRequest:
        """The step as the model sees it: packed rows of a micro-batch become a single row."""
        if self.batching != "packed":
            return self
        return replace(
            self,
            batching="random",
            micro_batch=1,
            sequence_tokens=self.tokens,
            lengths=None,
            padded=self.attention == "sdpa",
        )

    @property
    def tokens(self) -> int:
        """Tokens of one micro-batch, padding included."""
        return self.micro_batch * self.sequence_tokens


REQUEST_FIELDS = tuple(each.name for each in fields(TrainingRequest))
_values = attrgetter(*REQUEST_FIELDS)
_SETTERS = tuple(getattr(TrainingRequest, name).__set__ for name in REQUEST_FIELDS)
BATCH_FIELDS = ("micro_batch", "sequence_tokens", "lengths", "lengths_vary")
"""Fields of a request that say how much is trained at once; all others are settings."""

_WORDS: dict[str, tuple[object, ...]] = {
    "method": get_args(Method),
    "task": get_args(Task),
    "weights": get_args(Weights),
    "autocast": (None, *get_args(Autocast)),
    "checkpointing": get_args(Checkpointing),
    "attention": get_args(Attention),
    "loss": get_args(Loss),
    "stack": get_args(Stack),
    "sharding": get_args(Sharding),
    "allocator": get_args(Allocator),
    "batching": get_args(Batching),
    "device": get_args(Device),
}
