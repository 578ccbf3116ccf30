"""A step with settings: each change is tried on the plan before it is taken."""

from __future__ import annotations

from collections.abc import Callable

from textual import events, on

from launcher.errors import UsageError
from launcher.wizard.draft import Draft
from launcher.wizard.settings import Situation, with_step, with_typed, without_choice
from launcher.wizard.step import StepScreen
from launcher.wizard.widgets.setting_list import SettingList
from planner.request import RequestError


class SettingStep(StepScreen):
    """Takes what a SettingList asks for, or says why not."""

    def situation(self) -> Situation | None:
        """What the settings are shown for; None while there is nothing to set."""
        raise NotImplementedError

    def changed(self, before: Situation) -> None:
        """A setting was changed; say what came of it."""
        del before

    def types_text(self) -> bool:
        """Also while a number is typed."""
        return super().types_text() or self.query_one(SettingList).typed is not None

    def on_key(self, event: events.Key) -> None:
        """The keys that work change when a number begins to be typed."""
        del event
        self.call_after_refresh(self.refresh_frame)

    @on(SettingList.Changed)
    def _change(self, event: SettingList.Changed) -> None:
        at = self.situation()
        if at is not None:
            self._try(lambda: with_step(event.key, event.direction, at), at)

    @on(SettingList.Typed)
    def _type(self, event: SettingList.Typed) -> None:
        at = self.situation()
        if at is not None and self._try(lambda: with_typed(event.key, event.text, at), at):
            self.query_one(SettingList).accept()

    @on(SettingList.Reset)
    def _reset(self, event: SettingList.Reset) -> None:
        at = self.situation()
        if at is not None:
            self._try(lambda: without_choice(event.key, at.draft), at)

    @on(SettingList.Moved)
    def _moved(self) -> None:
        self.show_draft()

    def _try(self, change: Callable[[], Draft], before: Situation) -> bool:
        try:
            draft = change()
            self.app.plan_for(draft)
        except (UsageError, RequestError) as failure:
            self.tell(str(failure), kind="error")
            return False
        self.app.draft = draft
        self.tell(None)
        self.show_draft()
        self.changed(before)
        return True
