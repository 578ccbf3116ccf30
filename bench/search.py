"""How long the search takes, and choosing among all cards: `python -m bench.search`.

Prints seconds of this process, so that what else runs does not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import hwdb
from launcher.cli.choose import market_of
from launcher.jobs import assumed_data
from launcher.models import resolve_model
from launcher.prices import USD_PER_KWH, prices_from
from planner.advice.settings import Asked
from planner.budget import budget_of_card
from planner.market.job import Job
from planner.search.answers import best, front
from planner.search.explore import explore
from planner.search.space import structures

_Answer = TypeVar("_Answer")


def main() -> None:
    """Time a search on one card, and a job on every card."""
    card = hwdb.find_card("rtx-4090")
    budget = budget_of_card(card)
    model = resolve_model("llama-3.1-8b")
    data = assumed_data(512, None)
    lengths = tuple(40 + (number * 7919) % 470 for number in range(2000))
    unequal = data._replace(rows=len(lengths), longest_tokens=512, lengths=lengths)
    assert budget.free_bytes is not None
    free_bytes = budget.free_bytes
    every = _timed("settings", lambda: list(structures(model.shape, Asked(), budget, unequal)))
    found = _timed(
        "time of every configuration",
        lambda: explore(model.shape, every, card, free_bytes, lengths, 16),
    )
    print(f"  {len(found.configurations)} configurations")
    _timed("the fastest that fits", lambda: best(found, runnable=True))
    _timed("front of time against memory", lambda: front(found))
    job = Job(model, Asked(), data)
    _timed(
        "one job on every card and offer", lambda: market_of(job, prices_from(None), USD_PER_KWH)
    )


def _timed(what: str, work: Callable[[], _Answer]) -> _Answer:
    start = time.process_time()
    answer = work()
    print(f"{what:34} {1000 * (time.process_time() - start):6.0f} ms")
    return answer


if __name__ == "__main__":
    main()
