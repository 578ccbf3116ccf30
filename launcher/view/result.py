"""The last word on a run as plain text: what came of it, and predicted against measured."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from launcher.evaluation.text import evidence_lines, read_report
from launcher.runs.folder import RunFolder
from launcher.runs.measured import error_fraction
from launcher.view.progress import RunProgress
from launcher.view.run_facts import PlannedRun
from launcher.view.words import (
    band_verdict,
    duration,
    file_size,
    gib,
    loss,
    memory_of_this_run,
    one_line,
    percent,
    percent_right,
    thousands,
)

COLUMNS = 80
ANSWER_LINES = 3


def result_lines(progress: RunProgress, folder: RunFolder) -> list[str]:
    """A finished run in at most 80 columns, paths excepted."""
    lines = [*_outcome(progress, folder), "", *learning_lines(progress)]
    if progress.plan is not None:
        lines += ["", *memory_table(progress, progress.plan)]
    if progress.answers:
        lines += ["", *answer_lines(progress)]
    report = read_report(folder.path)
    if report is not None:
        lines += ["", *evidence_lines(report)]
    return [*lines, "", *next_steps(progress, folder)]


def stopped_lines(progress: RunProgress, folder: RunFolder) -> list[str]:
    """A run that was only rehearsed, or stopped on request: how far it came, how it goes on."""
    numbers = progress.numbers
    if progress.rehearsal is not None and not numbers.step:
        told = f"{progress.rehearsal[:1].upper()}{progress.rehearsal[1:]}."
        return [*textwrap.wrap(told, COLUMNS - 1), f"  tlplan resume {folder.typed}   trains it"]
    total = f" of {numbers.total_steps}" if numbers.total_steps else ""
    return [
        f"Stopped at step {numbers.step}{total} after {duration(progress.seconds)}.",
        f"  tlplan resume {folder.typed}",
    ]


def shown_path(path: Path) -> str:
    """A path as short as it is from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def memory_table(progress: RunProgress, plan: PlannedRun) -> Iterator[str]:
    """Predicted and measured memory with their difference."""
    what = memory_of_this_run(plan.device)
    yield f"{what + ', GiB':<30}{'Predicted':>10}{'Measured':>11}{'Difference':>13}"
    allocated_bytes = progress.numbers.peaks.get("allocated_bytes")
    if allocated_bytes is not None:
        yield _memory_row("allocated by torch", plan.predicted_allocated_bytes, allocated_bytes)
    yield _memory_row("peak", plan.predicted_peak_bytes, progress.peak_bytes)
    band = f"band {gib(plan.predicted_low_bytes)}-{gib(plan.predicted_high_bytes)}"
    if progress.peak_bytes is None:
        yield f"  {band}: the peak could not be measured"
        return
    verdict = band_verdict(
        peak_bytes=progress.peak_bytes,
        low_bytes=plan.predicted_low_bytes,
        high_bytes=plan.predicted_high_bytes,
    )
    yield f"  {band}: {verdict}"


def _memory_row(name: str, predicted_bytes: int, measured_bytes: int | None) -> str:
    fraction = error_fraction(measured_bytes, predicted_bytes)
    difference = "-" if fraction is None else percent(fraction)
    return f"  {name:<28}{gib(predicted_bytes):>10}{gib(measured_bytes):>11}{difference:>13}"


def _outcome(progress: RunProgress, folder: RunFolder) -> Iterator[str]:
    result = folder.path / (progress.result or "adapter")
    kind = "model" if progress.result == "model" else "adapter"
    files = [file for file in result.rglob("*") if file.is_file()] if result.is_dir() else []
    size = file_size(sum(file.stat().st_size for file in files))
    yield f"Done in {duration(progress.seconds)}. The {kind} ({size}) is in"
    yield f"  {shown_path(result)}"


def learning_lines(progress: RunProgress) -> Iterator[str]:
    """Losses before and after, and the speed."""
    numbers = progress.numbers
    yield f"  loss      {loss(numbers.loss_first)} -> {loss(numbers.loss_last)}   first, last step"
    if numbers.evaluation_after is not None:
        before, after = loss(numbers.evaluation_before), loss(numbers.evaluation_after)
        yield f"  held out  {before} -> {after}   before, after training"
    yield from _class_lines(progress)
    speed, step = numbers.usual_tokens_per_second(), numbers.usual_step_seconds()
    if speed is not None and step is not None:
        yield f"  speed     {thousands(speed)} tokens/s, {numbers.step} steps of {step:.2f} s"


def _class_lines(progress: RunProgress) -> Iterator[str]:
    """Accuracy and macro-F1 of a classifier on the rows held out."""
    first, last = progress.first_evaluation, progress.last_evaluation
    for label, name in (("accuracy", "accuracy"), ("macro-F1", "macro_f1")):
        before, after = percent_right(first, name), percent_right(last, name)
        if before is not None and after is not None:
            yield f"  {label}  {before} -> {after}"


def answer_lines(progress: RunProgress, *, most: int = ANSWER_LINES) -> Iterator[str]:
    """What was asked and answered before and after, in at most `most` lines each."""
    yield "One held-out row, answered before and after"
    told = [("asked", progress.prompt or "-"), *progress.answers.items()]
    if progress.expected_answer is not None:
        told.append(("wanted", progress.expected_answer))
    for name, text in told:
        yield from textwrap.wrap(
            one_line(text) or "(nothing)",
            width=COLUMNS - 1,
            initial_indent=f"  {name:<8}",
            subsequent_indent=" " * 10,
            max_lines=most,
            placeholder=" ...",
        )


def next_steps(progress: RunProgress, folder: RunFolder) -> Iterator[str]:
    """What was kept, and what to do with it."""
    where = shown_path(folder.path)
    yield f"Kept     measured.json, provenance.json, events.jsonl, log.txt in {where}"
    if progress.result == "adapter":
        yield f'Use it   PeftModel.from_pretrained(base_model, "{where}/adapter")'
    elif progress.result == "model":
        yield f'Use it   {_loader(folder)}.from_pretrained("{where}/model")'
    yield "Next     tlplan runs"


def _loader(folder: RunFolder) -> str:
    """The class of transformers that loads the model, by the task in the plan."""
    try:
        text = folder.plan.read_text(encoding="utf-8")
    except OSError:
        text = ""
    if "task: text-classification" in text:
        return "AutoModelForSequenceClassification"
    if "task: image-classification" in text:
        return "AutoModelForImageClassification"
    return "AutoModelForCausalLM"
