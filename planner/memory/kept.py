"""What a step keeps around one block's pass: the other blocks, checkpoints, masks, tables."""

from __future__ import annotations

from planner.memory.batch_bytes import NO_BYTES, BatchBytes, PassBytes
from planner.memory.block_settings import is_windowed
from planner.memory.disentangled import table_bytes, table_elements
from planner.memory.embeddings import (
    asks_for_embeddings,
    held_by_forward,
    kept_by_embeddings,
    normed_width,
    saved_pixels,
)
from planner.memory.known_blocks import BlockBytes
from planner.memory.linears import passes_checkpoints
from planner.memory.numerics import Numerics
from planner.memory.stacks.loops import previous_batch_is_as_long
from planner.request import TrainingRequest
from planner.shape import ModelShape


class Kept:
    """Bytes that are kept from a block's forward to its backward, as they grow with the batch."""

    def __init__(
        self,
        shape: ModelShape,
        request: TrainingRequest,
        numerics: Numerics,
        blocks: BlockBytes,
    ) -> None:
        self.shape = shape
        self.request = request
        self.numerics = numerics
        self.block = blocks.moments
        self.checkpointing = request.checkpointing
        self.stream = BatchBytes(per_token=shape.hidden_size * blocks.stream_bytes)
        """The residual stream, as it leaves a block."""
        self.trained_blocks = (
            shape.layers
            if request.trainable_layers is None
            else min(request.trainable_layers, shape.layers)
        )
        self.a_block = self._a_block(self.block)
        self.a_frozen_block = self._a_block(blocks.frozen)
        """Checkpointing asks for gradients of the embeddings, and so does a head that is tied to
        them: frozen blocks below the trained ones keep something too."""
        self.embedded = kept_by_embeddings(shape, request, numerics) + self._first_input()
        self.first = blocks.first if self.checkpointing == "offloaded" else None
        """A first block whose pass is another than those of the others, checkpoints offloaded."""
        self.first_input = (
            self.stream
            if self.first is None
            else BatchBytes(per_token=shape.hidden_size * numerics.entering)
        )
        self.once = self.embedded + self._once(blocks.first) - self._unmasked(blocks.unmasked)
        """What is kept a single time, and what the first block keeps more or less than others."""
        passes = passes_checkpoints(request)
        self.past_checkpoints = self._past_checkpoints() if passes else NO_BYTES
        self.masks = self._masks()
        self.call_arguments = self._call_arguments()
        self.from_before = self._from_before()
        self.held_by_forward = held_by_forward(
            shape, request, numerics, saves_input=self._keeps_first_input(blocks.first)
        )

    @property
    def all_blocks(self) -> BatchBytes:
        """All blocks of a finished forward."""
        return self.a_block * self.trained_blocks + self.frozen_blocks + self.once

    @property
    def all_but_the_last(self) -> BatchBytes:
        """All blocks before the last one."""
        last = self.a_block if self.trained_blocks else self.a_frozen_block
        return self.all_blocks - last

    @property
    def frozen_blocks(self) -> BatchBytes:
        """The blocks below those that are trained."""
        return self.a_frozen_block * (self.shape.layers - self.trained_blocks)

    @property
    def own_input(self) -> BatchBytes:
        """The input of a block while it is differentiated."""
        return self._input(self.block)

    def around_frozen(self, block: PassBytes) -> BatchBytes:
        """What is kept around a frozen block while it is differentiated."""
        return self.frozen_blocks - self.a_frozen_block + self._input(block) + self.once

    def _input(self, block: PassBytes) -> BatchBytes:
        if self.checkpointing == "none" and not block.saves_input:
            return NO_BYTES
        return self.stream

    @property
    def outputs(self) -> BatchBytes:
        """Outputs of blocks that nothing but the model's own list still holds."""
        if not self.shape.family.holds_outputs or self.block.saves_input:
            return NO_BYTES
        return self.stream * (self.shape.layers - 1)

    def _a_block(self, block: PassBytes | None) -> BatchBytes:
        """What a finished block leaves behind until its backward; None: it has none."""
        if block is None or self.checkpointing == "offloaded":
            return NO_BYTES
        return self.stream if self.checkpointing == "full" else self._saved(block)

    def _saved(self, block: PassBytes) -> BatchBytes:
        return block.saved + self.stream if block.saves_input else block.saved

    @property
    def begun(self) -> BatchBytes:
        """What the model's forward holds of its beginning where no graph holds anything."""
        held = held_by_forward(self.shape, self.request, self.numerics, saves_input=False)
        pictures = BatchBytes(per_token=saved_pixels(self.shape, self.numerics))
        return held + pictures if self._trains_embeddings() else held

    def _once(self, first: PassBytes | None) -> BatchBytes:
        """What the first block keeps more or less than the others."""
        if self.checkpointing == "offloaded":
            return NO_BYTES
        if self.checkpointing == "none":
            if not self.trained_blocks:
                return NO_BYTES
            if first is None:
                return NO_BYTES - self._absent_norm()
            # Nothing before it is trained with adapters, or where lower blocks are frozen.
            return self._saved(first) - self.a_block
        if self._trains_embeddings() or not asks_for_embeddings(self.shape, self.request):
            return NO_BYTES
        return self._asked_for() - self.stream

    def _absent_norm(self) -> BatchBytes:
        """What a norm keeps more than its input, where the first block goes without it."""
        if not self.shape.family.absent_in_first_block:
            return NO_BYTES
        return self.stream + BatchBytes(per_token=2 * 4)

    def _keeps_first_input(self, first: PassBytes | None) -> bool:
        """Whether the graph or a checkpoint holds what enters the first block."""
        if self.checkpointing != "none":
            return self.checkpointing == "full"
        if self.trained_blocks < self.shape.layers or self.shape.family.absent_in_first_block:
            return False
        return (first or self.block).saves_input

    def _unmasked(self, block: PassBytes | None) -> BatchBytes:
        """What blocks without a window keep less than those with a mask."""
        if block is None or self.shape.windows is None:
            return NO_BYTES
        without = self.shape.layers - self.shape.windows.layers
        return (self.a_block - self._saved(block)) * (
            without * self.trained_blocks // self.shape.layers
        )

    def _trains_embeddings(self) -> bool:
        whole = self.request.trainable_layers is None or self.shape.tied
        return self.request.method == "full" and whole

    def _first_input(self) -> BatchBytes:
        """What frozen embeddings gave stays: checkpoints ask for its gradient, so it is a leaf."""
        offloaded = self.checkpointing == "offloaded" and self.request.reentrant_checkpoints
        if not offloaded or self._trains_embeddings():
            return NO_BYTES
        return BatchBytes(per_token=self.shape.hidden_size * self.numerics.embeddings)

    def _asked_for(self) -> BatchBytes:
        """What frozen embeddings gave, of which checkpoints ask for a gradient."""
        hidden, numerics, family = self.shape.hidden_size, self.numerics, self.shape.family
        # The first input has the embeddings' dtype, which blocks may have widened.
        narrower = BatchBytes(per_token=hidden * numerics.entering)
        drops = self.shape.dropout("embedding") > 0
        # To what a picture's patches are made of comes another token, and positions.
        changed = family.kind == "image" or family.embeddings_change or drops
        changed = changed or bool(family.embedding_norms)
        if family.embedding_norms and not numerics.widens and self._norms_words():
            changed = False  # the norm keeps that very tensor
        width = normed_width(self.shape)
        extra = BatchBytes(per_token=width * numerics.embeddings if changed else 0)
        return extra + narrower

    def _norms_words(self) -> bool:
        """Whether the norm behind the embeddings reads those of words alone."""
        words = self.shape.vocabulary_size * self.shape.hidden_size
        return self.shape.embedding_parameters == words + table_elements(self.shape)

    def _past_checkpoints(self) -> BatchBytes:
        """What 8-bit products keep: what enters a block is one of them, and its checkpoint too."""
        both = self.block.holds_input and self.checkpointing == "full"
        return (self.block.held - self.stream if both else self.block.held) * self.shape.layers

    def _from_before(self) -> BatchBytes:
        """What the micro-batch before still holds until this one's loss replaces its graph."""
        if self.numerics.int8 or not previous_batch_is_as_long(self.request):
            return NO_BYTES
        return self.block.held * self.shape.layers

    def _call_arguments(self) -> BatchBytes:
        """What every block is called with beside the stream: rotary tables and masks."""
        tables = BatchBytes(per_length=2 * 2 * self.shape.sizes.get("d", 0))
        # Checkpoints hold what a block was called with.
        return tables + self.masks if self.checkpointing != "none" else tables

    def _mask_and_distances(self) -> BatchBytes:
        """DeBERTa's int64 mask, int64 distances of all pairs of a row, and their normed table."""
        shape, fixed = self.shape, 0
        if shape.relative is not None:
            fixed = 8 * self.request.sequence_tokens**2
            if shape.relative.normed:
                fixed += table_elements(shape) * table_bytes(shape, self.numerics)
        return BatchBytes(fixed=fixed, per_score=8)

    def _masks(self) -> BatchBytes:
        """Masks of a row's tokens against each other: numbers to add, or whether to look."""
        request = self.request
        if self.shape.family.kind == "image":
            return NO_BYTES  # every patch looks at every other
        if self.shape.family.disentangled:
            return self._mask_and_distances()
        if is_windowed(self.shape, request):
            return BatchBytes(per_score=1)
        if request.attention == "eager":
            bytes_ = self.numerics.embeddings
        elif request.attention == "sdpa" and request.padded:
            bytes_ = 1
        else:
            return NO_BYTES
        return BatchBytes(per_score=self.shape.family.masks * bytes_)
