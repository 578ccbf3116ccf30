"""The wizard's app: it holds the draft, shows one step at a time, and says what it ended in."""

from __future__ import annotations

import locale
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from textual import events
from textual.binding import Binding, BindingType

from launcher.wizard.draft import Draft, plan_of
from launcher.wizard.garbage import LOOK_SECONDS, Garbage
from launcher.wizard.look import DARK
from launcher.wizard.terminal_app import TerminalApp
from launcher.wizard.world import World

if TYPE_CHECKING:
    from launcher.wizard.model.verdicts import Verdicts
    from launcher.wizard.step import StepScreen
    from planner.plan import Plan


class Outcome(NamedTuple):
    """How the wizard was left."""

    kind: Literal["left", "saved", "started"]
    draft: Draft
    path: Path | None = None
    """The run folder that was started, or the plan file that was saved."""


class WizardApp(TerminalApp[Outcome]):
    """Five steps from a card to a running fine-tune."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", show=False, priority=True),
        Binding("ctrl+c", "quit", show=False),
    ]
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        world: World | None = None,
        *,
        draft: Draft | None = None,
        theme: str = DARK,
        ascii_only: bool | None = None,
    ) -> None:
        plain = _speaks_no_unicode() if ascii_only is None else ascii_only
        super().__init__(theme=theme, ascii_only=plain)
        self.world = world or World()
        self.draft = draft or Draft()
        self._steps: dict[int, StepScreen] = {}
        self._verdicts: Verdicts | None = None
        self._planned: tuple[Draft, Plan] | None = None
        self._garbage: Garbage | None = None

    def collect_between_keys(self) -> None:
        """Let no look for garbage hold up a key, from now to the end of the process."""
        self._garbage = Garbage()

    def on_ready(self) -> None:
        """The first screen is there."""
        if self._garbage is not None:
            self.set_interval(LOOK_SECONDS, self._garbage.look)

    async def on_event(self, event: events.Event) -> None:
        """Every key passes here first."""
        if self._garbage is not None and isinstance(event, events.Key):
            self._garbage.key_came()
        await super().on_event(event)

    def get_default_screen(self) -> StepScreen:
        """The first step."""
        return self.step(0)

    def step(self, number: int) -> StepScreen:
        """The screen of a step, made when it is first needed."""
        if number not in self._steps:
            self._steps[number] = _make_step(number)
            # Installed screens are kept when another is shown, with all that was typed.
            self.install_screen(self._steps[number], name=f"step {number}")
        return self._steps[number]

    @property
    def verdicts(self) -> Verdicts:
        """What fits into the chosen memory, model by model."""
        from launcher.wizard.model.verdicts import Verdicts

        wanted = (self.draft.budget, self.draft.learns)
        if self._verdicts is None or (self._verdicts.budget, self._verdicts.learns) != wanted:
            self._verdicts = Verdicts(*wanted)
        return self._verdicts

    def plan_for(self, draft: Draft) -> Plan:
        """The plan of a draft, made once; raises what `plan_of` does."""
        if self._planned is None or self._planned[0] is not draft:
            self._planned = (draft, plan_of(draft))
        return self._planned[1]

    @property
    def plan(self) -> Plan:
        """The plan of what was answered; there must be a model."""
        return self.plan_for(self.draft)

    def go_to(self, number: int) -> None:
        """Show a step, as far as the answers before it are given."""
        draft = self.draft
        given = [draft.budget is not None, draft.model is not None, draft.data is not None]
        reachable = next((at for at, answered in enumerate(given) if not answered), 4)
        number = max(0, min(number, reachable))
        wanted = self.step(number)
        if wanted not in self.screen_stack:
            self.push_screen(wanted)
        while self.screen is not wanted:
            self.pop_screen()

    def show_run(self, folder: Path) -> None:
        """A run was started: show it until the person leaves it."""
        from launcher.wizard.run.screen import Leaving, RunScreen

        def left(leaving: Leaving | None) -> None:
            if leaving == "new plan":
                self.call_later(self.go_to, 0)
            else:
                self.exit(Outcome("started", self.draft, folder))

        self.push_screen(RunScreen(folder, offers_new_plan=True), left)

    def leave_with_plan(self, path: Path) -> None:
        """A plan was saved: the terminal says where, and how it is started."""
        self.exit(Outcome("saved", self.draft, path))

    async def action_quit(self) -> None:
        """Leave; what was answered is told on the terminal."""
        self.exit(Outcome("left", self.draft))


def _make_step(number: int) -> StepScreen:
    if number == 0:
        from launcher.wizard.gpu.screen import GpuStep

        return GpuStep()
    if number == 1:
        from launcher.wizard.model.screen import ModelStep

        return ModelStep()
    if number == 2:
        from launcher.wizard.data.screen import DataStep

        return DataStep()
    if number == 3:
        from launcher.wizard.method.screen import MethodStep

        return MethodStep()
    from launcher.wizard.start.screen import StartStep

    return StartStep()


def _speaks_no_unicode() -> bool:
    return "utf" not in locale.getpreferredencoding(do_setlocale=False).lower()
