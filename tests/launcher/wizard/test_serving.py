"""`tlplan serve`: the wizard in a real browser, for this machine and who has the address."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path

import psutil
import pytest
from aiohttp import ClientSession, WSMsgType
from aiohttp import CookieJar as OpenCookieJar

from launcher.runs.folder import all_runs
from launcher.runs.state import liveness
from launcher.view.stopping import send_stop
from tests.fake_nvml import no_driver_environment
from tests.launcher.cli.program import REPOSITORY, plain_environment
from tests.launcher.run_samples import wait_until
from tests.launcher.wizard.browser import open_page
from tests.models import smollm2, tiny_model

__all__ = ["smollm2", "tiny_model"]


def started_server(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """A server that runs in the folder, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "launcher", "serve"],
        cwd=folder,
        env=plain_environment(no_driver_environment()) | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line.startswith("http://127.0.0.1:"), process.communicate(timeout=10)
    return process, line


def assert_ends_quietly(process: subprocess.Popen[str]) -> None:
    """Ctrl-C ends the server, and it says nothing of what it left."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=50)
    assert process.returncode == 0, (out, err)
    assert out == ""
    assert "Traceback" not in err


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of a server that runs in an empty folder."""
    process, line = started_server(tmp_path)
    yield line
    assert_ends_quietly(process)


def status_of(url: str, **headers: str) -> int:
    """The HTTP status of one request, cookies and redirections included."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as refusal:
        return refusal.code


def test_only_who_has_the_address_gets_in(address: str) -> None:
    """No token, a wrong one, another host's name or another site's page: nothing is served."""
    bare = address.partition("?")[0]

    assert status_of(address) == 200
    assert status_of(bare) == 403
    assert status_of(f"{bare}?token=guess") == 403
    assert status_of(f"{bare}static/js/textual.js") == 403
    assert status_of(address, Host="evil.example") == 403
    assert status_of(address, Origin="http://evil.example") == 403


async def open_window(address: str, *, read: int) -> ClientSession:
    """A window that has received so many messages of its wizard; close the session to leave."""
    session = ClientSession(cookie_jar=OpenCookieJar(unsafe=True))
    async with session.get(address) as page:
        assert page.status == 200
    port = address.partition("?")[0].removeprefix("http://")
    window = await session.ws_connect(f"ws://{port}ws?width=80&height=24")
    for _ in range(read):
        assert (await window.receive(timeout=60)).type is WSMsgType.BINARY
    return session


@pytest.mark.parametrize("read", [0, 1, 8], ids=["starting", "painting", "painted"])
@pytest.mark.parametrize("left", [False, True], ids=["window open", "window just closed"])
def test_ctrl_c_takes_the_wizards_with_it(tmp_path: Path, read: int, left: bool) -> None:
    """At once, whatever the windows are doing, and nobody is told of half a screen."""

    async def scene() -> tuple[list[psutil.Process], float]:
        session = await open_window(address, read=read)
        wizards = psutil.Process(server.pid).children(recursive=True)
        if left:
            await session.close()
        began = time.monotonic()
        await asyncio.to_thread(assert_ends_quietly, server)
        took = time.monotonic() - began
        await session.close()
        return wizards, took

    server, address = started_server(tmp_path)
    wizards, took = asyncio.run(scene())

    assert not any(wizard.is_running() for wizard in wizards)
    assert took < 40, "aiohttp alone waits a minute for open windows"


@pytest.mark.training
@pytest.mark.timeout(600)
def test_five_enters_in_a_browser_reach_a_running_fine_tune(
    address: str, tmp_path: Path, tiny_model: Path
) -> None:
    """Opens, is walked through with Enter, and ends on the screen of a real run."""
    shutil.copytree(tiny_model, tmp_path / "tiny")
    rows = (REPOSITORY / "launcher" / "demo" / "tickets.jsonl").read_text().splitlines()[:40]
    (tmp_path / "train.jsonl").write_text("\n".join(rows) + "\n")

    with open_page(address, tmp_path / "profile") as page:
        page.wait_for("No NVIDIA GPU can be read")
        assert "token" not in page.driver.current_url
        page.enter()
        page.wait_for("Which model?")
        page.press("./tiny")
        page.enter()
        page.wait_for("Enter goes on")
        page.enter()
        page.wait_for("What should it learn from?")
        page.press("train.jsonl")
        page.wait_for("Should you fine-tune?")
        page.enter()
        page.wait_for("How should it train?")
        page.enter()
        page.wait_for("read just now")
        page.enter()
        page.wait_for("predicted")
        page.driver.save_screenshot(str(tmp_path / "run.png"))

    (run,) = all_runs(tmp_path / "runs")
    assert liveness(run) == "running", "closing the browser must leave the run alone"
    send_stop(run)
    wait_until(lambda: liveness(run) != "running", seconds=120)
