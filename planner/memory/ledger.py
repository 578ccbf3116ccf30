"""From one block's pass to a whole step: the other blocks, checkpoints, gradients, the head."""

from __future__ import annotations

from planner.memory.block import BlockPass
from planner.memory.candidate import Candidate, Phase
from planner.memory.embeddings import kept_by_embeddings
from planner.memory.head import HeadBytes
from planner.memory.linears import passes_checkpoints
from planner.memory.numerics import Numerics
from planner.memory.replay import Moment
from planner.memory.size import Dimensions, Size
from planner.memory.stacks import litgpt
from planner.memory.states import States
from planner.request import TrainingRequest
from planner.shape import ModelShape


class Ledger:
    """Adds what lies around one block's pass: the other blocks, checkpoints, gradients."""

    def __init__(
        self,
        shape: ModelShape,
        request: TrainingRequest,
        numerics: Numerics,
        states: States,
        block: BlockPass,
        dimensions: Dimensions,
    ) -> None:
        self.shape = shape
        self.request = request
        self.numerics = numerics
        self.states = states
        self.block = block.moments
        self.first = block.first
        self.frozen = block.frozen
        self.dimensions = dimensions
        self.stream_bytes = block.stream_bytes
        self.stream = self._at(Size.of("Nh")) * block.stream_bytes
        self.kept_a_block = self._kept_a_block()
        self.embedded = kept_by_embeddings(shape, request, numerics)
        self.kept_once = self.embedded + self._kept_once()
        passes = passes_checkpoints(request)
        self.past_checkpoints = self._at(self.block.held) * shape.layers if passes else 0
        # Gradients of the micro-batches before this one.
        self.accumulated = states.gradients_bytes if request.accumulation > 1 else 0
        self.trained_blocks = (
            shape.layers
            if request.trainable_layers is None
            else min(request.trainable_layers, shape.layers)
        )

    def _at(self, size: Size) -> int:
        return round(size.at(self.dimensions))

    def _kept_a_block(self) -> int:
        """Bytes a finished block leaves behind until its backward."""
        if self.request.checkpointing == "full":
            return self.stream
        if self.request.checkpointing == "offloaded":
            return 0
        return self._at(self.block.saved) + (self.stream if self.block.saves_input else 0)

    def _kept_blocks(self) -> int:
        """Blocks whose inputs or activations are kept.

        Checkpointing asks for gradients of the embeddings, so the frozen blocks below the trained
        ones keep their inputs too.
        """
        return self.shape.layers if self.request.checkpointing == "full" else self.trained_blocks

    def _kept_once(self) -> int:
        """What the first block keeps more or less than the others."""
        if self.request.checkpointing == "offloaded":
            return 0
        if self.request.checkpointing == "none":
            return self._first_block() - self.kept_a_block
        drops = self.shape.dropout("embedding") > 0
        mask = self._at(Size.of("Nh")) if drops else 0
        if self.request.method == "full":
            return mask
        # The first input has the embeddings' dtype, which blocks may have widened.
        narrower = self.stream * self.numerics.entering // self.stream_bytes
        changed = self.shape.family.embeddings_change or self.shape.family.embedding_norms or drops
        extra = self.stream * self.numerics.embeddings // self.stream_bytes if changed else 0
        return mask + extra - (self.stream - narrower)

    def _first_block(self) -> int:
        """Nothing before it is trained with adapters, or where lower blocks are frozen."""
        if self.first is None:
            return self.kept_a_block
        return self._at(self.first.saved) + (self.stream if self.first.saves_input else 0)

    def _recomputed_output(self) -> int:
        """The output of the block that is differentiated, where its frame still holds it."""
        full = self.request.checkpointing == "full"
        return self.stream if full and self.request.reentrant_checkpoints else 0

    def _cast_cache(self) -> int:
        """Autocast's 16-bit copies of fp32 trained weights, alive until forward ends."""
        numerics = self.numerics
        cached = numerics.autocast and numerics.weights == 4 and self.request.method == "full"
        cached = cached and not self.shape.family.own_linears  # those multiply with a view
        if not cached or self.request.checkpointing == "none":
            return 0
        return 2 * self.shape.layers * self.shape.linear_parameters

    def _largest(self, moments: list[Moment]) -> Moment:
        return max(moments, key=lambda moment: moment.total.at(self.dimensions))

    def _candidate(
        self, phase: Phase, moment: Moment, *, kept: int, gradients: int, extra: int = 0
    ) -> Candidate:
        total, saved = self._at(moment.total), self._at(moment.saved)
        own_gradients = self._at(moment.weight_gradients)
        temporaries = total - saved - own_gradients + extra
        if self.accumulated:
            # All gradients are there already; a new one is added to its old one and freed.
            gradients = self.accumulated
            temporaries += min(own_gradients, self.states.largest_gradient_bytes)
            own_gradients = 0
        return Candidate(
            phase=phase,
            where=moment.name,
            gradients_bytes=gradients + own_gradients,
            activations_bytes=kept + saved,
            temporaries_bytes=temporaries,
        )

    def forward(self) -> list[Candidate]:
        """The last block's forward, everything before it kept."""
        blocks = (self._kept_blocks() - 1) * self.kept_a_block + self.kept_once
        kept = blocks + self.stream + self.past_checkpoints
        whole = self.request.checkpointing == "none" or self.request.reentrant_checkpoints
        largest = self._largest(self.block.forward if whole else self.block.recomputed)
        if self.request.checkpointing == "none":
            held = self._held_from_before() + self._masks()
            return [self._candidate("forward", largest, kept=kept + held, gradients=0)]
        # A checkpointed block runs forward again within backward: the last with the head's gradient
        # there, the first trained one with those of all the others.
        frozen = (self._kept_blocks() - self.trained_blocks) * self.kept_a_block
        frozen, states = frozen + self.past_checkpoints, self.states
        moments = [
            (largest, self.block, kept, states.head_gradients_bytes),
            (largest, self.block, frozen + self.stream, self._gradients_at_first()),
        ]
        if self.frozen is not None:
            again = self._largest(self.frozen.forward if whole else self.frozen.recomputed)
            moments.append((again, self.frozen, frozen, self._before_embeddings()))
        return [
            self._candidate(
                "backward",
                moment,
                kept=held + self._call_arguments(),
                gradients=gradients,
                extra=self._at(block.waiting_gradients),
            )
            for moment, block, held, gradients in moments
        ]

    def loss(self, head: HeadBytes) -> list[Candidate]:
        """The loss's forward and backward, all blocks kept."""
        blocks = self._kept_blocks() * self.kept_a_block + self.kept_once
        kept = blocks + head.saved + self._call_arguments() + self.past_checkpoints
        return [
            Candidate(
                phase="loss",
                where="loss forward",
                gradients_bytes=self.accumulated,
                activations_bytes=kept,
                logits_bytes=head.forward,
                temporaries_bytes=self._cast_cache() + self._held_from_before(),
            ),
            Candidate(
                phase="loss",
                where="loss backward",
                gradients_bytes=self.accumulated,
                activations_bytes=kept,
                logits_bytes=head.backward,
            ),
        ]

    def _held_from_before(self) -> int:
        """What the micro-batch before still holds until this one's loss replaces its graph."""
        if self.numerics.int8 or not litgpt.previous_batch_is_as_long(self.request):
            return 0
        return self._at(self.block.held) * self.shape.layers

    def _call_arguments(self) -> int:
        """What every block is called with beside the stream: rotary tables and masks."""
        tables = 2 * self.request.sequence_tokens * self.shape.sizes.get("d", 0) * 2
        # Checkpoints hold what a block was called with.
        return tables + (self._masks() if self.request.checkpointing != "none" else 0)

    def _masks(self) -> int:
        """Masks of a row's tokens against each other: numbers to add, or whether to look."""
        request = self.request
        if request.attention == "eager":
            bytes_ = self.numerics.embeddings
        elif request.attention == "sdpa" and request.padded:
            bytes_ = 1
        else:
            return 0
        return self.shape.family.masks * bytes_ * request.tokens * request.sequence_tokens

    def backward(self) -> list[Candidate]:
        """The last block's backward, nothing freed yet, and the first's, all gradients there."""
        states, rope = self.states, self._call_arguments() + self.past_checkpoints
        largest = self._largest(self.block.backward)
        blocks = (self._kept_blocks() - 1) * self.kept_a_block + self.kept_once
        kept = blocks + self._input_kept() + rope
        output = self._recomputed_output()
        frozen = (self._kept_blocks() - self.trained_blocks) * self.kept_a_block
        candidates = [
            self._candidate(
                "backward",
                largest,
                kept=kept,
                gradients=states.head_gradients_bytes,
                extra=output,
            ),
            self._candidate(
                "backward",
                largest,
                kept=frozen + self._input_kept() + rope + self.embedded,
                gradients=self._gradients_at_first(),
                extra=output,
            ),
        ]
        if self.frozen is not None:
            candidates.append(
                self._candidate(
                    "backward",
                    self._largest(self.frozen.backward),
                    kept=frozen + rope,
                    gradients=self._before_embeddings(),
                    extra=output,
                )
            )
        return candidates

    def _gradients_at_first(self) -> int:
        """Gradients that are there when the first trained block's begin."""
        earlier = (self.trained_blocks - 1) * self.states.block_gradients_bytes
        return self.states.head_gradients_bytes + earlier

    def _input_kept(self) -> int:
        """The block's own input, while it is differentiated."""
        if self.request.checkpointing == "none" and not self.block.saves_input:
            return 0
        return self.stream

    def _before_embeddings(self) -> int:
        """Gradients that are there when only the embeddings' are missing."""
        states = self.states
        if self.request.steps_in_backward:
            return states.head_gradients_bytes
        own = 0 if self.shape.tied else states.embedding_gradients_bytes
        return states.gradients_bytes - own

    def embeddings(self) -> list[Candidate]:
        """The embedding's gradient: dense, and added out of place to the tied head's."""
        states = self.states
        table = states.embedding_gradients_bytes
        if not table:
            return []
        return [
            Candidate(
                phase="backward",
                where="embeddings",
                gradients_bytes=self._before_embeddings(),
                temporaries_bytes=self._embedding_scratch(table) + self.stream,
            )
        ]

    def _embedding_scratch(self, table: int) -> int:
        if self.shape.tied:
            # Autograd adds the two gradients of the table out of place, unless the head's is a
            # fresh cast that nobody else holds: TRL's fused head makes it in fp32.
            return table if self._head_gradient_is_cast() else 2 * table
        return 2 * table if self.accumulated else table

    def _head_gradient_is_cast(self) -> bool:
        """Whether the head's gradient is a fresh cast, into which another can be added."""
        wide = self.numerics.weights == 4
        if self.request.loss == "chunked":
            return not wide
        return wide and self.numerics.autocast

    def optimizer(self) -> list[Candidate]:
        """The optimizer's step, no activation left."""
        return [
            Candidate(
                phase="optimizer",
                where="optimizer step",
                gradients_bytes=self.states.gradients_bytes,
                temporaries_bytes=self.states.step_scratch_bytes,
            )
        ]
