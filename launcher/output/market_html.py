"""Cards as a picture: one page with memory bars, time against money and what fits where.

Self-contained: inline SVG and CSS, no script, nothing loaded from elsewhere. Colours never speak
alone: every cell and bar has its word or number.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from launcher.output.market_text import RUNGS, known, lightest, origin_text, rent_text
from launcher.output.svg_scatter import scatter
from planner.market.heat import Cell, heat_map
from planner.market.job import CardAnswer
from planner.market.pick import best_per_card
from planner.market.rent import Rented
from planner.units import duration_text, gib_text

_FITS, _TIGHT, _OVER, _ROOM = "#0072B2", "#E69F00", "#D55E00", "#e8e8e8"
_RUNG_COLOURS = {"comfortable": _FITS, "trade-offs": _TIGHT, "no": _OVER}
_CELL_COLOURS = {"yes": "#cfe3f3", "tight": "#fbe3b5", "no": "#f6d3c1"}
_BAR_WIDTH = 280
_MOST_BARS = 24

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; } td, th { padding: .25rem .6rem; text-align: left; }
td { white-space: nowrap; }
td.number, th.number { text-align: right; } .note { color: dimgray; font-size: .9rem; }
table.heat td { text-align: center; border: 1px solid #fff; min-width: 5rem; }
svg text { font: 12px system-ui, sans-serif; fill: #1a1a1a; }
"""


def market_page(
    title: str, answers: Sequence[CardAnswer], options: Sequence[Rented], note: str
) -> str:
    """The whole page; `options` are runs on offers, cheapest first."""
    shown = [answer for answer in answers if answer.rung is not None][:_MOST_BARS]
    best = _explained(answers, options)
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="note">{escape(note)}</p>',
        "<h2>Memory: what the run needs of each card</h2>",
        _bars(shown),
        "<h2>Time against money: one run, rented</h2>",
        scatter(options),
        _rents(options),
    ]
    if best is not None:
        parts += [
            f"<h2>What fits where on {escape(best.card.id)}</h2>",
            _heat(best),
        ]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _explained(answers: Sequence[CardAnswer], options: Sequence[Rented]) -> CardAnswer | None:
    """The card whose batches and lengths are shown: the cheapest, else the first that runs."""
    if options:
        return options[0].answer
    return next((answer for answer in answers if answer.answer is not None), None)


def _bars(answers: Sequence[CardAnswer]) -> str:
    rows = "".join(_bar_row(answer) for answer in answers)
    head = (
        "<tr><th>Card</th><th>Needed of what is usable, GiB</th><th>Verdict</th>"
        '<th class="number">Time</th><th>Known</th></tr>'
    )
    return f"<table>{head}{rows}</table>"


def _rents(options: Sequence[Rented]) -> str:
    """The points of the picture as a table: whose price each is, and of when."""
    if not options:
        return ""
    head = '<th>Card</th><th class="number">One run</th><th>Offer</th>'
    rows = "".join(
        f'<tr><td>{escape(one.answer.card.id)}</td><td class="number">{rent_text(one)}</td>'
        f"<td>{escape(origin_text(one))}</td></tr>"
        for one in best_per_card(options)
    )
    note = "The cheapest offer of each card, its download included; !: older than 90 days."
    return f'<p class="note">{note}</p>\n<table><tr>{head}</tr>{rows}</table>'


def _bar_row(answer: CardAnswer) -> str:
    time = "unknown" if answer.time is None else duration_text(answer.time.on_card.expected)
    return (
        f"<tr><td>{escape(answer.card.id)}</td><td>{_bar(answer)}</td>"
        f"<td>{RUNGS[answer.rung]}{_method(answer)}</td>"
        f'<td class="number">{time}</td><td>{known(answer)}</td></tr>'
    )


def _method(answer: CardAnswer) -> str:
    return "" if answer.answer is None else f", {answer.answer.method}"


def _bar(answer: CardAnswer) -> str:
    budget = answer.plan.budget
    capacity = budget.free_bytes if budget is not None else None
    if capacity is None:
        return "unknown"
    needed = lightest(answer).memory.needed
    share = min(1.0, needed.expected_bytes / capacity)
    colour = _RUNG_COLOURS[answer.rung or "no"]
    text = f"{gib_text(needed.expected_bytes)} of {gib_text(capacity)}"
    return (
        f'<svg width="{_BAR_WIDTH}" height="22" role="img" aria-label="{text} GiB">'
        f'<rect width="{_BAR_WIDTH - 110}" height="18" y="2" fill="{_ROOM}"/>'
        f'<rect width="{share * (_BAR_WIDTH - 110):.0f}" height="18" y="2" fill="{colour}"/>'
        f'<text x="{_BAR_WIDTH - 102}" y="15">{text}</text></svg>'
    )


def _heat(answer: CardAnswer) -> str:
    rows = heat_map(answer)
    if not rows:
        return "<p>Nothing fits there.</p>"
    head = "".join(f"<th>{cell.sequence_tokens} tokens</th>" for cell in rows[0])
    body = "".join(
        f"<tr><th>batch {row[0].micro_batch}</th>{''.join(map(_cell, row))}</tr>" for row in rows
    )
    chosen = answer.answer
    assert chosen is not None
    how = f"{chosen.method}, checkpointing {chosen.request.checkpointing}"
    return (
        f'<table class="heat"><tr><th></th>{head}</tr>{body}</table>'
        f'<p class="note">{how}; GiB needed, and whether the upper end of the interval fits (yes), '
        "only the expected value (tight), or neither (no).</p>"
    )


def _cell(cell: Cell) -> str:
    word = cell.fits or "unknown"
    colour = _CELL_COLOURS.get(word, "#fff")
    return f'<td style="background:{colour}">{gib_text(cell.needed_bytes)}<br>{word}</td>'
