"""What a monkey presses: keys of every kind, as the bytes that terminals send."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

ESCAPE, ENTER, TAB, QUIT = b"\x1b", b"\r", b"\t", b"\x11"
ARROWS = (b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D")
_MOVING = (
    *ARROWS, b"\x1b[5~", b"\x1b[6~", b"\x1b[H", b"\x1b[F", b"\x1b[Z", TAB, b"\x1b[1;5C",
    b"\x1b[1;2B",
)  # fmt: skip
_FUNCTION = (b"\x1bOP", b"\x1bOQ", b"\x1b[15~", b"\x1b[24~", b"\x1b[3~", b"\x1b[2~", b"\x7f")
_CONTROL = (
    b"\x01\x02\x04\x05\x06\x07\x08\x0a\x0b\x0c\x0e\x0f\x10\x12\x13\x14\x15\x16\x17\x18\x19\x00"
)
_ALTS = (b"\x1bx", b"\x1b\x7f", b"\x1b\x1b[A", b"\x1b[1;3A", b"\x1b[I", b"\x1b[O")
_BOUND = b"?wdlscgrvnypqkjt/ x1"
_TEXTS = (
    "llama", "qwen 7b", "org/model", "./tiny", "train.jsonl", "train", "rows.csv", "./",
    "../", "~", "/", "rtx 4090", "24", "24 GiB", "0", "-1", "1e-4", "NaN", "1e999", "999999999999",
    "é\u0301ü漢字🙂\u202e", "[bold]x[/]", "$(rm)", "a" * 400, "\u0000", "hf_abcdefghijklmnop",
)  # fmt: skip


def key(draw: random.Random) -> bytes:
    """One key."""
    kinds: tuple[tuple[int, Callable[[], bytes]], ...] = (
        (14, lambda: draw.choice(_MOVING)),
        (10, lambda: bytes([draw.choice(_BOUND)])),
        (6, lambda: ENTER),
        (5, lambda: ESCAPE),
        (4, lambda: draw.choice(string.printable[:95]).encode()),
        (3, lambda: draw.choice(_FUNCTION)),
        (2, lambda: bytes([draw.choice(_CONTROL)])),
        (1, lambda: draw.choice(_ALTS)),
    )
    weights = [weight for weight, _ in kinds]
    return draw.choices([make for _, make in kinds], weights)[0]()


def typed(draw: random.Random) -> bytes:
    """A word somebody types."""
    return draw.choice(_TEXTS).encode()


def pasted(draw: random.Random) -> bytes:
    """The same from the clipboard, with or without the end of its line."""
    text = draw.choice(_TEXTS) + draw.choice(("", "\n", "\n\n", " "))
    return b"\x1b[200~" + text.encode() + b"\x1b[201~"


def mouse(draw: random.Random) -> bytes:
    """A click, the wheel, a drag, a move; also outside the screen."""
    x, y = draw.randint(1, 130), draw.randint(1, 45)
    button = draw.choice((0, 0, 0, 0, 2, 35, 35, 32, 64, 65))
    pressed = f"\x1b[<{button};{x};{y}M"
    return (pressed + (f"\x1b[<{button};{x};{y}m" if button < 3 else "")).encode()


def size(draw: random.Random) -> tuple[int, int]:
    """Columns and rows: usual ones, and any."""
    usual = ((80, 24), (120, 40), (60, 16), (1, 1), (59, 15), (110, 20), (200, 60))
    return (
        draw.choice(usual) if draw.random() < 0.5 else (draw.randint(1, 200), draw.randint(1, 60))
    )
