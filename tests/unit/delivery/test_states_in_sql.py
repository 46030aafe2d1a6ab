"""States that change in SQL change by the table of states.py, too."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest

from airflow_provider_omni.delivery.messages import intent_log
from airflow_provider_omni.delivery.messages.intent_log import IntentLog, state_after
from airflow_provider_omni.delivery.messages.states import TRANSITIONS, Event, MessageState
from airflow_provider_omni.delivery.messages.workspace import Workspace

S = MessageState
CHANGES = {(before, after) for (before, _), after in TRANSITIONS.items()}
STATE = "coalesce({0}.state, (SELECT state FROM attempt WHERE no = {0}.attempt))"


class Observed:
    """A log with a message in every state, and each change of one since it was begun."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.log = IntentLog(workspace)
        self.changes: set[tuple[MessageState, MessageState]] = set()
        # Each recipient has two attempts, each in a request of its own, with a message of somebody else's in it.
        for number, state in enumerate(S):
            for attempt in range(2):
                name = f"{state.value}-{attempt}"
                line = {"bulk": name, "at": 100.0 + number, "ids": [name, f"{name}-too"], "who": {name: state.value}}
                self.log.replay(line, "fingerprint")
                self.log.replay({"bulk": name, "all": state.value}, None)
        workspace.sql.create_function("changed", 2, self._changed)
        workspace.execute(
            "CREATE TEMP TRIGGER known_changes AFTER UPDATE OF state ON known BEGIN "
            f"SELECT changed({STATE.format('OLD')}, {STATE.format('NEW')}); END"
        )
        workspace.execute(
            "CREATE TEMP TRIGGER attempt_changes AFTER UPDATE OF state ON attempt BEGIN "
            "SELECT changed(OLD.state, NEW.state); END"
        )

    def _changed(self, old: str, new: str) -> None:
        if old != new:
            self.changes.add((S(old), S(new)))


@pytest.fixture
def observed() -> Iterator[Observed]:
    with Workspace(in_memory=True) as workspace:
        yield Observed(workspace)


@pytest.mark.parametrize(
    ("change", "event"),
    [
        (IntentLog.doubt_old_proofs, Event.PROOF_OUTDATED),
        (IntentLog.doubt_an_older_record, Event.PROOF_OUTDATED),
        (IntentLog.keep_one_attempt, Event.SUPERSEDED),
    ],
)
def test_what_changes_states_of_earlier_tries_does_so_by_the_table(
    observed: Observed, change: object, event: Event
) -> None:
    change(observed.log)  # type: ignore[operator]
    assert observed.changes
    assert observed.changes <= {(before, after) for (before, of), after in TRANSITIONS.items() if of is event}


def test_a_change_that_the_table_does_not_have_is_observed(observed: Observed) -> None:
    observed.workspace.execute("UPDATE known SET state = 'not_sent' WHERE id = 'accepted-1'")
    assert not observed.changes <= CHANGES


def test_sql_for_a_change_that_the_table_does_not_have_cannot_be_made() -> None:
    with pytest.raises(KeyError):
        state_after(Event.PROOF_OUTDATED, S.ABSENT, S.ACCEPTED)


def test_no_sql_spells_the_state_that_it_sets() -> None:
    assert not re.findall(r"SET state = '|THEN '", inspect.getsource(intent_log).replace("THEN '{TRANSITIONS[", ""))
