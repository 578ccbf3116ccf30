"""Nothing is read or made before it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hwdb.load import Kind, read_rows, row_with_id

_OPENED = """
import sys
opened = []
sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
"""
_REPORT = "\nprint(*sorted({p.split('/')[-1] for p in opened if p.endswith('.json')}))"


def _data_files_read_by(statements: str) -> list[str]:
    code = f"{_OPENED}{statements}{_REPORT}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.split()


def test_importing_reads_no_data() -> None:
    """`import hwdb` opens none of its files."""
    assert _data_files_read_by("import hwdb") == []


def test_a_model_costs_one_file() -> None:
    """Looking up a model reads the models and nothing else."""
    assert _data_files_read_by("import hwdb; hwdb.find_model('llama-3.1-8b')") == ["models.json"]


def test_a_miss_still_costs_one_file() -> None:
    """Suggestions come from the kind that was asked for."""
    statements = """
import hwdb
try:
    hwdb.find_card("RTX 4091")
except hwdb.NotFound:
    pass
"""
    assert _data_files_read_by(statements) == ["cards.json"]


def test_importing_loads_nothing_heavy() -> None:
    """The quick check pays for json and dataclasses at most."""
    code = "import sys, hwdb; hwdb.find_model('gpt2'); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    loaded = set(done.stdout.split())
    assert not loaded & {"torch", "transformers", "csv", "difflib", "yaml", "psutil", "pynvml"}


def test_classes_are_reached_through_the_package() -> None:
    """Names that are made on demand can be imported like any other."""
    statements = "from hwdb import Card, Family, Model, Offer, Source, config_of, count_parameters"
    assert _data_files_read_by(statements) == []


@pytest.mark.parametrize("kind", ["cards", "models"])
def test_a_row_is_decoded_alone_by_its_exact_id(kind: Kind) -> None:
    """Every row is found by its id as it stands in the file; other spellings find none."""
    for row in read_rows(kind):
        assert row_with_id(kind, row["id"]) == row

    assert row_with_id(kind, 'no "such" id') is None
