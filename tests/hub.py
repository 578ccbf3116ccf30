"""A Hub of one model on a local port, with what huggingface_hub asks for a download."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "org/small"


@contextmanager
def served(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """Address of a server on a free port of this machine, which ends with the block."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class ModelHub:
    """Serves the files of `folder` as org/small; `commit` is where its branch main is now."""

    folder: Path
    endpoint: str = ""
    commit: str = COMMIT
    requests: list[str] = field(default_factory=list)
    held: str | None = None
    """Half of the file of this name is sent, and the rest when `go_on` is set."""
    go_on: threading.Event = field(default_factory=threading.Event)
    half_sent: threading.Event = field(default_factory=threading.Event)

    @classmethod
    @contextmanager
    def serving(cls, folder: Path) -> Iterator[Self]:
        """On a free port of this machine."""
        hub = cls(folder)

        class Handler(_Handler):
            pass

        Handler.hub = hub
        with served(Handler) as hub.endpoint:
            try:
                yield hub
            finally:
                hub.go_on.set()


class _Handler(http.server.BaseHTTPRequestHandler):
    hub: ModelHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.hub.requests.append(f"{self.command} {path}")
        if path.startswith(f"/api/models/{NAME}"):
            revision = path.rpartition("/revision/")[2]
            sha = revision if len(revision) == len(COMMIT) else self.hub.commit
            told = self._tree() if "/tree/" in path else self._model(sha)
            self._send(json.dumps(told).encode(), body=body)
            return
        name = path.rpartition("/")[2]
        file = self.hub.folder / name
        if not path.startswith(f"/{NAME}/resolve/") or not file.is_file():
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._send(file.read_bytes(), body=body, name=name)

    def _model(self, sha: str) -> dict[str, object]:
        files = [
            {"rfilename": each.name, "size": each.stat().st_size}
            for each in sorted(self.hub.folder.iterdir())
        ]
        return {"id": NAME, "modelId": NAME, "sha": sha, "siblings": files}

    def _tree(self) -> list[dict[str, object]]:
        return [
            {"type": "file", "path": each.name, "size": each.stat().st_size, "oid": each.name}
            for each in sorted(self.hub.folder.iterdir())
        ]

    def _send(self, content: bytes, *, body: bool, name: str = "") -> None:
        asked = self.headers.get("Range", "")
        first = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        self.send_response(206 if first else 200)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.hub.commit)
        self.send_header("Content-Length", str(len(content) - first))
        if first:
            last = len(content) - 1
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.end_headers()
        if not body:
            return
        content = content[first:]
        if name == self.hub.held and not self.hub.go_on.is_set():
            half = len(content) // 2
            self.wfile.write(content[:half])
            self.wfile.flush()
            self.hub.half_sent.set()
            self.hub.go_on.wait()
            content = content[half:]
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def handle(self) -> None:
        """A client that was killed is no error of the Hub's."""
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            return
