"""One real training step on the CPU, its live tensors counted: what the formula must predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import transformers
from peft import LoraConfig, get_peft_model
from trl.trainer.utils import add_fused_lm_head

from planner.request import TrainingRequest
from tests.planner.memory.live_storage import LiveStorage, Peak

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True, slots=True, kw_only=True)
class RealStep:
    """Bytes of the second optimizer step, when the optimizer's state exists."""

    rest_bytes: int
    """Alive between steps: weights, adapters, optimizer state."""
    trained_parameters: int
    peaks: dict[str, Peak]
    """Of the phases forward, backward and optimizer."""

    @property
    def peak(self) -> tuple[str, Peak]:
        """The largest phase."""
        return max(self.peaks.items(), key=lambda item: item[1].bytes)


def real_step(config: dict[str, Any], request: TrainingRequest) -> RealStep:
    """Build the model at random, train two steps as TRL would, and count the second."""
    model = _model(config, request)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    fused = request.optimizer_name == "adamw-fused"
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=fused, foreach=not fused)
    live = LiveStorage()
    live.adopt(model.parameters(), "parameter")
    with live:
        batch = _batch(config, request)
        _train(model, optimizer, batch, live, request)
        rest, live.peaks = live.bytes, {}
        _train(model, optimizer, batch, live, request)
    return RealStep(
        rest_bytes=rest,
        trained_parameters=sum(parameter.numel() for parameter in trained),
        peaks=dict(live.peaks),
    )


def _model(config: dict[str, Any], request: TrainingRequest) -> Any:
    built = transformers.AutoConfig.for_model(**config)
    model: Any = transformers.AutoModelForCausalLM.from_config(
        built, dtype=_DTYPES[request.weights], attn_implementation=request.attention
    )
    model.config.use_cache = False
    if request.loss == "chunked":
        add_fused_lm_head(model, outputs=("log_probs", "entropy", "is_top1"))
    adapter = request.adapter
    if adapter is not None:
        targets = adapter.targets
        settings = LoraConfig(
            r=adapter.rank,
            lora_alpha=2 * adapter.rank,
            lora_dropout=adapter.dropout,
            use_dora=adapter.kind == "dora",
            target_modules=targets[0] if targets == ("all-linear",) else list(targets),
            task_type="CAUSAL_LM",
        )
        model = get_peft_model(model, settings, autocast_adapter_dtype=adapter.dtype == "fp32")
    if request.checkpointing == "full":
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    return model.train()


def _batch(config: dict[str, Any], request: TrainingRequest) -> dict[str, torch.Tensor]:
    shape = (request.micro_batch, request.sequence_tokens)
    tokens = torch.randint(0, config["vocab_size"], shape)
    positions = torch.arange(request.sequence_tokens).unsqueeze(0)
    return {"input_ids": tokens, "labels": tokens, "position_ids": positions}


def _train(
    model: Any,
    optimizer: torch.optim.Optimizer,
    batch: dict[str, torch.Tensor],
    live: LiveStorage,
    request: TrainingRequest,
) -> None:
    for _ in range(request.accumulation):
        live.phase = "forward"
        loss = _loss(model, batch, fused=request.loss == "chunked")
        live.phase = "backward"
        loss.backward()
        del loss
    live.phase = "optimizer"
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _loss(model: Any, batch: dict[str, torch.Tensor], *, fused: bool) -> Any:
    if not fused:
        return model(**batch, use_cache=False).loss
    outputs = model(**batch, use_cache=False, fused_lm_head=True)
    return -outputs.log_probs.sum() / outputs.label_mask.sum()
