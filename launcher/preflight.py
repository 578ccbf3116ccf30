"""What must hold before a run folder is made: packages, data, device, memory, disk."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from launcher.doctor import wanted_packages
from launcher.errors import MissingHere, NothingFits
from launcher.hardware import hardware_for
from launcher.library_versions import QUANTIZING
from launcher.memory_holders import memory_holders
from launcher.model_files import require_model
from launcher.models import resolve_model
from launcher.runs.versions import needs_quantizing
from launcher.training.arguments import refuse_leaking_rows, refuse_what_is_not_there
from planner.budget import Budget
from planner.disk import run_bytes
from planner.run_plan import RunPlan
from planner.shape import ModelShape
from planner.units import gib_text

INSTALL_HINT = "pip install 'tlplan[train]'"

_TRAINING_PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate", "datasets")


def check_launch(run_plan: RunPlan, *, force: bool) -> int:
    """Check that the run can be started here; return the disk bytes it will take.

    Raises MissingHere, DataError, NothingFits (unless `force`), or what resolving the model does.
    """
    require_packages(run_plan)
    _require_data(run_plan)
    refuse_what_is_not_there(run_plan)
    _require_attention(run_plan)
    require_model(run_plan.model, reads_text=run_plan.training.task != "image-classification")
    shape = _shape_of(run_plan)
    refuse_leaking_rows(run_plan, shape.model_type)
    budget = _require_device(run_plan)
    if not force:
        _require_memory(run_plan, budget)
    return needed_disk_bytes(run_plan, shape)


def require_packages(run_plan: RunPlan) -> None:
    """Raise MissingHere naming what training needs and this machine lacks or has too old or new."""
    needed = list(_TRAINING_PACKAGES)
    if needs_quantizing(run_plan):
        needed.append(QUANTIZING)
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise MissingHere(f"training needs {', '.join(missing)}, not installed here", INSTALL_HINT)
    unfit = [each for each in wanted_packages() if each.name in needed and each.fits is False]
    if unfit:
        told = ", ".join(f"{each.name} {each.wanted}, not {each.installed}" for each in unfit)
        asked = " ".join(f"'{each.name}{each.wanted}'" for each in unfit)
        raise MissingHere(f"training needs {told}", f"pip install {asked}")


def _require_attention(run_plan: RunPlan) -> None:
    if run_plan.training.attention == "flash2" and find_spec("flash_attn") is None:
        raise MissingHere(
            "attention flash2 needs the package flash-attn, not installed here",
            "pip install flash-attn, or --attention sdpa",
        )


def _require_data(run_plan: RunPlan) -> None:
    from launcher.data.named import data_path
    from launcher.data.rendered import require_rendered
    from launcher.data.rows import held_out_data, read_data
    from launcher.data.suitable import require_suitable

    task, section = run_plan.training.task, run_plan.data
    data = read_data(data_path(section.train), labels_aside=task == "causal-lm")
    require_suitable(data, task, run_plan.model.name)
    held_out_data(data, None if section.held_out is None else data_path(section.held_out))
    if task == "causal-lm" and run_plan.model.folder is not None:
        require_rendered(data, Path(run_plan.model.folder), run_plan.model.name)


def _require_device(run_plan: RunPlan) -> Budget | None:
    hardware = hardware_for(
        ["cpu"] if run_plan.hardware.device == "cpu" else [], host_without_gpu=False
    )
    wanted = run_plan.hardware.gpu_uuid
    if run_plan.hardware.device == "cuda" and not hardware.gpus:
        raise MissingHere(
            f"the plan is for a GPU, and none can be used here: {hardware.problem}",
            "tlplan doctor says what is missing",
            "--gpu cpu plans for the host's memory",
        )
    if wanted is None:
        return hardware.budget
    for gpu in hardware.gpus:
        if gpu.uuid == wanted:
            return gpu
    raise MissingHere(
        f"the plan is for the GPU {wanted}, which is not in this machine",
        "tlplan gpus lists those that are",
        "set hardware.gpu_uuid to null in the plan to take any that fits",
    )


def _require_memory(run_plan: RunPlan, budget: Budget | None) -> None:
    if budget is None or budget.free_bytes is None:
        return
    needed = run_plan.hardware.predicted_peak_bytes
    if needed > budget.free_bytes:
        raise NothingFits(
            f"the plan needs {gib_text(needed)} GiB, {gib_text(budget.free_bytes)} are free now",
            *memory_holders(budget.uuid),
            "--force starts it all the same",
        )


def _shape_of(run_plan: RunPlan) -> ModelShape:
    model = run_plan.model
    return resolve_model(model.folder or model.hub_id or model.name).shape


def needed_disk_bytes(run_plan: RunPlan, shape: ModelShape) -> int:
    """Bytes of the checkpoints that are kept, one that is being written, and the result.

    See `planner.disk.run_bytes`.
    """
    request, loop = run_plan.request(), run_plan.training
    return run_bytes(
        shape,
        request,
        keep_checkpoints=loop.keep_checkpoints,
        keep_best=loop.keep_best,
    )
