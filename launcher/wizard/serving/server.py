"""A web server that shows the wizard, bound to loopback and open to who knows its token.

The token stands in the address. The first request with it sets a cookie and is sent on to the
plain address, so that the token stays out of the page, its history and what it links to.
"""

from __future__ import annotations

import asyncio
import secrets
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import WSCloseCode, web
from textual_serve.server import Server, to_int

from launcher.wizard.serving.window import Window

LOOPBACK = "127.0.0.1"
_COOKIE = "tlplan-token"
_SIZE = (("width", 80), ("height", 24))
_TEMPLATES = Path(__file__).with_name("templates")
_HEADERS = {
    # Nothing is fetched from anywhere else, and nobody else may frame or link to it.
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; "
    "connect-src 'self' ws://127.0.0.1:*; img-src 'self' data:; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def free_port(wanted: int) -> int:
    """The port that was asked for, or any free one for 0. Raises OSError when it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, wanted))
        port: int = probe.getsockname()[1]
        return port


class WizardServer(Server):
    """One wizard for each browser window, for as long as the window is open."""

    def __init__(self, port: int, *, announce: Callable[[str], None]) -> None:
        command = shlex.join([sys.executable, "-P", "-m", "launcher"])
        super().__init__(
            command, host=LOOPBACK, port=port, title="tlplan", templates_path=_TEMPLATES
        )
        self.token = secrets.token_urlsafe(24)
        self._announce = announce
        self._telling: asyncio.Task[None] | None = None
        self._open: dict[web.WebSocketResponse, asyncio.Task[Any]] = {}

    @property
    def address(self) -> str:
        """What to open."""
        return f"http://{LOOPBACK}:{self.port}/?token={self.token}"

    def initialize_logging(self) -> None:
        """Log nothing: addresses hold the token."""

    async def on_startup(self, app: web.Application) -> None:
        """Tell the address once it answers; this is called before the port is open."""
        del app
        self._telling = asyncio.create_task(self._tell_when_open())

    async def _tell_when_open(self) -> None:
        while True:
            try:
                _, writer = await asyncio.open_connection(LOOPBACK, self.port)
            except OSError:
                await asyncio.sleep(0.01)
                continue
            writer.close()
            self._announce(self.address)
            return

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run one wizard for one browser window until either ends."""
        websocket = web.WebSocketResponse(heartbeat=15)
        await websocket.prepare(request)

        async def close() -> None:
            await websocket.close()

        window = Window(
            self.command,
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=close,
            download_manager=self.download_manager,
        )
        task = asyncio.current_task()
        assert task is not None
        self._open[websocket] = task
        try:
            await window.start(*(to_int(request.query.get(side, ""), n) for side, n in _SIZE))
            await self._process_messages(websocket, window)
        finally:
            await window.stop()
            del self._open[websocket]
        return websocket

    async def on_shutdown(self, app: web.Application) -> None:
        """Close every window and wait for its wizard, which would keep the server for a minute."""
        del app
        for websocket in list(self._open):
            await websocket.close(code=WSCloseCode.GOING_AWAY)
        if self._open:
            await asyncio.wait(self._open.values())

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard())
        return app

    def _guard(self) -> Any:
        hosts = {f"{name}:{self.port}" for name in (LOOPBACK, "localhost")}
        origins = {f"http://{host}" for host in hosts}

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            # Another site's name for this address, or another site's page, gets nothing.
            if request.host not in hosts or request.headers.get("Origin") not in (None, *origins):
                raise web.HTTPForbidden(text="only this machine is served\n")
            given = request.query.get("token", "")
            if request.path == "/" and secrets.compare_digest(given.encode(), self.token.encode()):
                answer = web.HTTPFound("/")
                answer.set_cookie(_COOKIE, self.token, httponly=True, samesite="Strict")
                return answer
            known = request.cookies.get(_COOKIE, "")
            if not secrets.compare_digest(known.encode(), self.token.encode()):
                raise web.HTTPForbidden(text="open the whole address that tlplan serve printed\n")
            response = await handler(request)
            if not response.prepared:
                response.headers.update(_HEADERS)
            return response

        return guard
