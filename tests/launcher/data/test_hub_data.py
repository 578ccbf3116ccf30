"""Data sets of the Hub by name: from a real one on a local port, and then from the disk alone."""

from __future__ import annotations

import http.server
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from launcher.data.hub_files import HubFile, files_to_take
from launcher.data.hub_name import HubName, hub_name
from launcher.errors import DataError, UsageError
from tests.hub import served
from tests.launcher.cli.program import Answer, tlplan

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TRAIN = b"".join(
    json.dumps({"prompt": f"Question {number}?", "completion": f"Answer {number}."}).encode()
    + b"\n"
    for number in range(40)
)
FILES = {
    "README.md": b"# about\n",
    "data/train-00000-of-00001.jsonl": TRAIN,
    "data/test-00000-of-00001.jsonl": b'{"prompt": "Last?", "completion": "Yes."}\n',
    "large/large.jsonl": TRAIN
    + b'{"prompt": "Long?", "completion": "'
    + 1_000_000 * b"a"
    + b'"}\n',
}
PART_BYTES = 1 << 18
"""What is written at once."""


@dataclass
class Hub:
    """A Hub with one open data set, and what it was asked."""

    endpoint: str
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Verb, path, Range."""
    breaks_off: int = 0
    """Bytes of the first answer with a file, after which the line is cut; 0 never does."""


class _Handler(http.server.BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        self.hub.requests.append((self.command, path, self.headers.get("Range")))
        if path in ("/api/datasets/org/open/revision/main", "/api/datasets/org/open/revision/v2"):
            files = [{"rfilename": name, "size": len(data)} for name, data in FILES.items()]
            return self._send(200, json.dumps({"sha": COMMIT, "siblings": files}).encode())
        start = f"/datasets/org/open/resolve/{COMMIT}/"
        if path.startswith(start):
            return self._file(FILES[path.removeprefix(start)], with_body=with_body)
        code = {"gated": "GatedRepo", "open": "RevisionNotFound"}.get(path.split("/")[4])
        return self._send(403 if code == "GatedRepo" else 404, b"", code or "RepoNotFound")

    def _file(self, data: bytes, *, with_body: bool) -> None:
        begin = int((self.headers.get("Range") or "bytes=0-")[6:].rstrip("-"))
        self.send_response(206 if begin else 200)
        self.send_header("ETag", f'"{len(data)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - begin))
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if not with_body:
            return
        if self.hub.breaks_off:
            self.wfile.write(data[: self.hub.breaks_off])
            self.hub.breaks_off = 0
            self.close_connection = True
            return
        self.wfile.write(data[begin:])

    def _send(self, status: int, body: bytes, code: str | None = None) -> None:
        self.send_response(status)
        if code is not None:
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


def asked(words: list[str], endpoint: str, home: Path, **variables: str) -> Answer:
    """Tlplan with a Hub and caches of its own."""
    return tlplan(
        *words,
        HF_ENDPOINT=endpoint,
        HF_HOME=str(home / "hf"),
        XDG_CACHE_HOME=str(home / "cache"),
        NO_PROXY="*",
        **variables,
    )


def test_a_data_set_is_fetched_once_and_is_there_without_a_network(
    hub: Hub, tmp_path: Path
) -> None:
    """Its test split is held out, the bytes are told, and afterwards nobody has to be asked."""
    first = asked(["data", "org/open:data", "--json"], hub.endpoint, tmp_path)
    fetched = len(hub.requests)
    again = asked(["data", "org/open:data", "--json"], hub.endpoint, tmp_path, HF_HUB_OFFLINE="1")
    pinned = asked(["data", f"org/open@{COMMIT}:data"], "http://127.0.0.1:9", tmp_path)

    assert first.code == again.code == pinned.code == 0, first.err + again.err + pinned.err
    found = json.loads(first.out)
    assert (found["rows"], found["held_out"]["rows"]) == (40, 1)
    assert "downloading org/open at 0123456789ab: 2 files, 2 kB" in first.err
    assert json.loads(again.out) == found
    assert "taking what was fetched before" in again.err
    assert len(hub.requests) == fetched
    assert {path.rpartition("/")[2] for _, path, _ in hub.requests} == {
        *("main", "train-00000-of-00001.jsonl", "test-00000-of-00001.jsonl")
    }


def test_a_plan_names_the_commit(hub: Hub, tmp_path: Path) -> None:
    """The same plan means the same rows on another day and another machine."""
    words = ["plan", "--model", "llama-3.1-8b", "--gpu", "rtx-4090", "--json"]

    answer = asked([*words, "--data", "org/open@v2:train"], hub.endpoint, tmp_path)

    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["plan"]["data"]["train"] == f"org/open@{COMMIT}:train"
    assert not any("test-" in path for _, path, _ in hub.requests)


def test_a_broken_line_is_taken_up_where_it_broke(hub: Hub, tmp_path: Path) -> None:
    """What had arrived is not asked for again."""
    hub.breaks_off = PART_BYTES + 1000

    answer = asked(["data", "org/open:large"], hub.endpoint, tmp_path)

    assert answer.code == 0, answer.err
    ranges = [given for verb, path, given in hub.requests if verb == "GET" and "large" in path]
    assert ranges == [None, f"bytes={PART_BYTES}-"]


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("org/nothing", 2, 'no data set "org/nothing" on the Hub'),
        ("org/open@v3", 2, 'no revision "v3"'),
        ("org/open:dev", 2, 'no split "dev"'),
        ("org/gated", 6, "/datasets/org/gated"),
    ],
)
def test_a_refusal_is_told_with_its_own_code(
    hub: Hub, tmp_path: Path, name: str, code: int, told: str
) -> None:
    """Says which of name, revision, split and licence it is."""
    answer = asked(["data", name], hub.endpoint, tmp_path)

    assert (answer.code, answer.out) == (code, "")
    assert told in answer.err
    assert "Traceback" not in answer.err


def test_without_a_network_it_says_so(tmp_path: Path) -> None:
    """Exit code 6, and that a file would do."""
    answer = asked(["data", "org/open"], "http://127.0.0.1:9", tmp_path)

    assert answer.code == 6
    assert "data set org/open is neither here nor reachable" in answer.err


def test_a_path_is_no_name(tmp_path: Path) -> None:
    """What looks like a file, or lies in a folder that is there, is never asked for on the Hub."""
    (tmp_path / "there").mkdir()

    assert hub_name("rows/train.jsonl") is None
    assert hub_name(f"{tmp_path}/there/rows") is None
    assert hub_name("../rows/train") is None
    assert str(hub_name("org/name.v2@main:sub/train")) == "org/name.v2@main:sub/train"


def taken(split: str | None, *names: str) -> list[str]:
    """The files that are taken of a repository with these."""
    name = HubName(repository="org/name", revision=None, split=split)
    return [file.name for file in files_to_take(name, [HubFile(each, 1) for each in names])]


def test_a_split_is_found_under_the_names_people_use() -> None:
    """By its file, by its folder, by configuration and split, and never by half a name."""
    files = ("main/train-00000-of-00002.parquet", "main/test.parquet", "more/train.parquet")

    assert taken("main/train", *files) == [files[0]]
    assert taken("more", *files) == [files[2]]
    assert taken("train_sft", "data/train_sft-0-of-1.parquet", "data/train_gen-0-of-1.parquet") == [
        "data/train_sft-0-of-1.parquet"
    ]
    assert taken("test", "test/a.jsonl", "train/a.jsonl") == ["test/a.jsonl"]


def test_of_the_same_rows_in_two_kinds_one_is_taken() -> None:
    """Parquet before JSON, and never what only describes."""
    assert taken(None, "README.md", "train.json", "train.parquet") == ["train.parquet"]


def test_what_cannot_be_chosen_is_asked_for() -> None:
    """Two configurations, and a repository without rows."""
    with pytest.raises(UsageError) as several:
        taken(None, "main/train.parquet", "socratic/train.parquet")
    assert several.value.hints == ("--data org/name:main", "--data org/name:socratic")

    with pytest.raises(DataError, match=r"it has \.tar"):
        taken(None, "README.md", "images.tar")
