"""The verdict says what the interval says, and nothing more."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from launcher.evaluation.bootstrap import interval_of, mean_interval
from launcher.evaluation.comparison import compare
from launcher.evaluation.forgetting import forgetting_report
from launcher.evaluation.outcomes import Outcome
from launcher.evaluation.text import evidence_lines


def outcomes(scores: list[float], *, expected: str = "QUEUE=a") -> list[Outcome]:
    """One outcome a score, its row's number as the key."""
    return [
        Outcome(key=n, expected=expected, answer="x", ended=True, exact=s, rouge=s, loss=1.0)
        for n, s in enumerate(scores)
    ]


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Of 200 samples of 40 coin tosses, about 95 % of the intervals hold one half."""
    draw = random.Random(5)
    inside = 0
    for _ in range(200):
        found = mean_interval([float(draw.random() < 0.5) for _ in range(40)])
        inside += found.low <= 0.5 <= found.high

    assert 180 <= inside <= 198


def test_the_same_rows_give_the_same_interval() -> None:
    """A report that is made again does not change."""
    values = [0.0, 1.0, 1.0, 0.0, 1.0]

    assert mean_interval(values) == mean_interval(values)
    with pytest.raises(ValueError, match="at least one row"):
        interval_of(lambda _: 0.0, 0)


def test_a_gain_is_told_against_the_better_of_base_and_few_shot() -> None:
    """Better than few-shot by so many points, with its interval."""
    found = compare(
        {
            "base": outcomes([0.0] * 40),
            "few-shot": outcomes([1.0] * 10 + [0.0] * 30),
            "tuned": outcomes([1.0] * 35 + [0.0] * 5),
        }
    )

    assert found is not None
    assert (found.against, found.judgement, found.metric) == ("few-shot", "better", "exact match")
    assert found.gain.value == pytest.approx(25 / 40)
    assert found.sentence.startswith(
        "It helped: better than the base model with examples by 62 points (95 % interval "
    )
    assert found.sentence.endswith("40 rows).")


def test_no_gain_is_a_result() -> None:
    """An interval around zero is no proof, and equal rows are no gain."""
    draw = random.Random(1)
    base = [float(draw.random() < 0.5) for _ in range(30)]
    tuned = [float(draw.random() < 0.5) for _ in range(30)]

    found = compare({"base": outcomes(base), "tuned": outcomes(tuned)})

    assert found is not None
    assert found.judgement == "no better"
    assert found.sentence.startswith("It did not help measurably")


def test_few_rows_that_are_all_alike_prove_little() -> None:
    """Five of five is what chance gives in 1 of 16 draws (sign test), six of six in 1 of 32."""
    five, six = (
        compare({"base": outcomes([0.0] * rows), "tuned": outcomes([1.0] * rows)})
        for rows in (5, 6)
    )

    assert five is not None
    assert six is not None
    assert (five.judgement, six.judgement) == ("no better", "better")
    assert six.scores["tuned"]["exact match"].low == pytest.approx(0.54, abs=0.005)


def test_a_score_of_all_right_answers_is_as_unsure_as_their_share() -> None:
    """Two of two rows are no certainty, in macro-F1 neither."""
    right = [replace(each, answer=each.expected) for each in outcomes([1.0] * 2)]
    found = compare({"base": outcomes([0.0] * 2), "tuned": right}, classes=True)

    assert found is not None
    assert found.scores["tuned"]["macro-F1"] == found.scores["tuned"]["accuracy"]


def test_negative_transfer_is_named() -> None:
    """A tuned model below its base is called that, and the base is what to use."""
    found = compare({"base": outcomes([1.0] * 30), "tuned": outcomes([0.0] * 30)})

    assert found is not None
    assert found.judgement == "worse"
    assert "negative transfer" in found.sentence
    assert "use the base model instead" in found.sentence


def test_only_rows_that_every_condition_has_are_compared() -> None:
    """Where time ran out under one condition, the others count as many rows."""
    found = compare({"base": outcomes([0.0] * 8), "tuned": outcomes([1.0] * 20)})

    assert found is not None
    assert found.rows == 8


def test_long_answers_are_compared_by_their_words() -> None:
    """Nobody writes the same forty words twice."""
    long = "word " * 40

    found = compare({n: outcomes([0.5] * 9, expected=long) for n in ("base", "tuned")})  # type: ignore[misc]

    assert found is not None
    assert found.metric == "ROUGE-L"


def test_what_was_forgotten_is_named_beyond_noise_only() -> None:
    """A large drop is named with its interval, a small one is noise."""
    kept = forgetting_report(
        tasks_before=[1.0] * 40 + [0.0] * 20,
        tasks_after=[1.0] * 39 + [0.0] * 20 + [1.0],
        losses_before=[3.0, 3.2, 2.9],
        losses_after=[2.9, 3.3, 2.9],
    )
    lost = forgetting_report(
        tasks_before=[1.0] * 40 + [0.0] * 20,
        tasks_after=[1.0] * 20 + [0.0] * 40,
        losses_before=[3.0, 3.2, 2.9],
        losses_after=[4.0, 4.3, 3.9],
    )

    assert kept["forgotten"] is False
    assert kept["verdict"].startswith("Nothing forgotten beyond noise")
    assert lost["forgotten"] is True
    assert "general tasks fell from 67 % to 33 % right" in lost["verdict"]
    assert "the loss on general text rose from 3.03 to 4.07" in lost["verdict"]


def test_the_table_fits_eighty_columns() -> None:
    """Three conditions, three metrics, the verdict below."""
    found = compare(
        {
            "base": outcomes([0.0] * 24),
            "few-shot": outcomes([0.0] * 20 + [1.0] * 4),
            "tuned": outcomes([1.0] * 24),
        }
    )
    assert found is not None

    lines = list(evidence_lines(found.document()))

    assert all(len(line) <= 80 for line in lines)
    assert lines[0].split() == ["24", "held-out", "rows", "exact", "ROUGE-L", "ends", "itself"]
    assert lines[3].startswith("  tuned")
    assert "100 % (86-100)" in lines[3]
