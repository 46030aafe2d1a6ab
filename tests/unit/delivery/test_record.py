"""The record of a send: every change of state there is, and what is written down."""

from __future__ import annotations

import itertools
import json

import pytest

from airflow_provider_omni.delivery.messages.states import (
    MAY_BE_POSTED,
    MAY_HAVE_ARRIVED,
    TRANSITIONS,
    UNRESOLVED,
    Attempt,
    Event,
    MessageState,
    SendRecord,
)
from airflow_provider_omni.omni.errors import OmniStorageError

S, E = MessageState, Event


def posting(state: MessageState | None, **more: object) -> Attempt:
    made = Attempt("bulk", 1000.0, **more)  # type: ignore[arg-type]
    if state is not None:
        made.messages["m"] = state
    return made


@pytest.mark.parametrize(("before", "event"), list(itertools.product([None, *S], E)))
def test_a_message_changes_by_the_table_and_by_nothing_else(before: MessageState | None, event: Event) -> None:
    made = posting(before)
    if (before, event) in TRANSITIONS:
        made.learn("m", event)
        assert made.messages["m"] is TRANSITIONS[before, event]
    else:
        with pytest.raises(KeyError):
            made.learn("m", event)
        assert made.messages.get("m") is before


def test_what_was_accepted_or_refused_or_is_unconfirmed_is_never_posted_again() -> None:
    postable = {before for (before, event) in TRANSITIONS if event is E.POSTING}
    assert postable == MAY_BE_POSTED | {S.INTENT}
    assert not postable & {S.ACCEPTED, S.REFUSED, S.SEEN, S.UNCONFIRMED}


def test_nothing_leaves_accepted_or_refused() -> None:
    assert {before for before, _ in TRANSITIONS} <= {None, *S} - {S.ACCEPTED, S.REFUSED}


def test_only_an_answer_or_a_log_row_makes_accepted() -> None:
    assert {event for (_, event), after in TRANSITIONS.items() if after is S.ACCEPTED} == {E.TAKEN, E.LOG_ROW}


def test_every_state_that_may_have_reached_somebody_is_followed() -> None:
    assert UNRESOLVED <= MAY_HAVE_ARRIVED
    assert not MAY_HAVE_ARRIVED & MAY_BE_POSTED
    assert S.REFUSED not in MAY_HAVE_ARRIVED


def test_what_is_written_down_is_read_back() -> None:
    record = SendRecord("print", ("LINE", "SMS"))
    made = record.begin("bulk", ["a", "b"], 5.0, 7.0)
    made.since, made.by_bulk = 2.0, False
    made.learn("a", E.REFUSED)
    made.reasons["a"] = "REJECTED_NETWORK"
    assert SendRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


@pytest.mark.parametrize(
    "value", [{}, [], "x", 3, {"v": 2}, {"v": 1, "fingerprint": "f", "flow": None, "postings": [{}]}]
)
def test_a_record_that_cannot_be_read_stops_the_send(value: object) -> None:
    with pytest.raises(OmniStorageError, match="Nothing was posted"):
        SendRecord.from_json(value)  # type: ignore[arg-type]


def test_an_unknown_state_stops_the_send() -> None:
    record = SendRecord("print")
    record.begin("bulk", ["a"], 0.0, None)
    text = json.dumps(record.to_json()).replace("intent", "from the future", 1)
    with pytest.raises(OmniStorageError):
        SendRecord.from_json(json.loads(text))


def test_no_record_is_no_record() -> None:
    assert SendRecord.from_json(None) is None


def test_a_message_that_is_posted_again_leaves_its_earlier_request() -> None:
    record = SendRecord("print")
    first = record.begin("bulk ab", ["a", "b"], 0.0, None)
    first.learn("a", E.TAKEN)
    first.learn("b", E.PROVEN_ABSENT)
    record.begin("bulk b", ["b"], 9.0, None)
    assert [(each.bulk_id, dict(each.messages)) for each in record.postings] == [
        ("bulk ab", {"a": S.ACCEPTED}),
        ("bulk b", {"b": S.INTENT}),
    ]


def test_a_request_without_messages_is_forgotten() -> None:
    record = SendRecord("print")
    record.begin("bulk", ["a"], 0.0, None).learn("a", E.NO_EFFECT)
    record.begin("bulk", ["a"], 9.0, None)
    assert [each.intent_at for each in record.postings] == [9.0]


@pytest.mark.parametrize(("again", "by_bulk"), [("bulk ab", True), ("bulk a", False)])
def test_an_unknown_message_that_moves_to_another_request_is_no_longer_found_by_bulk(again: str, by_bulk: bool) -> None:
    record = SendRecord("print")
    record.begin("bulk ab", ["a", "b"], 0.0, None)
    ids = ["a", "b"] if by_bulk else ["a"]
    assert record.begin(again, ids, 9.0, None).by_bulk is by_bulk


def test_a_message_that_the_logs_found_elsewhere_is_followed_there() -> None:
    record = SendRecord("print", postings=[posting(S.ACCEPTED, by_bulk=False)])
    record.postings[0].messages["n"] = S.INTENT
    record.relocate({"m": "real", "unheard of": "x", "n": "bulk"})
    assert [(each.bulk_id, dict(each.messages)) for each in record.postings] == [
        ("bulk", {"n": S.INTENT}),
        ("real", {"m": S.ACCEPTED}),
    ]


def test_posting_again_on_trust_does_not_make_an_old_request_young() -> None:
    record = SendRecord("f", postings=[posting(MessageState.INTENT)])
    (message_id,) = record.postings[0].messages
    assert record.begin("b2", [message_id], 5000.0, None).oldest == 1000.0
