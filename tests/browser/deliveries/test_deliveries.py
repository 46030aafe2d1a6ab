"""The page 'OMNI deliveries', in a browser, on an Airflow of 3.1 and below a path on one of 3.3."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Page, expect

from airflow_provider_omni.operators.delivery_link import TaskLink
from tests.browser.deliveries.airflow_pages import SECOND, AirflowPages, Viewer
from tests.browser.deliveries.dags.deliveries import SCRIPT
from tests.browser.deliveries.samples import (
    BARE,
    BATCH_SENT,
    BATCH_UNDELIVERED,
    BATCH_WAITING,
    FAILED,
    ONE_DELIVERED,
    ONE_SENT,
    ids,
    put,
)
from tests.unit.delivery.batch.batchworld import World
from tests.unit.delivery.batch.test_ledger_wait import wait

PAGE = "plugin/omni-deliveries"
SOON = 15 * SECOND
"""The page looks every five seconds while something is under way."""


ONCE = pytest.mark.parametrize("airflow", ["3.3"], indirect=True)
"""For what is the page's own, whatever Airflow it is on."""


# The list


def test_each_delivery_is_a_row_with_the_numbers_of_its_xcoms(airflow: AirflowPages, admin: Viewer) -> None:
    waiting = airflow.run("shop_newsletter", send=BATCH_SENT, wait=BATCH_WAITING)
    delivered = airflow.run("order_shipped", send=ONE_SENT, wait=ONE_DELIVERED)
    failed = airflow.run("payroll_secret", send=FAILED)
    bare = airflow.run("nasty", send=BARE)

    admin.open()

    numbers = ["1,941 of 2,000", "1,612 83 %", "73 + 14 refused", "256", "LINE 72 % · SMS 28 %", "41.884 EUR"]
    assert admin.cells(waiting) == ["Waiting", *numbers]
    assert admin.cells(delivered) == ["Delivered", "2", "2 100 %", "0", "0", "LINE 50 % · SMS 50 %", "0.10 EUR"]
    assert admin.cells(failed) == ["Send failed", "0 of 1", "–", "1", "–", "–", "–"]
    assert admin.cells(bare) == ["Sending", "–", "–", "–", "–", "–", "–"]


def test_a_send_and_its_wait_are_one_row_and_two_sends_of_one_run_are_two(airflow: AirflowPages, admin: Viewer) -> None:
    other = BATCH_WAITING | {"bulk_ids": ids("another", 4), "ledger_path": "/another"}
    together = airflow.run("shop_newsletter", send=BATCH_SENT, wait=BATCH_WAITING)
    apart = airflow.run("shop_newsletter", send=BATCH_SENT, wait=other)

    admin.open()

    expect(admin.row(together)).to_have_count(1)
    expect(admin.row(together)).to_contain_text("send → wait")
    expect(admin.row(apart)).to_have_count(2)


def test_a_send_is_told_from_one_whose_run_goes_on(airflow: AirflowPages, admin: Viewer) -> None:
    """Nobody executes these runs: one waits to be, the other is said to have ended."""
    open_run, ended = (airflow.run("order_shipped", send=ONE_SENT) for _ in range(2))
    path = f"/dags/order_shipped/dagRuns/{quote(ended, safe='')}"
    airflow.stack.api.call("PATCH", path, json={"state": "success"})

    admin.open()

    expect(admin.row(open_run)).to_contain_text("Sent, run goes on")
    assert admin.cells(ended)[0] == "Sent"


@ONCE
def test_the_newest_comes_first(airflow: AirflowPages, admin: Viewer) -> None:
    older = airflow.run("order_shipped", send=ONE_SENT | {"begun_at": "2026-01-02T00:00:00+00:00"})
    newer = airflow.run("order_shipped", send=ONE_SENT | {"begun_at": "2026-01-03T00:00:00+00:00"})

    admin.open()

    admin.row(older).wait_for()
    rows = admin.page.locator("tbody tr").all_inner_texts()
    place = {run: index for index, text in enumerate(rows) for run in (older, newer) if run in text}
    assert place[newer] < place[older]


def test_filters_and_search_show_what_they_name_and_nothing_else(airflow: AirflowPages, admin: Viewer) -> None:
    wanted = airflow.run("order_shipped", send=ONE_SENT | {"message_ids": ids("wanted", 2), "bulk_ids": ids("wb", 1)})
    reached = airflow.run("order_shipped", send=ONE_SENT, wait=ONE_DELIVERED)
    batch = airflow.run("shop_newsletter", send=BATCH_SENT, wait=BATCH_UNDELIVERED)
    admin.open()
    page = admin.page
    admin.row(batch).wait_for()

    page.get_by_label("DAG", exact=True).select_option("order_shipped")
    expect(admin.row(batch)).to_have_count(0)
    expect(admin.row(wanted)).to_have_count(1)

    page.get_by_label("State").select_option("delivered")
    expect(admin.row(wanted)).to_have_count(0)
    expect(admin.row(reached)).to_have_count(1)

    page.get_by_label("State").select_option("")
    page.get_by_label("Run", exact=True).select_option(wanted)
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_label("Run", exact=True).select_option("")
    page.get_by_label("DAG", exact=True).select_option("")

    page.get_by_label("Search").fill(ids("wanted", 2)[1])
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(admin.row(wanted)).to_have_count(1)
    page.get_by_label("Search").fill("nobody has this")
    expect(page.get_by_text("Nothing here matches the filters.")).to_be_visible()


def test_what_changes_shows_without_loading_the_page_again(airflow: AirflowPages, admin: Viewer) -> None:
    run_id = airflow.run("shop_newsletter", send=BATCH_SENT, wait=BATCH_WAITING)
    admin.open()
    expect(admin.row(run_id)).to_contain_text("1,612")
    admin.page.evaluate("window.here = true")

    airflow.change("shop_newsletter", run_id, wait=BATCH_UNDELIVERED)

    expect(admin.row(run_id)).to_contain_text("Undelivered", timeout=SOON)
    expect(admin.row(run_id)).to_contain_text("1,790")
    assert admin.page.evaluate("window.here")


# One delivery


def test_one_delivery_says_what_became_of_whom_and_why(airflow: AirflowPages, admin: Viewer) -> None:
    run_id = airflow.run("shop_newsletter", send=BATCH_SENT, wait=BATCH_UNDELIVERED)
    admin.open()
    admin.row(run_id).get_by_role("link").click()
    page = admin.page

    picture = page.get_by_role("img", name=re.compile("The way of the messages"))
    told = picture.get_attribute("aria-label") or ""
    for part in (
        "Requested: 2,000",
        "delivered by line: 1,270",
        "delivered by sms: 520",
        "failed: 151",
        "not sent: 59",
    ):
        assert part in told
    reasons = page.get_by_role("table", name="Reasons of failures, refusals and quarantine")
    expect(reasons.get_by_role("row", name=re.compile("absent subscriber.*may succeed later.*41"))).to_have_count(1)
    expect(reasons.get_by_role("row", name=re.compile("unknown subscriber.*would fail again.*24"))).to_have_count(1)
    expect(reasons.get_by_role("row", name=re.compile("Refused.*do-not-disturb.*REJECTED_DND.*9"))).to_have_count(1)
    expect(reasons.get_by_role("row", name=re.compile("Quarantined.*not a phone number.*21"))).to_have_count(1)
    expect(page.get_by_role("img", name=re.compile("Time to delivery.*≤ 1 s: 120"))).to_be_visible()
    expect(page.get_by_text('recipients=unreached("/var/omni/ledgers/newsletter"),')).to_be_visible()
    expect(page.get_by_text("95 % delivered")).to_be_visible()

    page.get_by_role("link", name="All deliveries").click()
    expect(admin.row(run_id)).to_have_count(1)
    page.go_back()
    expect(picture).to_be_visible()


@ONCE
def test_the_table_of_the_way_has_who_went_over_to_the_next_step(airflow: AirflowPages, admin: Viewer) -> None:
    run_id = airflow.run("shop_newsletter", send=BATCH_SENT, wait=BATCH_WAITING)
    admin.open_delivery("shop_newsletter", run_id, "wait")

    admin.page.get_by_text("The same as a table").click()

    table = admin.page.get_by_role("table", name="The way of the messages")
    rows = [" ".join(row.split()) for row in table.locator("tbody tr").all_inner_texts()]
    assert rows == ["LINE 1,941 1,164 641 0 136", "SMS 641 448 – 73 120"]


@ONCE
def test_a_wait_that_is_under_way_says_as_of_when_and_when_it_looks_next(airflow: AirflowPages, admin: Viewer) -> None:
    run_id = airflow.run("shop_newsletter", send=BATCH_SENT, wait=BATCH_WAITING)
    admin.open_delivery("shop_newsletter", run_id, "wait")
    expect(admin.page.get_by_text(re.compile(r"as of .* ago\) · next look .* · until "))).to_be_visible()
    expect(admin.page.get_by_role("heading", name="Send again")).to_have_count(0)


@ONCE
def test_the_failed_go_to_the_clipboard_by_their_ids(airflow: AirflowPages, admin: Viewer) -> None:
    run_id = airflow.run("shop_newsletter", send=BATCH_SENT, wait=BATCH_UNDELIVERED)
    admin.open_delivery("shop_newsletter", run_id, "wait")

    admin.page.get_by_role("button", name="Copy ids").click()

    expect(admin.page.get_by_role("button", name="Copied")).to_be_visible()
    assert admin.page.evaluate("navigator.clipboard.readText()").split() == BATCH_UNDELIVERED["failed_message_ids"]


def test_the_failed_are_a_csv_file_where_a_frame_may_download_and_in_the_clipboard_where_not(
    airflow: AirflowPages, admin: Viewer
) -> None:
    run_id = airflow.run("order_shipped", send=ONE_SENT, wait=BATCH_UNDELIVERED | {"bulk_ids": [], "ledger_path": None})
    admin.open_delivery("order_shipped", run_id, "wait", PAGE)

    if airflow.version == "3.1":
        admin.frame.get_by_role("button", name="Copy as CSV").click()
        expect(admin.frame.get_by_role("button", name="Copied")).to_be_visible()
        found = admin.page.evaluate("navigator.clipboard.readText()")
    else:
        with admin.page.expect_download() as download:
            admin.frame.get_by_role("button", name="Download CSV").click()
        assert download.value.suggested_filename.endswith("-failed.csv")
        found = Path(download.value.path()).read_text()
    rows = list(csv.DictReader(io.StringIO(found)))
    assert [row["message_id"] for row in rows] == BATCH_UNDELIVERED["failed_message_ids"]
    assert (rows[0]["channel"], rows[0]["error"]) == ("SMS", "EC_ABSENT_SUBSCRIBER")


# Where it is


def test_a_reload_shows_the_delivery_that_was_open_and_the_filters_that_were_set(
    airflow: AirflowPages, admin: Viewer
) -> None:
    """In Airflow's own address, which is the only one that a person sees; it can be handed on."""
    reached = airflow.run("order_shipped", send=ONE_SENT, wait=ONE_DELIVERED)
    airflow.run("shop_newsletter", send=BATCH_SENT, wait=BATCH_UNDELIVERED)
    admin.open(PAGE)
    frame, page = admin.frame, admin.page
    frame.get_by_label("State").select_option("delivered")
    frame.get_by_label("Search").fill(reached)
    expect(frame.locator("tbody tr")).to_have_count(1)
    page.wait_for_url(re.compile(r"[?&]state=delivered"))

    page.reload()

    expect(frame.locator("tbody tr")).to_have_count(1)
    expect(frame.get_by_label("State")).to_have_value("delivered")
    frame.locator("tbody a").click()
    expect(frame.get_by_role("heading", name="Facts")).to_be_visible()
    page.wait_for_url(re.compile(r"[?&]dag_id=order_shipped"))
    address = page.url

    page.reload()

    expect(frame.get_by_role("heading", name="Facts")).to_be_visible()
    frame.get_by_role("link", name="All deliveries").click()
    expect(frame.locator("tbody tr")).to_have_count(1)
    page.go_back()
    expect(frame.get_by_role("heading", name="Facts")).to_be_visible()

    page.goto("about:blank")
    page.goto(address)
    expect(frame.get_by_role("heading", name="Facts")).to_be_visible()


def test_a_task_instance_of_ours_has_a_link_to_its_delivery_which_has_one_to_the_dag(
    airflow: AirflowPages, admin: Viewer
) -> None:
    run_id = airflow.run("order_shipped", send=ONE_SENT, wait=ONE_DELIVERED)
    admin.open(f"dags/order_shipped/runs/{run_id.replace('+', '%2B')}/tasks/wait/details")
    link = admin.page.get_by_role("link", name="OMNI delivery")
    address = urlsplit(link.evaluate("link => link.href"))
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{admin.root}/{PAGE}"

    admin.page.goto(address.geturl())

    expect(admin.frame.get_by_role("heading", name="order_shipped")).to_be_visible()
    expect(admin.frame.get_by_text(run_id)).to_be_visible()

    admin.frame.get_by_role("link", name="order_shipped").click()

    admin.page.wait_for_url(re.compile(r"/dags/order_shipped\b"))
    admin.wrong = [one for one in admin.wrong if "/tries/" not in one]  # Airflow's own page: this task has never begun


def test_a_task_instance_of_a_class_of_the_users_own_has_the_link_that_its_task_has_left(
    airflow: AirflowPages, admin: Viewer
) -> None:
    run_id = airflow.run("own_class", send=ONE_SENT)
    link = TaskLink()
    address = link.get_link(
        None, ti_key=SimpleNamespace(dag_id="own_class", run_id=run_id, task_id="send", map_index=-1)
    )
    put(airflow.stack.api, "own_class", run_id, {"send": address}, link.xcom_key, is_new_run=False)

    admin.open(f"dags/own_class/runs/{run_id.replace('+', '%2B')}/tasks/send/details")

    shown = admin.page.get_by_role("link", name="OMNI delivery")
    assert shown.evaluate("link => link.href") == f"{admin.root}/{address}"
    admin.wrong = [one for one in admin.wrong if "/tries/" not in one]  # Airflow's own page: this task has never begun


def test_the_tab_of_a_task_shows_its_delivery_whatever_the_placeholders_look_like(
    airflow: AirflowPages, admin: Viewer
) -> None:
    """Airflow 3.1 writes a run's name into the address as it is, with the sign that stands for a blank elsewhere."""
    run_id = airflow.run("order_shipped", send=ONE_SENT, wait=ONE_DELIVERED)
    admin.open(f"dags/order_shipped/runs/{run_id.replace('+', '%2B')}/tasks/send/plugin/omni-delivery")
    expect(admin.frame.get_by_role("heading", name="order_shipped")).to_be_visible()
    expect(admin.frame.get_by_role("link", name="All deliveries")).to_have_count(0)


@ONCE
def test_a_task_without_a_report_says_so(airflow: AirflowPages, admin: Viewer) -> None:
    run_id = airflow.run("order_shipped", send=ONE_SENT)
    admin.open_delivery("order_shipped", run_id, "wait")
    expect(admin.page.get_by_text("This task has no report yet")).to_be_visible()


# Rows of a ledger


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The ledger of 50 people, 20 of whom were not reached."""
    world = World(tmp_path_factory.mktemp("world"))
    fates = ("00", "40", "41", "42", "43")
    people = [{"phone": f"4179{place:05d}{fates[place % 5]}", "order": f"order-{place}"} for place in range(50)]
    world.send(people, key_field="order")
    assert wait(world).summary["failed"] == 20
    return str(world.folder.path)


def test_who_was_not_reached_is_listed_by_the_users_own_key(airflow: AirflowPages, admin: Viewer, ledger: str) -> None:
    run_id = airflow.run("shop_newsletter", send=BATCH_SENT | {"ledger_path": ledger})
    admin.open_delivery("shop_newsletter", run_id, "send")

    admin.page.get_by_role("button", name="Read").click()

    table = admin.page.get_by_role("table", name="Recipients")
    expect(table.locator("tbody tr")).to_have_count(20)
    text = table.inner_text()
    assert "order-" in text
    assert re.search(r"4179\d{7}", admin.page.content()) is None


def test_a_ledger_that_the_api_server_does_not_reach_is_told_in_words(airflow: AirflowPages, admin: Viewer) -> None:
    run_id = airflow.run("shop_newsletter", send=BATCH_SENT | {"ledger_path": "/on/a/worker/only"})
    admin.open_delivery("shop_newsletter", run_id, "send")

    admin.page.get_by_role("button", name="Read").click()

    expect(admin.page.get_by_text("on a disk that API server and workers share")).to_be_visible()
    admin.wrong = [one for one in admin.wrong if "404" not in one]  # the browser's own line


# Who may see it


def test_a_viewer_sees_nothing_of_a_dag_that_is_not_theirs(airflow: AirflowPages, viewer: Viewer, ledger: str) -> None:
    secret = airflow.run("payroll_secret", send=FAILED | {"ledger_path": ledger, "message_ids": ids("secret", 1)})
    shown = airflow.run("order_shipped", send=ONE_SENT, wait=ONE_DELIVERED)

    viewer.open()
    viewer.row(shown).wait_for()
    assert secret not in viewer.page.content()
    assert "payroll_secret" not in viewer.page.content()

    viewer.open_delivery("payroll_secret", secret, "send")
    expect(viewer.page.get_by_role("alert")).to_contain_text("You may not read the XComs of this DAG.")
    assert "REJECTED_NOT_ENOUGH_CREDITS" not in viewer.page.content()

    where = {"dag_id": "payroll_secret", "run_id": secret, "task_id": "send", "only": "all"}
    answer = viewer.page.request.get(f"{viewer.root}/omni/ledger/rows", params=where)
    assert answer.status == 403
    assert "order-" not in answer.text()
    mixed = where | {"dag_id": "order_shipped"}
    assert viewer.page.request.get(f"{viewer.root}/omni/ledger/rows", params=mixed).status == 404
    viewer.wrong = [one for one in viewer.wrong if "403" not in one]  # the browser's own line


def test_without_a_session_there_are_files_and_no_data(airflow: AirflowPages, admin: Viewer) -> None:
    run_id = airflow.run("order_shipped", send=ONE_SENT)
    admin.page.context.clear_cookies()
    admin.open()
    expect(admin.page.get_by_role("alert")).to_contain_text("Your session has ended.")
    where = {"dag_id": "order_shipped", "run_id": run_id, "task_id": "send"}
    assert admin.page.request.get(f"{admin.root}/omni/ledger/rows", params=where).status == 401
    admin.wrong = [one for one in admin.wrong if "401" not in one]  # the browser's own line


# What others write stays text


def test_a_script_and_a_right_to_left_mark_in_names_and_xcoms_stay_text(airflow: AirflowPages, admin: Viewer) -> None:
    evil = "<img src=x onerror=\"document.title='taken over'\">"
    report = BARE | {
        "state": evil,
        "scenario_key": SCRIPT,
        "flow": [evil],
        "counts": {"requested": 3, "accepted": 1, "rejected": 1, "quarantined": 1},
        "refused": {evil: 1, "constructor": 1},
        "quarantined": {f"{SCRIPT}\u202eevil": 1},
        "ledger_path": f"/{SCRIPT}",
        "error": {"code": evil, "message": SCRIPT},
        "cost": {evil: "1.00"},
    }
    run_id = airflow.run("nasty", send=report)

    admin.open()
    row = admin.row(run_id)
    expect(row).to_contain_text(SCRIPT)
    row.get_by_role("link").click()
    expect(admin.page.get_by_text(SCRIPT).first).to_be_visible()
    expect(admin.page.get_by_text(evil).first).to_be_visible()

    # The mark turns its own value around and nothing beside it.
    assert admin.page.evaluate("[...document.querySelectorAll('bdi')].some(one => one.textContent.includes('\\u202e'))")
    assert admin.page.locator("#page img, #page script").count() == 0
    assert "taken over" not in admin.page.title()


@pytest.mark.parametrize(
    "value",
    ["text", 3, [1, 2], {"v": 2, "kind": 7, "state": "constructor", "counts": "many", "steps": [None, {"channel": 3}]}],
)
def test_an_xcom_of_another_shape_does_no_harm(airflow: AirflowPages, admin: Viewer, value: Any) -> None:
    run_id = airflow.run("order_shipped", send=value)
    admin.open()
    assert admin.cells(run_id)[1:] == ["–"] * 6
    admin.row(run_id).get_by_role("link").click()
    expect(admin.page.get_by_role("heading", name="order_shipped", exact=True)).to_be_visible()


# How it looks and feels

COLOURS = "getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color"

CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour, below) => {
    canvas.fillStyle = `rgb(${below.join(" ")})`; canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (found) => found.map((one) => one / 255)
    .map((one) => (one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((all, one, index) => all + one * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => {
    const all = [];
    for (let one = element; one; one = one.parentElement) all.unshift(getComputedStyle(one).backgroundColor);
    return all.reduce((below, colour) => rgb(colour, below), [255, 255, 255]);
  };
  const bad = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((one) => one.nodeType === 3 && one.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest(".unseen") || element.tagName === "OPTION") continue;
    const style = getComputedStyle(element);
    const ground = behind(element.closest("svg") ?? element);
    const [a, b] = [light(rgb(element.closest("svg") ? style.fill : style.color, ground)), light(ground)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push(`${element.outerHTML.slice(0, 80)}: ${ratio.toFixed(2)}`);
  }
  return bad;
}"""


def test_it_follows_the_theme_of_the_page_around_it_and_can_be_read_in_both(
    airflow: AirflowPages, admin: Viewer
) -> None:
    run_id = airflow.run("shop_newsletter", send=BATCH_SENT, wait=BATCH_UNDELIVERED)
    admin.open_delivery("shop_newsletter", run_id, "wait", PAGE)
    expect(admin.frame.get_by_role("heading", name="Why not")).to_be_visible()
    body = admin.frame.locator("body")
    found = {}
    for theme, other in (("dark", "light"), ("light", "dark")):
        # What Airflow's own switch does.
        admin.page.evaluate(f"document.documentElement.classList.replace('{other}', '{theme}')")
        expect(admin.frame.locator("html")).to_have_attribute("data-theme", theme)
        found[theme] = body.evaluate(f"() => {COLOURS}")
        assert body.evaluate(CONTRASTS) == []
    assert found["dark"] != found["light"]
    outside = admin.page.evaluate(
        "getComputedStyle(document.documentElement).getPropertyValue('--chakra-colors-bg').trim()"
    )
    inside = admin.frame.locator("html").evaluate("one => getComputedStyle(one).getPropertyValue('--bg').trim()")
    assert inside == outside


@ONCE
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_list_can_be_read_in_both_themes(airflow: AirflowPages, admin: Viewer, theme: Any) -> None:
    run_id = airflow.run("shop_newsletter", send=BATCH_SENT, wait=BATCH_WAITING)
    admin.page.emulate_media(color_scheme=theme)
    admin.open()
    admin.row(run_id).wait_for()
    expect(admin.page.locator("html")).to_have_attribute("data-theme", theme)
    assert admin.page.evaluate(CONTRASTS) == []


@ONCE
def test_the_keyboard_reaches_everything_and_shows_where_it_is(airflow: AirflowPages, admin: Viewer) -> None:
    run_id = airflow.run("order_shipped", send=ONE_SENT, wait=ONE_DELIVERED)
    admin.open()
    admin.row(run_id).wait_for()
    page = admin.page
    page.get_by_label("Search").fill(run_id)
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_label("Search").focus()
    for name in ("dag", "run", "state", "span"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == name
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="order_shipped")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "page"


@ONCE
def test_the_focus_stays_where_it_is_when_news_come(airflow: AirflowPages, admin: Viewer) -> None:
    run_id = airflow.run("shop_newsletter", send=BATCH_SENT, wait=BATCH_WAITING)
    admin.open()
    admin.row(run_id).get_by_role("link").focus()

    airflow.change("shop_newsletter", run_id, wait=BATCH_UNDELIVERED)

    expect(admin.row(run_id)).to_contain_text("Undelivered", timeout=SOON)
    assert run_id in admin.page.evaluate("document.activeElement.textContent")


def small(page: Page) -> list[str]:
    """Controls that are lower than 44 pixels, but for links inside of a text or a table."""
    return page.evaluate(
        "[...document.querySelectorAll('button, select, input, summary, .row-link, .back')]"
        ".filter(one => one.checkVisibility() && (one.closest('label') ?? one).getBoundingClientRect().height < 44)"
        ".map(one => one.outerHTML.slice(0, 120))"
    )


def nameless(page: Page) -> list[str]:
    """Controls and tables that a screen reader has no name for."""
    return page.evaluate(
        "[...document.querySelectorAll('button, select, input, a, table, svg')].filter(one => one.checkVisibility())"
        ".filter(one => !(one.textContent.trim() || one.labels?.[0]?.textContent.trim() || one.ariaLabel"
        " || one.ariaHidden === 'true'))"
        ".map(one => one.outerHTML.slice(0, 120))"
    )


@ONCE
def test_what_can_be_touched_is_large_and_has_a_name(airflow: AirflowPages, admin: Viewer) -> None:
    run_id = airflow.run("shop_newsletter", send=BATCH_SENT, wait=BATCH_UNDELIVERED)
    admin.open()
    admin.row(run_id).wait_for()
    assert (small(admin.page), nameless(admin.page)) == ([], [])
    expect(admin.page.get_by_role("status")).to_contain_text("shown")
    admin.row(run_id).get_by_role("link").click()
    admin.page.get_by_role("heading", name="Why not").wait_for()
    assert (small(admin.page), nameless(admin.page)) == ([], [])


@ONCE
@pytest.mark.parametrize("width", [1280, 900, 420])
def test_nothing_is_wider_than_the_page(airflow: AirflowPages, admin: Viewer, width: int) -> None:
    run_id = airflow.run("shop_newsletter", send=BATCH_SENT, wait=BATCH_UNDELIVERED)
    admin.page.set_viewport_size({"width": width, "height": 800})
    for open_page in (admin.open, lambda: admin.open_delivery("shop_newsletter", run_id, "wait")):
        open_page()
        admin.page.locator("tbody tr:visible").first.wait_for()
        wide = admin.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0


@ONCE
def test_the_page_is_small_and_asks_for_few_files(airflow: AirflowPages, admin: Viewer) -> None:
    sizes: dict[str, int] = {}
    admin.page.on(
        "response", lambda answer: sizes.update({answer.url: len(answer.body())}) if "/omni/" in answer.url else None
    )
    airflow.run("order_shipped", send=ONE_SENT)
    admin.open()
    admin.page.locator("tbody tr").first.wait_for()
    assert len(sizes) <= 14
    assert sum(sizes.values()) < 100_000


def test_older_ones_are_there_for_who_asks_and_their_dags_can_be_chosen(airflow: AirflowPages, admin: Viewer) -> None:
    """The last test: its hundred runs would be in the way of the others."""
    oldest = airflow.run("payroll_secret", send=FAILED)
    for _ in range(100):
        airflow.run("order_shipped", send=ONE_SENT)
    admin.open()
    page = admin.page
    expect(page.locator("tbody tr")).to_have_count(100)
    expect(admin.row(oldest)).to_have_count(0)

    page.get_by_label("DAG", exact=True).select_option("payroll_secret")
    expect(admin.row(oldest)).to_have_count(1)
    page.get_by_label("DAG", exact=True).select_option("")
    expect(admin.row(oldest)).to_have_count(0)

    page.get_by_role("button", name="Show older").click()
    expect(admin.row(oldest)).to_have_count(1)
