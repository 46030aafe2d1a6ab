"""`--demo`: an account with something to look at: every type of content and every end, over the last two hours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_provider_omni.simulator.clock import Clock, ManualClock
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.wire import WireRequest

PICTURES = "https://media.example/omni"
TWO_HOURS = 7200.0
NAMES = (
    "Aoi",
    "Ben",
    "Chloé",
    "Daichi",
    "Eva",
    "Farid",
    "Greta",
    "Haruka",
    "Ivan",
    "Jun",
    "Kaya",
    "Lea",
    "Mina",
    "Nils",
)


@dataclass(frozen=True)
class _Sent:
    """A request of the demo: so many seconds ago, to these numbers."""

    ago: float
    scenario: str
    to: tuple[str, ...]
    contents: Mapping[str, Any]
    members: Mapping[str, Any]


def fill(simulator: Simulator) -> None:
    """Send the demo's messages, as if it had begun two hours ago."""
    clock: Clock = simulator.clock
    now = clock.now()
    past = ManualClock(now - TWO_HOURS)
    simulator.clock = past
    try:
        keys = {
            "orders": simulator.add_scenario(name="Order updates"),
            "reminders": simulator.add_scenario(name="Appointments"),
            "codes": simulator.add_scenario([{"channel": "SMS", "from": "InfoSMS"}], name="Codes by SMS"),
        }
        for sent in sorted(_requests(now), key=lambda sent: -sent.ago):
            past.advance(max(0.0, now - sent.ago - past.now()))
            simulator.handle(_request(simulator, keys[sent.scenario], sent))
            if sent.ago > 60:
                _read(simulator, "reports" if sent.ago > 600 else "logs")
    finally:
        simulator.clock = clock


def _request(simulator: Simulator, key: str, sent: _Sent) -> WireRequest:
    body = {
        "scenarioKey": key,
        "bulkId": f"demo-{sent.scenario}-{int(sent.ago)}",
        "destinations": [
            {"to": {"phoneNumber": number}, "messageId": f"demo-{int(sent.ago)}-{place}"}
            for place, number in enumerate(sent.to, 1)
        ],
        **sent.contents,
        **sent.members,
    }
    headers = {
        "authorization": f"App {simulator.settings.app_key}",
        "content-type": "application/json",
        "user-agent": "omni-demo",
    }
    return WireRequest("POST", "/omni/1/advanced", "", headers, json.dumps(body, ensure_ascii=False).encode())


def _read(simulator: Simulator, what: str) -> None:
    headers = {"authorization": f"App {simulator.settings.app_key}"}
    simulator.handle(WireRequest("GET", f"/omni/1/{what}", "limit=1000", headers))


def _line(text: str, minutes: int = 10) -> dict[str, Any]:
    return {"type": "TEXT", "text": text, "validityPeriod": minutes}


def _sms(text: str, minutes: int = 60) -> dict[str, Any]:
    return {"text": text, "validityPeriod": minutes}


def _requests(now: float) -> list[_Sent]:
    people = {name: f"4179{3_020_000 + 461_300 * place}" for place, name in enumerate(NAMES)}

    def ending(digits: str, name: str = "Aoi") -> str:
        return people[name][:-2] + digits

    parcel = "Your parcel is on its way. It arrives today between 14:00 and 16:00."
    long_sms = (
        "Reminder: your appointment is tomorrow at 09:30, Bahnhofstrasse 12, 3rd floor. Please bring your insurance "
        "card and arrive ten minutes early. To move it, call +41 31 000 00 00 before 18:00 today."
    )
    code = [
        _Sent(
            5_500.0 - 311 * place,
            "codes",
            (ending(digits),),
            {"sms": _sms(f"{738201 + 4177 * place} is your code.")},
            {},
        )
        for place, digits in enumerate(("31", "33", "42", "60", "35", "61"))
    ]
    greetings = [
        _Sent(
            3_000.0 - 97 * place,
            "orders",
            (people[name][:-2] + digits,),
            {
                "line": _line(f"Hello {name}, thank you for your order {1040 + place}. We tell you when it leaves us."),
                "sms": _sms(f"Thank you for your order {1040 + place}."),
            },
            {"callbackData": json.dumps({"dag": "orders", "run": "scheduled", "task": "thank"})},
        )
        for place, (name, digits) in enumerate(
            zip(
                NAMES, ("27", "40", "31", "41", "33", "64", "35", "43", "36", "71", "37", "47", "38", "40"), strict=True
            )
        )
    ]
    return [
        *code,
        *greetings,
        _Sent(
            7_000.0,
            "orders",
            tuple(
                f"4179302{place:02d}{digits}" for place, digits in enumerate(("27", "40", "41", "43", "31", "44", "08"))
            ),
            {"line": _line(parcel), "sms": _sms(parcel)},
            {},
        ),
        _Sent(
            4_400.0,
            "reminders",
            (ending("41", "Eva"), ending("32", "Eva"), ending("10", "Eva")),
            {"line": _line("Your appointment is tomorrow at 09:30."), "sms": _sms(long_sms)},
            {},
        ),
        _Sent(
            1_500.0,
            "orders",
            (ending("34"),),
            {
                "line": {
                    "type": "IMAGE",
                    "url": f"{PICTURES}/parcel-1042.jpg",
                    "thumbnailUrl": f"{PICTURES}/parcel-1042-small.jpg",
                    "validityPeriod": 10,
                },
                "sms": _sms(f"Your parcel, photographed at the door: {PICTURES}/parcel-1042.jpg"),
            },
            {},
        ),
        _Sent(
            1_300.0,
            "orders",
            (ending("35"),),
            {
                "line": {
                    "type": "VIDEO",
                    "url": f"{PICTURES}/how-to-assemble.mp4",
                    "thumbnailUrl": f"{PICTURES}/how-to-assemble.jpg",
                    "validityPeriod": 10,
                },
                "sms": _sms("How to put it together: see your e-mail."),
            },
            {},
        ),
        _Sent(
            1_100.0,
            "reminders",
            (ending("36"),),
            {
                "line": {
                    "type": "AUDIO",
                    "url": f"{PICTURES}/directions.m4a",
                    "duration": 83_000,
                    "validityPeriod": 10,
                },
                "sms": _sms("Directions: leave the station by the south exit, then left."),
            },
            {},
        ),
        _Sent(
            900.0,
            "orders",
            (ending("37"),),
            {"line": {"type": "STICKER", "packageId": "11537", "stickerId": "52002734"}, "sms": _sms("Thank you! 🙏")},
            {},
        ),
        _Sent(
            700.0,
            "orders",
            (ending("38"), ending("40")),
            {
                "line": {**_FLEX, "validityPeriod": 10},
                "sms": _sms("Order 1042 is ready: CHF 84.50, pick it up until Friday."),
            },
            {},
        ),
        _Sent(
            500.0,
            "reminders",
            (ending("41", "Haruka"),),
            {
                "line": _line("明日のご予約は午前9時30分です。お待ちしております。"),
                "sms": _sms("明日のご予約は午前9時30分です。変更は本日18時までに 03-0000-0000 へお電話ください。" * 2),
            },
            {},
        ),
        _Sent(
            420.0,
            "reminders",
            (ending("33", "Farid"),),
            {"line": _line("موعدك غدًا الساعة 9:30 صباحًا. نراك قريبًا!"), "sms": _sms("موعدك غدًا الساعة 9:30.")},
            {},
        ),
        _Sent(
            240.0,
            "orders",
            (ending("44", "Greta"), ending("45", "Greta"), ending("46", "Greta")),
            {"line": _line(parcel, 600), "sms": _sms(parcel, 600)},
            {},
        ),
        _Sent(
            120.0,
            "orders",
            (ending("61", "Jun"),),
            {
                "line": _line("We have left your parcel with a neighbour."),
                "sms": _sms("Your parcel is with a neighbour."),
            },
            {},
        ),
        _Sent(
            30.0,
            "reminders",
            (ending("39", "Mina"),),
            {"line": _line("Good morning! See you at 09:30."), "sms": _sms("See you at 09:30.")},
            {"sendAt": _iso(now + 5_400)},
        ),
        _Sent(
            1.0,
            "orders",
            (ending("39", "Nils"), ending("49", "Nils")),
            {"line": _line("Your driver is two stops away."), "sms": _sms("Your driver is two stops away.")},
            {},
        ),
    ]


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


_FLEX: Mapping[str, Any] = {
    "type": "FLEX",
    "altText": "Order 1042 is ready",
    "contents": {
        "type": "bubble",
        "hero": {"type": "image", "url": f"{PICTURES}/shop-front.jpg", "size": "full", "aspectRatio": "20:13"},
        "body": {
            "type": "box",
            "layout": "vertical",
            "spacing": "md",
            "contents": [
                {"type": "text", "text": "Order 1042", "weight": "bold", "size": "xl"},
                {"type": "text", "text": "Ready to be picked up until Friday.", "wrap": True, "color": "#666666"},
                {"type": "separator"},
                {
                    "type": "box",
                    "layout": "horizontal",
                    "contents": [
                        {"type": "text", "text": "2 cushions"},
                        {"type": "text", "text": "CHF 49.00", "align": "end"},
                    ],
                },
                {
                    "type": "box",
                    "layout": "horizontal",
                    "contents": [
                        {"type": "text", "text": "1 lamp"},
                        {"type": "text", "text": "CHF 35.50", "align": "end"},
                    ],
                },
                {
                    "type": "box",
                    "layout": "horizontal",
                    "contents": [
                        {"type": "text", "text": "Total", "weight": "bold"},
                        {"type": "text", "text": "CHF 84.50", "align": "end", "weight": "bold"},
                    ],
                },
            ],
        },
        "footer": {
            "type": "box",
            "layout": "vertical",
            "spacing": "sm",
            "contents": [
                {"type": "button", "style": "primary", "action": {"type": "uri", "label": "Show the code", "uri": "x"}},
                {"type": "button", "style": "link", "action": {"type": "uri", "label": "Find the shop", "uri": "x"}},
            ],
        },
    },
}
