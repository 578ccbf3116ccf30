"""`--train-last auto`: as many layers as the rows can feed and the memory holds."""

from __future__ import annotations

from planner.advice.learning import AUTO
from planner.advice.settings import Asked, DataFacts
from planner.budget import budget_of_gib
from planner.plan import make_plan
from planner.settle import settle
from tests.planner.samples import planned

DATA = DataFacts(
    path="/data/train.jsonl",
    layout="messages",
    rows=5000,
    longest_tokens=512,
    lengths_exact=True,
    how="counted",
)


def test_where_memory_is_enough_the_rows_choose() -> None:
    """A third of the 32 layers of Llama 3.1 8B for 5000 rows; the plan says why."""
    plan = make_plan(planned(), budget_of_gib(80), Asked(method="full", train_last=AUTO), DATA)
    settled = settle(plan, folder="/runs/one")

    assert settled.run_plan.training.trainable_layers == 10
    told = settled.reasons["training.trainable_layers"]
    assert told == "10: the last third holds what is special to a task"


def test_where_it_is_not_as_many_as_fit() -> None:
    """One more would not."""
    budget = budget_of_gib(28)

    plan = make_plan(planned(), budget, Asked(method="full", train_last=AUTO), DATA)
    layers = plan.answer("full").request.trainable_layers
    assert layers is not None
    more = make_plan(planned(), budget, Asked(method="full", train_last=layers + 1), DATA)

    assert 1 < layers < 10
    assert plan.answer("full").verdict.fits == "yes"
    assert plan.answer("full").reasons["trainable_layers"] == f"{layers}: more layers do not fit"
    assert more.answer("full").verdict.fits != "yes"
