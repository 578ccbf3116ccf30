"""`tlplan serve`: the wizard in a real browser, for this machine and who has the address."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from launcher.runs.folder import all_runs
from launcher.runs.state import liveness
from launcher.view.stopping import send_stop
from tests.fake_nvml import no_driver_environment
from tests.launcher.cli.program import REPOSITORY, plain_environment
from tests.launcher.run_samples import wait_until
from tests.launcher.wizard.browser import open_page
from tests.models import smollm2, tiny_model

__all__ = ["smollm2", "tiny_model"]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of a server that runs in an empty folder."""
    process = subprocess.Popen(
        [sys.executable, "-m", "launcher", "serve"],
        cwd=tmp_path,
        env=plain_environment(no_driver_environment()) | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line.startswith("http://127.0.0.1:"), process.communicate(timeout=10)
    yield line
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, (out, err)
    assert "Traceback" not in err


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
