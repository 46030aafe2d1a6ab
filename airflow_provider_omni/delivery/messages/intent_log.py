"""The intent log: requests and messages of earlier tries, replayed into the workspace and queried there.

Lines come in the order in which they were written, whoever wrote them. There are intents (`{"bulk", "at", "ids", …}`)
and later knowledge of a request (`{"bulk", "all", …}`). Nothing undoes an acceptance.
"""

# Every piece of SQL that is put together here is a constant of this room; values are always bound.
# ruff: noqa: S608
from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from airflow_provider_omni.delivery.messages.ids import Identity, recipient_key_of
from airflow_provider_omni.delivery.messages.states import (
    MAY_BE_POSTED,
    MAY_HAVE_ARRIVED,
    NEVER_UNDONE,
    TRANSITIONS,
    UNCERTAIN,
    UNRESOLVED,
    Attempt,
    Control,
    Event,
    MessageState,
    Origin,
)
from airflow_provider_omni.delivery.messages.workspace import PERSON, Workspace
from airflow_provider_omni.omni.errors import OmniStorageError

_S = MessageState
_STATE = "coalesce(known.state, attempt.state)"
_JOINED = "known JOIN attempt ON attempt.no = known.attempt"


def state_after(event: Event, *before: MessageState, column: str = "state") -> str:
    """Return the SQL of the state after an event. Raises KeyError for a change that `TRANSITIONS` does not have.

    :param before: the states that the event changes; all others stay.
    :param column: the SQL of the state before.
    """
    cases = (f"WHEN '{state.value}' THEN '{TRANSITIONS[state, event].value}'" for state in before)
    return f"CASE {column} {' '.join(cases)} ELSE {column} END"


def _listed(states: frozenset[MessageState] | frozenset[MessageState | None]) -> str:
    return ", ".join(sorted(f"'{state.value}'" for state in states if state is not None))


def uniform(messages: Mapping[str, MessageState]) -> MessageState | None:
    """Return the state that all messages are in; None if they differ, or there are none."""
    states = list(messages.values())
    return states[0] if states and states.count(states[0]) == len(states) else None


def outcome_line(attempt: Attempt, moved: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the present knowledge of a request as a line: the commonest state of its messages, and the others.

    :param moved: the requests in which the logs have found messages, by message id.
    """
    if (only := uniform(attempt.messages)) is not None and not attempt.reasons and not moved:
        return {"bulk": attempt.bulk_id, "all": only.value}
    counts = Counter(attempt.messages.values())
    common = max(counts, key=lambda state: (counts[state], state.value))
    line: dict[str, Any] = {"bulk": attempt.bulk_id, "all": common.value}
    if len(counts) > 1:
        others = sorted(counts.keys() - {common}, key=lambda state: state.value)
        line["but"] = {state.value: attempt.in_state(state) for state in others}
    if attempt.reasons:
        line["reasons"] = dict(attempt.reasons)
    if moved:
        line["moved"] = dict(moved)
    return line


def is_control(conclusive: int, found: int) -> bool:
    """Return True if a request that the logs find by its bulk id shows that they find our bulk ids.

    :param conclusive: 1 if its bulk id finds all its messages.
    :param found: 1 if the logs themselves have named its bulk id, which may be one of the vendor's own.
    """
    return bool(conclusive) and not found


class IntentLog:
    """Replays the lines of earlier tries and answers the questions of a later one."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._labelled = False
        """True if a recipient has a name other than a message id."""

    def replay(
        self, line: Any, fingerprint: str | None, writer: str | None = None, origin: Any = None, steps: Any = None
    ) -> None:
        """Take in one line.

        :param fingerprint: a hash of the content that the writer sent, if the line does not have one.
        :param writer: the try that wrote the line.
        :param origin: account and scenario that the writer posted from, as JSON.
        :param steps: the flow's steps that the writer had content for, as JSON.

        Raises OmniStorageError for a line that cannot be understood.
        """
        try:
            if "ids" in line:
                self._intent(line, fingerprint, writer, Origin.of(origin), steps)
            elif "bulk" in line:
                self._outcome(line)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            raise OmniStorageError(
                "The record of what was sent cannot be read (written by another version?). Nothing was posted: "
                "without it a message could be sent twice.",
                retryable=False,
            ) from None

    def _intent(
        self, line: Mapping[str, Any], fingerprint: str | None, writer: str | None, origin: Origin | None, steps: Any
    ) -> None:
        workspace = self._workspace
        workspace.execute(
            "INSERT INTO attempt "
            "(bulk, at, not_before, scheduled, conclusive, state, fingerprint, writer, origin, steps) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            str(line["bulk"]), float(line["at"]), line.get("not_before"), line.get("scheduled"),
            int(line.get("bulk_id_conclusive", True)), _S.IN_DOUBT.value, line.get("fingerprint", fingerprint),
            writer, None if origin is None else json.dumps(origin), json.dumps(steps) if steps else None,
        )  # fmt: skip
        number = workspace.scalar("SELECT last_insert_rowid()")
        labels = line.get("who") or {}
        self._labelled = self._labelled or bool(labels)
        workspace.executemany(
            "INSERT INTO known (id, attempt, label, first) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
            "SET attempt = excluded.attempt, state = NULL, reason = NULL "
            "WHERE coalesce(known.state, (SELECT state FROM attempt WHERE no = known.attempt)) "
            f"NOT IN ({_listed(NEVER_UNDONE)})",
            ((message_id, number, labels.get(message_id), number) for message_id in line["ids"]),
        )

    def _outcome(self, line: Mapping[str, Any]) -> None:
        """Take in a line about a request. It replaces everything said before of the request, except acceptances."""
        workspace = self._workspace
        number = workspace.scalar("SELECT max(no) FROM attempt WHERE bulk = ?", str(line["bulk"]))
        if number is None:
            return
        common, kept = MessageState(line["all"]).value, _listed(NEVER_UNDONE)
        if workspace.scalar("SELECT has_outcome FROM attempt WHERE no = ?", number):
            workspace.execute(
                f"UPDATE known SET state = (SELECT {_STATE} FROM attempt WHERE no = known.attempt "
                f"AND {_STATE} IN ({kept})), reason = NULL WHERE attempt = ?",
                number,
            )
        workspace.execute("UPDATE attempt SET state = ?, has_outcome = 1 WHERE no = ?", common, number)
        for state, message_ids in line.get("but", {}).items():
            workspace.executemany(
                f"UPDATE known SET state = ? WHERE id = ? AND attempt = ? AND coalesce(state, '') NOT IN ({kept})",
                ((MessageState(state).value, message_id, number) for message_id in message_ids),
            )
        workspace.executemany(
            f"UPDATE known SET reason = ? WHERE id = ? AND attempt = ? AND coalesce(state, '') NOT IN ({kept})",
            ((reason, message_id, number) for message_id, reason in line.get("reasons", {}).items()),
        )
        for message_id, other in line.get("moved", {}).items():
            self._move(message_id, str(other), number)

    def _move(self, message_id: bytes, bulk: str, origin: int) -> None:
        workspace = self._workspace
        # So far the message shared its request's state. Now it needs one of its own.
        workspace.execute(
            f"UPDATE known SET state = (SELECT {_STATE} FROM attempt WHERE no = known.attempt) WHERE id = ?", message_id
        )
        there = workspace.scalar("SELECT max(no) FROM attempt WHERE bulk = ?", bulk)
        if there is None:
            workspace.execute(
                "INSERT INTO attempt "
                "(bulk, at, not_before, scheduled, conclusive, state, fingerprint, writer, origin, steps, found) "
                "SELECT ?, at, not_before, scheduled, 1, state, fingerprint, writer, origin, steps, 1 FROM attempt "
                "WHERE no = ?",
                bulk,
                origin,
            )
            there = workspace.scalar("SELECT last_insert_rowid()")
        workspace.execute("UPDATE known SET attempt = ? WHERE id = ?", there, message_id)

    def keep_one_attempt(self, *, posts: bool = True) -> None:
        """Keep one attempt per recipient: the last accepted one, else the last one. The others are superseded. Call it
        when everything is replayed.

        An attempt is intended only after the one before was refused. A try that has not read the refusal may write a
        stale intent, or that the logs do not show the earlier attempt. It never posts it: either it sees a newer try
        and stops, or the newer try sees the intent and makes no further attempt. If the stale intent counted, a person
        who has got the next attempt would be posted to. So the first intent of an attempt tells which one is later.

        An attempt may count as accepted because the logs have shown its refusal. So a later one that is in doubt may
        have been taken.

        :param posts: True for a try that sends. The accepted attempt then keeps it from posting, and the later one
            stays in doubt, to be asked about. False for a reader: the later one counts.
        """
        if not self._labelled:
            return
        workspace, refused = self._workspace, _S.REFUSED.value
        # Without a key of the user's own, the first attempt has no label: its message id is the label of all others.
        workspace.execute(
            "INSERT INTO sibling (id, label) SELECT id, coalesce(label, id) FROM known WHERE coalesce(label, id) IN ("
            "SELECT label FROM known WHERE label IS NOT NULL GROUP BY label HAVING count(*) > 1 UNION "
            "SELECT label FROM known WHERE label IS NOT NULL AND label IN (SELECT id FROM known))"
        )
        others = workspace.all(
            "SELECT id, state FROM (SELECT id, first, state, row_number() OVER of_person AS place, "
            "first_value(first) OVER of_person AS kept, "
            f"max(CASE WHEN state IN ({_listed(UNCERTAIN)}) THEN first END) OVER (PARTITION BY label) AS doubted "
            f"FROM (SELECT known.id, known.first, sibling.label, {_STATE} AS state "
            f"FROM {_JOINED} JOIN sibling ON sibling.id = known.id) WINDOW of_person AS "
            f"(PARTITION BY label ORDER BY state = '{_S.ACCEPTED.value}' DESC, first DESC)) "
            f"WHERE state != '{refused}' AND "
            "CASE place WHEN 1 THEN NOT ? AND doubted > kept ELSE NOT (first > kept AND first IS doubted) END",
            posts,
        )
        workspace.executemany(
            "UPDATE known SET state = ?, reason = NULL WHERE id = ?",
            ((TRANSITIONS[MessageState(state), Event.SUPERSEDED].value, message_id) for message_id, state in others),
        )

    def has_another_attempt(self, message_id: str) -> bool:
        """Return True if another attempt than this refused one counts for its recipient: one that was not refused, or
        one that was intended later. `keep_one_attempt` must have been called.
        """
        found = self._workspace.scalar(
            "SELECT 1 FROM sibling AS this JOIN sibling AS other ON other.label = this.label AND other.id != this.id "
            "JOIN known ON known.id = other.id JOIN attempt ON attempt.no = known.attempt WHERE this.id = ? "
            f"AND ({_STATE} != '{_S.REFUSED.value}' OR known.attempt > (SELECT attempt FROM known WHERE id = this.id))",
            message_id,
        )
        return found is not None

    def note_states(self, states: Mapping[str, MessageState]) -> None:
        """Note the states of earlier tries' messages, as this try has learned them."""
        self._workspace.executemany(
            "UPDATE known SET state = ? WHERE id = ?",
            ((state.value, message_id) for message_id, state in states.items()),
        )

    # -- queries -----------------------------------------------------------------------------------------------------

    def empty(self) -> bool:
        """Return True if no earlier try has left anything."""
        return self._workspace.scalar("SELECT 1 FROM attempt LIMIT 1") is None

    def doubt_old_proofs(self) -> None:
        """Turn ABSENT back into IN_DOUBT: a frozen try may have posted it after its absence was proven."""
        self._change(Event.PROOF_OUTDATED, _S.ABSENT)

    def doubt_an_older_record(self) -> list[Attempt]:
        """Turn NOT_SENT back into IN_DOUBT: a try that is not on record (any more) may have posted it since.

        Messages in doubt may have been posted in another request, too, so their bulk id is not relied on. Returns the
        requests with such messages.
        """
        self._change(Event.PROOF_OUTDATED, _S.NOT_SENT)
        doubted = f"SELECT attempt.no FROM {_JOINED} WHERE {_STATE} IN ({_listed(UNRESOLVED)})"
        self._workspace.execute(f"UPDATE attempt SET conclusive = 0 WHERE no IN ({doubted})")
        return [each for each in self.open_attempts() if each.in_state(*UNRESOLVED)]

    def _change(self, event: Event, *before: MessageState) -> None:
        """Apply an event to all messages in these states."""
        after = state_after(event, *before)
        for table in ("known", "attempt"):
            self._workspace.execute(f"UPDATE {table} SET state = {after} WHERE state IN ({_listed(frozenset(before))})")

    def states(self, message_ids: Sequence[str] | None = None) -> dict[str, MessageState]:
        """Return the states of these messages, or of all, as far as they are on record."""
        query = f"SELECT known.id, {_STATE} FROM {_JOINED}"
        if message_ids is None:
            rows = self._workspace.all(query)
        else:
            rows = [row for each in message_ids for row in self._workspace.all(f"{query} WHERE known.id = ?", each)]
        return {message_id: MessageState(state) for message_id, state in rows}

    def reasons(self) -> dict[str, str]:
        """Return the status names of refused messages, by message id."""
        return dict(self._workspace.all("SELECT id, reason FROM known WHERE reason IS NOT NULL"))

    def forget(self, message_ids: Iterable[str]) -> None:
        """Drop messages that are known never to have been posted."""
        self._workspace.executemany("DELETE FROM known WHERE id = ?", ((each,) for each in message_ids))

    def mark_who_is_left(self, ids: Identity) -> None:
        """Mark the people whom this try may post to: never tried, certainly not sent, or refused (under their
        next id).
        """
        if self.empty():
            return
        workspace = self._workspace
        self._raise_attempts(ids)
        workspace.execute(
            f"UPDATE person SET todo = 0 WHERE EXISTS (SELECT 1 FROM {_JOINED} WHERE known.id = person.id "
            f"AND {_STATE} NOT IN ({_listed(MAY_BE_POSTED)}))"
        )

    def count_among_people_who_was_sent_to(self) -> tuple[int, int]:
        """Count people on the suppression list among the people of the send if a message of theirs was accepted before:
        what was sent stays sent. This try posts to none of them. Returns their number, and that of their rows.
        """
        workspace = self._workspace
        if self.empty() or workspace.scalar("SELECT 1 FROM suppressed LIMIT 1") is None:
            return 0, 0
        accepted = f"SELECT coalesce(known.label, known.id) FROM {_JOINED} WHERE {_STATE} = '{_S.ACCEPTED.value}'"
        # Somebody who was refused before has the id of a later attempt meanwhile.
        known_people = "SELECT coalesce(first, id) FROM person"
        rows = workspace.execute(
            f"UPDATE suppressed SET sent = 1 WHERE NOT sent AND id NOT IN ({known_people}) "
            f"AND coalesce(key, id) IN ({accepted})"
        )
        people = workspace.execute(
            "INSERT INTO person (seq, id, address, key, content, todo) "
            f"SELECT min(seq), id, address, key, 0, 0 FROM suppressed WHERE sent AND id NOT IN ({known_people}) "
            "GROUP BY id"
        )
        return people, rows

    def _raise_attempts(self, ids: Identity) -> None:
        """Give each person who was refused in an earlier try the id of the first attempt that was not refused."""
        workspace, after = self._workspace, -1
        refused = f"SELECT 1 FROM {_JOINED} WHERE known.id = ? AND {_STATE} = '{_S.REFUSED.value}'"
        while True:
            page = list(
                workspace.rows(
                    f"SELECT person.seq, person.address, person.key FROM person JOIN {_JOINED} "
                    f"WHERE known.id = person.id AND {_STATE} = '{_S.REFUSED.value}' AND person.seq > ? "
                    "ORDER BY person.seq LIMIT 1000",
                    after,
                )
            )
            if not page:
                return
            for seq, address, key in page:
                recipient = recipient_key_of(address, key)
                attempt = 1
                while workspace.scalar(refused, ids.message_id(recipient, attempt)):
                    attempt += 1
                workspace.execute(
                    "UPDATE person SET first = id, id = ? WHERE seq = ?", ids.message_id(recipient, attempt), seq
                )
                after = seq

    def counts(self, *, everybody: bool = False) -> Counter[MessageState]:
        """Count messages by their state. Messages without a state are not counted.

        :param everybody: count all messages on record; by default only those of this send's people.
        """
        if self.empty():
            return Counter()
        source = _JOINED if everybody else f"person JOIN {_JOINED} WHERE known.id = person.id"
        found = self._workspace.rows(f"SELECT {_STATE}, count(*) FROM {source} GROUP BY 1")
        return Counter({MessageState(state): count for state, count in found})

    def other_fingerprints(self, fingerprint: str, states: frozenset[MessageState] = MAY_HAVE_ARRIVED) -> int:
        """Return the number of messages with another content.

        :param states: the states that count; by default those in which a message may have reached its person.
        """
        return int(
            self._workspace.scalar(
                f"SELECT count(*) FROM {_JOINED} WHERE {_STATE} IN ({_listed(states)}) "
                "AND attempt.fingerprint IS NOT ?",
                fingerprint,
            )
        )

    def fingerprints(self, most: int = 5) -> list[str]:
        """Return the contents with which requests were posted, the first posted first; of many the first ones.

        :param most: the number of fingerprints, at most.
        """
        found = self._workspace.all(
            "SELECT fingerprint FROM attempt WHERE fingerprint IS NOT NULL GROUP BY 1 ORDER BY min(no) LIMIT ?", most
        )
        return [fingerprint for (fingerprint,) in found]

    def count(self) -> int:
        """Return the number of messages on record."""
        return int(self._workspace.scalar("SELECT count(*) FROM known"))

    def origins(self) -> list[Origin]:
        """Return the known origins of accepted messages, the first posted first.

        If no message was accepted, these are the origins of those that may have reached their people.
        """
        for states in (frozenset({_S.ACCEPTED}), MAY_HAVE_ARRIVED):
            found = self._workspace.all(
                f"SELECT attempt.origin FROM {_JOINED} WHERE {_STATE} IN ({_listed(states)}) "
                "AND attempt.origin IS NOT NULL GROUP BY attempt.origin ORDER BY min(attempt.no)"
            )
            if found:
                return [Origin(*json.loads(origin)) for (origin,) in found]
        return []

    def steps(self, fingerprint: str | None = None) -> tuple[str, ...] | None:
        """Return the steps of messages that were accepted with another content or scenario.

        If nothing was accepted at all, these are the steps of messages that may have been. None if there are none, or
        their steps are not known.

        :param fingerprint: of this try's content and scenario; None takes whatever was sent.
        """
        if self._workspace.scalar("SELECT 1 FROM attempt WHERE fingerprint IS NOT ? LIMIT 1", fingerprint) is None:
            return None
        for states in (frozenset({_S.ACCEPTED}), MAY_HAVE_ARRIVED):
            found = self._workspace.scalar(
                f"SELECT attempt.steps FROM {_JOINED} WHERE {_STATE} IN ({_listed(states)}) "
                "AND attempt.steps IS NOT NULL AND attempt.fingerprint IS NOT ? ORDER BY attempt.no LIMIT 1",
                fingerprint,
            )
            if found is not None:
                return tuple(map(str, json.loads(found)))
            if (
                self._workspace.scalar(f"SELECT 1 FROM {_JOINED} WHERE {_STATE} IN ({_listed(states)}) LIMIT 1")
                is not None
            ):
                break  # accepted messages go before those in doubt
        return None

    def flows(self) -> tuple[tuple[str, ...] | None, dict[str, tuple[str, ...]]]:
        """Return the steps that most messages go through, and those of all others by message id.

        Only messages count that may have reached their people. Empty steps are not known. None in place of the first
        if no steps are on record at all, as in records of older versions.
        """
        found = self._workspace.all("SELECT DISTINCT steps FROM attempt")
        if len(found) > 1:
            found = self._workspace.all(
                f"SELECT attempt.steps FROM {_JOINED} WHERE {_STATE} IN ({_listed(MAY_HAVE_ARRIVED)}) "
                "GROUP BY 1 ORDER BY count(*) DESC, 1"
            )
        read = {steps: tuple(map(str, json.loads(steps))) if steps else () for (steps,) in found}
        if not any(read.values()):
            return None, {}
        most = found[0][0]
        if len(found) == 1:
            return read[most], {}
        others = self._workspace.rows(
            f"SELECT known.id, attempt.steps FROM {_JOINED} WHERE {_STATE} IN ({_listed(MAY_HAVE_ARRIVED)}) "
            "AND attempt.steps IS NOT ?",
            most,
        )
        return read[most], {message_id: read[steps] for message_id, steps in others}

    def from_another_origin(self, here: Origin, states: frozenset[MessageState] = MAY_HAVE_ARRIVED) -> tuple[str, int]:
        """Return the noun for another origin ("account" or "scenario"; '' if there is none) and the number of its
        messages.

        :param here: account and scenario of this try.
        :param states: the states that count; by default those in which a message may have reached its person.
        """
        found = self._workspace.all(
            f"SELECT attempt.origin, count(*) FROM {_JOINED} WHERE {_STATE} IN ({_listed(states)}) "
            "AND attempt.origin IS NOT NULL AND attempt.origin IS NOT ? GROUP BY 1",
            json.dumps(here),
        )
        changed = (Origin(*json.loads(origin)).changed(here) for origin, _ in found)
        return min(changed, default=""), sum(count for _, count in found)

    def controls(self, here: Origin, now: float, most: int = 2) -> list[Control]:
        """Return requests of earlier tries that show whether the logs find our bulk ids, the newest first.

        Each was posted from `here` with a bulk id of ours and has several accepted messages. None is too old for the
        logs or scheduled for later.

        :param now: seconds since the epoch.
        :param most: the largest number of requests.
        """
        self._workspace.sql.create_function("is_control", 2, is_control, deterministic=True)
        found = self._workspace.all(
            f"SELECT attempt.no, attempt.bulk, attempt.at, attempt.not_before, attempt.scheduled FROM {_JOINED} "
            f"WHERE {_STATE} = '{_S.ACCEPTED.value}' AND attempt.origin IS ? "
            "GROUP BY attempt.no HAVING count(*) > 1 AND is_control(conclusive, found) "
            "ORDER BY attempt.at DESC, attempt.no DESC LIMIT ?",
            json.dumps(here),
            10 * most,
        )
        controls = []
        for number, bulk, at, not_before, scheduled in found:
            if Attempt(bulk, at, scheduled, not_before).is_within_retention(now) and (
                scheduled is None or scheduled <= now
            ):
                ids = self._workspace.all("SELECT id FROM known WHERE attempt = ?", number)
                controls.append(Control(bulk, tuple(message_id for (message_id,) in ids)))
        return controls[:most]

    def open_attempts(self) -> Iterator[Attempt]:
        """Yield the requests of earlier tries with messages that are still in doubt, the oldest first."""
        numbers = self._workspace.rows(
            f"SELECT DISTINCT attempt.no FROM {_JOINED} WHERE {_STATE} IN ({_listed(UNCERTAIN)}) ORDER BY 1"
        )
        for (number,) in list(numbers):
            yield self._attempt(number)

    def attempts_with(self, message_ids: Collection[str]) -> Iterator[Attempt]:
        """Yield the requests that have any of these messages."""
        for number in sorted(
            {
                number
                for each in message_ids
                for (number,) in self._workspace.all("SELECT attempt FROM known WHERE id = ?", each)
            }
        ):
            yield self._attempt(number)

    def _attempt(self, number: int) -> Attempt:
        bulk, at, not_before, scheduled, conclusive, origin = next(
            self._workspace.rows(
                "SELECT bulk, at, not_before, scheduled, conclusive, origin FROM attempt WHERE no = ?", number
            )
        )
        rows = self._workspace.rows(
            f"SELECT known.id, {_STATE}, known.reason FROM {_JOINED} WHERE attempt.no = ? ORDER BY known.id", number
        )
        attempt = Attempt(bulk, at, scheduled, not_before, bool(conclusive))
        attempt.origin = None if origin is None else Origin(*json.loads(origin))
        for message_id, state, reason in rows:
            attempt.messages[message_id] = MessageState(state)
            if reason is not None:
                attempt.reasons[message_id] = reason
        return attempt

    def followed_bulks(self, limit: int) -> Iterator[tuple[str, list[str], bool]]:
        """Yield the requests whose messages may have reached their people: id, those messages, and whether the id finds
        them.

        :param limit: the largest number of requests.
        """
        for number, bulk, conclusive in list(
            self._workspace.rows(
                f"SELECT DISTINCT attempt.no, attempt.bulk, attempt.conclusive FROM {_JOINED} "
                f"WHERE {_STATE} IN ({_listed(MAY_HAVE_ARRIVED)}) ORDER BY attempt.no LIMIT ?",
                limit,
            )
        ):
            rows = self._workspace.rows(
                f"SELECT known.id FROM {_JOINED} WHERE attempt.no = ? "
                f"AND {_STATE} IN ({_listed(MAY_HAVE_ARRIVED)}) ORDER BY 1",
                number,
            )
            yield bulk, [message_id for (message_id,) in rows], bool(conclusive)

    def followed_requests(self) -> Iterator[tuple[str, int, list[str]]]:
        """Yield the requests whose messages may have reached people: id, number of messages in all, and ids of those
        messages.

        Only requests whose id finds their messages.
        """
        rows = self._workspace.rows(
            f"SELECT attempt.no, attempt.bulk, known.id, {_STATE} IN ({_listed(MAY_HAVE_ARRIVED)}) FROM {_JOINED} "
            "WHERE attempt.conclusive ORDER BY attempt.no, known.id"
        )
        for _, group in groupby(rows, key=itemgetter(0)):
            request = list(group)
            followed = [message_id for _, _, message_id, may_have in request if may_have]
            if followed:
                yield request[0][1], len(request), followed

    def followed_apart(self) -> Iterator[str]:
        """Yield messages that may have reached people in another request than the one on record. Only their own ids
        find them.
        """
        for (message_id,) in self._workspace.rows(
            f"SELECT known.id FROM {_JOINED} WHERE NOT attempt.conclusive "
            f"AND {_STATE} IN ({_listed(MAY_HAVE_ARRIVED)}) ORDER BY attempt.no, known.id"
        ):
            yield message_id

    def oldest(self) -> float | None:
        """Return the time of the first intent; None if there is none."""
        found: float | None = self._workspace.scalar("SELECT min(at) FROM attempt")
        return found

    def scheduled_until(self) -> float | None:
        """Return the latest time that earlier tries have asked the vendor to send at; None if all went out at once."""
        found: float | None = self._workspace.scalar("SELECT max(scheduled) FROM attempt")
        return found

    def people_of(self, message_ids: list[str]) -> dict[str, tuple[Any, ...]]:
        """Return those of the messages that belong to this send's people: the columns of `PERSON` and the content's
        number.
        """
        found = {}
        for message_id in message_ids:
            rows = self._workspace.all(f"SELECT {PERSON}, content FROM person WHERE id = ?", message_id)
            if rows:
                found[message_id] = rows[0]
        return found
