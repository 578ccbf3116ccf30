"""The demo's data set: a support ticket in, a strict routing line out.

An instruct model answers such a ticket with chatter, so the loss falls fast and the effect shows
in the text. Run this module to write tickets.jsonl anew; the same seed gives the same bytes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

TICKETS_FILE = Path(__file__).with_name("tickets.jsonl")
TICKETS = 240
SEED = 7
SYSTEM_PROMPT = "You route support tickets."

Choice = TypeVar("Choice")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A team that answers tickets, and what people write to it."""

    name: str
    items: tuple[str, ...]
    problems: tuple[str, ...]


# Many items stand in two or three queues, so that the problem decides, not the item.
QUEUES = (
    Queue(
        name="billing",
        items=_words("invoice subscription monitor license order laptop phone router seat parcel"),
        problems=(
            "{who} was charged twice for the {item}.",
            "{who} never received the {item} that was paid for in May.",
            "{who} wants the money back for the {item}.",
            "The amount on the bill for the {item} looks wrong, says {who}.",
            "{who} asks for a receipt for the {item}.",
            "The discount for the {item} is missing, {who} writes.",
            "{who} cancelled the {item} but still pays for it.",
            "Please move the {item} of {who} to another cost center.",
            "{who} cannot find out who approved the price of the {item}.",
            "The tax on the {item} was counted wrong for {who}.",
        ),
    ),
    Queue(
        name="network",
        items=_words("router printer wiki intranet calendar server mailbox webcam phone dashboard"),
        problems=(
            "{who} loses the wifi every hour near the {item}.",
            "{who} cannot reach the {item} over the VPN.",
            "The connection to the {item} times out for {who}.",
            "The {item} is very slow from the Berlin office, says {who}.",
            "The {item} shows no network to {who} since this morning.",
            "The firewall seems to block the {item}, {who} writes.",
            "{who} gets a DNS error when opening the {item}.",
            "Packets to the {item} get lost, {who} measured it.",
            "The {item} stays offline for {who}, all else works.",
            "{who} loses the connection to the {item} whenever it rains.",
        ),
    ),
    Queue(
        name="hardware",
        items=_words("laptop printer router keyboard monitor webcam phone headset scanner tablet"),
        problems=(
            "{who} dropped the {item} and it is broken.",
            "The {item} of {who} makes a grinding noise.",
            "{who} spilled coffee on the {item}.",
            "The {item} gets far too hot on the desk of {who}.",
            "{who} needs a new cable for the {item}.",
            "A button of the {item} is stuck, says {who}.",
            "The {item} of {who} does not switch on.",
            "{who} found a crack in the {item}.",
            "There is smoke coming out of the {item}, {who} reports.",
            "The battery in the {item} of {who} swells.",
        ),
    ),
    Queue(
        name="access",
        items=_words("account laptop mailbox wiki calendar badge payroll server dashboard phone"),
        problems=(
            "{who} is locked out of the {item}.",
            "{who} forgot the password for the {item}.",
            "{who} cannot sign in to the {item}.",
            "The {item} no longer accepts the code of {who}.",
            "{who} started today and needs rights for the {item}.",
            "The login for the {item} expired, says {who}.",
            "{who} left the company and keeps no rights for the {item}.",
            "{who} may read the {item} but has no rights to change it.",
            "The {item} asks {who} for a second code that was lost.",
            "Somebody else signed in to the {item} of {who}.",
        ),
    ),
)
URGENT = (
    "This is urgent!",
    "It is urgent, nobody here can work.",
    "It is an emergency.",
    "An emergency for the whole team!",
    "Please act right now.",
    "Right now we lose money.",
)
CALM = (
    "",
    "No hurry.",
    "No hurry, next week is fine.",
    "It can wait.",
    "It can wait for a few days.",
    "Just so that you know.",
    "Thank you.",
)
URGENT_SHARE = 0.4
NAMES = _words(
    "Ana Ben Cara Dan Ella Finn Gus Ines Jon Kim Leo Mia Ned Olga Pam Rosa Sam Tara Vic Adam "
    "Carl Lou Max Tom"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a person wrote, and where it has to go."""

    text: str
    routing: str

    def as_row(self) -> str:
        """One line of the file, in the messages layout."""
        turns = (
            ("system", SYSTEM_PROMPT),
            ("user", self.text),
            ("assistant", self.routing),
        )
        return json.dumps({"messages": [{"role": role, "content": text} for role, text in turns]})


def make_tickets(count: int = TICKETS, seed: int = SEED) -> list[Ticket]:
    """Tickets in random order, evenly over the queues, no problem and item together twice."""
    draw = random.Random(seed)
    cases = {
        queue.name: _shuffled(
            draw,
            [(problem, item) for problem in queue.problems for item in queue.items],
        )
        for queue in QUEUES
    }
    names = [queue.name for queue in QUEUES]
    tickets = [
        _ticket(draw, names[number % len(names)], *cases[names[number % len(names)]].pop())
        for number in range(count)
    ]
    return _shuffled(draw, tickets)


def write_tickets(path: Path = TICKETS_FILE) -> None:
    """Write the committed data set, one row a line."""
    rows = "".join(f"{ticket.as_row()}\n" for ticket in make_tickets())
    path.write_text(rows, encoding="utf-8", newline="\n")


def _ticket(draw: random.Random, queue: str, problem: str, item: str) -> Ticket:
    who = _picked(draw, NAMES)
    urgent = draw.random() < URGENT_SHARE
    tone = _picked(draw, URGENT if urgent else CALM)
    priority = "P1" if urgent else "P3"
    return Ticket(
        text=f"{problem.format(who=who, item=item)} {tone}".rstrip(),
        routing=f"QUEUE={queue} | ITEM={item} | PRIORITY={priority} | OWNER={who.upper()}",
    )


# Built on random() alone: the one method whose sequence Python promises to keep.
def _picked(draw: random.Random, choices: Sequence[Choice]) -> Choice:
    return choices[int(draw.random() * len(choices))]


def _shuffled(draw: random.Random, values: Sequence[Choice]) -> list[Choice]:
    return sorted(values, key=lambda _: draw.random())


if __name__ == "__main__":
    write_tickets()
