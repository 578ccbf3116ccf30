"""One monkey let loose for a while, and what was wrong afterwards."""

from __future__ import annotations

import random
import re
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.monkey import keys
from tests.monkey.program import TASKS
from tests.monkey.scenes import SCENES, Scene, end_runs, reports
from tests.monkey.tty import Tty

PATIENCE_SECONDS = 40.0
"""How long the program may take to end once it is told to, on a machine that is busy."""
_STEP_SECONDS = 8.0
_ON_SCREEN = b"\x1b[?1049h"
_TRACEBACK = (b"Traceback (most recent", b"something unexpected", "╭───".encode() + b" Traceback")
_STEERS = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]P].*?(?:\x07|\x1b\\)|\x1b.", re.DOTALL)


@dataclass(slots=True)
class Story:
    """What a monkey did, and what came of it."""

    scene: str
    seed: int
    did: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    tail: str = ""

    def told(self) -> str:
        """For whoever has to find out why."""
        return "\n".join([
            f"{self.scene}, seed {self.seed}: {'; '.join(self.wrong)}",
            f"  did {' '.join(self.did[-40:])}",
            f"  wrote {self.tail}",
        ])  # fmt: skip


def let_loose(name: str, seed: int, folder: Path) -> Story:
    """One program, one monkey."""
    draw = random.Random(f"{name} {seed}")
    story = Story(name, seed)
    scene = SCENES[name](folder, draw)
    small = keys.size(draw) if draw.random() < 0.3 else draw.choice(((80, 24), (120, 40), (60, 16)))
    hears = draw.random() < 0.8  # the others are below nohup
    tty = Tty(scene.words, folder=folder, size=small, told=scene.told, hears_hangups=hears)
    try:
        _go_through(tty, scene, draw, story)
        _play(tty, scene, draw, story)
        _leave(tty, scene, draw, story, hears=hears)
        _look_after(tty, scene, story)
    finally:
        tty.kill()
        end_runs(folder)
        if story.wrong:
            story.tail = repr(_words(tty)[-1500:])
    return story


def _go_through(tty: Tty, scene: Scene, draw: random.Random, story: Story) -> None:
    """The wise beginning: the answers that lead on, as soon as they are asked for."""
    at = 0
    if draw.random() < 0.15:
        return
    for wanted, answer in scene.steps:
        until = time.monotonic() + _STEP_SECONDS
        while not re.search(wanted, tty.written[at:]) and time.monotonic() < until and not tty.over:
            tty.look(0.05)
        at = len(tty.written)
        story.did.append(repr(answer))
        tty.type(answer)


def _play(tty: Tty, scene: Scene, draw: random.Random, story: Story) -> None:
    for _ in range(draw.randint(5, 60)):
        if tty.over:
            return
        what = draw.choices(
            ("key", "burst", "word", "paste", "mouse", "size", "harm", "stop"),
            (50, 12, 8, 4, 8, 8, 3 if scene.harm else 0, 1),
        )[0]
        story.did.append(what)
        match what:
            case "key" | "burst":
                several = b"".join(
                    keys.key(draw) for _ in range(1 if what == "key" else draw.randint(2, 30))
                )
                story.did[-1] = repr(several)
                tty.type(several)
            case "word":
                tty.type(keys.typed(draw))
            case "paste":
                tty.type(keys.pasted(draw))
            case "mouse":
                tty.type(keys.mouse(draw))
            case "size":
                columns, rows = keys.size(draw)
                story.did[-1] = f"{columns}x{rows}"
                tty.resize(columns, rows)
            case "harm":
                number = draw.randrange(len(scene.harm))
                story.did[-1] = f"harm {number}"
                scene.harm[number](draw)
            case "stop":
                tty.send(signal.SIGSTOP)
                time.sleep(0.05)
                tty.send(signal.SIGCONT)
        tty.look(draw.choice((0, 0, 0.01, 0.05, 0.2, 0.6 if draw.random() < 0.2 else 0.1)))


def _leave(tty: Tty, scene: Scene, draw: random.Random, story: Story, *, hears: bool) -> None:
    """Ctrl-Q, a signal, or no terminal any more."""
    way = "it had ended" if tty.over else _way(tty, draw, hears=hears)
    story.did.append(way)
    until = time.monotonic() + PATIENCE_SECONDS
    while not tty.ends_within(3) and time.monotonic() < until:
        if way == "quit":
            tty.type(keys.QUIT)  # right behind Esc, or before the screen, it is another key
    if not tty.over:
        story.wrong.append(f"it did not end within {PATIENCE_SECONDS:.0f} s")
        tty.send(signal.SIGUSR1)
        tty.ends_within(1)
        waiting = scene.folder / TASKS
        story.wrong.append(waiting.read_text() if waiting.exists() else "it does not answer")
        tty.send(signal.SIGABRT)
        tty.ends_within(5)
        story.wrong.append(_words(tty)[-5000:])
    elif tty.status not in scene.codes | _CODES.get(way, set()):
        story.wrong.append(f"exit code {tty.status}")
    elif tty.status == 1 and b"error:" not in tty.last_words and not tty.closed:
        story.wrong.append(f"exit code 1 without a word: {tty.last_words!r}")


_CODES: dict[str, set[int]] = {
    "terminated": {0, 143, -signal.SIGTERM},
    "interrupted": {130, -signal.SIGINT},
    "hung up": {0, -signal.SIGHUP},
    "closed": {0, -signal.SIGHUP},
}
"""What else it may end with; by the signal itself where it comes before the screen or after it."""


def _way(tty: Tty, draw: random.Random, *, hears: bool) -> str:
    ways = ["quit", "quit", "quit", "terminated", "closed", *(["hung up"] if hears else [])]
    # Before the screen Python itself may be at work, which knows one answer to Ctrl-C.
    way = draw.choice([*ways, "interrupted"] if _ON_SCREEN in tty.written else ways)
    match way:
        case "quit":
            tty.type(keys.QUIT + (keys.key(draw) if draw.random() < 0.3 else b""))
        case "closed":
            tty.close()
        case _:
            tty.send(_SIGNALS[way])
    return way


_SIGNALS = {
    "terminated": signal.SIGTERM,
    "interrupted": signal.SIGINT,
    "hung up": signal.SIGHUP,
}


def _look_after(tty: Tty, scene: Scene, story: Story) -> None:
    story.wrong += [f"a report:\n{text}" for text in reports(scene.folder)]
    plain = _STEERS.sub(b"", bytes(tty.written))
    story.wrong += [f"{words!r} on the terminal" for words in _TRACEBACK if words in plain]
    if not tty.closed and tty.status is not None and _ON_SCREEN in tty.written:
        story.wrong += tty.left_behind()


def _words(tty: Tty) -> str:
    """What was written, without what steers the terminal and without its empty cells."""
    plain = _STEERS.sub(b" ", bytes(tty.written)).decode(errors="replace")
    return re.sub(r"[ \r]{3,}", "  ", re.sub(r"\n\s*\n", "\n", plain))
