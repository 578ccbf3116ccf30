"""A model as a library that brings its own model code builds and names it.

litgpt and torchtune write every decoder as queries, keys, values, an output projection and a gated
or plain MLP, with an output layer of its own; Transformers' names for the same matrices, fused or
not, are translated here.
"""

from __future__ import annotations

from dataclasses import replace

from hwdb.family import Linear
from planner.memory.adapted import HEAD_NAME
from planner.request import TrainingRequest
from planner.shape import ModelShape

QUERIES = Linear("q_proj", "h", "q", "attention_in")
KEYS = Linear("k_proj", "h", "k", "attention_in")
VALUES = Linear("v_proj", "h", "k", "attention_in")
ATTENTION_OUT = Linear("o_proj", "q", "h", "attention_out")
GATE = Linear("gate_proj", "h", "i", "mlp_in")
UP = Linear("up_proj", "h", "i", "mlp_in")
DOWN = Linear("down_proj", "i", "h", "mlp_out")

_FUSED = ("qkv_proj", "gate_up_proj")
_ATTENTION_IN = ("q_proj", "k_proj", "v_proj")
_MLP = ("gate_proj", "up_proj", "down_proj")

_MEANT: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("q_proj", "query", "wq", "q_lin"), ("q_proj",)),
    **dict.fromkeys(("k_proj", "key", "wk", "k_lin"), ("k_proj",)),
    **dict.fromkeys(("v_proj", "value", "wv", "v_lin"), ("v_proj",)),
    **dict.fromkeys(
        ("qkv_proj", "query_key_value", "c_attn", "Wqkv", "W_pack", "attn.qkv"), _ATTENTION_IN
    ),
    **dict.fromkeys(("o_proj", "out_proj", "output_proj", "dense", "projection"), ("o_proj",)),
    **dict.fromkeys(("lm_head", "head", "output", "embed_out"), (HEAD_NAME,)),
    **dict.fromkeys(("gate_up_proj",), ("gate_proj", "up_proj")),
    **dict.fromkeys(("gate_proj", "w1"), ("gate_proj",)),
    **dict.fromkeys(("up_proj", "w3", "fc1", "fc_1", "c_fc", "dense_h_to_4h"), ("up_proj",)),
    **dict.fromkeys(("down_proj", "w2", "fc2", "fc_2", "dense_4h_to_h"), ("down_proj",)),
    "mlp": _MLP,
}
"""A name a user may give -> the matrices it stands for."""


def has_own_model(shape: ModelShape, request: TrainingRequest) -> bool:
    """Whether the request's library runs its own code for this model, and that code is known."""
    plain = shape.family.kind == "decoder" and shape.family.experts is None
    return plain and request.stack in ("litgpt", "torchtune")


def own_model(shape: ModelShape, request: TrainingRequest) -> tuple[ModelShape, TrainingRequest]:
    """The shape and the request in the library's terms; unchanged where it uses Transformers."""
    if request.stack == "unsloth" and _is_fused(shape):
        # Unsloth splits what a checkpoint fuses before it trains.
        return _split(shape), _translated(request, {line.name for line in _mlp(shape)}, whole=False)
    if not has_own_model(shape, request):
        return shape, request
    mlp = _mlp(shape)
    shape = _split(shape)
    if request.stack == "litgpt" and shape.tied:
        # litgpt's checkpoints hold the table twice.
        table = shape.vocabulary_size * shape.hidden_size
        shape = replace(
            shape,
            tied=False,
            parameters=shape.parameters + table,
            head_parameters=table,
            tensors=shape.tensors + 1,
        )
    if request.stack == "torchtune":
        # Its recipes ask for the fused kernel.
        step = {"adamw": "adamw-fused", "adamw-in-backward": "adamw-fused-in-backward"}
        request = replace(request, optimizer=step.get(request.optimizer, request.optimizer))
    return shape, _translated(request, {line.name for line in mlp}, whole=request.stack == "litgpt")


def _is_fused(shape: ModelShape) -> bool:
    return any(line.name.split(".")[-1] in _FUSED for line in shape.linears)


def _mlp(shape: ModelShape) -> tuple[Linear, ...]:
    return (GATE, UP, DOWN) if shape.family.mlp == "gated" else (UP, DOWN)


def _split(shape: ModelShape) -> ModelShape:
    """With every matrix on its own."""
    return replace(shape, linears=(QUERIES, KEYS, VALUES, ATTENTION_OUT, *_mlp(shape)))


def _translated(request: TrainingRequest, mlp: set[str], *, whole: bool) -> TrainingRequest:
    """The request with its targets translated; `whole`: the MLP gets adapters in full or not."""
    adapter = request.adapter
    if adapter is None or adapter.targets == ("all-linear",):
        return request
    names: dict[str, None] = {}
    for target in adapter.targets:
        for name in _MEANT.get(target.rsplit(".", 1)[-1], (target,)):
            if name not in _MLP or name in mlp:
                names[name] = None
    if whole and mlp & names.keys():
        names.update(dict.fromkeys(sorted(mlp)))
    return replace(request, adapter=replace(adapter, targets=tuple(names)))
