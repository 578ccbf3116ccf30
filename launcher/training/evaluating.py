"""The loss on rows that were held out of training, without ever keeping logits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from launcher.training.context import Context
from launcher.training.dataset import TokenRow
from launcher.training.trainer import RunTrainer
from planner.run_plan import RunPlan


def held_out_loss(
    trainer: RunTrainer,
    rows: Sequence[TokenRow],
    context: Context,
) -> float | None:
    """Mean loss of a learned token over all rows; None when a stop was asked for meanwhile."""
    summed, tokens, done = 0.0, 0, 0
    tell = context.counting("held-out rows")
    with evaluation_mode(trainer.model), torch.no_grad(), autocast(context.plan):
        for batch in _batches(trainer, rows, context.plan.training.micro_batch_rows):
            if context.stop.requested:
                return None
            context.pulse.beat()
            # The fused head scores tile by tile; the logits never exist as a whole.
            outputs = trainer.model(**batch, fused_lm_head=True)
            summed -= float(outputs.log_probs.sum())
            tokens += int(outputs.label_mask.sum())
            done += len(batch["input_ids"])
            tell(done, len(rows))
    return summed / max(tokens, 1)


def row_losses(
    trainer: RunTrainer,
    rows: Sequence[TokenRow | None],
    context: Context,
) -> list[float | None]:
    """Mean loss of a learned token of each row; None for no row, and for all after a stop."""
    found: list[float | None] = []
    with evaluation_mode(trainer.model), torch.no_grad(), autocast(context.plan):
        for row in rows:
            if row is None or context.stop.requested:
                found.append(None)
                continue
            context.pulse.beat()
            (batch,) = _batches(trainer, [row], 1)
            outputs = trainer.model(**batch, fused_lm_head=True)
            tokens = max(int(outputs.label_mask.sum()), 1)
            found.append(-float(outputs.log_probs.sum()) / tokens)
    return found


@contextmanager
def evaluation_mode(model: torch.nn.Module) -> Iterator[None]:
    """Dropout off inside; the mode from before is back afterwards."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def autocast(plan: RunPlan) -> AbstractContextManager[object]:
    """The dtype matrix products run in, as in training."""
    if plan.method.autocast is None:
        return nullcontext()
    dtype = torch.bfloat16 if plan.method.autocast == "bf16" else torch.float16
    return torch.autocast(plan.hardware.device, dtype=dtype)


def _batches(
    trainer: RunTrainer, rows: Sequence[TokenRow], batch_rows: int
) -> Iterator[dict[str, torch.Tensor]]:
    collate = DataCollatorForLanguageModeling(pad_token_id=trainer.processing_class.pad_token_id)
    # Rows of like length side by side need the least padding.
    by_length = sorted(rows, key=lambda row: len(row.input_ids))
    for start in range(0, len(by_length), batch_rows):
        examples = [
            {"input_ids": row.input_ids.tolist(), "labels": row.labels.tolist()}
            for row in by_length[start : start + batch_rows]
        ]
        batch = collate.torch_call(examples)
        yield {name: tensor.to(trainer.args.device) for name, tensor in batch.items()}
