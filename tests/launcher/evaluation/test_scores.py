"""Scores agree with their definitions and with scikit-learn."""

from __future__ import annotations

import random

import pytest

from launcher.evaluation.scores import accuracy, exact_match, macro_f1, rouge_l


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_macro_f1_and_accuracy_are_those_of_scikit_learn(classes: int) -> None:
    """On random labels, some classes never guessed."""
    from sklearn.metrics import accuracy_score, f1_score

    draw = random.Random(classes)
    truth = [draw.randrange(classes) for _ in range(60)]
    guessed = [min(draw.randrange(classes), classes - 2) for _ in range(60)]

    assert macro_f1(truth, guessed) == pytest.approx(
        f1_score(truth, guessed, average="macro", zero_division=0)
    )
    assert accuracy(truth, guessed) == pytest.approx(accuracy_score(truth, guessed))


def test_exact_match_forgives_case_space_and_a_last_full_stop() -> None:
    """What a person would call the same answer counts as the same."""
    assert exact_match("Paris", " paris.\n") == 1.0
    assert exact_match("QUEUE=a | B=c", "QUEUE=a  | B=c") == 1.0
    assert exact_match("Paris", "Paris, France") == 0.0


def test_rouge_l_is_the_share_of_the_longest_common_subsequence() -> None:
    """Lin's own example: police killed the gunman, against police kill the gunman."""
    assert rouge_l("police killed the gunman", "police kill the gunman") == pytest.approx(0.75)
    assert rouge_l("police killed the gunman", "the gunman kill police") == pytest.approx(0.5)
    assert rouge_l("a", "") == 0.0


def test_no_rows_have_no_score() -> None:
    """An empty set is an error, not a zero."""
    with pytest.raises(ValueError, match="needs rows"):
        accuracy([], [])
    with pytest.raises(ValueError, match="needs rows"):
        macro_f1([], [])
