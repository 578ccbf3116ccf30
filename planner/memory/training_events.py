"""The large tensors of whole training steps, in the order they are made and freed.

What `planner.memory.tape` knows of one block becomes a stream that `planner.memory.allocator` can
serve: every micro-batch with a length of its own, so that the effect of unequal lengths on what
the allocator keeps is seen, not guessed. Tensors of up to 1 MiB live in segments of their own and
are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hwdb.symbols import extent
from planner.memory.adapted import adapted_linears
from planner.memory.allocator import Event
from planner.memory.block import settled_block
from planner.memory.block_events import BlockEvents, Held, Stream
from planner.memory.block_settings import is_windowed, settings_of
from planner.memory.expert_loop import rows_of_one
from planner.memory.numerics import Numerics, numerics_of
from planner.memory.replay import saved_storages
from planner.memory.size import Dimensions, Size
from planner.memory.stacks.own_model import own_model
from planner.memory.states import nf4_bytes
from planner.memory.tape import Tape
from planner.request import TrainingRequest
from planner.shape import ModelShape


class TrainingEvents:
    """Writes micro-batches of one request, each with its own tokens, as a stream of events."""

    def __init__(
        self,
        shape: ModelShape,
        request: TrainingRequest,
        numerics: Numerics,
        tape: Tape,
        stream_bytes: int,
    ) -> None:
        self.shape = shape
        self.request = request
        self.numerics = numerics
        self.tape = tape
        self.stream_bytes = stream_bytes
        self.stream = Stream()
        self.gradients: list[int] = []
        self.moments: list[int] = []
        self.checkpoints = request.checkpointing != "none"
        start = tape.start
        self.saves_input = start is not None and any(
            start.storage in saved_storages(operation) for operation in tape.operations
        )

    def states(self) -> None:
        """Weights and adapters."""
        for size in self._weights():
            self.stream.make(size)
        if self.request.method != "full":
            for size in self._trained():
                self.stream.make(size)

    def _weights(self) -> Iterator[float]:
        shape, numerics = self.shape, self.numerics
        for table in (shape.embedding_parameters, shape.head_parameters):
            yield table * numerics.head_weights
        for _ in range(shape.stored_layers):
            for line in shape.linears:
                elements = extent(line.inputs, shape.sizes) * extent(line.outputs, shape.sizes)
                yield (
                    nf4_bytes(elements, double_quantized=True)
                    if numerics.quantized
                    else elements * numerics.weights
                )

    def _trained(self) -> Iterator[float]:
        """Sizes of what is trained; adapters are taken as small."""
        if self.request.method == "full":
            yield from self._weights()

    def micro_batch(self, tokens_a_row: int, *, last: bool) -> None:
        """One micro-batch, and the optimizer's step after the last of an accumulation."""
        at = Dimensions(
            self.shape.sizes,
            N=self.request.micro_batch * tokens_a_row,
            S=tokens_a_row,
            R=tokens_a_row,
            B=self.request.micro_batch,
            r=self.request.adapter.rank if self.request.adapter else 0,
            X=self.shape.experts_per_token,
        )
        at.a_token = rows_of_one(self.shape)
        block = BlockEvents(self.stream, self.tape, at, self._gradient)
        layers = self.shape.layers
        residual = Size.of("Nh").at(at) * self.stream_bytes
        entered = [self.stream.make(residual)]
        kept: list[Held] = []
        for _ in range(layers):
            output, held = block.forward(keep=not self.checkpoints)
            kept.append(held)
            entered.append(output)
        entered_last = entered.pop()
        if not self.checkpoints and not self.saves_input:
            self.stream.free(*entered)
            entered = []
        gradient = self._loss(at, entered_last, residual)
        for position in reversed(range(layers)):
            held = kept[position]
            if self.checkpoints:
                output, held = block.forward(keep=True)
                self.stream.free(output)
            made = block.backward(held, gradient, residual)
            gradient = made
            if entered:
                self.stream.free(entered.pop())
        self.stream.free(gradient)
        if last:
            self._optimizer_step()

    def _loss(self, at: Dimensions, entering: int, residual: float) -> int:
        """Final norm, head and loss; the gradient of the last block's output."""
        stream = self.stream
        wide = stream.make(residual * 4 / self.stream_bytes)
        normed = stream.make(residual)
        stream.free(entering)
        logits = Size.of("NV").at(at)
        if self.request.loss in ("torch", "triton"):
            grown = self._logits(logits)
        else:
            tile = stream.make(min(logits, 4096 * 32768) * self.numerics.compute)
            stream.free(tile)
            grown = []
        for size in grown:
            stream.free(size)
        gradient = stream.make(residual)
        fp32 = stream.make(residual * 4 / self.stream_bytes)
        stream.free(normed, fp32, wide)
        return gradient

    def _logits(self, logits: float) -> list[int]:
        """Logits, their copies by version, log_softmax, and the gradients in their places."""
        stream, version = self.stream, self.request.transformers_version
        old = version is not None and version < (4, 46)
        held = version is not None and (4, 46) <= version < (4, 49)
        narrow = stream.make(logits * self.numerics.compute)
        wide = stream.make(logits * 4)
        if old:
            stream.free(narrow)
        triton = self.request.loss == "triton"
        shifted = stream.make(logits * 4) if old or held or triton else wide
        soft = shifted if triton else stream.make(logits * 4)
        if shifted is not wide:
            stream.free(wide)
        if not old:
            stream.free(narrow)
        if triton:  # its gradient is written over its input
            back = shifted
        else:
            stream.free(shifted)
            nll = stream.make(logits * 4)
            back = stream.make(logits * 4)
            stream.free(nll, soft)
        if old or held or triton:
            whole = stream.make(logits * 4)
            stream.free(back)
            back = whole
        thin = stream.make(logits * self.numerics.compute)
        stream.free(back)
        return [thin]

    def _optimizer_step(self) -> None:
        """The first one makes two moments of what is trained, where the batch left room."""
        stream = self.stream
        if not self.moments:
            self.moments = [stream.make(size) for size in self._trained() for _ in range(2)]
        if self.request.optimizer_name == "adamw" and self.request.method == "full":
            roots = [stream.make(size) for size in self._trained()]
            stream.free(*roots)
        stream.free(*self.gradients)
        self.gradients.clear()

    def _gradient(self, size_bytes: float) -> None:
        """A weight's gradient, which stays until the step."""
        if self.request.method == "full":
            self.gradients.append(self.stream.make(size_bytes))


def training_events(
    shape: ModelShape, request: TrainingRequest, lengths: Iterable[int]
) -> list[Event]:
    """Events of the states and of one micro-batch for each of `lengths` (tokens a row)."""
    shape, request = own_model(shape, request)
    targets = request.adapter.targets if request.adapter else ()
    adapted = adapted_linears(shape, targets) if request.adapter else frozenset()
    windowed = is_windowed(shape, request)
    tape, stream_bytes = settled_block(
        shape, settings_of(shape, request, adapted, windowed=windowed)
    )
    numerics = numerics_of(request, shape.family)
    writer = TrainingEvents(shape, request, numerics, tape, stream_bytes)
    writer.states()
    for number, tokens in enumerate(lengths, start=1):
        writer.micro_batch(tokens, last=number % request.accumulation == 0)
    return writer.stream.events
