"""From options to a plan: the model, the memory and the data are read, the planner decides."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from launcher import stderr
from launcher.cli.planning_options import add_planning_options
from launcher.errors import UsageError
from launcher.hardware import Hardware, hardware_for
from launcher.learned.estimating import learned
from launcher.learned.timing import learned_time
from launcher.models import resolve_model
from planner.advice.rows import packs
from planner.advice.settings import TASK_OF_LAYOUT, Asked, DataFacts
from planner.memory.estimate import estimate_memory
from planner.plan import MethodAnswer, Plan, PlannedModel, make_plan
from planner.request import QUANTIZED_WEIGHTS

if TYPE_CHECKING:
    from launcher.data.checkup import Checkup
    from launcher.data.dataset import DataSet
    from launcher.data.lengths import Lengths

__all__ = [
    "add_planning_options",
    "asked_from",
    "data_facts",
    "facts_of",
    "facts_of_checkup",
    "lightest",
    "measured_data",
    "plan_and_hardware",
    "plan_from_arguments",
    "require_rows",
    "task_for",
]


def plan_from_arguments(arguments: argparse.Namespace, *, to_run: bool) -> Plan:
    """The plan of a run on this machine: host memory is planned with where there is no GPU.

    `to_run` says that rows to learn from are needed. Raises UsageError, NoAccess, DataError, and
    RequestError for what cannot be combined.
    """
    return plan_and_hardware(arguments, host_without_gpu=True, to_run=to_run)[0]


def plan_and_hardware(
    arguments: argparse.Namespace, *, host_without_gpu: bool, to_run: bool = False
) -> tuple[Plan, Hardware]:
    """The plan, and what it was judged against; for errors see `plan_from_arguments`."""
    if arguments.model is None:
        raise UsageError(
            "--model is missing",
            "for instance --model llama-3.1-8b; tlplan models lists the names",
        )
    asked = asked_from(arguments)
    hardware = hardware_for(arguments.gpu, host_without_gpu=host_without_gpu)
    model = resolve_model(arguments.model)
    task_for(model, asked.task)
    _refuse_leaking_rows(model, asked)
    if to_run:
        require_rows(arguments.data)
    data = None
    if arguments.data is not None:
        data = data_facts(arguments.data, model, task=asked.task, held_out=arguments.held_out)
    if arguments.trace:
        return _traced_plan(model, hardware, asked, data), hardware
    estimate = learned(estimate_memory, hardware.budget)
    plan = make_plan(
        model,
        hardware.budget,
        asked,
        data,
        estimate=estimate,
        learned_time=learned_time(hardware.budget),
        weigh=True,
    )
    return plan, hardware


def _traced_plan(
    model: PlannedModel, hardware: Hardware, asked: Asked, data: DataFacts | None
) -> Plan:
    """The plan by traced steps; a method whose trace fails is told and estimated by formula."""
    from launcher.tracing.client import Tracer
    from launcher.tracing.estimating import TracedEstimates

    budget = hardware.budget
    text = f"tracing a step of {model.id}: a few seconds a method, the first time only"
    with Tracer(on_start=lambda: stderr.note(text)) as tracer:
        estimate = TracedEstimates(
            tracer,
            config=model.config,
            gpu=None if budget is None else budget.card_id,
            warn=stderr.warning,
        )
        return make_plan(
            model,
            budget,
            asked,
            data,
            estimate=learned(estimate, budget),
            learned_time=learned_time(budget),
            weigh=True,
        )


def require_rows(data: object) -> None:
    """Raise UsageError where there are no rows to learn from."""
    if data is None:
        raise UsageError("--data is missing", "--data train.jsonl names the rows to learn from")


def asked_from(arguments: argparse.Namespace) -> Asked:
    """What the options fix. Raises UsageError for options that have no effect together."""
    _refuse_idle_options(arguments)
    targets = arguments.targets
    return Asked(
        method=arguments.method or ("full" if arguments.train_last is not None else None),
        task=arguments.task,
        train_last=arguments.train_last,
        rank=arguments.rank,
        targets=tuple(name.strip() for name in targets.split(",")) if targets else None,
        sequence_tokens=arguments.seq,
        micro_batch=arguments.batch,
        accumulation=arguments.accumulate,
        optimizer=arguments.optimizer,
        weights=arguments.weights,
        checkpointing=arguments.checkpointing,
        attention=arguments.attention,
        loss=arguments.loss,
        packing=None if arguments.packing is None else arguments.packing == "yes",
        epochs=arguments.epochs,
        max_steps=arguments.max_steps,
        learning_rate=arguments.learning_rate,
        seed=arguments.seed,
    )


def lightest(plan: Plan) -> MethodAnswer:
    """The method that needs least."""
    return min(plan.answers, key=lambda answer: answer.memory.needed.expected_bytes)


def data_facts(
    path: str, model: PlannedModel, *, task: str | None = None, held_out: str | None = None
) -> DataFacts:
    """What the plan has to know of the training data. Raises DataError naming bad lines."""
    data, lengths = measured_data(path, model, task=task)
    return facts_of(path, data, lengths, held_out=held_out)


def measured_data(
    path: str, model: PlannedModel, *, task: str | None = None
) -> tuple[DataSet, Lengths]:
    """The rows of a file and how long each is for this model; raises what `data_facts` does."""
    from launcher.data.lengths import measure_lengths
    from launcher.data.named import data_path
    from launcher.data.rows import read_data
    from launcher.data.suitable import require_suitable

    data = read_data(data_path(path), labels_aside=task == "causal-lm")
    known = TASK_OF_LAYOUT.get(data.layout)
    require_suitable(data, task_for(model, task or known), model.id)
    if data.layout == "image_label":
        return data, _picture_lengths(model, len(data.rows))
    tokenizer = Path(model.folder, "tokenizer.json") if model.folder else None
    if tokenizer is not None and not tokenizer.is_file():
        tokenizer = None
    return data, measure_lengths(data, tokenizer)


def facts_of(
    path: str, data: DataSet, lengths: Lengths, *, held_out: str | None = None
) -> DataFacts:
    """What a plan has to know of rows that were read and measured.

    `held_out` names a file of rows to measure on. Raises DataError when it cannot be used.
    """
    from launcher.data.named import data_path, lasting_name
    from launcher.data.rows import held_out_data
    from launcher.data.split import hold_out
    from planner.loop import held_out_share

    other = held_out_data(data, None if held_out is None else data_path(held_out))
    by_hash = hold_out(data.row_keys, held_out_share(len(data.rows)))
    facts = _facts(
        data.layout, lengths, Counter(row["label"] for row in data.rows if "label" in row)
    )
    return facts._replace(
        path=lasting_name(path),
        held_out=None if held_out is None else lasting_name(held_out),
        held_out_rows=None if other is None else len(other.rows),
        held_out_by_hash=len(by_hash.held_out_indices) if other is None else 0,
    )


def facts_of_checkup(checkup: Checkup, model: PlannedModel) -> DataFacts | None:
    """The same of rows that were only looked at; None where no row or no length is known."""
    if not checkup.rows or checkup.layout is None:
        return None
    lengths = checkup.lengths
    if checkup.layout == "image_label":
        lengths = _picture_lengths(model, checkup.rows)
    if lengths is None:
        return None
    held_out = checkup.held_out_rows
    return _facts(checkup.layout, lengths, Counter(dict(checkup.labels)))._replace(
        path=str(checkup.path),
        held_out_rows=held_out if checkup.held_out_apart else None,
        held_out_by_hash=0 if checkup.held_out_apart else held_out,
    )


def _facts(layout: str, lengths: Lengths, labels: Counter[str]) -> DataFacts:
    """What lengths and labels say, however they were found."""
    return DataFacts(
        path="",
        layout=layout,
        rows=len(lengths.per_row),
        longest_tokens=lengths.longest,
        lengths_exact=lengths.exact,
        how=lengths.how,
        mean_tokens=lengths.mean,
        lengths=lengths.per_row,
        class_counts=tuple(labels.most_common()),
    )


def _picture_lengths(model: PlannedModel, rows: int) -> Lengths:
    from launcher.data.lengths import Lengths

    patches = (model.shape.image_tokens or 1,) * rows
    return Lengths(per_row=patches, exact=True, how="patches of a picture")


def _refuse_idle_options(arguments: argparse.Namespace) -> None:
    method = arguments.method or ("full" if arguments.train_last is not None else None)
    if arguments.held_out is not None and arguments.data is None:
        raise UsageError("--held-out goes with --data")
    if arguments.train_last is not None and method in ("lora", "qlora"):
        raise UsageError(f"--train-last goes with --method full, not {method}")
    if method == "full" and (arguments.rank is not None or arguments.targets is not None):
        option = "--rank" if arguments.rank is not None else "--targets"
        raise UsageError(f"{option} goes with --method lora or qlora, not full")
    weights = arguments.weights
    if weights is None or method is None:
        return
    if (weights in QUANTIZED_WEIGHTS) != (method == "qlora"):
        fitting = "qlora" if weights in QUANTIZED_WEIGHTS else "full or lora"
        raise UsageError(f"--weights {weights} goes with --method {fitting}, not {method}")


def _refuse_leaking_rows(model: PlannedModel, asked: Asked) -> None:
    if asked.packing and not packs(model.shape):
        raise UsageError(
            f"--packing yes: packed rows of {model.shape.model_type} models could see each other",
            "leave it out: rows of like length are put side by side where that saves time",
        )


def task_for(model: PlannedModel, asked: str | None = None) -> str:
    """The task to plan: the one asked for, else what such a model is usually fine-tuned for.

    Raises UsageError for a task the model has no head for.
    """
    shape = model.shape
    known = [*(["causal-lm"] if shape.family.kind == "decoder" else []), *shape.task_heads]
    if not known:
        raise UsageError(
            f"no task is known that {model.id} ({shape.model_type}) is fine-tuned for",
            "tlplan models lists those that can be planned",
        )
    task = asked or (shape.usual_task if shape.usual_task in known else known[0])
    if task not in known:
        raise UsageError(
            f"--task {task} is not what {model.id} ({shape.model_type}) is made for",
            f"--task {' or --task '.join(known)} is",
        )
    return task
