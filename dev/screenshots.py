"""`make screenshots`: the pictures in docs/images, taken from the running software in both themes.

It drives a stack like that of `make up`: two DAGs have run, and a third waits. Nothing in a picture is made up.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Frame, Page

from dev.airflow_stack import AirflowStack
from tests.harness.browser import running_browser, watched_page

RUNS = ("omni_batch_of_2000", "omni_mix_of_fates")
RUN_SECONDS = 240.0
SIZE = {"width": 1280, "height": 800}
THEMES = ("light", "dark")
SETTLE = 1500
"""Milliseconds for a page to come to rest before its picture is taken."""
SHOWN = "omni_batch_of_2000"
"""The DAG whose delivery is shown on its own."""


def take_screenshots(stack: AirflowStack, folder: Path, say: Callable[[str], None]) -> None:
    """Run the DAGs of a running stack, and write the pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    runs: dict[str, str] = {}
    for dag_id in RUNS:  # one after the other: the inbox begins with the latest
        runs[dag_id] = run_id = stack.api.trigger(dag_id)
        stack.wait_for_run(dag_id, run_id, RUN_SECONDS)
    with running_browser() as browser:
        for theme in THEMES:
            for name in (
                *_of_airflow(stack, browser, folder, theme, runs[SHOWN]),
                *_of_inbox(stack, browser, folder, theme),
            ):
                say(f"  {name}")


def _of_airflow(stack: AirflowStack, browser: Browser, folder: Path, theme: str, run_id: str) -> list[str]:
    """Take the pictures of Airflow's pages; return their names."""
    url, taken = stack.api.url, []
    with watched_page(browser, viewport=SIZE, color_scheme=theme) as watched:
        page = watched.page

        def take(name: str) -> None:
            page.wait_for_timeout(SETTLE)
            page.screenshot(path=folder / f"{name}-{theme}.png")
            taken.append(f"{name}-{theme}.png")

        page.goto(f"{url}/")
        page.locator("input[name=username]").fill(stack.login.username)
        page.locator("input[type=password]").fill(stack.login.password)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_text("Dags").first.wait_for()
        page.evaluate(f"localStorage.setItem('theme', '{theme}')")

        page.goto(f"{url}/plugin/omni-deliveries")
        frame = _frame(page)
        frame.get_by_role("link", name=SHOWN).first.wait_for()
        take("deliveries")
        frame.get_by_role("link", name=SHOWN).first.click()
        frame.get_by_role("heading", name="Way of the messages").wait_for()
        take("delivery")
        page.goto(f"{url}/dags/{SHOWN}/runs/{run_id}/tasks/delivered/details")
        page.get_by_text("OMNI delivery", exact=False).first.wait_for()
        take("task-link")
        page.goto(f"{url}/dags/{SHOWN}/runs/{run_id}/tasks/delivered")
        page.get_by_text("Waiting for", exact=False).first.wait_for()
        take("task-log")
        page.goto(f"{url}/connections")
        page.get_by_text("omni_default").first.wait_for()
        page.get_by_role("button", name="Edit Connection").first.click()
        page.get_by_text("Extra Fields").first.click()
        page.get_by_label("Sign in with").first.scroll_into_view_if_needed()
        take("connection")
    return taken


def _frame(page: Page) -> Frame:
    """Return the frame of our page, which Airflow shows inside of its own."""
    handle = page.locator("iframe").first.element_handle()
    frame = handle.content_frame()
    if frame is None:
        raise RuntimeError("Airflow's page has no frame for ours")
    return frame


def _of_inbox(stack: AirflowStack, browser: Browser, folder: Path, theme: str) -> list[str]:
    """Take the pictures of the simulator's inbox; return their names."""
    with watched_page(browser, viewport=SIZE, color_scheme=theme) as watched:
        page = watched.page
        page.goto(f"{stack.simulator.url}/")
        page.get_by_text("Your parcel is at the shop").first.wait_for()
        page.get_by_text("Failed", exact=True).nth(1).click()
        page.get_by_text("Its way through the flow").wait_for()
        page.wait_for_timeout(SETTLE)
        page.screenshot(path=folder / f"inbox-{theme}.png")
    return [f"inbox-{theme}.png"]
