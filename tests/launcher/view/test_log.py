"""launcher/view/log_file.py and screen/log_page.py: the log as pages, and finding in it."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from launcher.view.log_file import LINES_KEPT, LogFile, found, shown
from launcher.view.screen.log_page import LogPlace, log_page
from launcher.view.spans import text_of

LINES = [f"line {number}" for number in range(1, 101)]


def page(place: LogPlace, rows: int = 6) -> list[str]:
    lines = log_page(LINES, place, columns=40, rows=rows, title="log.txt")
    return [text_of(each).rstrip() for each in lines]


def test_a_log_is_followed_as_it_grows(tmp_path: Path) -> None:
    """What is appended comes in; half a line waits for its end."""
    path = tmp_path / "log.txt"
    log = LogFile(path)
    log.read()
    assert log.problem is not None
    path.write_text("one\ntw")
    log.read()
    path.write_text("one\ntwo\n")
    log.read()

    assert (list(log.lines), log.problem) == (["one", "two"], None)


def test_only_the_end_of_a_huge_log_is_kept(tmp_path: Path) -> None:
    """Ten thousand lines, however many there were."""
    path = tmp_path / "log.txt"
    path.write_text("".join(f"{number}\n" for number in range(50_000)))
    log = LogFile(path)
    while log.read():
        pass

    assert len(log.lines) == LINES_KEPT
    assert log.lines[-1] == "49999"


def test_a_line_is_what_a_terminal_would_leave() -> None:
    """The last of what carriage returns wrote over; nothing that steers; its indent."""
    assert shown(b" 10%\r 50%\r100%\r") == "100%"
    assert shown(b"  \x1b[31mred\x1b[0m") == "  [31mred [0m"


def test_the_end_is_followed_until_somebody_scrolls() -> None:
    """Scrolling up stops it, scrolling down to the end starts it again."""
    place = LogPlace()
    place.settle(100, 5)
    assert page(place)[-1] == " line 100"

    place.move(-10, count=100, rows=5)
    assert page(place)[-1] == " line 90"
    assert not place.follow

    place.move(50, count=100, rows=5)
    assert page(place)[-1] == " line 100"
    assert place.follow


def test_finding_goes_round_and_marks_the_place() -> None:
    """From the newest back, letters of either case, around the end."""
    lines = deque(LINES)
    hit = found(lines, "LINE 42", start=100, forward=False)
    place = LogPlace(find="LINE 42")
    place.go_to(hit, count=100, rows=5)

    shown_page = log_page(LINES, place, columns=40, rows=6, title="log.txt")
    marked = [span.text for line in shown_page for span in line if span.role == "chosen"]
    assert marked == ["line 42"]
    assert found(lines, "line 1", start=99, forward=True) == 0
    assert found(lines, "nowhere", start=0, forward=True) is None
    assert found(deque(), "x", start=0, forward=True) is None


def test_what_was_found_far_right_is_in_sight() -> None:
    """A long line is shown from where it matters."""
    place = LogPlace(find="needle", hit=0)
    lines = log_page(["x" * 200 + " needle"], place, columns=40, rows=3, title="log.txt")

    assert "needle" in text_of(lines[1])
