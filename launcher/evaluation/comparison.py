"""Base, few-shot and tuned on the same rows: scores with intervals, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from launcher.evaluation.bootstrap import Interval, interval_of, mean_interval
from launcher.evaluation.outcomes import CONDITIONS, Condition, Outcome
from launcher.evaluation.scores import macro_f1

Metric = Literal["accuracy", "exact match", "ROUGE-L", "loss"]
Judgement = Literal["better", "no better", "worse"]

_WORDS_OF_A_SHORT_ANSWER = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The evidence of a run."""

    metric: Metric
    """What decides."""
    rows: int
    """Compared under every condition."""
    scores: Mapping[Condition, Mapping[str, Interval]]
    """By condition and metric; the share of answers that end by themselves as `ended`."""
    against: Condition
    """The better of base and few-shot."""
    gain: Interval
    """Of tuned over that one, upwards is better, also for the loss."""
    names: Mapping[Condition, str]
    """What the conditions are called for this task."""

    @property
    def judgement(self) -> Judgement:
        """Better or worse only where the whole interval says so."""
        if self.gain.low > 0:
            return "better"
        return "worse" if self.gain.high < 0 else "no better"

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        against = self.names[self.against]
        gain = _amount(self.gain.value, self.metric)
        ends = (self.gain.low, self.gain.high)
        if self.judgement == "worse":
            ends = (-self.gain.high, -self.gain.low)
        low, high = (_bare(each, self.metric) for each in ends)
        rows = "1 row" if self.rows == 1 else f"{self.rows} rows"
        spread = f"95 % interval {low} to {high}, {rows}"
        if self.judgement == "better":
            return f"It helped: better than {against} by {gain} ({spread})."
        if self.judgement == "worse":
            gain = _amount(-self.gain.value, self.metric)
            return (
                f"It made it worse (negative transfer): {gain} below {against} ({spread}); "
                f"use {against} instead."
            )
        return f"It did not help measurably: {gain} against {against} ({spread})."

    def document(self) -> dict[str, Any]:
        """As evaluation.json has it, schema 1."""
        return {
            "schema_version": 1,
            "metric": self.metric,
            "rows": self.rows,
            "conditions": {
                condition: {
                    "name": self.names[condition],
                    **{name: each._asdict() for name, each in metrics.items()},
                }
                for condition, metrics in self.scores.items()
            },
            "against": self.against,
            "gain": self.gain._asdict(),
            "judgement": self.judgement,
            "verdict": self.sentence,
        }


GENERATION_NAMES: dict[Condition, str] = {
    "base": "the base model",
    "few-shot": "the base model with examples",
    "tuned": "the tuned model",
}
CLASSIFIER_NAMES: dict[Condition, str] = {
    "base": "guessing the largest class",
    "few-shot": "the base model's features and examples",
    "tuned": "the tuned model",
}


def compare(
    outcomes: Mapping[Condition, Sequence[Outcome]], *, classes: bool = False
) -> Comparison | None:
    """Compare on the rows that every condition has; None without tuned and base rows."""
    present = {name: outcomes[name] for name in CONDITIONS if outcomes.get(name)}
    if "tuned" not in present or len(present) < 2:
        return None
    by_key = {name: {each.key: each for each in rows} for name, rows in present.items()}
    shared = set.intersection(*(set(rows) for rows in by_key.values()))
    if not shared:
        return None
    # In one order for all, so that differences are taken row by row.
    rows = {name: [by_key[name][key] for key in sorted(shared)] for name in present}
    metric = metric_for(rows["tuned"], classes=classes)
    values = {name: [_value(each, metric) for each in rows[name]] for name in rows}
    others: list[Condition] = [name for name in rows if name != "tuned"]
    against = max(others, key=lambda name: sum(values[name]))
    differences = [
        ours - theirs for ours, theirs in zip(values["tuned"], values[against], strict=True)
    ]
    return Comparison(
        metric=metric,
        rows=len(shared),
        scores={name: _scores(rows[name], classes=classes) for name in rows},
        against=against,
        gain=mean_interval(differences, None if metric == "loss" else (-1.0, 1.0)),
        names=CLASSIFIER_NAMES if classes else GENERATION_NAMES,
    )


def metric_for(rows: Sequence[Outcome], *, classes: bool) -> Metric:
    """Exact match where answers are short, the overlap of words where they are long."""
    if classes:
        return "accuracy"
    if any(each.answer is None for each in rows):
        return "loss"
    lengths = sorted(len(each.expected.split()) for each in rows)
    short = lengths[len(lengths) // 2] <= _WORDS_OF_A_SHORT_ANSWER
    return "exact match" if short else "ROUGE-L"


def _value(outcome: Outcome, metric: Metric) -> float:
    if metric == "loss":
        return -(outcome.loss or 0.0)
    score = outcome.rouge if metric == "ROUGE-L" else outcome.exact
    return score or 0.0


def _scores(rows: Sequence[Outcome], *, classes: bool) -> dict[str, Interval]:
    kinds: dict[str, Callable[[Outcome], float | bool | None]] = {
        "accuracy" if classes else "exact match": lambda each: each.exact,
        "ROUGE-L": lambda each: each.rouge,
        "loss": lambda each: each.loss,
        "ended": lambda each: each.ended,
    }
    found = {}
    for name, take in kinds.items():
        values = [value for each in rows if (value := take(each)) is not None]
        if len(values) == len(rows):
            bounds = None if name == "loss" else (0.0, 1.0)
            found[name] = mean_interval([float(value) for value in values], bounds)
    if classes:
        truth = [each.expected for each in rows]
        guessed = [each.answer or "" for each in rows]
        if len({each.exact for each in rows}) == 1:
            # All right or all wrong: drawing them again gives no spread.
            found["macro-F1"] = mean_interval([macro_f1(truth, guessed)] * len(rows), (0.0, 1.0))
        else:
            found["macro-F1"] = interval_of(
                lambda some: macro_f1([truth[i] for i in some], [guessed[i] for i in some]),
                len(rows),
            )
    return found


def _amount(gain: float, metric: Metric) -> str:
    if metric == "loss":
        return f"{gain:.2f} of loss per token"
    points = f"{100 * gain:.0f}"
    return f"{points} point" if points in ("1", "-1") else f"{points} points"


def _bare(gain: float, metric: Metric) -> str:
    return f"{gain:.2f}" if metric == "loss" else f"{100 * gain:.0f}"
