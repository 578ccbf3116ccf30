"""The model and its tokenizer as the plan wants them, with adapters where it trains adapters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from launcher.errors import UsageError
from launcher.training.all_linear import all_linear
from launcher.training.text_part import freeze_beside_the_text, not_adapted, writing_class
from planner.request import AdapterSettings
from planner.run_plan import RunPlan

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig
    from transformers import (
        PreTrainedModel,
        PreTrainedTokenizerBase,
    )

_ATTENTION = {"sdpa": "sdpa", "flash2": "flash_attention_2", "eager": "eager"}
_DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


def model_source(plan: RunPlan) -> str:
    """The absolute folder or the Hub name; the adapter keeps it as the name of its base."""
    source = plan.model.folder or plan.model.hub_id
    if source is None:
        raise UsageError("model: neither folder nor hub_id is set in the plan")
    return source


def load_tokenizer(plan: RunPlan) -> PreTrainedTokenizerBase:
    """The model's tokenizer, with a padding token."""
    from transformers import AutoTokenizer

    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        model_source(plan), trust_remote_code=plan.model.trust_remote_code, **_revision(plan)
    )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(plan: RunPlan) -> PreTrainedModel:
    """The weights in the plan's dtype, or quantized, on the plan's device."""
    model: PreTrainedModel = writing_class(load_config(plan)).from_pretrained(
        model_source(plan),
        attn_implementation=_ATTENTION[plan.training.attention],
        **_loading_options(plan),
    )
    model.config.use_cache = False
    freeze_beside_the_text(model)
    _keep_unpacked(model)
    return model


def _loading_options(plan: RunPlan) -> dict[str, Any]:
    on_gpu = plan.hardware.device == "cuda"
    quantization = _quantization(plan)
    options: dict[str, Any] = {
        "dtype": _load_dtype(plan),
        "use_safetensors": True,
        "trust_remote_code": plan.model.trust_remote_code,
        **_revision(plan),
    }
    if on_gpu or quantization is not None:
        options["device_map"] = {"": 0 if on_gpu else "cpu"}
    if quantization is not None:
        options["quantization_config"] = quantization
    return options


def load_config(plan: RunPlan) -> Any:
    """The model's config.json as transformers reads it."""
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(
        model_source(plan), trust_remote_code=plan.model.trust_remote_code, **_revision(plan)
    )


def load_classifier(plan: RunPlan, classes: Sequence[str]) -> PreTrainedModel:
    """The weights below a head for these classes, which is new unless the model has the same."""
    import transformers

    text = plan.training.task == "text-classification"
    auto_class: Any = (
        transformers.AutoModelForSequenceClassification
        if text
        else transformers.AutoModelForImageClassification
    )
    names = dict(enumerate(classes))
    options = _loading_options(plan)
    if plan.training.attention != "sdpa" or text:
        options["attn_implementation"] = _ATTENTION[plan.training.attention]
    model: PreTrainedModel = auto_class.from_pretrained(
        model_source(plan),
        num_labels=len(classes),
        id2label=names,
        label2id={label: number for number, label in names.items()},
        ignore_mismatched_sizes=True,
        **options,
    )
    if hasattr(model.config, "use_cache"):
        model.config.use_cache = False
    _keep_unpacked(model)
    return model


def _keep_unpacked(model: PreTrainedModel) -> None:
    """Keep bitsandbytes from packing 4-bit weights for inference on a CPU with AVX-512 BF16.

    It does so at the first evaluation and never undoes it: scales are rounded to bf16, training
    goes on over the rounded weights, and a run resumed behind that evaluation differs.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False  # type: ignore[assignment]


def classifier_lora_config(plan: RunPlan, model: Any) -> LoraConfig | None:
    """Adapters below the head, which is trained whole and saved with them; None for full."""
    from peft import LoraConfig

    adapter = plan.adapter()
    if adapter is None:
        return None
    text = plan.training.task == "text-classification"
    targets: str | list[str] = list(adapter.targets)
    if adapter.targets == ("all-linear",):
        targets = all_linear(model) if text else _linear_names(model)
    return LoraConfig(
        # PEFT knows the heads of text classifiers by name; of pictures it knows none.
        task_type="SEQ_CLS" if text else None,
        modules_to_save=None if text else _head_modules(model),
        # DistilBERT's PEFT trains whole, for its name: it cannot be adapted besides.
        exclude_modules=["pre_classifier"] if hasattr(model, "pre_classifier") else None,
        target_modules=targets,
        **_adapter_settings(plan, adapter),
    )


def _linear_names(model: Any) -> list[str]:
    """Last names of the linear layers below the head: q_proj, fc1 and the like."""
    import torch

    head = tuple(_head_modules(model))
    return sorted(
        {
            name.rpartition(".")[2]
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and not name.startswith(head)
        }
    )


def _head_modules(model: Any) -> list[str]:
    """Modules beside the base model that have parameters: classifier and the like."""
    return [
        name
        for name, module in model.named_children()
        if name != model.base_model_prefix and any(True for _ in module.parameters())
    ]


def lora_config(plan: RunPlan, model: PreTrainedModel) -> LoraConfig | None:
    """The adapters PEFT adds to what writes text, None for a full fine-tune."""
    from peft import LoraConfig

    adapter = plan.adapter()
    if adapter is None:
        return None
    return LoraConfig(
        task_type="CAUSAL_LM",
        target_modules=(
            all_linear(model) if adapter.targets == ("all-linear",) else list(adapter.targets)
        ),
        exclude_modules=not_adapted(model),
        **_adapter_settings(plan, adapter),
    )


def _adapter_settings(plan: RunPlan, adapter: AdapterSettings) -> dict[str, Any]:
    return {
        "r": adapter.rank,
        "lora_alpha": plan.method.alpha or 2 * adapter.rank,
        "lora_dropout": adapter.dropout,
        "use_rslora": adapter.kind == "rslora",
        "use_dora": adapter.kind == "dora",
        "revision": plan.model.revision if plan.model.folder is None else None,
    }


def cast_adapters(model: torch.nn.Module, plan: RunPlan) -> None:
    """Give the adapters the plan's dtype: PEFT makes them fp32, TRL bf16 over 4-bit weights."""
    import torch

    adapter = plan.adapter()
    if adapter is None:
        return
    dtype = getattr(torch, _DTYPES[adapter.dtype])
    # An adapter casts what goes into it; a head without autocast takes what comes.
    head_dtype = _load_dtype(plan) if plan.method.autocast is None else dtype
    for name, parameter in model.named_parameters():
        # DoRA's magnitudes move by less than bf16 can hold.
        if parameter.requires_grad and "lora_magnitude_vector" not in name:
            parameter.data = parameter.data.to(dtype if "lora_" in name else head_dtype)


def loaded_bytes(model: torch.nn.Module) -> int:
    """Bytes of all parameters, buffers and quantization scales, shared ones once."""
    scales = (
        tensor for parameter in model.parameters() for tensor in _quantization_scales(parameter)
    )
    storages = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in (*model.parameters(), *model.buffers(), *scales)
    }
    return sum(storages.values())


def _quantization_scales(parameter: torch.nn.Parameter) -> list[torch.Tensor]:
    """What bitsandbytes keeps beside 4-bit weights, outside parameters and buffers."""
    import torch

    state = getattr(parameter, "quant_state", None)
    values = state.as_dict().values() if state is not None else ()
    return [value for value in values if isinstance(value, torch.Tensor)]


def parameter_counts(model: torch.nn.Module) -> tuple[int, int]:
    """(all, trained) parameters; 4-bit weights count by what they hold, not by their bytes."""
    from peft import PeftModel

    if isinstance(model, PeftModel):
        trained, total = model.get_nb_trainable_parameters()
        return total, trained
    total = sum(parameter.numel() for parameter in model.parameters())
    return total, sum(each.numel() for each in model.parameters() if each.requires_grad)


def _revision(plan: RunPlan) -> dict[str, Any]:
    if plan.model.folder is not None or plan.model.revision is None:
        return {}
    return {"revision": plan.model.revision}


def code_of_result(plan: RunPlan) -> dict[str, Any]:
    """How the result of a run is loaded that was trained with code of the model's own.

    A saved model names the repository that its code is in, but not the commit that was trusted.
    """
    if not plan.model.trust_remote_code:
        return {}
    return {"trust_remote_code": True, "code_revision": plan.model.revision}


def _load_dtype(plan: RunPlan) -> torch.dtype:
    """Of the weights, and of what stays unquantized around 4-bit and 8-bit layers."""
    import torch

    if plan.method.weights in _DTYPES:
        dtype: torch.dtype = getattr(torch, _DTYPES[plan.method.weights])
        return dtype
    return torch.bfloat16 if plan.hardware.device == "cuda" else torch.float32


def _quantization(plan: RunPlan) -> Any:
    """A BitsAndBytesConfig, None when the weights stay as they are."""
    # Its constructor carries no types.
    import transformers

    quantized_by: Any = transformers.BitsAndBytesConfig

    weights = plan.method.weights
    # A new head has no weights yet that 4 or 8 bit could stand for.
    heads = None if plan.training.task == "causal-lm" else ["classifier", "score", "classification"]
    if weights == "int8":
        return quantized_by(load_in_8bit=True, llm_int8_skip_modules=heads)
    if weights in ("nf4", "nf4-dq"):
        return quantized_by(
            load_in_4bit=True,
            llm_int8_skip_modules=heads,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=weights == "nf4-dq",
            bnb_4bit_compute_dtype=_load_dtype(plan),
        )
    return None
