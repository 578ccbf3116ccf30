"""The screen of a Textual app as the text a person reads."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.app import App

_CELL_WIDTH = 12.2
_TEXT = re.compile(
    r'<text class="[^"]*-r\d+" x="([\d.]+)"[^>]*clip-path="url\(#[^"]*-line-(\d+)\)"'
    r"[^>]*>(.*?)</text>",
    re.DOTALL,
)


def screen_text(app: App[Any]) -> str:
    """Every row without trailing blanks, rebuilt from the exported picture."""
    columns, rows = app.size
    grid = [[" "] * columns for _ in range(rows)]
    for x, row, text in _TEXT.findall(app.export_screenshot(simplify=True)):
        start = round(float(x) / _CELL_WIDTH)
        for offset, sign in enumerate(html.unescape(text).replace("\xa0", " ")):
            if int(row) < rows and start + offset < columns:
                grid[int(row)][start + offset] = sign
    return "\n".join("".join(row).rstrip() for row in grid) + "\n"
