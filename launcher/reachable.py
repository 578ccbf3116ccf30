"""Whether a host has an address, told within seconds: the resolver alone may take twenty."""

from __future__ import annotations

import socket
import threading
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies


def require_address(url: str, *, seconds: float) -> None:
    """Raise TimeoutError when the host of a URL has no address, or none so soon."""
    if getproxies():
        return  # then the proxy looks the host up
    parts = urlsplit(url)
    found: list[Any] = []

    def look_up() -> None:
        try:
            found.extend(socket.getaddrinfo(parts.hostname, parts.port or 443))
        except OSError:
            return

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        raise TimeoutError(f"no address for {parts.hostname}")
