"""Screens that are asked to close more than once, or while something lies over them."""

from __future__ import annotations

from textual.app import App
from textual.screen import Screen

from launcher.wizard.closing import ClosingScreen


async def test_a_screen_closes_once() -> None:
    """The second of two quick keys does not close what lies below."""
    app: App[None] = App()
    answers: list[str | None] = []
    async with app.run_test() as pilot:
        below, above = Screen[None](), ClosingScreen[str]()
        await app.push_screen(below)
        await app.push_screen(above, answers.append)
        above.dismiss("first")
        above.dismiss("second")
        await pilot.pause()

        assert app.screen is below
        assert answers == ["first"]


async def test_a_screen_that_is_covered_closes_when_it_is_uncovered() -> None:
    """What was started meanwhile is not lost, and what lies above stays until it is left."""
    app: App[None] = App()
    answers: list[str | None] = []
    async with app.run_test() as pilot:
        covered, above = ClosingScreen[str](), ClosingScreen[None]()
        first = app.screen
        await app.push_screen(covered, answers.append)
        await app.push_screen(above)
        covered.dismiss("done")
        await pilot.pause()
        assert app.screen is above
        above.dismiss()
        while app.screen is not first:
            await pilot.pause()

        assert answers == ["done"]
