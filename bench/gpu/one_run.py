"""Trains one model of random weights for a few steps and says what memory that took.

    echo '{"config": {...}, "method": "lora", ...}' | python -m bench.gpu.one_run

A case of `tlplan estimate` on stdin, one JSON object on stdout. The real classes do the work:
Transformers builds, bitsandbytes quantizes, PEFT adapts, TRL's trainer (loss chunked) or
Transformers' own (loss torch) trains. Weights are random, since memory does not depend on them.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from statistics import median
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    default_data_collator,
)
from transformers.quantizers.base import get_keys_to_not_convert
from trl import SFTConfig, SFTTrainer

from bench.gpu import at_peak
from bench.gpu.memory import LOOK_INSIDE
from planner.case import request_of_case
from planner.request import QUANTIZED_WEIGHTS, TrainingRequest

STEPS = 4
"""The first makes the optimizer's state; the others are timed."""

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_OPTIMIZERS = {
    "adamw": "adamw_torch",
    "adamw-fused": "adamw_torch_fused",
    "adamw-8bit": "adamw_8bit",
    "paged-adamw": "paged_adamw_32bit",
    "paged-adamw-8bit": "paged_adamw_8bit",
    "adafactor": "adafactor",
    "sgd": "sgd",
}


def main() -> None:
    """Run the case on stdin."""
    case = json.load(sys.stdin)
    answer_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    json.dump(measure(case), answer_to)
    answer_to.close()


def measure(case: Mapping[str, Any]) -> dict[str, Any]:
    """Peak bytes by counter and seconds a step. Raises what the libraries raise."""
    request = request_of_case(case)
    torch.manual_seed(0)
    model = _model(case["config"], request)
    clock = _Clock(request, look_inside=bool(os.environ.get(LOOK_INSIDE)))
    trainer = _trainer(model, request, clock)
    gc.collect()
    if request.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    trainer.train()
    seconds = median(clock.seconds[1:STEPS])
    return {
        **_peaks(request, clock),
        "step_seconds": round(seconds, 4),
        "tokens_per_second": round(request.tokens * request.accumulation / seconds, 1),
        "trained_parameters": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        **({"at_peak": clock.at_peak} if clock.at_peak else {}),
    }


def _peaks(request: TrainingRequest, clock: _Clock) -> dict[str, int | None]:
    if request.device == "cpu":
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return {"allocated_bytes": None, "reserved_bytes": None, "device_bytes": peak}
    return {
        "allocated_bytes": torch.cuda.max_memory_allocated(),
        "reserved_bytes": torch.cuda.max_memory_reserved(),
        "requested_bytes": torch.cuda.memory_stats()["requested_bytes.all.peak"],
        "rest_allocated_bytes": clock.rest_bytes,
        "device_bytes": max(clock.device_bytes, default=None),
    }


class _Clock(TrainerCallback):
    """Seconds of every step, and what NVML shows for the card at its end."""

    def __init__(self, request: TrainingRequest, *, look_inside: bool) -> None:
        self._on_cuda = request.device == "cuda"
        self._look_inside = look_inside and self._on_cuda
        self.at_peak: dict[str, Any] | None = None
        self._began = 0.0
        self.seconds: list[float] = []
        self.device_bytes: list[int] = []
        self.rest_bytes: int | None = None

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """A step begins."""
        self._wait()
        if self._look_inside and len(self.seconds) == STEPS:
            at_peak.record()
        self._began = time.monotonic()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """It has ended."""
        self._wait()
        self.seconds.append(time.monotonic() - self._began)
        if self._on_cuda:
            free, total = torch.cuda.mem_get_info()
            # Everything on the card: the caller subtracts what was there before.
            self.device_bytes.append(total - free)
            self.rest_bytes = torch.cuda.memory_allocated()
        if self._look_inside and len(self.seconds) == STEPS + 1:
            self.at_peak = at_peak.recorded()

    def _wait(self) -> None:
        if self._on_cuda:
            torch.cuda.synchronize()


def _model(config: Mapping[str, Any], request: TrainingRequest) -> Any:
    given = {**config, "use_cache": False}
    built = AutoConfig.for_model(given.pop("model_type"), **given)
    quantized = request.weights in QUANTIZED_WEIGHTS
    dtype = torch.bfloat16 if quantized else _DTYPES[request.weights]
    if quantized and request.device == "cpu":
        dtype = torch.float32
    attention = {"sdpa": "sdpa", "flash2": "flash_attention_2", "eager": "eager"}[request.attention]
    with torch.device(request.device):
        model = AutoModelForCausalLM.from_config(built, dtype=dtype, attn_implementation=attention)
    if quantized:
        _quantize(model, request, dtype)
    return model


def _quantize(model: Any, request: TrainingRequest, dtype: torch.dtype) -> None:
    """What from_pretrained does with a BitsAndBytesConfig, on weights that are there already."""
    import bitsandbytes  # here, since it makes a context on the card

    kept = get_keys_to_not_convert(model)
    for name, module in list(model.named_modules()):
        if name in kept or type(module) is not nn.Linear:
            continue
        sides = {"bias": module.bias is not None, "device": "meta"}
        if request.weights == "int8":
            new: Any = bitsandbytes.nn.Linear8bitLt(
                module.in_features, module.out_features, has_fp16_weights=False, **sides
            )
            weight: Any = bitsandbytes.nn.Int8Params(
                module.weight.data.cpu(), requires_grad=False, has_fp16_weights=False
            )
        else:
            double = request.weights == "nf4-dq"
            new = bitsandbytes.nn.Linear4bit(
                module.in_features,
                module.out_features,
                compute_dtype=dtype,
                compress_statistics=double,
                quant_type="nf4",
                **sides,
            )
            weight = bitsandbytes.nn.Params4bit(
                module.weight.data,
                requires_grad=False,
                compress_statistics=double,
                quant_type="nf4",
            )
        new.weight = weight.to(request.device)
        new.bias = module.bias
        model.set_submodule(name, new)
    model.is_loaded_in_8bit = request.weights == "int8"
    model.is_loaded_in_4bit = not model.is_loaded_in_8bit
    for parameter in model.parameters():
        parameter.requires_grad_(requires_grad=False)


def _trainer(model: Any, request: TrainingRequest, clock: _Clock) -> Trainer:
    arguments = SFTConfig(
        output_dir=tempfile.mkdtemp(prefix="tlplan-bench-"),
        max_steps=STEPS + bool(os.environ.get(LOOK_INSIDE)),
        per_device_train_batch_size=request.micro_batch,
        gradient_accumulation_steps=request.accumulation,
        optim=_OPTIMIZERS[request.optimizer],
        bf16=request.autocast == "bf16",
        fp16=request.autocast == "fp16",
        use_cpu=request.device == "cpu",
        gradient_checkpointing=request.checkpointing == "full",
        gradient_checkpointing_kwargs={"use_reentrant": False},
        max_length=request.sequence_tokens,
        dataset_kwargs={"skip_prepare_dataset": True},
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=request.device == "cuda",
    )
    rows = _rows(model.config.vocab_size, request)
    if request.loss == "torch":
        return Trainer(
            model=_adapted(model, request),
            args=arguments,
            train_dataset=rows,
            data_collator=default_data_collator,
            callbacks=[clock],
        )
    trainer = SFTTrainer(
        model=_adapted(model, request),
        args=arguments,
        train_dataset=rows,
        processing_class=_tokenizer(),
        callbacks=[clock],
    )
    _cast(trainer.model, request)
    return trainer


def _adapted(model: Any, request: TrainingRequest) -> Any:
    """The model with its adapters, if any, in the request's dtype."""
    adapter = request.adapter
    if adapter is None:
        return model
    if request.kbit_prepare:
        model = prepare_model_for_kbit_training(
            model, use_gradient_checkpointing=request.checkpointing == "full"
        )
    every = adapter.targets == ("all-linear",)
    adapted = get_peft_model(
        model,
        LoraConfig(
            task_type="CAUSAL_LM",
            r=adapter.rank,
            lora_alpha=2 * adapter.rank,
            lora_dropout=adapter.dropout,
            target_modules="all-linear" if every else list(adapter.targets),
            use_rslora=adapter.kind == "rslora",
            use_dora=adapter.kind == "dora",
        ),
    )
    if request.checkpointing == "full":
        adapted.enable_input_require_grads()
    _cast(adapted, request)
    return adapted


def _cast(model: Any, request: TrainingRequest) -> None:
    if request.adapter is None:
        return
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and "lora_magnitude_vector" not in name:
            parameter.data = parameter.data.to(_DTYPES[request.adapter.dtype])


def _rows(vocabulary: int, request: TrainingRequest) -> Any:
    from datasets import Dataset

    count = (STEPS + 1) * request.micro_batch * request.accumulation
    tokens = torch.randint(2, vocabulary, (count, request.sequence_tokens)).tolist()
    rows: dict[str, Any] = {"input_ids": tokens, "labels": tokens}
    return Dataset.from_dict(rows)


def _tokenizer() -> PreTrainedTokenizerFast:
    """One that is never asked to tokenize."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    words = {"<pad>": 0, "<unk>": 1}
    made = Tokenizer(WordLevel(words, unk_token="<unk>"))
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="<pad>")


if __name__ == "__main__":
    main()
