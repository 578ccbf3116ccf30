"""What must stand in the environment before torch and the Hub libraries are imported."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from importlib.util import find_spec

from launcher.errors import MissingHere
from planner.run_plan import RunPlan

_ALWAYS_NEEDED = (
    "torch",
    "transformers",
    "peft",
    "trl",
    "accelerate",
    "datasets",
    "safetensors",
)
_ALLOCATOR_SETTINGS = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
"""The second is the older name, and the only one that torch below 2.9 reads."""


def prepare_environment(plan: RunPlan, environment: MutableMapping[str, str] = os.environ) -> None:
    """Keep the libraries offline, quiet and on the planned card; what a person set wins."""
    environment.update(HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1")
    environment.update(HF_HUB_DISABLE_PROGRESS_BARS="1", TOKENIZERS_PARALLELISM="false")
    if plan.model.folder is not None:
        environment["HF_HUB_OFFLINE"] = "1"
    if plan.hardware.device == "cpu":
        return
    if plan.hardware.gpu_uuid is not None:
        environment.setdefault("CUDA_VISIBLE_DEVICES", plan.hardware.gpu_uuid)
    if not any(name in environment for name in _ALLOCATOR_SETTINGS):
        for name in _ALLOCATOR_SETTINGS:
            environment[name] = "expandable_segments:True"


def require_packages(plan: RunPlan) -> None:
    """Raise MissingHere, with the line that installs it, when a package is missing."""
    optimizer = plan.training.optimizer
    needed = list(_ALWAYS_NEEDED)
    if plan.method.name == "qlora" or "8bit" in optimizer or "paged" in optimizer:
        needed.append("bitsandbytes")
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise MissingHere(
            f"training needs {', '.join(missing)}, not installed here",
            "try: pip install 'tlplan[train]'",
        )
    if plan.training.attention == "flash2" and find_spec("flash_attn") is None:
        raise MissingHere(
            "attention flash2 needs the package flash-attn, not installed here",
            "try: pip install flash-attn, or set attention: sdpa in the plan",
        )


def set_up_libraries(plan: RunPlan) -> None:
    """Import torch and set what only works from inside: threads, progress bars, the card."""
    import torch
    from datasets.utils.logging import (  # type: ignore[import-untyped,unused-ignore]
        disable_progress_bar,
    )
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call,unused-ignore]
    disable_progress_bar()
    if plan.hardware.device == "cpu":
        torch.set_num_threads(_cpu_threads())
    elif not torch.cuda.is_available():
        raise MissingHere(
            "the plan is for a GPU, but torch sees none here",
            "tlplan doctor shows what this machine has",
        )


def _cpu_threads() -> int:
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
