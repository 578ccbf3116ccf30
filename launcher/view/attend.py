"""Being there while a run goes on: the right view for the terminal, Ctrl-C, and the last word."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import TextIO

from launcher import stderr
from launcher.errors import TlplanError
from launcher.exit_codes import ExitCode
from launcher.runs.folder import RunFolder
from launcher.runs.state import read_state
from launcher.view.display import Display, EventDisplay, QuietDisplay
from launcher.view.follow import Followed, follow
from launcher.view.interrupts import Interrupts
from launcher.view.plain import PlainDisplay
from launcher.view.result import result_lines, shown_path, stopped_lines
from launcher.view.stopping import send_stop

STOPPING = "stopping after this step and saving (press again to stop at once)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewOptions:
    """How a run is shown."""

    json: bool = False
    """The events themselves, one a line."""
    quiet: bool = False
    """Only the last word."""


def attend(
    folder: RunFolder,
    options: ViewOptions,
    *,
    may_stop: bool,
    from_attempt: int = 1,
    interrupts: Interrupts | None = None,
) -> ExitCode:
    """Show a run until it ends and return its exit code, 0 when the person leaves before.

    With `may_stop` the first Ctrl-C asks the run to save and end, the second ends it at once;
    otherwise Ctrl-C only leaves the view. `interrupts` counts those since before the run was
    started: one that came then is meant for it too.
    """
    out = sys.stdout
    if shows_screen(options):
        if may_stop and interrupts is not None and interrupts.count:
            send_stop(folder)
        folder, followed = on_screen(folder, may_stop=may_stop)
        return last_word(followed, folder, options, out)
    display = display_for(folder, options, out)
    on_interrupt = stop_on_interrupt(folder, display) if may_stop else leave_on_interrupt
    try:
        with nullcontext(interrupts) if interrupts is not None else Interrupts() as counted:
            followed = follow(
                folder,
                display,
                interrupts=counted,
                on_interrupt=on_interrupt,
                from_attempt=from_attempt,
            )
        display.close()
        return last_word(followed, folder, options, out)
    except BrokenPipeError:
        # The reader of a pipe has seen enough. Nothing more may be written there, at exit too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        stderr.note(f"the run goes on: tlplan watch {folder.typed}")
        return ExitCode.DONE
    finally:
        with suppress(BrokenPipeError):
            display.close()


def shows_screen(options: ViewOptions) -> bool:
    """Whether a person sits at a terminal that can show a screen."""
    if options.json or options.quiet or os.environ.get("TERM", "dumb") == "dumb":
        return False
    return sys.stdin.isatty() and sys.stdout.isatty()


def on_screen(folder: RunFolder, *, may_stop: bool) -> tuple[RunFolder, Followed]:
    """Show the run on the whole terminal until it is left.

    Returns the run that was shown last: a person may have started another one from its end.
    """
    from launcher.output.style import style_for
    from launcher.wizard.run.app import RunApp  # textual: about 300 ms
    from launcher.wizard.taste import kept_theme

    ascii_only = not style_for(sys.stdout, os.environ).unicode
    app = RunApp(folder.path, may_stop=may_stop, theme=kept_theme(), ascii_only=ascii_only)
    app.keep_theme_choices()
    try:
        app.run_and_tell()
    except Exception:
        stderr.note(f"the screen failed; the run goes on: tlplan watch {folder.typed} | cat")
        raise
    reader = app.run_screen.reader
    while reader.read():  # it may have gone on, or ended, while its screen was left
        pass
    return reader.folder, Followed(progress=reader.progress, liveness=reader.liveness)


def display_for(folder: RunFolder, options: ViewOptions, out: TextIO) -> Display:
    """Events for programs, lines everywhere else."""
    if options.json:
        return EventDisplay(out)
    if options.quiet:
        return QuietDisplay()
    return PlainDisplay(out, run=shown_path(folder.path))


def leave_on_interrupt(_count: int) -> bool:
    """Do not stay."""
    return False


def stop_on_interrupt(folder: RunFolder, display: Display) -> Callable[[int], bool]:
    """Pass the first two interrupts on to the run and stay; a third one only leaves."""

    def passed_on(count: int) -> bool:
        if count > 2:
            return False
        display.say(STOPPING if count == 1 else "stopping at once")
        send_stop(folder, at_once=count > 1)
        return True

    return passed_on


def last_word(followed: Followed, folder: RunFolder, options: ViewOptions, out: TextIO) -> ExitCode:
    """Say how the run ended and return its exit code."""
    progress = followed.progress
    lines: list[str] = []
    match followed.liveness:
        case "running":
            lines = [f"The run goes on: tlplan watch {folder.typed}, tlplan stop {folder.typed}"]
        case "finished":
            lines = result_lines(progress, folder)
        case "interrupted":
            lines = stopped_lines(progress, folder)
        case "failed" | "lost":
            stderr.error(_failure(followed, folder))
    if not options.json and lines:
        out.write("\n".join(lines) + "\n")
        out.flush()
    return _exit_code(followed, folder)


def _failure(followed: Followed, folder: RunFolder) -> TlplanError:
    failure = followed.progress.failure
    if followed.liveness == "lost":
        return TlplanError(
            f"nobody looks after {folder.name} any more: its supervisor went without a word",
            f"tlplan resume {folder.typed} goes on from the last checkpoint",
        )
    if failure is None:
        return TlplanError(f"{folder.name} failed", f"see {shown_path(folder.log)}")
    return TlplanError(failure.reason, *failure.hints)


def _exit_code(followed: Followed, folder: RunFolder) -> ExitCode:
    if followed.liveness == "running":
        return ExitCode.DONE
    state = read_state(folder)
    if state is not None:
        code = state.exit_code
    elif followed.progress.finished:  # the events alone, copied here
        code = ExitCode.DONE
    else:
        failure = followed.progress.failure
        code = None if failure is None else failure.code
    if followed.liveness == "lost" or code not in set(ExitCode):
        return ExitCode.BUG
    return ExitCode(code)
