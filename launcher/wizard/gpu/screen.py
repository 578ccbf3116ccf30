"""Step 1: which GPU, read live; or a card that is not here; or the CPU."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.widget import Widget

from launcher.view.spans import EMPTY, Line, Span, line
from launcher.wizard.step import StepScreen, titled
from launcher.wizard.widgets.key_bar import Key
from launcher.wizard.widgets.lines_view import LinesView
from launcher.wizard.widgets.row_list import RowList

if TYPE_CHECKING:
    from hwdb.detect.machine import HostReading
    from hwdb.detect.nvml_survey import GpuSurvey
    from launcher.wizard.gpu.choices import Place
    from launcher.wizard.gpu.simulate import Simulated

REREAD_SECONDS = 2.0


class GpuStep(StepScreen):
    """The GPUs as they are now, re-read every two seconds while this step is shown."""

    number = 0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "read_again", show=False),
        Binding("s", "simulate", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._survey: GpuSurvey | None = None
        self._found: tuple[Place, ...] = ()
        self._lost: str | None = None

    def body(self) -> Iterable[Widget]:
        """A question, the table, and what is known of the current row."""
        yield LinesView(id="top", wraps=True)
        yield RowList(id="places")
        yield LinesView(id="details", wraps=True)

    def side(self, width: int) -> Sequence[Line]:
        """What free memory means, and who holds it."""
        if self._survey is None:
            return []
        from launcher.wizard.gpu.text import side_lines

        return list(side_lines(self._current(), width))

    def keys(self) -> Sequence[Key]:
        """Next, re-read, simulate."""
        again = "Re-read" if self._has_gpu() else "Look again"
        return [
            Key("enter", "Next", "screen.next"),
            Key("r", again, "screen.read_again"),
            Key("s", "Simulate a card", "screen.simulate"),
        ]

    def topics(self) -> Sequence[str]:
        """Memory, and what cards differ in."""
        return ("free-memory", "driver-reserved", "compute-capability", "mig", "simulated", "gib")

    def on_mount(self) -> None:
        """Show the screen first, then read: a driver may take a second to answer."""
        super().on_mount()
        self.query_one(RowList).focus()
        self.call_after_refresh(self._read)
        self.set_interval(REREAD_SECONDS, self._read_while_shown)

    def _read_while_shown(self) -> None:
        if self.is_current:
            self._read()

    @work(thread=True, exclusive=True, group="read")
    def _read(self) -> None:
        # What is said of them is loaded here, where nobody waits for it: not for the first paint.
        from launcher.wizard.gpu import choices, text

        assert choices
        assert text
        survey, host = self.app.world.read_gpus(), self.app.world.read_host()
        self.app.call_from_thread(self.take, survey, host)

    def take(self, survey: GpuSurvey, host: HostReading) -> None:
        """Show what was read; the current row stays the current one."""
        from launcher.wizard.gpu.choices import default_row, places

        before, first = self._current(), self._survey is None
        self._survey, self._found = survey, (*places(survey, host), *self._imagined())
        row = default_row(self._found)
        if before is not None:
            same = [at for at, each in enumerate(self._found) if each.key == before.key]
            row = same[0] if same else row
            if not same:
                self._lost = before.budget.name
                self.tell(f"{self._lost} is no longer there; {self._found[row].budget.name} is")
        if first and self.draft.simulated:
            row = len(self._found) - 1
        elif first and self.draft.budget is not None:
            uuid = self.draft.budget.uuid
            row = next((at for at, e in enumerate(self._found) if e.budget.uuid == uuid), row)
        self.query_one(RowList).cursor = row
        self.show_draft()
        self.refresh_frame()

    def _imagined(self) -> tuple[Place, ...]:
        """The card that is simulated, as long as it is the one that was taken last."""
        budget, draft = self.draft.budget, self.draft
        if budget is None or not draft.simulated:
            return ()
        from launcher.wizard.gpu.choices import simulated_place

        return (simulated_place(budget, draft.gpu_argument),)

    def show_draft(self) -> None:
        """The table and the details."""
        rows = self.query_one(RowList)
        if self._survey is not None:
            from launcher.wizard.gpu.text import HEAD, NARROW_HEAD, place_row

            head = NARROW_HEAD if self.narrow else HEAD
            rows.show(head, [place_row(each, narrow=self.narrow) for each in self._found])
        self.query_one("#top", LinesView).show(self._top())
        self.query_one("#details", LinesView).show(self._details())

    def _top(self) -> list[Line]:
        if self._survey is None:
            return [line(Span(" Which GPU should train?", "strong")), EMPTY, line("   reading …")]
        if not self._has_gpu():
            from launcher.wizard.gpu.text import no_gpu_lines

            return no_gpu_lines(self._survey)
        return [titled("Which GPU should train?"), EMPTY]

    def _details(self) -> list[Line]:
        place = self._current()
        if place is None or self._survey is None:
            return []
        from launcher.wizard.gpu.text import place_lines

        if self._has_gpu() or place.state == "simulated":
            return [EMPTY, *place_lines(place, self._survey)]
        simulate = "simulate a card from hwdb (RTX 4090, A100 80 GB, …) or any size in GiB"
        return [
            line(Span("   enter  ", "strong"), "plan for this machine's CPU and start on it"),
            line(Span("   s      ", "strong"), simulate),
            line(Span("   r      ", "strong"), "look again"),
            EMPTY,
            line(Span(" tlplan doctor prints what this machine has, ready to paste.", "dim")),
        ]

    def _has_gpu(self) -> bool:
        return self._survey is not None and bool(self._survey.gpus)

    def _current(self) -> Place | None:
        if not self._found:
            return None
        return self._found[min(self.query_one(RowList).cursor, len(self._found) - 1)]

    @on(RowList.Moved)
    def _moved(self) -> None:
        self.tell(None)
        self.query_one("#details", LinesView).show(self._details())
        self.refresh_frame()

    def action_read_again(self) -> None:
        """Read the GPUs now."""
        self.tell(None)
        self._read()

    def action_simulate(self) -> None:
        """Choose a card that is not here."""
        from launcher.wizard.gpu.simulate import SimulateScreen

        self.app.push_screen(SimulateScreen(), self._simulated)

    def _simulated(self, simulated: Simulated | None) -> None:
        if simulated is None:
            return
        self.app.draft = replace(
            self.draft,
            budget=simulated.budget,
            gpu_argument=simulated.gpu_argument,
            visible_device=None,
        )
        real = tuple(each for each in self._found if each.state != "simulated")
        self._found = (*real, *self._imagined())
        self.query_one(RowList).cursor = len(self._found) - 1
        self.app.call_later(self.app.go_to, 1)

    def action_next(self) -> None:
        """Take the current row; a card that does not answer cannot be taken."""
        place = self._current()
        if place is None:
            self.tell("still reading the GPUs")
            return
        if place.state == "lost":
            self.tell(
                f"{place.budget.name} does not answer; choose another, or r to look again",
                kind="error",
            )
            return
        self.app.draft = replace(
            self.draft,
            budget=place.budget,
            gpu_argument=place.gpu_argument,
            visible_device=place.visible_device,
        )
        self.app.go_to(1)
