"""A real browser: the machine's Chromium, driven by Playwright, and a page that is watched while a test looks at it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Request, sync_playwright

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "these tests need Chromium: sh dev/install_chromium.sh, or its path in OMNI_CHROMIUM"


def chromium() -> str:
    """The path of the machine's Chromium. Raises RuntimeError that says what to install."""
    found = [shutil.which(name) for name in (os.environ.get("OMNI_CHROMIUM") or "", *NAMES) if name]
    path = next((one for one in found if one), None)
    if path is None:
        raise RuntimeError(MISSING)
    return path


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """Run a browser while the block runs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class WatchedPage:
    """A page, with what must not happen on it: errors on the console, requests to another host."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self._noted(message.type, message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._requested)

    def _noted(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.errors.append(f"{kind}: {text}")

    def _requested(self, request: Request) -> None:
        self.requests.append(request.url)

    def foreign_requests(self, host: str) -> list[str]:
        """The addresses that were asked for elsewhere than at `host`."""
        return [url for url in self.requests if urlsplit(url).scheme != "data" and urlsplit(url).netloc != host]


@contextlib.contextmanager
def watched_page(browser: Browser, **options: Any) -> Iterator[WatchedPage]:
    """Open a page in a context of its own."""
    context = browser.new_context(**options)
    context.set_default_timeout(30_000)
    try:
        yield WatchedPage(context.new_page())
    finally:
        context.close()
