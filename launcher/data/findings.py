"""What to look at in data that can be used: each kind once, with how often and where first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from launcher.data.duplicates import Repeat
from launcher.data.lengths import Lengths
from launcher.data.problems import place_in
from launcher.data.survey import Place
from launcher.data.surveying import Surveyed

Level = Literal["warning", "note"]

PLACES_SHOWN = 5
_UNEVEN = 10
_FEWEST_OF_A_CLASS = 8
_FEWEST_TO_MEASURE = 30


class Finding(NamedTuple):
    """One kind of thing to look at."""

    code: str
    level: Level
    rows: int
    """How many it concerns."""
    text: str
    places: tuple[str, ...]
    """`train.jsonl:12: messages[1]: reason (fix)`, the first few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookout:
    """What was found between rows, not in a single one."""

    repeats: Sequence[Repeat]
    near: Sequence[tuple[str, str, float]]
    lengths: Lengths | None
    limit_tokens: int | None
    held_out_rows: int


_WORDS: dict[str, tuple[Level, str]] = {
    "TEMPLATE_IN_TEXT": ("warning", "hold marks of a chat template, which would stand there twice"),
    "ENCODING_DAMAGE": ("warning", "hold damaged characters: the text was once read wrongly"),
    "ROLE_ORDER": ("warning", "have roles in an order that many chat templates refuse"),
    "ANSWER_CUT": ("warning", "have an answer that ends in the middle"),
    "SECRET": ("warning", "seem to hold secrets, which a model can learn by heart and repeat"),
    "PERSONAL_DATA": ("note", "seem to hold personal data"),
}


def findings_of(surveyed: Surveyed, lookout: Lookout) -> Iterator[Finding]:
    """Most serious first."""
    yield from _between_rows(surveyed, lookout)
    survey = surveyed.survey
    for code, (level, words) in _WORDS.items():
        count = survey.suspicions.get(code, 0)
        if count:
            kinds = ""
            if code in ("SECRET", "PERSONAL_DATA"):
                parts = sorted(survey.reasons_of(code).items(), key=lambda item: -item[1])
                kinds = ": " + ", ".join(f"{r.rpartition(': ')[2]} {n}" for r, n in parts)
            yield Finding(
                code,
                level,
                count,
                f"{_rows(count)} {words if count > 1 else _singular(words)}{kinds}",
                tuple(_shown(surveyed, place) for place in survey.suspicious_places[code]),
            )
    yield from _labels(surveyed)
    yield from _amount(surveyed, lookout)


def _between_rows(surveyed: Surveyed, lookout: Lookout) -> Iterator[Finding]:
    if lookout.near:
        yield Finding(
            "LEAKAGE",
            "warning",
            len(lookout.near),
            f"{_rows(len(lookout.near))} {_repeats(lookout.near)} a held-out row or nearly so: "
            "measuring on those flatters",
            tuple(
                f"{train}: repeats {100 * share:.0f} % of {other} (remove one of them)"
                for train, other, share in lookout.near
            ),
        )
    contradicting = [each for each in lookout.repeats if not each.same_label]
    if contradicting:
        yield Finding(
            "CONTRADICTION",
            "warning",
            len(contradicting),
            f"{_rows(len(contradicting))} {_repeats(contradicting)} an earlier row under another "
            "label",
            tuple(_repeat(surveyed, each, "decide on one label") for each in contradicting),
        )
    same = [each for each in lookout.repeats if each.same_label]
    if same:
        yield Finding(
            "DUPLICATES",
            "warning" if len(same) * 20 > surveyed.survey.rows else "note",
            len(same),
            f"{_rows(len(same))} {_repeats(same)} an earlier row; --fix leaves them out",
            tuple(_repeat(surveyed, each, "remove it") for each in same),
        )


def _labels(surveyed: Surveyed) -> Iterator[Finding]:
    survey = surveyed.survey
    labels = survey.labels
    if not labels:
        return
    if len(labels) == 1:
        (label,) = labels
        yield Finding(
            "ONE_CLASS",
            "warning",
            survey.rows,
            f'every row has the label "{label}": there is nothing to tell apart',
            (),
        )
        return
    if len(survey.label_types) > 1:
        words = {"str": "text", "int": "numbers", "bool": "true or false", "float": "fractions"}
        kinds = " and ".join(sorted(words.get(kind, kind) for kind in survey.label_types))
        yield Finding(
            "LABEL_TYPES", "warning", survey.rows, f"labels are {kinds}; all are read as text", ()
        )
    spelled: dict[str, list[str]] = {}
    for label in labels:
        spelled.setdefault(" ".join(label.lower().split()), []).append(label)
    for variants in spelled.values():
        if len(variants) > 1:
            names = " and ".join(f'"{name}"' for name in sorted(variants))
            count = sum(labels[name] for name in variants)
            yield Finding(
                "LABEL_SPELLING",
                "warning",
                count,
                f"{names} differ in spelling alone and are taken as {len(variants)} classes",
                (),
            )
    yield from _balance(surveyed)


def _balance(surveyed: Surveyed) -> Iterator[Finding]:
    ranked = surveyed.survey.labels.most_common()
    (most_label, most), (least_label, least) = ranked[0], ranked[-1]
    small = [label for label, count in ranked if count < _FEWEST_OF_A_CLASS]
    if small:
        named = ", ".join(f'"{label}"' for label in small[:PLACES_SHOWN])
        have = "has" if len(small) == 1 else "have"
        yield Finding(
            "SMALL_CLASSES",
            "warning",
            sum(surveyed.survey.labels[label] for label in small),
            f"{len(small)} of {len(ranked)} classes {have} fewer than {_FEWEST_OF_A_CLASS} rows: "
            f"{named}{', ...' if len(small) > PLACES_SHOWN else ''}",
            (),
        )
    if most >= _UNEVEN * least:
        yield Finding(
            "LABEL_IMBALANCE",
            "note",
            surveyed.survey.rows,
            f'"{most_label}" has {most} rows, "{least_label}" {least}: look at macro-F1, since '
            "accuracy hides small classes",
            (),
        )


def _amount(surveyed: Surveyed, lookout: Lookout) -> Iterator[Finding]:
    lengths, limit = lookout.lengths, lookout.limit_tokens
    if lengths is not None and limit is not None:
        cut = sum(tokens > limit for tokens in lengths.per_row)
        if cut:
            yield Finding(
                "LONGER_THAN_LIMIT",
                "warning",
                cut,
                f"{_rows(cut)} have more than {limit} tokens and would be cut",
                (),
            )
    if 0 < lookout.held_out_rows < _FEWEST_TO_MEASURE:
        yield Finding(
            "FEW_ROWS_TO_MEASURE",
            "note",
            lookout.held_out_rows,
            f"{_rows(lookout.held_out_rows)} to measure on: too few to tell a gain from chance",
            (),
        )
    if surveyed.survey.rows and not lookout.held_out_rows:
        yield Finding(
            "NOTHING_HELD_OUT",
            "warning",
            surveyed.survey.rows,
            "no row can be held out, so whether it helped cannot be measured",
            (),
        )


def _repeat(surveyed: Surveyed, each: Repeat, fix: str) -> str:
    return f"{surveyed.describe(each.row)}: repeats {surveyed.describe(each.first)} ({fix})"


def _shown(surveyed: Surveyed, place: Place) -> str:
    subject = f"{place.field}: " if place.field else ""
    fix = f" ({place.fix})" if place.fix else ""
    where = place_in(surveyed.files[place.file], place.line)
    return f"{where}: {subject}{place.reason}{fix}"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _repeats(rows: Sequence[object]) -> str:
    return "repeats" if len(rows) == 1 else "repeat"


def _singular(words: str) -> str:
    first, _, rest = words.partition(" ")
    verbs = {"hold": "holds", "have": "has", "seem": "seems"}
    return f"{verbs.get(first, first)} {rest}"
