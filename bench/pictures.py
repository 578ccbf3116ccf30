"""`make pictures`: the wizard and the run screen as PNG files, drawn by a real browser.

    python -m bench.pictures [FOLDER]

The wizard runs on a card of the scripted driver, the run screen on a recorded run: the same
screens that the goldens hold as text.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from launcher.runs.process_identity import this_process
from launcher.runs.state import write_state
from launcher.wizard.run.app import RunApp
from tests.fake_nvml import machines
from tests.launcher.run_samples import sample_run, sample_state
from tests.launcher.wizard.driving import LARGE, draft_of, wizard, write_chats

REPOSITORY = Path(__file__).parents[1]
RECORDING = REPOSITORY / "tests" / "recordings" / "demo-lora-01" / "events.jsonl"
_FONT = "DejaVu Sans Mono, Menlo, Consolas, monospace"
_SHOWN_UP_TO = "step"
_SHARE_OF_RUN = 0.7


async def wizard_picture(folder: Path) -> str:
    """The method step, with what each method needs and takes."""
    data = write_chats(folder / "support-chats.jsonl", 2400, words=180)
    at_desk = draft_of(gpu="rtx-4090", model="meta-llama/Llama-3.1-8B-Instruct")
    async with wizard(machines.RTX_4090_DESKTOP, size=LARGE) as on:
        await on.press("enter")  # the card of the machine
        here = on.app.draft
        on.app.draft = replace(here, model=at_desk.model)
        await on.go_to(2)
        await on.fill(data.name)
        await on.until(lambda: "Should you" in on.text)
        await on.press("enter")
        await on.until(lambda: "Room to grow" in on.text)
        return on.app.export_screenshot(title="tlplan")


async def run_picture(folder: Path) -> str:
    """A recorded run, most of the way through."""
    run = sample_run(folder / "runs" / "demo-lora-01")
    events = [json.loads(line) for line in RECORDING.read_text().splitlines()]
    steps = [at for at, event in enumerate(events) if event["type"] == _SHOWN_UP_TO]
    upto = steps[int(_SHARE_OF_RUN * len(steps))]
    text = "".join(f"{json.dumps(event)}\n" for event in events[: upto + 1])
    run.events.write_text(text)
    me = this_process()
    write_state(run, replace(sample_state(), supervisor_pid=me.pid, supervisor_started=me.started))
    app = RunApp(run.path)
    async with app.run_test(size=LARGE) as pilot:
        for _ in range(50):
            await pilot.pause(0.05)
            if app.run_screen.reader.caught_up:
                break
        await pilot.pause()
        return app.export_screenshot(title="tlplan watch")


def draw(svg: str, target: Path) -> None:
    """An SVG as a PNG of its own size."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("chromium is needed: apt install chromium")
    # The picture names a font of a web page; the browser has those of this machine.
    svg = svg.replace("Fira Code, monospace", _FONT).replace("arial", _FONT)
    width, height = svg.partition('viewBox="0 0 ')[2].partition('"')[0].split(" ")
    size = f"{round(float(width))},{round(float(height))}"
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "page.html"
        page.write_text(f'<body style="margin:0;background:#11151a">{svg}</body>', "utf-8")
        command = [
            *(chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *("--disable-dev-shm-usage", "--force-device-scale-factor=1"),
            *(f"--user-data-dir={scratch}/profile", f"--window-size={size}"),
            *(f"--screenshot={target}", page.as_uri()),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def main() -> None:
    """Draw both."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else REPOSITORY / "docs" / "pictures").absolute()
    target.mkdir(parents=True, exist_ok=True)
    os.environ["TZ"] = "UTC"
    time.tzset()
    for name, picture in (("wizard", wizard_picture), ("run", run_picture)):
        with tempfile.TemporaryDirectory() as scratch:
            os.chdir(scratch)
            svg = asyncio.run(picture(Path(scratch)))
            draw(svg, target / f"{name}.png")
            os.chdir(REPOSITORY)
        print(f"{target / name}.png")


if __name__ == "__main__":
    main()
