"""The real model and adapter classes, built without data, of any depth.

Built on the meta device first: `Module.to` cannot move parameters of fake tensors, and PEFT calls
it. Then every parameter becomes a fake CPU tensor.
"""

# torch and transformers leave much untyped.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from launcher.tracing.adapters import adapter_config, without_values
from launcher.tracing.offloading import offload_checkpoints
from launcher.training.freezing import train_last
from planner.memory.numerics import casts_back
from planner.request import QUANTIZED_WEIGHTS, RequestError, TrainingRequest

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def build_model(config: Any, request: TrainingRequest) -> nn.Module:
    """The model as it is trained, with its adapters, on the meta device."""
    model = _base_model(config, request)
    if request.checkpointing != "none":
        if not model.supports_gradient_checkpointing:
            text = f"{type(model).__name__} has no checkpoints; checkpointing none can be traced"
            raise RequestError("checkpointing", text)
        model.gradient_checkpointing_enable(
            gradient_checkpointing_kwargs={"use_reentrant": request.reentrant_checkpoints}
        )
    if request.checkpointing == "offloaded":
        offload_checkpoints(model)
    if request.adapter is not None:
        model = _with_adapters(model, request)
    elif request.trainable_layers is not None:
        train_last(model, request.trainable_layers, request.task)
    model.train()
    return model  # type: ignore[no-any-return]


def _base_model(config: Any, request: TrainingRequest) -> Any:
    import transformers
    from transformers.initialization import no_init_weights

    auto_class = {
        "causal-lm": transformers.AutoModelForCausalLM,
        "text-classification": transformers.AutoModelForSequenceClassification,
        "image-classification": transformers.AutoModelForImageClassification,
    }[request.task]
    if request.task == "text-classification":
        config.problem_type = "single_label_classification"  # else DeBERTa looks at the labels
        if config.pad_token_id is None:
            config.pad_token_id = 0  # where a row ends is read from it
    # Some classes know no kernel of torch's, or have no attention at all.
    classes: Any = auto_class._model_mapping  # noqa: SLF001
    known = classes.get(type(config), None)
    known = known[0] if isinstance(known, tuple) else known
    has_sdpa = getattr(known, "_supports_sdpa", True)
    eager = request.attention == "eager" or not has_sdpa
    with no_init_weights(), torch.device("meta"):
        model = auto_class.from_config(
            config,
            dtype=base_dtype(request),
            attn_implementation="eager" if eager else "sdpa",
        )
        if request.weights in QUANTIZED_WEIGHTS:
            from launcher.tracing.quantized import quantize_linears

            model.tie_weights()
            quantize_linears(model, request.weights, compute_dtype(request))
            for part in model.modules():
                if isinstance(part, transformers.PreTrainedModel):
                    part.config._is_quantized = True  # noqa: SLF001 - flash attention asks
    model.tie_weights()  # no_init_weights leaves it out
    model.config.use_cache = False
    if request.attention == "flash2":
        # Asking for it by name would look for the package.
        model.config._attn_implementation = "flash_attention_2"  # noqa: SLF001
    return model


def base_dtype(request: TrainingRequest) -> torch.dtype:
    """Dtype of weights that are not quantized."""
    if request.weights in QUANTIZED_WEIGHTS:
        return compute_dtype(request)
    return DTYPES[request.weights]


def compute_dtype(request: TrainingRequest) -> torch.dtype:
    """What quantized linears compute in; the launcher takes fp32 on the CPU."""
    if request.device == "cpu":
        return torch.float32
    return DTYPES[request.autocast or "bf16"]


def _with_adapters(model: Any, request: TrainingRequest) -> nn.Module:
    from peft import get_peft_model

    adapter = request.adapter
    assert adapter is not None
    model.requires_grad_(requires_grad=False)
    if request.kbit_prepare:
        _widen(model, request)
    if request.checkpointing != "none":
        model.enable_input_require_grads()
    config = adapter_config(request)
    if hasattr(model, "pre_classifier"):
        config.exclude_modules = {"pre_classifier"}  # trained whole, for its name
    with torch.device("meta"), without_values():
        adapted: nn.Module = get_peft_model(model, config, low_cpu_mem_usage=True)
    # On meta PEFT leaves adapters as they are, whatever autocast_adapter_dtype says.
    for name, parameter in adapted.named_parameters():
        if parameter.requires_grad and "lora_magnitude_vector" not in name:
            parameter.data = parameter.data.to(DTYPES[adapter.dtype])
    return adapted


def _widen(model: Any, request: TrainingRequest) -> None:
    """prepare_model_for_kbit_training's fp32 casts, and older TRL's of embeddings and head back."""
    halves = (torch.bfloat16, torch.float16)
    # A head that is tied is one parameter with the embeddings, whatever those are called.
    kept = {
        id(parameter)
        for path, module in model.named_modules()
        if casts_back(request) and any(name in path for name in _CAST_BACK)
        for parameter in module.parameters()
    }
    wide: dict[int, nn.Parameter] = {}
    for module in list(model.modules()):
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter.dtype in halves and id(parameter) not in kept:
                made = nn.Parameter(parameter.data.float(), requires_grad=False)
                # A tied table stays one parameter.
                setattr(module, name, wide.setdefault(id(parameter), made))


_CAST_BACK = ("lm_head", "embed_tokens", "wte", "wpe")
"""Names of what TRL's peft_module_casting_to_bf16 made 16-bit again."""


def blocks_of(model: nn.Module, layers: int) -> nn.ModuleList | None:
    """The list of the model's blocks; None when there is none of that length."""
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == layers > 0:
            return module
    return None


def blocks_path(model: nn.Module, layers: int) -> str | None:
    """What the names of the blocks' parameters begin with."""
    blocks = blocks_of(model, layers)
    if blocks is None:
        return None
    return next(f"{name}." for name, module in model.named_modules() if module is blocks)


def base_of(model: Any) -> Any:
    """The Transformers model below PEFT's."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def give_fake_tensors(model: nn.Module) -> None:
    """Make every parameter and buffer a fake CPU tensor. Call it inside a FakeTensorMode."""
    made: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def fake(tensor: torch.Tensor | None) -> Any:
        if tensor is None:
            return None
        if id(tensor) not in made:
            new = torch.empty(tensor.shape, dtype=tensor.dtype)
            if isinstance(tensor, nn.Parameter):
                new = nn.Parameter(new, requires_grad=tensor.requires_grad)
            made[id(tensor)] = (tensor, new)
        return made[id(tensor)][1]

    for module in model.modules():
        tables: tuple[Mapping[str, Any], ...] = (module._parameters, module._buffers)  # noqa: SLF001
        for table in tables:
            for name, tensor in table.items():
                table[name] = fake(tensor)  # type: ignore[index]
