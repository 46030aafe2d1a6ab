"""Recipients in the e2e tests, by DAG. Not in the DAG files: Airflow keeps their source in its database.

The last two digits are the simulator's fates (docs/simulator.md): 01 gets it on LINE, 40 is not on LINE and gets the
SMS, 44 gets the SMS when the validity of LINE has ended. No DAG sends to another's people, so each test has its own.
The numbers are long, so that no time or id looks like one by chance.
"""

from __future__ import annotations

from collections.abc import Mapping

SCENARIO = "CC9F01A5DC7BEE2C2B829D203482A654"
"""The scenario that the simulator has from its start."""

LINE_VALIDITY = 60
"""Seconds."""

KILLED = ("killed_after_effect", "killed_before_effect", "killed_before_intent")
"""DAGs whose sending task is killed."""

FROZEN = ("frozen_before_first_intent", "frozen_before_intent", "frozen_after_effect")
"""DAGs whose sending task is stopped until the next try has run, and then continued."""

CROWD = 20_000
"""People of the DAG `crowd`, which sends to many."""

CROWD_FATES: Mapping[str, tuple[str, str | None]] = {
    "01": ("delivered", "LINE"),
    "40": ("delivered", "SMS"),
    "44": ("delivered", "SMS"),
    "43": ("failed", "SMS"),
    "18": ("refused", None),
}
"""Fates of people, and on which channel, by the last two digits."""

SENT = (*KILLED, *FROZEN, "restarted", "sends_and_waits")
"""DAGs that send, and some of them wait."""

LEAKING: Mapping[str, list[str]] = {
    "send": ["4915115540101", "4915115540144"],
    "rendered": ["4915115540201"],
    "mapped": ["4915115540301", "4915115540302"],
    "refused": ["4915115540401", "4915115540418"],
    "told": ["4915115540501"],
    "unusable": ["+49 1511 554 06 01", "0049 (0)1511 554 06 02 03 04"],
}
"""Numbers by the tasks of the DAG `leaking`; 18 is refused, `told` is who is told of that. As people type them."""

SAID: Mapping[str, str] = {"name": "Zaphod Beeblebrox", "code": "QX-918-273", "token": "t0k3n-of-a-hook"}
"""Texts of the messages of the DAG `leaking`, and where their reports are pushed to. No source of a DAG holds it."""

WAITED = ("waiting_killed", "waiting_terminated", "waiting_twice")
"""DAGs that only wait: the test sends."""


def people_of(dag_id: str) -> list[str]:
    """The numbers of a DAG's two people: one is reached soon, one takes the way over SMS."""
    place = (*SENT, *WAITED).index(dag_id)
    begin = f"491511{55310 + place}"
    return [f"{begin}01", f"{begin}{'44' if dag_id in (*WAITED, 'sends_and_waits') else '40'}"]


def bulk_of(dag_id: str) -> str:
    """The bulk id of a DAG that only waits."""
    return f"bulk-{dag_id}"


def messages_of(dag_id: str) -> list[str]:
    """The message ids of its two people."""
    return [f"message-{dag_id}-{person}" for person in range(2)]


def crowd_number(person: int) -> str:
    """The number of one of the crowd."""
    return f"491512{person:05d}{list(CROWD_FATES)[person % len(CROWD_FATES)]}"
