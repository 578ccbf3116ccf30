"""From one block's pass to a step: every moment that may be the peak, with all that is kept."""

from __future__ import annotations

from planner.memory.batch_bytes import NO_BYTES, BatchBytes, MomentsBytes, PassBytes
from planner.memory.candidate import Entry, Growing, InPass, Phase
from planner.memory.disentangled import table_bytes, table_elements
from planner.memory.embeddings import table_gradient
from planner.memory.kept import Kept
from planner.memory.numerics import Numerics
from planner.memory.states import States, roots_in_backward
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
        kept: Kept,
        frozen: PassBytes | None,
    ) -> None:
        self.shape = shape
        self.request = request
        self.numerics = numerics
        self.states = states
        self.kept = kept
        self.block = kept.block
        self.frozen = frozen
        self.accumulated = states.gradients_bytes if request.accumulation > 1 else 0
        """Gradients of the micro-batches before this one."""
        both = shape.tied and request.method == "full" and not request.steps_in_backward
        self.waiting_head = states.head_gradients_bytes if both and self.accumulated else 0
        """A tied head's new gradient, which is added to older ones with that of the embeddings."""
        self.checkpoints = request.checkpointing != "none"
        self.within_backward = self.checkpoints and request.reentrant_checkpoints
        """Whether one node of the graph runs a whole block again, and then its backward."""

    def entries(self) -> list[Entry]:
        """All moments of the step but those of the loss."""
        return [*self._forward(), *self._backward(), *self._embeddings(), self._optimizer()]

    def _entry(
        self,
        phase: Phase,
        moments: MomentsBytes,
        *,
        kept: BatchBytes,
        gradients: int,
        extra: BatchBytes = NO_BYTES,
    ) -> InPass:
        if self.accumulated:
            # All gradients are there already; a new one is added to its old one and freed.
            most = self.states.largest_gradient_bytes
            there = self.accumulated + (self.waiting_head if phase == "backward" else 0)
            return InPass(phase, moments, there, kept, extra, most)
        return InPass(phase, moments, gradients, kept, extra)

    def _forward(self) -> list[Entry]:
        """The last block's forward, everything before it kept."""
        kept = self.kept
        all_kept = kept.all_but_the_last + kept.stream + kept.past_checkpoints
        held = all_kept + kept.from_before + kept.masks + kept.outputs + kept.held_by_forward
        if not self.checkpoints:
            moments = self.block.forward if kept.trained_blocks else self.block.unsaved
            return [self._entry("forward", moments, kept=held, gradients=0)]
        # A checkpointed block runs forward again within backward: the last with the head's gradient
        # there, the first trained one with those of all the others.
        frozen = kept.frozen_blocks + kept.past_checkpoints
        again: list[Entry] = []
        if casts := self._casts(checkpointed=True):
            # Of the block that runs, its pass counts the copies itself.
            extra = NO_BYTES.plus((kept.trained_blocks - 1) * casts)
            moments = self.block.unsaved
            again.append(self._entry("forward", moments, kept=held, gradients=0, extra=extra))
        if kept.trained_blocks:
            first = frozen + kept.first_input + kept.embedded + self._held_by_hooks()
            again += [
                self._again(self.block, all_kept, self.states.head_gradients_bytes),
                self._again(kept.first or self.block, first, self._gradients_at_first()),
            ]
        if self.frozen is not None:
            around = kept.around_frozen(self.frozen) + kept.past_checkpoints
            again.append(self._again(self.frozen, around, self._before_embeddings()))
        if self.shape.family.holds_scores:
            scores = self.numerics.compute * self.shape.sizes.get("n", 0)
            held = all_kept + kept.call_arguments + BatchBytes(per_score=scores)
            again.append(self._entry("forward", self.block.forward, kept=held, gradients=0))
        return again

    def _again(self, block: PassBytes, held: BatchBytes, gradients: int) -> InPass:
        return self._entry(
            "backward",
            # Else only to its last saved tensor.
            block.forward if self.within_backward else block.recomputed,
            kept=held + self.kept.call_arguments,
            gradients=gradients,
            # One node asks for nothing before it ran the block again: its own gradient waits alone.
            extra=self.kept.stream if self.within_backward else block.waiting_gradients,
        )

    def kept_at_loss(self) -> BatchBytes:
        """What is kept while the loss is computed and differentiated, the head's own left out."""
        return self.kept.all_blocks + self.kept.call_arguments + self.kept.past_checkpoints

    def temporaries_at_loss(self) -> BatchBytes:
        """What else is alive while the loss is computed."""
        casts = self._casts(checkpointed=self.checkpoints) * self.kept.trained_blocks
        # Without checkpoints the graph keeps them.
        return self.kept.from_before.plus(casts + self._adapter_casts * self.checkpoints)

    def held_while_measuring(self) -> BatchBytes:
        """What is alive while a block of a held-out batch runs."""
        kept = self.kept
        tables = kept.call_arguments if self.checkpoints else kept.call_arguments + kept.masks
        held = kept.stream + tables + kept.begun + kept.outputs
        casts = self._casts(checkpointed=True) * kept.trained_blocks
        return held.plus(casts + self._adapter_casts)

    @property
    def _adapter_casts(self) -> int:
        """Autocast's 16-bit copies of fp32 adapters, alive until forward ends."""
        wide = self.numerics.autocast and self.numerics.adapters == 4
        return self.states.adapters_bytes // 2 if wide else 0

    def held_at_end(self) -> BatchBytes:
        """What the model's forward holds to its end, beside what is kept for the loss."""
        return self.kept.masks + self.kept.outputs + self.kept.held_by_forward

    def _casts(self, *, checkpointed: bool) -> int:
        """Autocast's 16-bit copies of a block's fp32 trained weights, alive until forward ends."""
        numerics = self.numerics
        cached = numerics.autocast and numerics.weights == 4 and self.request.method == "full"
        cached = cached and not self.shape.family.own_linears  # those multiply with a view
        if not cached or not checkpointed:
            return 0  # the graph keeps them
        return 2 * self.shape.linear_parameters

    def _backward(self) -> list[Entry]:
        """The last block's backward, nothing freed yet, and the first's, all gradients there."""
        kept, moments = self.kept, self.block.backward
        of_first = kept.first.backward if kept.first is not None else moments
        around = kept.call_arguments + kept.past_checkpoints
        # The output of the block that is differentiated, where its frame still holds it.
        output = kept.stream if self.within_backward else NO_BYTES
        last = kept.all_but_the_last + kept.own_input + around
        own_input = kept.own_input if kept.first is None else kept.first_input
        first = kept.frozen_blocks + own_input + around + kept.embedded
        first += self._held_by_hooks()
        at_last, at_first = self.states.head_gradients_bytes, self._gradients_at_first()
        entries: list[Entry] = []
        if kept.trained_blocks:
            entries = [
                self._entry("backward", moments, kept=last, gradients=at_last, extra=output),
                self._entry("backward", of_first, kept=first, gradients=at_first, extra=output),
            ]
        if self.frozen is not None:
            entries.append(
                self._entry(
                    "backward",
                    self.frozen.backward,
                    kept=kept.around_frozen(self.frozen) + around,
                    gradients=self._before_embeddings(),
                    extra=output,
                )
            )
        return entries

    def _held_by_hooks(self) -> BatchBytes:
        """Inputs of finished blocks and their gradients, which hooks of FSDP hold until the end.

        It waits for the gradients of a unit's inputs where its weights are frozen
        (_register_post_backward_reshard_only_hook), and to know whether they come it holds their
        nodes. Inputs of a reentrant checkpoint are leaves: their nodes hold them and their
        gradients.
        """
        request = self.request
        shared = request.sharding == "fsdp" and request.gpus > 1 and request.stack != "litgpt"
        waits = shared and request.adapter is not None and request.checkpointing == "full"
        if not waits or not self.within_backward:
            return NO_BYTES
        return self.kept.stream * (2 * (self.kept.trained_blocks - 1))

    def _gradients_at_first(self) -> int:
        """Gradients that are there when the first trained block's begin."""
        earlier = (self.kept.trained_blocks - 1) * self.states.block_gradients_bytes
        return self.states.head_gradients_bytes + earlier + self._gradient_of_distances()

    def _gradient_of_distances(self) -> int:
        """What later blocks gave the table of distances that all blocks are called with."""
        request = self.request
        if request.method != "full" or request.trainable_layers is not None:
            return 0
        return table_elements(self.shape) * table_bytes(self.shape, self.numerics)

    def _before_embeddings(self) -> int:
        """Gradients that are there when only the embeddings' are missing."""
        states = self.states
        if self.request.steps_in_backward:
            return states.head_gradients_bytes
        own = 0 if self.shape.tied else states.embedding_gradients_bytes
        return states.gradients_bytes - own

    def _embeddings(self) -> list[Entry]:
        """The embedding's gradient."""
        if not self.states.embedding_gradients_bytes:
            return []
        gradients = table_gradient(
            self.shape,
            self.request,
            self.numerics,
            table_bytes=self.states.embedding_gradients_bytes,
            gradients_bytes=self._before_embeddings() + self.waiting_head,
            stream=self.kept.stream,
        )
        if roots_in_backward(self.request):
            table = self.states.embedding_gradients_bytes
            return [*gradients, Growing("backward", "embeddings", table, NO_BYTES.plus(table))]
        adafactor = self.request.optimizer_name == "adafactor"
        if not (adafactor and self.request.steps_in_backward):
            return gradients
        table = self.shape.vocabulary_size * self.shape.hidden_size * self.numerics.weights
        stepped = NO_BYTES.plus(table + self.states.step_scratch_bytes)
        return [*gradients, Growing("backward", "embeddings", self._before_embeddings(), stepped)]

    def _optimizer(self) -> Growing:
        """The optimizer's step, no activation left."""
        return Growing(
            phase="optimizer",
            where="optimizer step",
            gradients_bytes=self.states.gradients_bytes,
            temporaries=NO_BYTES.plus(self.states.step_scratch_bytes),
        )
