"""A real headless Chromium, and what a page of the served wizard has shown in it."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--window-size=1200,900", "--disable-background-networking", "--no-first-run"),
)
_RECORD = """
window.shown = '';
const Real = window.WebSocket;
window.WebSocket = class extends Real {
  constructor(...args) {
    super(...args);
    const decoder = new TextDecoder();
    this.addEventListener('message', async (event) => {
      const data = event.data;
      if (typeof data === 'string') return;
      const bytes = data instanceof Blob ? await data.arrayBuffer() : data;
      window.shown += decoder.decode(bytes);
    });
  }
};
"""
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|.)")


class Page:
    """One page: keys in, and the text that was painted."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def shown(self) -> str:
        """Everything painted so far, without its escape codes."""
        return _ESCAPES.sub("", self.driver.execute_script("return window.shown || ''"))

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        """Wait until a text was painted."""
        deadline = time.monotonic() + seconds
        while text not in self.shown():
            assert time.monotonic() < deadline, f"no {text!r} in\n{self.shown()[-3000:]}"
            time.sleep(0.05)

    def press(self, *keys: str) -> None:
        """Press keys; longer words are typed letter by letter."""
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def enter(self) -> None:
        """Press Enter."""
        self.press(Keys.ENTER)


@contextmanager
def open_page(address: str, profile: Path) -> Iterator[Page]:
    """Open an address in a browser of its own."""
    chromium, driver_path = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium, "chromium is needed: apt install chromium"
    assert driver_path, "chromedriver is needed: apt install chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(service=Service(driver_path), options=options)
    try:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _RECORD})
        driver.get(address)
        yield Page(driver)
    finally:
        driver.quit()
