"""One browser for all tests of a process, and the inbox opened in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from airflow_provider_omni.simulator.running import RunningSimulator
from tests.harness.browser import running_browser, watched_page

# The machine may be busy; a test that passes is as fast as before.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with running_browser() as started:
        yield started


@pytest.fixture
def open_inbox(browser: Browser, omni_simulator: RunningSimulator) -> Iterator[Callable[..., Page]]:
    """Return how to open the inbox. At the end no page has had an error, or has asked another host for anything."""
    with ExitStack() as opened:
        pages = []

        def open_one(path: str = "", url: str | None = None, **options: Any) -> Page:
            address = url or omni_simulator.url
            watched = opened.enter_context(watched_page(browser, **options))
            pages.append((watched, urlsplit(address).netloc))
            watched.page.goto(f"{address}/{path}")
            expect(watched.page.locator("#live")).to_have_attribute("data-on", "yes")
            return watched.page

        yield open_one
        for watched, host in pages:
            assert watched.errors == []
            assert watched.foreign_requests(host) == []
