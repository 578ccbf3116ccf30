"""launcher/view/screen.py and live.py: the live screen at the sizes people have."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from launcher.view.live import LiveDisplay
from launcher.view.progress import RunProgress
from launcher.view.screen import ScreenSize, bar, memory_verdict, screen_lines, sparkline
from tests.launcher.view.replay import (
    GIB,
    memory_event,
    plan_event,
    progress_of,
    step_event,
    whole_run,
)

FOOTER = "Ctrl-C saves and stops, twice stops at once; closing the terminal is safe"


def picture(progress: RunProgress, columns: int = 80, rows: int = 24) -> list[str]:
    lines = screen_lines(progress, ScreenSize(columns=columns, rows=rows), footer=FOOTER)
    return [line.text for line in lines]


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40), (79, 23), (60, 12)])
@pytest.mark.parametrize("count", [0, 1, 6, 30, 80])
def test_the_screen_fits_its_terminal(columns: int, rows: int, count: int) -> None:
    """At every moment of a run it has exactly the rows, and no line is wider than the columns."""
    progress = progress_of(*whole_run()[:count])

    lines = picture(progress, columns=columns, rows=rows)

    assert len(lines) == rows
    assert max(map(len, lines)) <= columns
    assert lines[-1].strip().startswith("Ctrl-C")


def test_the_screen_says_what_a_person_wants_to_know() -> None:
    """Step, time left, losses, measured against predicted and the verdict stand in words."""
    progress = progress_of(*whole_run()[:46])

    text = "\n".join(picture(progress))

    assert "smollm2-135m-instruct, lora r16, CPU" in text
    assert "training, step 40 of 60" in text
    assert "left about 40 s" in text
    assert "before training 4.490" in text
    assert "host memory of this run, GiB" in text
    assert "2.31 now, peak 2.31" in text
    assert "2.40, band 2.00-2.80" in text
    assert "peak 2.31 of 2.40 predicted (-4 %, inside the band)" in text


def test_without_block_characters_the_screen_is_ascii() -> None:
    """A terminal that cannot show blocks gets # and dots."""
    lines = screen_lines(progress_of(*whole_run()[:46]), ScreenSize(blocks=False), footer=FOOTER)

    assert all(line.text.isascii() for line in lines)


@pytest.mark.parametrize(
    ("gib", "expected"),
    [
        (2.31, "(-4 %, inside the band)   room left 5.69"),
        (3.00, "(+25 %, above the band by 0.20)   room left 5.00"),
        (2.801, "(+17 %, just above the band)   room left 5.20"),
        (1.20, "(-50 %, below the band by 0.80)   room left 6.80"),
    ],
)
def test_the_verdict_on_memory_is_a_sentence(gib: float, expected: str) -> None:
    """Where the peak lies against the band is said in words, with the distance."""
    progress = progress_of(plan_event(), memory_event(gib), step_event(1, total=4))

    assert progress.plan is not None
    assert memory_verdict(progress, progress.plan).endswith(expected)


def test_before_the_first_step_there_is_no_verdict() -> None:
    """A peak that is still to come is not judged."""
    progress = progress_of(plan_event(), memory_event(0.5))

    assert progress.plan is not None
    assert memory_verdict(progress, progress.plan) == (
        "first step not finished; the peak is usually there"
    )


def test_on_a_card_the_numbers_have_their_names() -> None:
    """GPU memory is the driver's number; torch's own stand below it."""
    progress = progress_of(
        plan_event(device="cuda", gpu="NVIDIA GeForce RTX 4090"),
        {"type": "memory", "device_bytes": 2 * GIB, "approximate": True, "temperature_celsius": 71},
        {"type": "memory", "allocated_bytes": GIB, "reserved_bytes": int(1.5 * GIB)},
        step_event(1, total=4),
    )

    text = "\n".join(picture(progress))

    assert "GPU memory of this run, GiB (card used now less before)" in text
    assert "torch held up to 1.50 (allocated 1.00, cached 0.50)" in text
    assert "GPU 71 C" in text


def test_bars_and_curves_have_exact_shapes() -> None:
    """A bar is cut at both ends; a curve is averaged down to its columns."""
    assert bar(0.5, 4) == "██░░"
    assert (bar(-1, 2), bar(7, 2)) == ("░░", "██")
    assert sparkline([4.0, 3.0, 2.0, 1.0], 2) == "█▁"
    assert (sparkline([], 5), sparkline([1.0], 5)) == ("", "▁")


@pytest.mark.parametrize("no_color", [True, False])
def test_the_live_view_draws_80_by_24_and_cleans_up(no_color: bool) -> None:
    """What reaches the terminal has 80 columns at most, colour only if wanted, no rest behind."""
    out = io.StringIO()
    console = Console(
        width=80,
        height=24,
        file=out,
        force_terminal=True,
        color_system="standard",
        no_color=no_color,
    )
    display = LiveDisplay(out, footer=FOOTER, console=console)
    progress = progress_of(*whole_run()[:46])

    display.refresh(progress)
    drawn = out.getvalue()
    display.close()

    lines = display.picture(progress).plain.split("\n")
    assert len(lines) == 23
    assert max(map(len, lines)) <= 79
    assert "step 40 of 60" in drawn
    assert ("\x1b[36m" in drawn) == (not no_color)
    assert out.getvalue().endswith("\x1b[2K")
