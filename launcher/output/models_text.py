"""What can be trained in a memory: models with the lightest change that fits, largest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import hwdb
from launcher.errors import UsageError
from launcher.models import resolve_model
from launcher.output.columns import aligned
from launcher.output.numbers import parameters_text
from launcher.planning import task_for
from planner.advice.settings import Asked
from planner.budget import budget_of_gib
from planner.plan import make_plan
from planner.request import RequestError
from planner.units import gib_text


def fitting_models(models: Sequence[hwdb.Model], gib: float) -> list[dict[str, Any]]:
    """Models that fit, with the recommended method and every other one that fits too."""
    budget = budget_of_gib(gib)
    found = []
    for row in sorted(models, key=lambda row: -row.parameters):
        try:
            model = resolve_model(row.id)
            task_for(model)
            plan = make_plan(model, budget, Asked())
        except (UsageError, RequestError):
            continue
        chosen = plan.chosen
        if chosen is None:
            continue
        found.append(
            {
                "model": row.id,
                "parameters": model.shape.parameters,
                "method": chosen.method,
                "fits": chosen.verdict.fits,
                "needed_bytes": chosen.memory.needed.expected_bytes,
                "sequence_tokens": chosen.request.sequence_tokens,
                "methods": [one.method for one in plan.answers if one.verdict.fits == "yes"],
            }
        )
    return found


def fitting_table(found: Sequence[dict[str, Any]], gib: float) -> str:
    """One line a model."""
    if not found:
        return f"No model of hwdb can be fine-tuned on {gib:g} GiB.\n"
    rows = [("Model", "Params", "Take", "GiB", "Tokens", "Fits", "All that fit")]
    rows += [
        (
            one["model"],
            parameters_text(one["parameters"]),
            one["method"],
            gib_text(one["needed_bytes"]),
            str(one["sequence_tokens"]),
            one["fits"],
            ", ".join(one["methods"]) or "-",
        )
        for one in found
    ]
    note = f"\n{len(found)} models on a card with {gib:g} GiB, one row at once, checkpoints on.\n"
    return aligned(rows, right=(1, 3, 4)) + note
