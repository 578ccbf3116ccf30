"""Events as sentences with their time of day."""

from __future__ import annotations

from datetime import datetime

from launcher.runs.events import Event
from launcher.view.run_facts import download_of
from launcher.view.words import download_text, file_size, loss, percent_right


def clock_time(event: Event) -> str:
    """Local time of day of an event."""
    at = local_time(event.get("at"))
    return "--:--:--" if at is None else at.strftime("%H:%M:%S")


def local_time(at: object) -> datetime | None:
    """The time of an event on the clock on the wall, None when it is no time."""
    try:
        return datetime.fromisoformat(str(at)).astimezone()
    except (ValueError, OverflowError):
        return None


def sentence(event: Event) -> str | None:
    """An event as a line of the log, None for those that only move numbers."""
    match event["type"]:
        case "phase":
            return str(event.get("phase"))
        case "download" if event.get("finished") is True:
            return f"downloaded {download_text(download_of(event))}"
        case "checkpoint":
            size_bytes = event.get("bytes")
            size = f" ({file_size(size_bytes)})" if isinstance(size_bytes, int) else ""
            return f"saved step {event.get('step')}{size}"
        case "evaluation":
            share = percent_right(event)
            right = f", {share} right," if share else ""
            return f"held-out loss {loss(event.get('loss'))}{right} at step {event.get('step')}"
        case "warning":
            return f"warning: {event.get('message')}"
        case "recovery" | "rehearsal":
            return str(event.get("message"))
        case "failed":
            return str(event.get("reason"))
        case _:
            return None
