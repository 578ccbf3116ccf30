"""Names beside points: none covers another, a point or an axis, as a browser draws them."""

from __future__ import annotations

import random
from pathlib import Path

from launcher.__main__ import main
from launcher.output.svg_labels import Box, placed
from tests.launcher.wizard.browser import open_page

_FRAME = Box(0, 0, 600, 400)
_BOXES = """
return [...document.querySelectorAll('svg[aria-label="time against money"] text')].map(text => {
  const box = text.getBoundingClientRect();
  return [text.textContent, box.left, box.top, box.right, box.bottom];
});
"""


def test_no_two_labels_meet_where_points_are_crowded() -> None:
    """A hundred points in a corner: fewer names than points, each in a place of its own."""
    draw = random.Random(5)
    points = [(draw.uniform(40, 200), draw.uniform(40, 120)) for _ in range(100)]

    labels = placed([f"card-{n}" for n in range(100)], points, _FRAME)

    boxes = [label.box for label in labels if label is not None]
    assert 10 < len(boxes) < 100
    assert not any(a.meets(b) for n, a in enumerate(boxes) for b in boxes[:n])
    assert not any(
        box.left <= x <= box.right and box.top <= y <= box.bottom
        for box in boxes
        for x, y in points
    )


def test_every_point_that_stands_alone_has_its_name_beside_it() -> None:
    """Right of it; left where the picture ends."""
    labels = placed(["here", "there"], [(50, 50), (590, 300)], _FRAME)

    assert [label is not None and label.away for label in labels] == [False, False]
    assert labels[0] is not None
    assert labels[1] is not None
    assert labels[0].box.left > 50
    assert labels[1].box.right < 590


def test_a_browser_draws_no_two_texts_over_each_other(tmp_path: Path) -> None:
    """Every card that is rented at once, with names, hours and dollars."""
    page = tmp_path / "choose.html"
    assert main(["choose", "--model", "llama-3.1-8b", "--html", str(page)]) == 0

    with open_page(page.as_uri(), tmp_path / "profile") as browser:
        texts = browser.driver.execute_script(_BOXES)

    boxes = [(name, Box(*sides)) for name, *sides in texts]
    crossing = [
        (name, other)
        for number, (name, box) in enumerate(boxes)
        for other, its in boxes[:number]
        if box.meets(its)
    ]
    assert len(boxes) > 25
    assert crossing == []
