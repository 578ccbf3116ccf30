"""config.json from a Hub: a real one on a local port, with the answers the real Hub gives."""

from __future__ import annotations

import http.server
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.hub import served
from tests.launcher.cli.program import Answer, tlplan
from tests.launcher.test_models import TINY_LLAMA

CONFIG = json.dumps(TINY_LLAMA).encode()


@dataclass
class Hub:
    """A Hub of a few repositories, and what it was asked."""

    endpoint: str
    requests: list[tuple[str, str | None]] = field(default_factory=list)


class _Handler(http.server.BaseHTTPRequestHandler):
    hub: Hub

    def do_GET(self) -> None:
        self.hub.requests.append((self.path, self.headers.get("Authorization")))
        answers = {
            "/org/open/resolve/main/config.json": (200, None, CONFIG),
            "/org/open/resolve/v2/config.json": (200, None, CONFIG),
            "/org/broken/resolve/main/config.json": (200, None, b"{"),
            "/org/gated/resolve/main/config.json": (403, "GatedRepo", b""),
            "/org/empty/resolve/main/config.json": (404, "EntryNotFound", b""),
            "/org/open/resolve/v3/config.json": (404, "RevisionNotFound", b""),
            "/org/down/resolve/main/config.json": (500, None, b""),
            "/org/token/resolve/main/config.json": (401, None, b""),
        }
        status, code, body = answers.get(self.path, (404, "RepoNotFound", b""))
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A Hub on a free port of this machine."""
    with served(_Handler) as endpoint:
        _Handler.hub = Hub(endpoint=endpoint)
        yield _Handler.hub


def checked(name: str, endpoint: str, home: Path, **variables: str) -> Answer:
    """The quick check of a Hub name against one card."""
    words = ("--model", name, "--gpu", "rtx-4090", "--json")
    return tlplan(*words, HF_ENDPOINT=endpoint, HF_HOME=str(home), NO_PROXY="*", **variables)


def test_a_config_is_read_and_nothing_else(hub: Hub, tmp_path: Path) -> None:
    """Asks for config.json alone, says so, and answers."""
    answer = checked("org/open", hub.endpoint, tmp_path)
    model = json.loads(answer.out)["model"]

    assert answer.code == 0
    assert (model["id"], model["source"], model["layers"]) == ("org/open", "hub", 2)
    assert [path for path, _ in hub.requests] == ["/org/open/resolve/main/config.json"]
    assert f"reading config.json of org/open from {hub.endpoint}" in answer.err


def test_a_revision_and_a_token_are_sent(hub: Hub, tmp_path: Path) -> None:
    """Uses the revision behind @ and HF_TOKEN."""
    answer = checked("org/open@v2", hub.endpoint, tmp_path, HF_TOKEN="hf_secret")

    assert json.loads(answer.out)["model"]["revision"] == "v2"
    assert hub.requests == [("/org/open/resolve/v2/config.json", "Bearer hf_secret")]


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("org/nothing", 2, 'no model "org/nothing" on the Hub'),
        ("org/empty", 2, "has no config.json"),
        ("org/open@v3", 2, 'no revision "v3"'),
        ("org/broken", 2, "config.json of org/broken:1: not JSON"),
        ("org/gated", 6, "is gated"),
        ("org/token", 6, "(HTTP 401)"),
        ("org/down", 6, "(HTTP 500)"),
    ],
)
def test_a_refusal_is_told_with_its_own_code(
    hub: Hub, tmp_path: Path, name: str, code: int, told: str
) -> None:
    """Says which of name, revision, licence, token and server it is."""
    answer = checked(name, hub.endpoint, tmp_path)

    assert answer.code == code
    assert told in answer.err
    assert "hint:" in answer.err or code == 2


def test_a_gated_model_comes_with_the_way_in(hub: Hub, tmp_path: Path) -> None:
    """Names the page of the licence and how to log in."""
    answer = checked("org/gated", hub.endpoint, tmp_path)

    assert f"{hub.endpoint}/org/gated" in answer.err
    assert "HF_TOKEN" in answer.err


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://nowhere.invalid"])
def test_without_a_network_it_says_so_within_seconds(endpoint: str, tmp_path: Path) -> None:
    """Ends with 6 within three seconds of work."""
    begun = time.monotonic()
    answer = checked("org/open", endpoint, tmp_path)

    assert answer.code == 6
    assert "cannot be reached" in answer.err
    assert time.monotonic() - begun < 3 * max(1.0, os.getloadavg()[0])


def test_a_cached_config_needs_no_network(tmp_path: Path) -> None:
    """Reads what the cache has, offline on request or for want of a network."""
    repository = tmp_path / "hub" / "models--org--open"
    snapshot = repository / "snapshots" / "0123456789abcdef0123456789abcdef01234567"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_bytes(CONFIG)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(snapshot.name)

    for variables in ({"HF_HUB_OFFLINE": "1"}, {}):
        answer = checked("org/open", "http://127.0.0.1:9", tmp_path, **variables)
        assert answer.code == 0, answer.err


def test_offline_and_not_cached_is_told(hub: Hub, tmp_path: Path) -> None:
    """HF_HUB_OFFLINE asks nobody."""
    answer = checked("org/open", hub.endpoint, tmp_path, HF_HUB_OFFLINE="1")

    assert answer.code == 6
    assert "HF_HUB_OFFLINE" in answer.err
    assert hub.requests == []
