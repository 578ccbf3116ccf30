"""PEFT's adapters for a request: one config class for each kind."""

# torch and transformers leave much untyped.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import torch

from launcher.tracing.replacing import replaced
from planner.request import AdapterSettings, TrainingRequest

_TASKS = {"causal-lm": "CAUSAL_LM", "text-classification": "SEQ_CLS"}


def adapter_config(request: TrainingRequest) -> Any:
    """The config that PEFT builds the request's adapters from."""
    import peft

    adapter = request.adapter
    assert adapter is not None
    image = request.task == "image-classification"
    shared: dict[str, Any] = {
        "target_modules": (
            "all-linear" if adapter.targets == ("all-linear",) else list(adapter.targets)
        ),
        "task_type": _TASKS.get(request.task),
    }
    if image:
        # A head of classes is trained whole; of text classifiers PEFT sees to that itself.
        shared |= {"modules_to_save": ["classifier"], "exclude_modules": ["classifier"]}
    if adapter.kind not in _OWN:
        return _by_its_fields(adapter, shared)
    classes: Any = peft
    name, own = _OWN[adapter.kind](adapter)
    return getattr(classes, name)(**shared, **own)


def _by_its_fields(adapter: AdapterSettings, shared: dict[str, Any]) -> Any:
    """The config of a kind that has PEFT's usual names for its settings, or does without."""
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
    from peft.utils import PeftType

    chosen: Any = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType[adapter.kind.upper().replace("-", "_")]]
    known = {each.name for each in fields(chosen)}
    size = dict.fromkeys(("r", "rank", "num_virtual_tokens"), adapter.rank)
    dropout = {name: adapter.dropout for name in known if name.endswith("dropout")}
    given = {**shared, **size, **dropout}
    if adapter.kind == "ln-tuning":
        del given["target_modules"]  # PEFT knows the norms of each family
    return chosen(**{name: value for name, value in given.items() if name in known})


@contextmanager
def without_values() -> Iterator[None]:
    """Inside, BOFT makes its permutations without looking at the numbers in them."""
    from peft.tuners.boft.layer import BOFTLayer

    def perm2mat(_: Any, indices: torch.Tensor) -> torch.Tensor:
        return torch.zeros((len(indices), len(indices)))

    with replaced(BOFTLayer, perm2mat=perm2mat):
        yield


def _lora(adapter: AdapterSettings) -> tuple[str, dict[str, Any]]:
    return "LoraConfig", {
        "r": adapter.rank,
        "lora_alpha": 2 * adapter.rank,
        "lora_dropout": adapter.dropout,
        "use_rslora": adapter.kind == "rslora",
        "use_dora": adapter.kind == "dora",
    }


def _adalora(adapter: AdapterSettings) -> tuple[str, dict[str, Any]]:
    # The rank to end with; it begins with half as much again, as its paper does.
    return "AdaLoraConfig", {
        "target_r": adapter.rank,
        "init_r": adapter.rank * 3 // 2,
        "lora_dropout": adapter.dropout,
        "total_step": 1000,
    }


def _ia3(adapter: AdapterSettings) -> tuple[str, dict[str, Any]]:
    del adapter
    return "IA3Config", {"feedforward_modules": []}


def _vera(adapter: AdapterSettings) -> tuple[str, dict[str, Any]]:
    return "VeraConfig", {"r": adapter.rank, "vera_dropout": adapter.dropout}


def _loha(adapter: AdapterSettings) -> tuple[str, dict[str, Any]]:
    name = "LoHaConfig" if adapter.kind == "loha" else "LoKrConfig"
    return name, {
        "r": adapter.rank,
        "alpha": 2 * adapter.rank,
        "rank_dropout": adapter.dropout,
    }


def _oft(adapter: AdapterSettings) -> tuple[str, dict[str, Any]]:
    return "OFTConfig", {"oft_block_size": adapter.rank, "module_dropout": adapter.dropout}


def _boft(adapter: AdapterSettings) -> tuple[str, dict[str, Any]]:
    return "BOFTConfig", {"boft_block_size": adapter.rank, "boft_dropout": adapter.dropout}


_OWN = {
    **dict.fromkeys(("lora", "dora", "rslora"), _lora),
    "adalora": _adalora,
    "ia3": _ia3,
    "vera": _vera,
    **dict.fromkeys(("loha", "lokr"), _loha),
    "oft": _oft,
    "boft": _boft,
}
