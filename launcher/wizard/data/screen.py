"""Step 3: what to learn from, read and judged as soon as the path names a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from textual import on, work
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input
from textual.worker import get_current_worker

from launcher.advising import advice_on
from launcher.data.hub_name import hub_name
from launcher.download_meter import Download
from launcher.errors import DataError, TlplanError
from launcher.output.numbers import gib
from launcher.typed_path import typed_path
from launcher.view.spans import EMPTY, Line, Span, line
from launcher.wizard.data.path_line import PathLine
from launcher.wizard.data.reading import (
    NotWanted,
    OtherModelNeeded,
    completions,
    file_stamp,
    is_file,
    read_chosen,
)
from launcher.wizard.data.text import (
    advice_lines,
    empty_lines,
    example_lines,
    file_lines,
    lengths_that_matter,
    on_hub_lines,
    problem_lines,
    reading_lines,
    side_lines,
    truncation_note,
)
from launcher.wizard.draft import ChosenData, method_of, plan_of
from launcher.wizard.setting_step import SettingStep
from launcher.wizard.settings import Setting, Situation, lengths_for, setting_of
from launcher.wizard.widgets.key_bar import Key
from launcher.wizard.widgets.lines_view import LinesView
from launcher.wizard.widgets.setting_list import SettingList
from launcher.wizard.widgets.text_field import TextField
from planner.advice.settings import TASK_OF_LAYOUT

_PAUSE_SECONDS = 0.25
"""How long typing must rest before a file is read; Enter does not wait."""


class DataStep(SettingStep):
    """The path, what is in the file, and what its lengths cost."""

    number = 2
    CSS = """
    DataStep #file { height: 1; }
    DataStep #file LinesView { width: 21; }
    DataStep #file TextField { width: 1fr; }
    DataStep #settings { padding-left: 3; margin-top: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._problem: TlplanError | None = None
        self._reading: str | None = None
        self._download: Download | None = None
        """Of the data set that is being read."""
        self._read_last: str | None = None
        self._go_on = False
        self._timer: Timer | None = None

    def body(self) -> Iterable[Widget]:
        """The path, the file, the settings, the advice."""
        yield LinesView([line(Span(" What should it learn from?", "strong")), EMPTY])
        yield PathLine()
        yield LinesView(id="about", wraps=True)
        yield SettingList(id="settings", label_width=17)
        yield LinesView(id="advice", wraps=True)

    def side(self, width: int) -> Sequence[Line]:
        """What a longer limit costs."""
        at = self.situation()
        if at is None:
            return list(side_lines(None, None, (), width))
        lengths = lengths_that_matter(lengths_for(at), self.draft.data)
        return list(side_lines(self.draft.data, at.answer, lengths, width))

    def keys(self) -> Sequence[Key]:
        """Next, back, and what the focused field takes."""
        other = isinstance(self._problem, OtherModelNeeded)
        forward = Key("enter", "Choose another model" if other else "Next", "screen.next")
        keys = [forward, Key("esc", "Back", "screen.back")]
        if self.types_text():
            return [*keys, Key("tab", "Complete, next field", "app.focus_next")]
        return [
            *keys,
            Key("tab", "Next field", "app.focus_next"),
            Key("◂▸", "Change", "screen.help"),
        ]

    def topics(self) -> Sequence[str]:
        """What decides about data."""
        current = self.query_one(SettingList).current
        focused = self.query_one(SettingList).has_focus
        nearest = (current.word,) if focused and current is not None else ("transfer-learning",)
        rest = ("in-context-learning", "sequence-length", "token", "packing", "held-out",
                "negative-transfer", "catastrophic-forgetting", "domain")  # fmt: skip
        return (*nearest, *(each for each in rest if each not in nearest))

    def on_mount(self) -> None:
        """The path is what is missing."""
        super().on_mount()
        self.query_one(TextField).focus()

    def on_screen_resume(self) -> None:
        """Another model counts other tokens: the file is read again."""
        super().on_screen_resume()
        path = self._path()
        if self.draft.data is None and path and (is_file(path) or path == self._read_last):
            self._read(path)

    def show_draft(self) -> None:
        """What is known of the file."""
        data = self.draft.data
        width = 80
        about = self.query_one("#about", LinesView)
        if data is not None:
            about.show(file_lines(data, narrow=self.narrow))
        elif self._problem is not None:
            about.show(problem_lines(self._problem, width))
        elif self._reading is not None:
            about.show(reading_lines(self._reading, self._download))
        elif (named := hub_name(self._path())) is not None:
            about.show(on_hub_lines(named))
        else:
            about.show(empty_lines(completions(self._path())))
        self.query_one(SettingList).display = data is not None
        self.query_one(SettingList).show(self._settings())
        self.query_one("#advice", LinesView).show(self._advice(width))
        self.refresh_frame()

    def _settings(self) -> list[Setting]:
        at = self.situation()
        if at is None:
            return []
        data = self.draft.data
        assert data is not None
        length = setting_of("sequence_tokens", at)
        memory = at.answer.memory.needed.expected_bytes
        free = at.answer.verdict.capacity_bytes
        need = f"{at.answer.method} {gib(memory)}"
        note = truncation_note(data, at.answer.request.sequence_tokens)
        if not self.narrow:
            note += f", {need} of {gib(free)} GiB" if free else f", {need} GiB"
        if data.facts.layout in TASK_OF_LAYOUT:
            # Pictures are all as long as the model makes them, and labelled rows are not packed.
            pictures = data.facts.layout == "image_label"
            return [] if pictures else [length._replace(label="Longest kept", note=note)]
        return [
            length._replace(label="Longest kept", note=note),
            setting_of("packing", at)._replace(note=self._packing_note(data, at)),
        ]

    def _packing_note(self, data: ChosenData, at: Situation) -> str:
        kept = [min(each, at.answer.request.sequence_tokens) for each in data.lengths.per_row]
        sequences = -(-sum(kept) // at.answer.request.sequence_tokens)
        saved = 1 - sequences / len(kept)
        says = "saves" if at.answer.request.batching == "packed" else "would save"
        of = "of rows" if self.narrow else "of the rows"
        return f"{says} about {100 * saved:.0f} % {of}" if saved > 0.05 else ""

    def _advice(self, width: int) -> list[Line]:
        data = self.draft.data
        if data is None:
            return []
        notes = [line(Span("   note     ", "dim"), note) for note in data.notes[:1]]
        advice = advice_on(self.app.plan)
        return [*notes, *advice_lines(advice, width), *example_lines(data, width)]

    def situation(self) -> Situation | None:
        """The method that will likely be taken, while it is not chosen."""
        if self.draft.data is None or self.draft.model is None:
            return None
        plan = self.app.plan
        answer = plan.answer(method_of(self.draft, plan))
        return Situation(draft=self.draft, plan=plan, answer=answer)

    # The path.

    def _path(self) -> str:
        return self.query_one(TextField).value.strip()

    @on(Input.Changed)
    def _typed_path(self) -> None:
        if self.draft.data is not None and self.draft.data.argument == _expanded(self._path()):
            return
        self.tell(None)
        self._problem, self._reading, self._go_on = None, None, False
        if self.draft.data is not None:
            self.app.draft = replace(self.draft, data=None)
        if self._timer is not None:
            self._timer.stop()
        if is_file(self._path()):
            self._timer = self.set_timer(_PAUSE_SECONDS, self._read_what_is_typed)
        self.show_draft()

    def _read_what_is_typed(self) -> None:
        if self._reading is None and self.draft.data is None:
            self._read(self._path())

    def _read(self, path: str) -> None:
        self._reading, self._download = path, None
        self._problem = None
        self.show_draft()
        self._read_in_background(path)

    @work(thread=True, exclusive=True, group="data")
    def _read_in_background(self, path: str) -> None:
        assert self.draft.model is not None

        app, worker = self.app, get_current_worker()

        def tell(download: Download) -> None:
            if worker.is_cancelled:
                raise NotWanted
            app.call_from_thread(self._show_download, path, download)

        try:
            data = read_chosen(_expanded(path), self.draft.model.planned, tell)
            # The planner is slower the first time; here nobody waits for it.
            plan_of(replace(self.draft, data=data))
        except TlplanError as failure:
            self.app.call_from_thread(self._take, path, None, failure)
        except NotWanted:
            return
        except (OSError, MemoryError) as failure:
            told = DataError(f"{path} cannot be read: {failure}")
            self.app.call_from_thread(self._take, path, None, told)
        else:
            self.app.call_from_thread(self._take, path, data, None)

    def _show_download(self, path: str, download: Download) -> None:
        if path == self._reading:
            self._download = download
            self.show_draft()

    def _take(self, path: str, data: ChosenData | None, problem: TlplanError | None) -> None:
        if path != self._path():
            return  # something else was typed meanwhile
        self._reading, self._problem, self._read_last = None, problem, path
        learns = self.draft.learns
        if data is not None:
            learns = TASK_OF_LAYOUT.get(data.facts.layout)
        self.app.draft = replace(self.draft, data=data, learns=learns)
        self.show_draft()
        if data is not None and self._go_on:
            self.action_next()
        self._go_on = False

    # Going on.

    def action_next(self) -> None:
        """Take the file; without one, or with a broken one, this step is not left."""
        if self.draft.data is not None:
            stamp = self.draft.data.stamp
            if stamp != file_stamp(Path(self.draft.data.argument)):
                # It is gone, or another one by now.
                self.app.draft = replace(self.draft, data=None)
                self._read(self._path())
                return
            self.app.go_to(3)
            return
        if isinstance(self._problem, OtherModelNeeded):
            self.app.draft = replace(self.draft, learns=self._problem.learns)
            self.app.go_to(1)
            return
        if not self._path():
            self.tell("name a file to learn from first", kind="error")
            return
        self._go_on = True
        if self._reading is None:
            self._read(self._path())


def _expanded(path: str) -> str:
    return str(typed_path(path)) if path.startswith("~") else path
