"""Rows packed into one sequence never see each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import hwdb
from launcher.errors import UsageError
from launcher.training.arguments import refuse_leaking_rows
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


_SIZES = {
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "word_embed_proj_dim"), 32),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads"), 2),
    **dict.fromkeys(("num_key_value_heads", "num_experts_per_tok"), 2),
    **dict.fromkeys(("intermediate_size", "n_inner", "ffn_dim", "moe_intermediate_size"), 48),
    **dict.fromkeys(("num_experts", "num_local_experts"), 4),
    "vocab_size": 99,
    "head_dim": 16,
    "max_position_embeddings": 128,
    "n_positions": 128,
    "sliding_window": 8,
    "query_pre_attn_scalar": 16,
    "pad_token_id": 0,
    "rotary_dim": 8,
}


def _small_model(model_type: str) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(model_type)
    known = {*config.to_dict(), *config.attribute_map}
    for name, size in _SIZES.items():
        if name in known:
            setattr(config, name, size)
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:2]
    return AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval().float()


def _second_row(model: Any, first: Any, second: Any) -> Any:
    """Logits of the second of two rows that only their positions keep apart."""
    import torch

    positions = torch.cat([torch.arange(each.shape[1]) for each in (first, second)])[None]
    with torch.no_grad():
        together = model(torch.cat([first, second], 1), position_ids=positions, use_cache=False)
    return together.logits[:, first.shape[1] :]


def test_every_family_that_is_packed_keeps_rows_apart() -> None:
    """What stands before a row changes nothing in it, whatever the family's attention."""
    import torch

    torch.manual_seed(0)
    packed = [name for name, family in hwdb.families().items() if family.packs]
    first, other, second = (torch.randint(3, 99, (1, size)) for size in (20, 20, 31))
    assert len(packed) > 20
    for name in packed:
        model = _small_model(name)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.3)

        kept = _second_row(model, first, second)

        assert float((kept - _second_row(model, other, second)).abs().max()) < 1e-4, name
        assert float(kept.abs().max()) > 0.1, name


def test_packing_is_refused_for_a_family_that_leaks(tiny_model: Path, tmp_path: Path) -> None:
    """OPT counts its own positions, so rows behind each other run into one."""
    plan = make_plan(model=tiny_model, data=tmp_path, run=tmp_path, packing=True)

    with pytest.raises(UsageError, match="could see each other"):
        refuse_leaking_rows(plan, "opt")
    refuse_leaking_rows(plan, "llama")
