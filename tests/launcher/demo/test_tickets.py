"""The demo's data set."""

from __future__ import annotations

from pathlib import Path

from launcher.data.lengths import measure_lengths
from launcher.data.rows import read_data
from launcher.demo.tickets import QUEUES, TICKETS_FILE, make_tickets, write_tickets


def test_the_committed_file_is_what_the_generator_writes(tmp_path: Path) -> None:
    """Nobody edits tickets.jsonl by hand."""
    write_tickets(tmp_path / "again.jsonl")

    assert TICKETS_FILE.read_bytes() == (tmp_path / "again.jsonl").read_bytes()


def test_the_demo_learns_from_240_short_chats() -> None:
    """The rows pass the launcher's own check and stay short, even by a cautious estimate."""
    data = read_data(TICKETS_FILE)

    assert data.layout == "messages"
    assert len(data.rows) == 240
    assert data.notes == ()
    assert measure_lengths(data, None).longest <= 85


def test_no_two_tickets_tell_the_same_story() -> None:
    """A text occurs once, and so does a problem together with an item."""
    tickets = make_tickets()
    words = [frozenset(ticket.text.lower().split()) for ticket in tickets]

    assert len({ticket.text for ticket in tickets}) == len(tickets)
    alike = [
        (first, second)
        for number, first in enumerate(words)
        for second in words[:number]
        if len(first & second) / len(first | second) > 0.9
    ]
    assert alike == []


def test_every_queue_gets_the_same_share() -> None:
    """A model cannot do well by always naming one queue."""
    queues = [ticket.routing.split(" | ")[0] for ticket in make_tickets()]

    assert {queues.count(f"QUEUE={queue.name}") for queue in QUEUES} == {60}


def test_the_item_alone_does_not_tell_the_queue() -> None:
    """For most tickets the item occurs in another queue too, so the problem has to be read."""
    items = [item for queue in QUEUES for item in queue.items]
    shared = [item for item in items if items.count(item) > 1]

    assert len(shared) > 0.6 * len(items)


def test_the_routing_follows_from_the_ticket() -> None:
    """Item and owner stand in the ticket, so the line can be learned rather than guessed."""
    for ticket in make_tickets():
        fields = dict(part.split("=") for part in ticket.routing.split(" | "))

        assert list(fields) == ["QUEUE", "ITEM", "PRIORITY", "OWNER"]
        assert fields["ITEM"] in ticket.text
        assert fields["OWNER"].capitalize() in ticket.text
