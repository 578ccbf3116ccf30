"""The job that cards are compared on: a model, settings, and rows of data or an assumption."""

from __future__ import annotations

import argparse

from launcher.errors import UsageError
from launcher.models import resolve_model
from launcher.planning import asked_from, data_facts, task_for
from planner.advice.settings import DataFacts
from planner.market.job import Job

ASSUMED_ROWS = 10_000
ASSUMED_TOKENS = 512


def job_from(arguments: argparse.Namespace) -> Job:
    """The job the options describe. Raises UsageError, DataError, NoAccess."""
    if arguments.model is None:
        raise UsageError(
            "--model is missing",
            "for instance --model llama-3.1-8b; tlplan models lists the names",
        )
    asked = asked_from(arguments)
    model = resolve_model(arguments.model)
    task_for(model, asked.task)
    if arguments.data is not None:
        if arguments.rows is not None:
            raise UsageError("--rows is for a job without --data", "leave one of them out")
        facts = data_facts(arguments.data, model, task=asked.task, held_out=arguments.held_out)
        return Job(model, asked, facts)
    return Job(model, asked, assumed_data(asked.sequence_tokens, arguments.rows))


def assumed_data(tokens: int | None, rows: int | None) -> DataFacts:
    """Rows of one length, where no file is named."""
    tokens = tokens or ASSUMED_TOKENS
    return DataFacts(
        path="",
        layout="prompt_completion",
        rows=rows or ASSUMED_ROWS,
        longest_tokens=tokens,
        lengths_exact=True,
        how="assumed",
        mean_tokens=float(tokens),
        lengths=(tokens,),
    )


def job_text(job: Job) -> str:
    """The job in a line: "llama-3.1-8b on 10 000 rows of 512 tokens (assumed)"."""
    rows = f"{job.data.rows:,}".replace(",", " ")
    tokens = round(job.data.mean_tokens or job.data.longest_tokens)
    source = job.data.path.rpartition("/")[2] or "assumed; --data measures yours"
    return f"{job.model.id} on {rows} rows of {tokens} tokens ({source})"
