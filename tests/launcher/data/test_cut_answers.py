"""Answers that break off, as a limit on tokens or on characters leaves them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launcher.data.checkup import check_up
from launcher.data.suspicion import is_cut

SUBJECTS = ("pump", "valve", "motor", "sensor", "cable", "filter", "fan")
WHOLE = [
    f"The {first} is {'very ' * (number % 3)}old. Please ask the {second} team to look at it soon."
    for number, (first, second) in enumerate((a, b) for a in SUBJECTS for b in SUBJECTS)
]


def cut_rows(folder: Path, answers: list[str]) -> list[int]:
    """The lines whose answers are said to break off."""
    path = folder / "train.jsonl"
    rows = ({"prompt": f"{n}", "completion": answer} for n, answer in enumerate(answers))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = next((f for f in check_up(path).findings if f.code == "ANSWER_CUT"), None)
    places = () if found is None else found.places
    assert found is None or found.rows == len(places)
    return [int(place.split(":")[1]) for place in places]


@pytest.mark.parametrize(
    ("answer", "cut"),
    [
        ("Use this:\n```python\nprint(1", True),
        ('{"queue": "network", "items": ["a", "b', True),
        ('{"queue": {"name": "network"}', True),
        ("Use this:\n```python\nprint(1)\n```", False),
        ("Write ``` around code.", False),
        ('{"queue": "network"}', False),
        ("{name} is a placeholder", False),
        ("[laughs] Not today", False),
    ],
)
def test_open_code_and_json_are_cut_however_short(answer: str, cut: bool) -> None:
    """A fence at the start of a line, and a document that starts as JSON does."""
    assert is_cut(answer) is cut


def test_among_whole_sentences_those_that_go_on_are_cut(tmp_path: Path) -> None:
    """An article, a comma, or a word in the middle of a second sentence; an address is none."""
    odd = [
        "You should ask the",
        "Switch it off, wait a minute,",
        "The pump in the cellar is very old by now. Please ask the people of the team to look at",
        "It is described in detail there. See the page at https://example.org/pumps/and/valves",
    ]

    assert cut_rows(tmp_path, [*WHOLE, *odd]) == [50, 51, 52]


def test_among_answers_without_full_stops_nothing_is_said(tmp_path: Path) -> None:
    """Routing lines and titles end as they like."""
    lines = [f"queue {first}, owner the {second}," for first in SUBJECTS for second in SUBJECTS]

    assert cut_rows(tmp_path, lines) == []


def test_a_limit_on_characters_shows_by_how_many_reach_it(tmp_path: Path) -> None:
    """Far more than are nearly as long, each ending elsewhere."""
    long = [f"{first} {answer} {answer}" for first, answer in zip(SUBJECTS, WHOLE, strict=False)]

    assert cut_rows(tmp_path, [*WHOLE, *(answer[:110] for answer in long)]) == list(range(50, 57))


def test_forms_and_hashes_of_one_length_are_whole(tmp_path: Path) -> None:
    """All of one length, or ending alike: nothing was cut there."""
    hashes = [f"{number:0120x}" for number in range(40)]
    forms = [*WHOLE, *(f"{'x' * 100} {name:6} for the record" for name in SUBJECTS)]

    assert cut_rows(tmp_path, hashes) == []
    assert cut_rows(tmp_path, forms) == []
