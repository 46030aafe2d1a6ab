"""A batch of 20,000 loses its process twice, and its triggerer once. Judged by the simulator's record and the ledger.

The vendor takes the same message id as often as it comes (guarantee B of docs/reliability.md).
"""

from __future__ import annotations

import csv
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.ledger import read_outcomes
from dev.airflow_stack import AirflowStack
from tests.e2e.dags.people import CROWD, CROWD_FATES, LINE_VALIDITY, crowd_number
from tests.e2e.scenes import PATIENCE, Run

CONNECTIONS = 4
ANSWERED = 10
"""Requests of each try that are answered before its process is killed; the batch has 41 of them."""

EXPECTED = {f"customer {person}": CROWD_FATES[crowd_number(person)[-2:]] for person in range(CROWD)}
COUNTS = Counter(EXPECTED.values())
REFUSED = sum(count for (outcome, _), count in COUNTS.items() if outcome == "refused")


@dataclass(frozen=True)
class Story:
    """The observations of the run."""

    state: str
    tries: int
    receipt: dict[str, Any]
    summary: dict[str, Any]
    accepted: Counter[str]
    outcomes: dict[str, tuple[str, str | None]]
    described: str


def write_people(file: Path) -> None:
    """Write the crowd to a CSV file."""
    with file.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["customer", "phone"])
        writer.writerows([f"customer {person}", crowd_number(person)] for person in range(CROWD))


def kill_in_the_middle(stack: AirflowStack, run: Run, kind: str, try_number: int) -> None:
    """Kill the process of this try when it has answers of some requests, and waits for those of others."""
    stack.simulator.add_fault(kind, call="send", skip=ANSWERED, times=CONNECTIONS)
    run.wait_for_task("running", try_number=try_number)
    process = run.process()
    stack.simulator.wait_for("held", CONNECTIONS, call="send", timeout=PATIENCE)
    process.kill()


@pytest.fixture(scope="module")
def story(stack: AirflowStack, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The run, with all that happens to it."""
    folder = tmp_path_factory.mktemp("crowd")
    people, ledger = folder / "people.csv", folder / "ledger"
    write_people(people)
    run = Run.of(stack, "crowd", conf={"people": str(people), "ledger": str(ledger)})

    kill_in_the_middle(stack, run, "hold-after", 1)
    stack.simulator.release()
    kill_in_the_middle(stack, run, "hold-before", 2)
    stack.simulator.drop()

    waiting = run.of_task("wait")
    waiting.wait_for_task("deferred")
    stack.simulator.add_fault("hold-after", call="reports", skip=ANSWERED)
    stack.simulator.wait_for("held", call="reports", timeout=PATIENCE)
    triggerer = stack.wait_until(lambda: waiting.task().triggerer_host, "a triggerer", PATIENCE)
    stack.signal_component(triggerer, signal.SIGKILL)
    stack.simulator.release()
    stack.start_component(triggerer)
    stack.simulator.advance(LINE_VALIDITY + 2)

    return Story(
        state=run.end(),
        tries=run.task().try_number,
        receipt=run.returned(),
        summary=waiting.returned(),
        accepted=run.accepted(),
        outcomes={
            row.recipient: ("refused", None) if row.state == "refused" else (row.outcome, row.channel)
            for row in read_outcomes(str(ledger))
        },
        described=run.described(),
    )


def test_run_succeeds_in_the_third_try(story: Story) -> None:
    assert (story.state, story.tries) == ("success", 3), story.described


def test_everybody_gets_one_message(story: Story) -> None:
    numbers = [crowd_number(person) for person in range(CROWD)]
    assert story.accepted == Counter(number for number in numbers if not number.endswith("18"))


def test_receipt_counts_everybody(story: Story) -> None:
    counts = +Counter(story.receipt["counts"])
    assert counts == {"requested": CROWD, "accepted": CROWD - REFUSED, "rejected": REFUSED}


def test_summary_counts_every_outcome(story: Story) -> None:
    assert story.summary["by_channel"] == {
        "LINE": COUNTS["delivered", "LINE"],
        "SMS": COUNTS["delivered", "SMS"],
    }
    assert (story.summary["failed"], story.summary["pending"]) == (COUNTS["failed", "SMS"], 0)


def test_ledger_has_the_outcome_of_everybody(story: Story) -> None:
    assert story.outcomes == EXPECTED
