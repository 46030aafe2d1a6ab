"""The simulator's inbox in a real browser: what is on the screen is what the simulator knows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_omni.simulator import demo
from airflow_provider_omni.simulator.access import ControlAccess
from airflow_provider_omni.simulator.accounts import Accounts
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.running import RunningSimulator, serving
from airflow_provider_omni.simulator.server import build_app
from tests.harness.browser import watched_page

OpenInbox = Callable[..., Page]
WORDS = {
    "pending": "Under way",
    "operator": "Operator",
    "delivered": "Delivered",
    "failed": "Failed",
    "refused": "Refused",
    "scheduled": "Scheduled",
}
DARK_AND_LIGHT = pytest.mark.parametrize("theme", ["light", "dark"])


def send(simulator: RunningSimulator, *numbers: str, key: str | None = None, **members: Any) -> None:
    body = {
        "scenarioKey": key or simulator.add_scenario(),
        "destinations": [{"to": {"phoneNumber": one}} for one in numbers],
        "line": {"type": "TEXT", "text": "Hello by LINE"},
        "sms": {"text": "Hello by SMS"},
        **members,
    }
    login = (simulator.login, simulator.password)
    requests.post(f"{simulator.url}/omni/1/advanced", json=body, auth=login, timeout=10).raise_for_status()


def rows(page: Page) -> list[tuple[str, str, str]]:
    """Recipient, text and state of every row, as they are on the screen."""
    return [
        (
            row.locator(".who").inner_text().lstrip("+"),
            row.locator(".text bdi").text_content() or "",
            row.locator(".side span").inner_text(),
        )
        for row in page.locator(".row").all()
    ]


def test_the_list_is_what_the_simulator_knows(open_inbox: OpenInbox, omni_simulator: RunningSimulator) -> None:
    demo.fill(omni_simulator.simulator)
    omni_simulator.advance(10)

    page = open_inbox()

    expect(page.locator(".row")).to_have_count(len(omni_simulator.messages))
    assert [(to, state) for to, _, state in rows(page)] == [
        (message.to, WORDS[message.state]) for message in reversed(omni_simulator.messages.find())
    ]
    tabs = {tab.get_attribute("data-state"): tab.locator(".n").inner_text() for tab in page.locator(".state-tab").all()}
    with omni_simulator.simulator.looking() as account:
        counts = account.index.counts(omni_simulator.simulator.clock.now())
    assert {state: int(count) for state, count in tabs.items() if state} == {s: n for s, n in counts.items() if n}


def test_messages_show_up_as_they_arrive(open_inbox: OpenInbox, omni_simulator: RunningSimulator) -> None:
    omni_simulator.configure(beat_seconds=3600)
    page = open_inbox()
    expect(page.get_by_role("heading", name="Nothing was sent yet")).to_be_visible()

    send(omni_simulator, "41793026727")
    expect(page.locator(".row .side span")).to_have_text("Under way")

    omni_simulator.advance(3601)
    expect(page.locator(".row .side span")).to_have_text("Delivered")


def test_a_message_is_told_in_full(open_inbox: OpenInbox, omni_simulator: RunningSimulator) -> None:
    omni_simulator.configure(reports="per-step")
    send(omni_simulator, "41793026740", bulkId="bulk-7", callbackData="order 7")
    omni_simulator.advance(5)
    requests.get(f"{omni_simulator.url}/omni/1/reports", auth=("demo", "demo-password"), timeout=10)
    page = open_inbox()

    page.locator(".row").click()

    expect(page.get_by_role("region", name="LINE: Rejected").locator(".bubble")).to_have_text("Hello by LINE")
    expect(page.get_by_role("region", name="SMS: Delivered").locator(".bubble")).to_have_text("Hello by SMS")
    assert page.locator(".way .what").all_inner_texts() == [
        "Accepted",
        "Sent by LINE",
        "LINE failed",
        "Sent by SMS",
        "SMS delivered",
    ]
    expect(page.locator(".way")).to_contain_text("UNDELIVERABLE_REJECTED_PLATFORM, EC_UNKNOWN_USER")
    for title in ("Reports", "Logs", "Request"):
        page.locator("summary", has_text=re.compile(f"^{title}")).click()
    (logs,) = [
        details for details in page.locator("details").all() if "Logs" in details.locator("summary").inner_text()
    ]
    assert [row.locator("td").first.inner_text() for row in logs.locator("tbody tr").all()] == ["SMS", "LINE"]
    expect(page.get_by_role("columnheader", name="Price")).to_be_visible()
    assert page.locator("td:text-is('read')").count() == 2
    expect(page.locator("details", has_text="POST /omni/1/advanced")).to_contain_text('"callbackData": "order 7"')
    assert "authorization" not in page.content().lower()


LINE_TYPES = [
    ({"type": "IMAGE", "url": "https://media.example/a.jpg", "thumbnailUrl": "https://media.example/s.jpg"}, "a.jpg"),
    ({"type": "VIDEO", "url": "https://media.example/a.mp4", "thumbnailUrl": "https://media.example/s.jpg"}, "a.mp4"),
    ({"type": "AUDIO", "url": "https://media.example/a.m4a", "duration": 83_000}, "Audio, 1:23"),
    ({"type": "STICKER", "packageId": "11537", "stickerId": "52002734"}, "Sticker 52002734"),
    (
        {
            "type": "FLEX",
            "altText": "Ready",
            "contents": {
                "type": "bubble",
                "hero": {"type": "image", "url": "https://media.example/hero.jpg"},
                "body": {
                    "type": "box",
                    "layout": "vertical",
                    "contents": [{"type": "text", "text": "Order 1042"}, {"type": "hologram"}],
                },
                "footer": {"type": "button", "action": {"type": "uri", "label": "Open", "uri": "javascript:alert(1)"}},
            },
        },
        "Order 1042",
    ),
]


@pytest.mark.parametrize(
    ("content", "shown"), LINE_TYPES, ids=lambda part: part["type"] if isinstance(part, dict) else ""
)
def test_every_type_of_line_message_is_drawn_and_nothing_is_fetched(
    open_inbox: OpenInbox, omni_simulator: RunningSimulator, content: dict[str, Any], shown: str
) -> None:
    send(omni_simulator, "41793026727", line=content)
    page = open_inbox()

    page.locator(".row").click()

    expect(page.get_by_role("region", name=re.compile("^LINE")).locator(".chat")).to_contain_text(shown)
    assert page.locator("#detail a, #detail img, #detail video, #detail audio").count() == 0


def test_an_sms_comes_in_its_parts(open_inbox: OpenInbox, omni_simulator: RunningSimulator) -> None:
    text = "Grüezi, das ist eine lange Nachricht. " * 6
    send(omni_simulator, "41793026740", sms={"text": text})
    page = open_inbox()

    page.locator(".row").click()

    chat = page.get_by_role("region", name=re.compile("^SMS")).locator(".chat")
    expect(chat).to_contain_text("GSM-7 · 228 characters · 2 SMS")
    assert "".join(bubble.text_content() or "" for bubble in chat.locator(".bubble").all()) == text


HOSTILE = [
    "<script>window.hit = 1</script>",
    '<img src=x onerror="window.hit = 1">',
    "\u202edetrevni\u202c and \u200fright\u200e",
    "</pre></details><h1 id=broken>x</h1>",
    "{{7*7}} ${7*7} %00 \x07",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_stays_a_text(open_inbox: OpenInbox, omni_simulator: RunningSimulator, text: str) -> None:
    key = omni_simulator.add_scenario([{"channel": "LINE", "from": text}, {"channel": "SMS"}], name=text)
    flex = {
        "type": "bubble",
        "body": {"type": "box", "contents": [{"type": "text", "text": text, "color": "#fff;x:url(//e)"}]},
    }
    send(omni_simulator, "41793026731", key=key, callbackData=text)
    send(omni_simulator, "41793026727", key=key, line={"type": "TEXT", "text": text}, sms={"text": text}, bulkId=text)
    send(omni_simulator, "41793026732", key=key, line={"type": "FLEX", "altText": text, "contents": flex})
    omni_simulator.advance(10)
    page = open_inbox()
    expect(page.locator(".row .side .tone-delivered")).to_have_count(3)

    row = page.locator('[data-number="2"]')
    assert row.locator(".text bdi").text_content() == text
    assert row.locator(".side").bounding_box()["x"] == page.locator('[data-number="1"] .side').bounding_box()["x"]
    for number in (1, 2, 3):
        page.locator(f'[data-number="{number}"]').click()
        expect(page.locator("article")).to_be_visible()
    page.locator('[data-number="2"]').click()
    expect(page.locator("#who")).to_have_text("+41793026727")
    assert page.locator(".phone .bubble").first.text_content() == text
    page.locator("summary", has_text="Request").click()

    assert page.evaluate("window.hit") is None
    assert page.locator("#broken").count() == 0


def test_filters_show_what_they_say(open_inbox: OpenInbox, omni_simulator: RunningSimulator) -> None:
    orders, codes = omni_simulator.add_scenario(name="Orders"), omni_simulator.add_scenario(name="Codes")
    send(omni_simulator, "41793026727", "41793026740", "41793026710", key=orders, bulkId="bulk-a")
    send(omni_simulator, "41793026727", key=codes, line={"type": "TEXT", "text": "4711 is your code"})
    omni_simulator.advance(10)
    page = open_inbox()

    def listed() -> int:
        return page.locator(".row").count()

    expect(page.locator(".row")).to_have_count(4)
    page.get_by_label("Search messages").fill("4711")
    expect(page.locator(".row")).to_have_count(1)
    page.get_by_label("Search messages").fill("")
    expect(page.locator(".row")).to_have_count(4)
    page.get_by_label("Scenario").select_option(codes)
    expect(page.locator(".row")).to_have_count(1)
    page.get_by_label("Scenario").select_option("")
    page.locator('.state-tab[data-state="refused"]').click()
    expect(page.locator(".row")).to_have_count(1)
    page.locator('.state-tab[data-state=""]').click()
    expect(page.locator(".row")).to_have_count(4)
    page.locator('[data-number="1"]').click()
    page.get_by_role("button", name="Show it with 2 others").click()
    expect(page.locator(".row")).to_have_count(3)
    page.get_by_role("button", name=re.compile("^Bulk bulk-a")).click()
    expect(page.locator(".row")).to_have_count(4)
    page.get_by_role("button", name="Show all to this person").click()
    expect(page.locator(".row")).to_have_count(2)
    assert listed() == 2
    page.reload()
    expect(page.locator(".row")).to_have_count(2)


def test_a_search_that_cannot_be_meant_says_so(browser: Browser, omni_simulator: RunningSimulator) -> None:
    send(omni_simulator, "41793026727")
    with watched_page(browser) as watched:  # a browser notes every 400 on its console
        page = watched.page
        page.goto(f"{omni_simulator.url}/?query=state:lost")
        expect(page.get_by_role("alert")).to_contain_text("state: got lost")

        page.get_by_label("Search messages").fill("state:pending,delivered")

        expect(page.get_by_role("alert")).to_have_count(0)
        expect(page.locator(".row")).to_have_count(1)


def test_a_fate_is_decided_on_the_page(open_inbox: OpenInbox, omni_simulator: RunningSimulator) -> None:
    send(omni_simulator, "41793026744")
    page = open_inbox()
    page.locator(".row").click()

    page.get_by_role("button", name="Failed", exact=True).click()

    expect(page.locator(".verdict")).to_have_text("Delivered")
    (message,) = omni_simulator.messages.find()
    assert (message.state, message.channel) == ("delivered", "SMS")


def test_time_moves_to_the_next_change(open_inbox: OpenInbox, omni_simulator: RunningSimulator) -> None:
    send(omni_simulator, "41793026745", line={"type": "TEXT", "text": "x", "validityPeriod": 60})
    before = omni_simulator.simulator.clock.now()
    page = open_inbox()
    page.locator(".row").click()

    page.get_by_role("button", name="Advance to its next change").click()

    expect(page.locator("#toast")).to_have_text("Time has moved ahead")
    expect(page.locator(".way")).to_contain_text("LINE expired")
    assert 3590 < omni_simulator.simulator.clock.now() - before < 3700
    assert omni_simulator.messages.find()[0].channel == "SMS"


def test_controls_set_time_faults_and_fates(open_inbox: OpenInbox, omni_simulator: RunningSimulator) -> None:
    before = omni_simulator.simulator.clock.now()
    page = open_inbox()

    page.get_by_role("button", name="Faults").click()
    page.get_by_label("Kind").select_option("reset-after")
    page.get_by_label("Call").select_option("send")
    page.get_by_label("Times").fill("forever")
    page.get_by_role("button", name="Add fault").click()
    expect(page.locator(".planned li")).to_have_text("reset-after on send, for ever, 0 struck")
    (armed,) = omni_simulator.faults.planned()
    assert (armed.fault.kind, armed.fault.call, armed.left) == ("reset-after", "send", None)
    page.get_by_role("button", name="Clear all").click()
    expect(page.locator(".planned li")).to_have_count(0)
    assert omni_simulator.faults.planned() == []

    page.get_by_role("button", name="Time and fates").click()
    page.get_by_role("button", name="+ 24 h").click()
    expect(page.locator("#toast")).to_contain_text("24 h")
    assert omni_simulator.simulator.clock.now() - before > 86_000

    page.get_by_label("By hand").check()
    expect(page.locator("#toast")).to_have_text("New messages wait for your decision")
    assert omni_simulator.simulator.settings.fates == "by-hand"


@pytest.mark.parametrize(("button", "head"), [("Faults", "Plan a fault"), ("Simulated time", "Time")])
@pytest.mark.parametrize("height", [800, 600])
def test_controls_open_at_the_top_of_what_was_asked_for(
    open_inbox: OpenInbox, omni_simulator: RunningSimulator, button: str, head: str, height: int
) -> None:
    page = open_inbox(viewport={"width": 1280, "height": height})
    page.get_by_role("button", name=button).click()

    heading = page.locator("#controls").get_by_role("heading", name=head, exact=True)
    expect(heading).to_be_in_viewport()
    scrolled = "document.getElementById('controls-body').scrollTop"
    assert page.evaluate(scrolled) == 0
    if height == 800:
        assert page.evaluate("(b => b.scrollHeight <= b.clientHeight)(document.getElementById('controls-body'))")


def test_what_is_planned_comes_below_the_form_and_moves_nothing(
    open_inbox: OpenInbox, omni_simulator: RunningSimulator
) -> None:
    page = open_inbox()
    page.get_by_role("button", name="Faults").click()
    button = page.get_by_role("button", name="Add fault")
    before = button.bounding_box()
    button.click()
    button.click()
    expect(page.locator(".planned li")).to_have_count(2)
    assert button.bounding_box() == before


def test_held_answers_are_released(open_inbox: OpenInbox, omni_simulator: RunningSimulator) -> None:
    omni_simulator.faults.add("hold-after", call="logs")
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{omni_simulator.url}/omni/1/logs", auth=("demo", "demo-password"), timeout=0.3)
    page = open_inbox()

    page.get_by_role("button", name="Faults").click()
    page.get_by_role("button", name="Release").click()

    expect(page.locator("#held-section")).to_be_hidden()
    assert omni_simulator.simulator.held == []


def test_deleting_asks_first(open_inbox: OpenInbox, omni_simulator: RunningSimulator) -> None:
    send(omni_simulator, "41793026727", "41793026710")
    page = open_inbox()
    page.locator('.state-tab[data-state="refused"]').click()
    expect(page.locator(".row")).to_have_count(1)

    page.get_by_role("button", name="Delete these…").click()
    page.get_by_role("button", name="Cancel").click()
    assert len(omni_simulator.messages) == 2
    page.get_by_role("button", name="Delete these…").click()
    page.get_by_role("button", name="Delete", exact=True).click()

    expect(page.get_by_role("heading", name="No message matches")).to_be_visible()
    assert [message.to for message in omni_simulator.messages] == ["41793026727"]


def test_accounts_are_chosen(open_inbox: OpenInbox, omni_simulator: RunningSimulator) -> None:
    send(omni_simulator, "41793026727")
    send(omni_simulator.add_account("ann"), "41793026731", "41793026732")
    page = open_inbox()
    expect(page.locator(".row")).to_have_count(1)

    page.get_by_label("Account").select_option("ann")

    expect(page.locator(".row")).to_have_count(2)
    assert {to for to, _, _ in rows(page)} == {"41793026731", "41793026732"}


def test_it_is_used_from_the_keyboard(open_inbox: OpenInbox, omni_simulator: RunningSimulator) -> None:
    send(omni_simulator, "41793026727", "41793026731", "41793026740")
    page = open_inbox()
    expect(page.locator(".row")).to_have_count(3)

    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.number") == "2"
    page.keyboard.press("Enter")
    expect(page.locator("#who")).to_have_text("+41793026731")
    page.keyboard.press("Escape")
    expect(page.locator("article")).to_have_count(0)
    assert page.evaluate("document.activeElement.dataset.number") == "2"


def test_arrows_go_through_the_list_without_a_click_into_it(
    open_inbox: OpenInbox, omni_simulator: RunningSimulator
) -> None:
    send(omni_simulator, "41793026727", "41793026731")
    page = open_inbox()
    expect(page.locator(".row")).to_have_count(2)
    assert page.evaluate("document.activeElement === document.body")
    for key, number in (("ArrowDown", "2"), ("ArrowDown", "1"), ("ArrowUp", "2")):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.dataset.number") == number
    page.keyboard.press("Enter")
    page.locator("#detail").focus()
    page.keyboard.press("ArrowDown")  # which scrolls the message
    assert page.evaluate("document.activeElement.id") == "detail"


def test_escape_leaves_the_search_as_it_is(open_inbox: OpenInbox, omni_simulator: RunningSimulator) -> None:
    send(omni_simulator, "41793026727", "41793026731")
    page = open_inbox()
    page.get_by_label("Search messages").fill("to:731")
    expect(page.locator(".row")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.number") == "2"
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator(".row")).to_have_count(1)
    assert page.get_by_label("Search messages").input_value() == "to:731"


def test_tabs_count_what_is_searched_for(open_inbox: OpenInbox, omni_simulator: RunningSimulator) -> None:
    demo.fill(omni_simulator.simulator)
    page = open_inbox()
    expect(page.locator(".row").first).to_be_visible()
    page.get_by_label("Search messages").fill("parcel")
    expect(page.locator("#range")).not_to_contain_text(f"of {len(omni_simulator.messages)}")

    tabs = {tab.get_attribute("data-state"): tab.locator(".n").inner_text() for tab in page.locator(".state-tab").all()}
    found = omni_simulator.messages.find(query="parcel")
    assert tabs.pop("") == str(len(found))
    counts = Counter(message.state for message in found)
    assert {state: int(count) for state, count in tabs.items() if int(count)} == counts

    page.locator('.state-tab[data-state="failed"]').click()
    expect(page.locator('.state-tab[data-state="delivered"] .n')).to_have_text(str(counts["delivered"]))
    omni_simulator.advance(1)  # news, which know nothing of the search
    expect(page.locator('.state-tab[data-state="delivered"] .n')).to_have_text(str(counts["delivered"]))


def test_everything_has_a_name(open_inbox: OpenInbox, omni_simulator: RunningSimulator) -> None:
    demo.fill(omni_simulator.simulator)
    page = open_inbox()
    page.locator(".row").first.click()
    expect(page.locator("article")).to_be_visible()
    page.get_by_role("button", name="Faults").click()
    expect(page.locator("#fault-parameters input").first).to_be_visible()

    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, a, input, select, summary, section")].filter((one) => {
            if (!one.checkVisibility()) return false;
            const label = one.labels?.[0]?.textContent ?? "";
            const by = one.getAttribute("aria-labelledby");
            const own = one.matches("button, a, summary") ? one.textContent : "";
            const words = one.getAttribute("aria-label") || document.getElementById(by)?.textContent || label || own;
            return !words.trim();
        }).map((one) => one.outerHTML.slice(0, 120))"""
    )
    assert nameless == []


NARROW, WIDE = {"width": 390, "height": 760}, {"width": 1360, "height": 860}


@DARK_AND_LIGHT
@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
def test_nothing_is_cut_off_or_too_small(
    open_inbox: OpenInbox, omni_simulator: RunningSimulator, theme: str, size: dict[str, int]
) -> None:
    demo.fill(omni_simulator.simulator)
    omni_simulator.add_account("an-account-with-a-rather-long-name")
    page = open_inbox(color_scheme=theme, viewport=size)
    expect(page.get_by_label("Account")).to_be_visible()
    expect(page.locator(".row").first).to_be_visible()

    for number in ("", *(message.number for message in omni_simulator.messages)):
        page.evaluate("(number) => { location.hash = number ? `#${number}` : '' }", number)
        expect(page.locator("article" if number else ".nothing")).to_have_count(1)
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        detail = page.evaluate(
            "(() => { const d = document.getElementById('detail'); return d.scrollWidth - d.clientWidth })()"
        )
        assert (number, wider, detail) == (number, 0, 0)
    small = page.evaluate(
        """() => [...document.querySelectorAll("button:not(.link), select, input, summary, .row")]
            .filter((one) => one.offsetParent && !one.closest("dialog"))
            .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
            .filter(([, box]) => box.height < 43.5 || (box.width < 43.5 && box.width > 0)).map(([html]) => html)"""
    )
    assert small == []


CONTRAST = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const parse = (value) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = value;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
    const ground = (one) => {
        const layers = [];
        for (let at = one; at; at = at.parentElement) {
            const colour = parse(getComputedStyle(at).backgroundColor);
            if (colour[3] > 0) layers.unshift(colour);
            if (colour[3] === 1) break;
        }
        return layers.reduce((under, top) => over(top, under), [255, 255, 255, 1]);
    };
    const linear = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const poor = new Set();
    for (const one of document.querySelectorAll("body *")) {
        const words = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!words || !one.checkVisibility() || one.disabled || one.closest("[data-reached=no] .chat, .sr")) continue;
        const under = ground(one);
        const [a, b] = [light(under), light(over(parse(getComputedStyle(one).color), under))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) poor.add(`${ratio.toFixed(2)} ${one.outerHTML.slice(0, 100)}`);
    }
    return [...poor];
}"""


@DARK_AND_LIGHT
def test_everything_can_be_read(open_inbox: OpenInbox, omni_simulator: RunningSimulator, theme: str) -> None:
    demo.fill(omni_simulator.simulator)
    page = open_inbox(color_scheme=theme, viewport=WIDE)
    expect(page.locator(".row").first).to_be_visible()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 18, 22)"
    assert dark is (theme == "dark")

    for number in [message.number for message in omni_simulator.messages][-12:]:
        page.evaluate("(number) => { location.hash = `#${number}` }", number)
        expect(page.locator(f'.row[data-number="{number}"][aria-current="true"]')).to_have_count(1)
        expect(page.locator("article")).to_be_visible()
        assert page.evaluate(CONTRAST) == []


def test_the_theme_button_overrules_the_system(open_inbox: OpenInbox) -> None:
    page = open_inbox(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(244, 245, 248)"

    page.get_by_role("button", name="Theme: auto").click()
    page.get_by_role("button", name="Theme: light").click()
    assert page.evaluate(ground) == "rgb(15, 18, 22)"
    page.reload()
    assert page.evaluate(ground) == "rgb(15, 18, 22)"


class _Below:
    """Serves an application below a path, as a proxy does that takes the path away."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["path"].startswith(f"{self._path}/"), f"a request outside of the path: {scope['path']}"
        raw = scope["raw_path"].removeprefix(self._path.encode())
        await self._app({**scope, "path": scope["path"].removeprefix(self._path), "raw_path": raw}, receive, send)


def test_it_works_below_a_path(open_inbox: OpenInbox) -> None:
    simulator = Simulator()
    demo.fill(simulator)
    app = _Below(build_app(Accounts(simulator), ControlAccess()), "/tools/omni")
    with serving(app) as port:
        page = open_inbox(url=f"http://127.0.0.1:{port}/tools/omni")
        expect(page.locator(".row")).to_have_count(len(simulator.messages))
        page.locator(".row").first.click()
        expect(page.locator("article")).to_be_visible()
        page.goto("about:blank")


def test_the_page_is_small(open_inbox: OpenInbox) -> None:
    page = open_inbox()

    entries = page.evaluate("performance.getEntriesByType('resource').map((one) => [one.name, one.decodedBodySize])")
    loaded = [size for name, size in entries if "/pages/" in name]

    assert len(loaded) <= 5
    assert sum(loaded) < 100_000


def test_a_hundred_thousand_messages(open_inbox: OpenInbox, omni_simulator: RunningSimulator) -> None:
    key = omni_simulator.add_scenario()
    for bulk in range(100):
        numbers = [f"4179{bulk:03d}{place:04d}" for place in range(1000)]
        send(omni_simulator, *numbers, key=key, bulkId=f"bulk-{bulk}")
    page = open_inbox()
    expect(page.locator("#range")).to_have_text("1–50 of 100,000")

    page.get_by_role("button", name="Older").click()
    expect(page.locator("#range")).to_have_text("51–100 of 100,000")
    page.get_by_label("Search messages").fill("to:0420815")
    expect(page.locator("#range")).to_have_text("1–1 of 1")
    assert page.locator(".row").count() <= 50
    assert page.evaluate("document.querySelectorAll('*').length") < 3000
