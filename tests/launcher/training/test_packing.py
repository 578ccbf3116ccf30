"""Rows packed into one sequence never see each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from launcher.errors import UsageError
from tests.launcher.training.plans import ROWS, carry_out, chat_row, make_plan, write_rows


@pytest.fixture(scope="module")
def trainer(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The trainer of a run that packs, as the worker builds it."""
    from launcher.runs.events import EventLog
    from launcher.training.causal_lm import language_model_parts
    from launcher.training.context import Context
    from launcher.training.environment import prepare_environment, set_up_libraries
    from launcher.training.stopping import StopRequest

    run = tmp_path_factory.mktemp("packing")
    data = write_rows(run / "d.jsonl", [chat_row(row) for row in ROWS])
    plan = make_plan(model=tiny_model, data=data, run=run, packing=True, micro_batch_rows=1)
    prepare_environment(plan)
    set_up_libraries(plan)
    events = EventLog(run / "events.jsonl")
    return language_model_parts(Context.of(plan, run, events=events, stop=StopRequest()))[0]


def test_a_packed_row_has_the_logits_of_the_row_alone(trainer: Any) -> None:
    """Within rounding, for every row of a batch as training makes it; a leak would be above 1."""
    import torch

    batch = next(iter(trainer.get_train_dataloader()))
    assert "attention_mask" not in batch
    starts = (batch["position_ids"][0] == 0).nonzero().flatten().tolist()
    ends = [*starts[1:], batch["input_ids"].shape[1]]
    assert len(starts) >= 2, "the batch holds several rows"
    model = trainer.model.eval()
    inputs = {name: value for name, value in batch.items() if name != "labels"}

    with torch.no_grad():
        packed = model(**inputs, use_cache=False).logits[0]
        for start, end in zip(starts, ends, strict=True):
            alone = model(input_ids=batch["input_ids"][:, start:end], use_cache=False).logits[0]

            assert float((packed[start:end] - alone).abs().max()) < 1e-3


def test_packing_is_refused_where_rows_could_see_each_other(
    tiny_model: Path, chats: Path, tmp_path: Path
) -> None:
    """Eager attention has no way to keep packed rows apart."""
    plan = make_plan(
        model=tiny_model, data=chats, run=tmp_path / "run", packing=True, attention="eager"
    )

    with pytest.raises(UsageError, match="packed rows could see each other"):
        carry_out(plan)
