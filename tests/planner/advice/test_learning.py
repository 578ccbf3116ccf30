"""Rates and passes stay in the field's ranges and say why."""

from __future__ import annotations

from typing import get_args

import pytest

from planner.advice.learning import head_learning_rate, learning_rate, passes, trained_last
from planner.request import Task

_SIZES = (None, 22e6, 135e6, 1e9, 8e9, 70e9)


@pytest.mark.parametrize("task", get_args(Task))
@pytest.mark.parametrize("size", _SIZES)
def test_rates_stay_in_the_ranges_of_their_method(task: Task, size: float | None) -> None:
    """Full 1e-5 to 5e-5, adapters 1e-4 to 3e-4, whatever the task and the size."""
    parameters = None if size is None else int(size)

    full = learning_rate("full", task=task, parameters=parameters)
    adapters = [learning_rate(name, task=task, parameters=parameters) for name in ("lora", "qlora")]

    assert 1e-5 <= full.value <= 5e-5
    assert all(1e-4 <= each.value <= 3e-4 for each in adapters)
    assert all(each.reason for each in (full, *adapters))


@pytest.mark.parametrize("task", get_args(Task))
@pytest.mark.parametrize("rows", [1, 10, 300, 5000, 50_000, 10**7])
def test_passes_are_one_to_five_and_fewer_with_more_rows(task: Task, rows: int) -> None:
    """More rows never ask for more passes."""
    here, tenfold = (passes(n, task=task, rows_a_step=16).value for n in (rows, 10 * rows))

    assert 1 <= tenfold <= here <= 5


def test_a_new_head_learns_faster_than_what_is_below_it() -> None:
    """Ten times as fast up to 1e-3; a language model's head is not new."""
    assert head_learning_rate(5e-5, task="text-classification").value == 5e-4
    assert head_learning_rate(3e-4, task="image-classification").value == 1e-3
    assert head_learning_rate(2e-3, task="image-classification").value == 2e-3
    assert head_learning_rate(2e-4, task="causal-lm").value is None


@pytest.mark.parametrize(("rows", "layers"), [(50, 0), (500, 2), (5000, 4), (None, 4)])
def test_more_rows_train_more_of_the_last_layers(rows: int | None, layers: int) -> None:
    """Of twelve: the head alone, a sixth, a third."""
    task: Task = "text-classification"

    assert trained_last(12, rows=rows, task=task).value == layers
    assert trained_last(12, rows=rows, task=task, largest_that_fits=1).value == min(1, layers)


def test_a_language_model_trains_a_layer_at_least() -> None:
    """Its head is not new, so that alone would learn nothing."""
    assert trained_last(12, rows=50, task="causal-lm").value == 2
    assert trained_last(12, rows=50, task="causal-lm", largest_that_fits=0).value == 1
