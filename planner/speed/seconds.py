"""Seconds from work and rates: a few coefficients for each step, evaluated for any batch.

    product     2 T weights / (share x ceiling) + (weights + T sides) x bytes / (0.9 bandwidth)
    attention   4 T S width / 2 / (share x ceiling)
    traffic     bytes / (share x bandwidth)
    host        kernels x seconds; a pass takes (gpu^4 + host^4)^(1/4), each hiding the other

The form and its check on runs of others: bench/step_time.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from planner.speed.rates import CardRates
from planner.speed.work import Execution, Pass, Work

if TYPE_CHECKING:
    from hwdb.speed import SpeedConstants

_WEIGHT_READS = 0.9
"""Share of the bandwidth at which products read what they multiply."""
_ADAPTER_SHARE = 0.5
"""Speed of an adapter's thin products over that of the linears."""
_BACKWARD_LAUNCH = 0.7
"""Autograd launches from C++: less host time for a kernel than Python takes forward."""
_TENSOR_SECONDS = 4e-6
"""Least time the optimizer spends on one tensor."""
_MIXTURE_SHARE = 0.5
"""Speed of products over tokens sorted by expert."""


class Seconds(NamedTuple):
    """An expected time with the interval that holds 90 of 100 measured runs."""

    expected: float
    low: float
    high: float

    def scaled(self, factor: float) -> Seconds:
        """Every bound times `factor`."""
        return Seconds(self.expected * factor, self.low * factor, self.high * factor)


class Linear(NamedTuple):
    """Seconds as fixed + per_token x T + per_score x T x S."""

    fixed: float
    per_token: float
    per_score: float


class Kinds(NamedTuple):
    """Where the seconds of a pass go."""

    products: Linear
    attention: Linear
    traffic: Linear
    adapters: Linear
    unpacking: Linear

    def total(self) -> Linear:
        """All of them together."""
        one, two, three, four, five = self
        return Linear(
            one.fixed + two.fixed + three.fixed + four.fixed + five.fixed,
            one.per_token + two.per_token + three.per_token + four.per_token + five.per_token,
            one.per_score + two.per_score + three.per_score + four.per_score + five.per_score,
        )


class StepSeconds(NamedTuple):
    """The coefficients of one step on one GPU, for any batch and length."""

    forward: Linear
    backward: Linear
    trained_extra: Linear
    """Weight gradients of a block."""
    forward_host: float
    backward_host: float
    head: Linear
    optimizer: float
    """Once a step."""
    accumulation: float
    """Once a micro-batch, where a step has several: their gradients are added up."""
    base: float
    layers: int
    backward_layers: int
    recomputed_layers: int
    trained_layers: int

    def micro_step(self, tokens: float, scores: float, *, accumulated: bool) -> float:
        """Seconds of one micro-batch of `tokens` with `scores` = tokens x tokens of a row.

        Forward, loss and backward; the optimizer's step is left out. `accumulated` says that a
        step has more than one.
        """
        forward = self.forward
        seconds = forward.fixed + forward.per_token * tokens + forward.per_score * scores
        host = self.forward_host
        ahead = _overlapped(seconds, host)
        blocks = ahead * (self.layers + self.recomputed_layers)
        backward = self.backward
        seconds = backward.fixed + backward.per_token * tokens + backward.per_score * scores
        host = self.backward_host
        frozen = self.backward_layers - self.trained_layers
        if frozen:
            blocks += frozen * _overlapped(seconds, host)
        if self.trained_layers:
            extra = self.trained_extra
            seconds += extra.fixed + extra.per_token * tokens
            blocks += self.trained_layers * _overlapped(seconds, host)
        head = self.head
        added = self.accumulation if accumulated else 0.0
        return blocks + head.fixed + head.per_token * tokens + added + self.base

    def forward_only(self, tokens: float, scores: float) -> float:
        """Seconds of measuring one batch: no gradient, the loss's forward a third of the head."""
        forward = self.forward
        seconds = forward.fixed + forward.per_token * tokens + forward.per_score * scores
        blocks = self.layers * _overlapped(seconds, self.forward_host)
        head = self.head
        return blocks + (head.fixed + head.per_token * tokens) / 3 + self.base

    def host_share(self, tokens: float, scores: float) -> float:
        """How far the host, not the card, sets the pace: its share of the larger of the two."""
        forward = self.forward
        gpu = forward.fixed + forward.per_token * tokens + forward.per_score * scores
        return self.forward_host / max(self.forward_host + gpu, 1e-12)


def _overlapped(gpu: float, host: float) -> float:
    """Whichever is slower hides the other, nearly."""
    return float((gpu**4 + host**4) ** 0.25)


def step_seconds_of(
    work: Work, rates: CardRates, constants: SpeedConstants, execution: Execution
) -> StepSeconds | None:
    """The coefficients; None where the card's rate for this kind of products is unknown."""
    ceiling = rates.single_products if work.single_precision else rates.products
    if ceiling is None:
        return None
    if execution.fp8:
        fast = ceiling * constants.fp8
    else:
        fast = ceiling * (_MIXTURE_SHARE if work.mixture else 1.0)
    kinds = _Kinds(work, rates, constants, execution, ceiling, fast * constants.matmul)
    host = constants.kernel_seconds * (constants.compiled_host if execution.compiled else 1.0)
    python = constants.compiled_host if execution.compiled else 1.0
    elementwise = rates.bandwidth * constants.bandwidth
    optimizer = max(work.optimizer_bytes / elementwise, work.tensors * _TENSOR_SECONDS)
    return StepSeconds(
        forward=kinds.of(work.forward).total(),
        backward=kinds.of(work.backward).total(),
        trained_extra=kinds.product(work.weight_gradients, work.forward.sides),
        forward_host=host * work.forward.kernels,
        backward_host=host * work.backward.kernels * _BACKWARD_LAUNCH,
        head=kinds.head(),
        optimizer=optimizer,
        accumulation=work.accumulation_bytes / elementwise,
        base=constants.base_seconds * python,
        layers=work.layers,
        backward_layers=work.backward_layers,
        recomputed_layers=work.recomputed_layers,
        trained_layers=work.trained_layers,
    )


class _Kinds:
    """Turns amounts into seconds on one card."""

    def __init__(
        self,
        work: Work,
        rates: CardRates,
        constants: SpeedConstants,
        execution: Execution,
        ceiling: float,
        products: float,
    ) -> None:
        self.work, self.constants, self.execution = work, constants, execution
        self.products = products
        self.reads = rates.bandwidth * _WEIGHT_READS
        self.elementwise = rates.bandwidth * constants.bandwidth
        share = constants.attention_of_2023 if execution.attention_of_2023 else constants.attention
        scores_kept = work.forward.score_bytes > 0
        # Eager attention is two plain products.
        self.attention = ceiling * (constants.matmul if scores_kept else share)
        self.attention *= rates.attention_share
        # Without autocast fp32 adapters are multiplied in fp32, which PyTorch keeps off the tensor
        # cores unless it is told otherwise.
        precise = rates.single_products if work.precise_adapters else None
        self.adapters = (precise or ceiling) * constants.matmul * _ADAPTER_SHARE
        unpacking = constants.unpacking_gptq if execution.gptq_of_2023 else constants.unpacking
        self.unpacking = rates.bandwidth * unpacking

    def product(self, weights: float, sides: float) -> Linear:
        """Multiplying every token with `weights` elements."""
        width = self.work.product_bytes
        return Linear(
            fixed=width * weights / self.reads,
            per_token=2 * weights / self.products + width * sides / self.reads,
            per_score=0.0,
        )

    def of(self, one: Pass) -> Kinds:
        """One pass of one block."""
        return Kinds(
            products=self.product(one.weights, one.sides),
            attention=Linear(0.0, 0.0, 2.0 * one.attention / self.attention),
            traffic=Linear(
                one.fixed_bytes / self.elementwise,
                one.token_bytes / self.elementwise,
                one.score_bytes / self.elementwise,
            ),
            adapters=Linear(
                0.0,
                2.0 * one.adapters / self.adapters
                + one.adapter_bytes * self.constants.adapter / self.elementwise,
                0.0,
            ),
            unpacking=Linear(one.unpacked_bytes / self.unpacking, 0.0, 0.0),
        )

    def head(self) -> Linear:
        """Head and loss, forward and backward."""
        work = self.work
        once = self.product(work.head_weights, work.head_sides)
        return Linear(
            fixed=once.fixed * work.head_passes,
            per_token=once.per_token * work.head_passes + work.logit_bytes / self.elementwise,
            per_score=0.0,
        )
