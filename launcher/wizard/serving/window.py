"""The wizard behind one browser window."""

from __future__ import annotations

import asyncio

from textual_serve.app_service import AppService

_GRACE_SECONDS = 20.0
"""As long as the start of a run may take, which must not be cut in half."""


class Window(AppService):
    """Ends with its process, which textual-serve leaves to whoever comes after."""

    async def stop(self) -> None:
        """Ask the wizard to end, and see that it has. A run it started goes on."""
        process = self._process
        if process is None:
            return
        ended = asyncio.gather(super().stop(), process.wait())
        try:
            await asyncio.wait_for(ended, _GRACE_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
        self.stdin.close()
