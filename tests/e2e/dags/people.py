"""Who gets a message in the e2e tests, by DAG. Not in the DAG files: Airflow keeps their source in its database.

The last two digits are the simulator's fates (docs/simulator.md): 01 gets it on LINE, 40 is not on LINE and gets the
SMS, 44 gets the SMS when the validity of LINE has ended. No DAG sends to another's people, so each test has its own.
"""

from __future__ import annotations

SCENARIO = "CC9F01A5DC7BEE2C2B829D203482A654"
"""The scenario that the simulator has from its start."""

LINE_VALIDITY = 60
"""Seconds."""

KILLED = ("killed_after_effect", "killed_before_effect", "killed_before_intent")
"""DAGs whose sending task is killed."""

FROZEN = ("frozen_before_first_intent", "frozen_before_intent", "frozen_after_effect")
"""DAGs whose sending task is stopped until the next try has run, and then continued."""

SENT = (*KILLED, *FROZEN, "restarted")
"""DAGs that send, and some of them wait."""

WAITED = ("waiting_killed", "waiting_terminated", "waiting_twice")
"""DAGs that only wait: the test sends."""


def people_of(dag_id: str) -> list[str]:
    """The numbers of a DAG's two people: one is reached soon, one takes the way over SMS."""
    place = (*SENT, *WAITED).index(dag_id)
    return [f"4179{place:05d}01", f"4179{place:05d}{'44' if dag_id in WAITED else '40'}"]


def bulk_of(dag_id: str) -> str:
    """The bulk id of a DAG that only waits."""
    return f"bulk-{dag_id}"


def messages_of(dag_id: str) -> list[str]:
    """The message ids of its two people."""
    return [f"message-{dag_id}-{person}" for person in range(2)]
