"""The attempts of each person that are on record, where the record may not know of all: for plans of one request.

An attempt is made only after the one before it was refused. So what the logs say of one tells something of the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from airflow_provider_omni.delivery.messages.ids import recipient_key_of
from airflow_provider_omni.delivery.messages.intent_log import IntentLog
from airflow_provider_omni.delivery.messages.states import MAY_HAVE_ARRIVED, TRANSITIONS, UNCERTAIN, Event, MessageState
from airflow_provider_omni.delivery.outbox import safety
from airflow_provider_omni.delivery.outbox.plan import SendPlan

_S = MessageState


class Conclusions(NamedTuple):
    """Conclusions from the attempts of each person about each other.

    :param gone: messages that were certainly never posted.
    :param superseded: messages that count as refused, since a later attempt was accepted.
    :param moved: the message that counted for a person so far, and the one that does now.
    """

    gone: list[str]
    superseded: list[str]
    moved: list[tuple[str, str]]


class Attempts:
    """Finds and compares the attempts of a plan's people."""

    def __init__(self, plan: SendPlan, known: IntentLog) -> None:
        self._plan = plan
        self._known = known

    def _people(self) -> Iterator[tuple[int, str, str]]:
        """Yield place, current message id and recipient key of everybody."""
        for place, current, address, key in self._plan.workspace.all(
            "SELECT seq, id, address, key FROM person ORDER BY seq"
        ):
            yield place, current, recipient_key_of(address, key)

    def _of(self, recipient: str) -> dict[str, MessageState]:
        """Return a person's attempts on record with their states, the first attempt first."""
        found: dict[str, MessageState] = {}
        while True:
            message_id = self._plan.ids.message_id(recipient, len(found))
            state = self._known.states((message_id,))
            if not state:
                return found
            found |= state

    def everybody(self) -> set[str]:
        """Return the ids of all attempts that are on record."""
        return {message_id for _, _, recipient in self._people() for message_id in self._of(recipient)}

    def others(self) -> dict[str, list[MessageState | None]]:
        """Return the states of each person's other attempts, by the current message id."""
        return {
            current: [state for message_id, state in self._of(recipient).items() if message_id != current]
            for _, current, recipient in self._people()
        }

    def unrecorded(self, further: int, *, shared_key: bool = False) -> tuple[list[str], list[str]]:
        """Return ids that may have been posted without a record, per person not known to be accepted: first those of
        lost tries, then those that other tasks may have made.

        The former are the current attempt, if it is not on record, and the next ones.

        :param further: the number of attempts after the current one that lost tries may have made.
        :param shared_key: True if other tasks may send under this key.
        """
        ids: list[str] = []
        others: list[str] = []
        for _, _, recipient in self._people():
            known = self._of(recipient)
            current = _current(known)
            if current is not None and known[current] is _S.ACCEPTED:
                continue
            following = len(known) + (current is None) + further
            refused = list(known.values()).count(_S.REFUSED)
            last = safety.attempts_to_look_for(refused, shared_key=shared_key)
            ids += [self._plan.ids.message_id(recipient, attempt) for attempt in range(len(known), following)]
            others += [self._plan.ids.message_id(recipient, attempt) for attempt in range(following, last)]
        return ids, others

    def refused(self) -> list[str]:
        """Return the messages on record as refused of each person of whom no message is known to be accepted."""
        ids: list[str] = []
        for _, _, recipient in self._people():
            known = self._of(recipient)
            if _S.ACCEPTED not in known.values():
                ids += [each for each, state in known.items() if state is _S.REFUSED]
        return ids

    def conclude(self, given_up: Collection[str] = (), shown: Mapping[str, bool] | None = None) -> Conclusions:
        """Draw conclusions from one attempt for another, and make the attempt that counts everybody's current one.

        :param given_up: messages that count as never posted.
        :param shown: messages that the logs have shown to this try: True if they show that it was taken.
        """
        shown = {} if shown is None else shown
        gone: list[str] = []
        superseded: dict[str, MessageState] = {}
        moved: list[tuple[str, str]] = []
        for place, current, recipient in self._people():
            states = self._of(recipient)
            if len(states) < 2:
                continue
            never = [each for each in states if each in given_up]
            states = {each: state for each, state in states.items() if each not in given_up}
            accepted = _accepted(states, shown)
            if accepted is not None:
                after = {each: TRANSITIONS[states[each], Event.SUPERSEDED] for each in _superseded_by(accepted, states)}
                superseded |= after
                states |= after
                never += _not_posted_after(accepted, states, surely_taken=shown.get(accepted, False))
            else:
                never += _never_posted(states)
            gone += never
            states = {each: state for each, state in states.items() if each not in never}
            counts = _current(states)
            if counts is not None and counts != current:
                moved.append((current, counts))
                self._plan.workspace.execute(
                    "UPDATE person SET first = coalesce(first, id), id = ? WHERE seq = ?", counts, place
                )
        self._known.note_states(superseded)
        self._known.forget(gone)
        return Conclusions(gone, list(superseded), moved)


def _current(states: dict[str, MessageState]) -> str | None:
    """Return the attempt that counts: the last that may have arrived, else the first that was not refused; None if all
    were.
    """
    for message_id in reversed(states):
        if states[message_id] in MAY_HAVE_ARRIVED:
            return message_id
    return next((each for each, state in states.items() if state is not _S.REFUSED), None)


def _accepted(states: Mapping[str, MessageState], shown: Mapping[str, bool]) -> str | None:
    """Return the attempt that was accepted last; None if none was. One that the logs may show as refused counts only
    where there is no other.
    """
    accepted = [each for each, state in states.items() if state is _S.ACCEPTED]
    surely = [each for each in accepted if shown.get(each, True)]
    return next(reversed(surely or accepted), None)


def _superseded_by(accepted: str, states: Mapping[str, MessageState]) -> list[str]:
    """Return the attempts that count as refused: all before the accepted one, and others that were accepted."""
    ids = list(states)
    before = [each for each in ids[: ids.index(accepted)] if states[each] is not _S.REFUSED]
    return before + [each for each in ids[ids.index(accepted) + 1 :] if states[each] is _S.ACCEPTED]


def _not_posted_after(accepted: str, states: Mapping[str, MessageState], *, surely_taken: bool) -> list[str]:
    """Return the last attempts after an accepted one that were never posted.

    :param surely_taken: True if the accepted one was surely not refused: then no attempt in doubt follows it. If the
        logs may show it as refused, or nobody knows how it came to be accepted, a further one may have been posted.
    """
    left, never = list(states), list[str]()
    kept = {_S.ACCEPTED, _S.REFUSED} | (frozenset() if surely_taken else UNCERTAIN)
    while left[-1] != accepted and states[left[-1]] not in kept:
        never.append(left.pop())
    return never


def _never_posted(states: dict[str, MessageState]) -> list[str]:
    """Return the last attempts that are absent, without those that follow a refusal."""
    left, never = list(states.items()), list[str]()
    while len(left) > 1 and left[-1][1] is _S.ABSENT and left[-2][1] is not _S.REFUSED:
        never.append(left.pop()[0])
    return never
