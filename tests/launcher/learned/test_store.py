"""Finished runs are kept and found again by machine, stack and method."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from launcher.learned.stack import stack_text
from launcher.learned.store import FinishedRun, Kind, keep_run, runs_like
from planner.memory.correction import Measured

KIND = Kind(device="cuda", machine="NVIDIA GeForce RTX 4090", stack="torch 2.13", method="lora")


def _run(folder: str, measured: int = 110, kind: Kind = KIND) -> FinishedRun:
    return FinishedRun(
        folder=folder,
        finished=f"2026-11-26T00:00:{len(folder):02}Z",
        model="m",
        kind=kind,
        measured=Measured(
            estimated_bytes=100,
            measured_bytes=measured,
            estimated_allocated_bytes=90,
            measured_allocated_bytes=None,
        ),
        report="{}",
    )


def test_runs_of_the_same_kind_are_found(tmp_path: Path) -> None:
    """Of another method, card or stack none; the newest first."""
    path = tmp_path / "below" / "runs.sqlite3"
    assert runs_like(KIND, path) == []
    for run in (
        _run("a", 1),
        _run("bb", 2),
        _run("c", 3, KIND._replace(method="full")),
        _run("d", 4, KIND._replace(machine="Tesla T4")),
        _run("e", 5, KIND._replace(stack="torch 2.12")),
    ):
        assert keep_run(run, path)

    assert [run.measured_bytes for run in runs_like(KIND, path)] == [2, 1]


def test_a_resumed_run_counts_once(tmp_path: Path) -> None:
    """What it measured at last takes the place of what it measured before."""
    path = tmp_path / "runs.sqlite3"
    keep_run(_run("a", 1), path)
    keep_run(_run("a", 2), path)

    assert [run.measured_bytes for run in runs_like(KIND, path)] == [2]


def test_columns_of_a_newer_version_are_left_alone(tmp_path: Path) -> None:
    """Runs are read and kept beside them."""
    path = tmp_path / "runs.sqlite3"
    keep_run(_run("a", 1), path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("ALTER TABLE runs ADD COLUMN more TEXT")

    assert keep_run(_run("bb", 2), path)
    assert [run.measured_bytes for run in runs_like(KIND, path)] == [2, 1]


def test_a_file_that_is_no_database_teaches_nothing(tmp_path: Path) -> None:
    """And is left as it is."""
    path = tmp_path / "runs.sqlite3"
    path.write_text("not a database" * 100)

    assert runs_like(KIND, path) == []
    assert not keep_run(_run("a"), path)
    assert path.read_text().startswith("not a database")
    assert not keep_run(_run("a"), path / "below a file")


def test_a_row_with_text_for_a_number_teaches_nothing(tmp_path: Path) -> None:
    """SQLite takes any text; the other rows count."""
    path = tmp_path / "runs.sqlite3"
    keep_run(_run("a", 1), path)
    keep_run(_run("bb", 2), path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE runs SET measured_bytes = 'much' WHERE folder = 'a'")

    assert [run.measured_bytes for run in runs_like(KIND, path)] == [2]


def test_the_stack_is_read_from_the_names_of_folders() -> None:
    """Nothing is imported for it; the minor version is enough."""
    assert "torch 2." in stack_text()
