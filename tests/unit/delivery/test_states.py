"""The states of a message: every change there is."""

from __future__ import annotations

import itertools

import pytest

from airflow_provider_omni.delivery.messages.states import (
    MAY_BE_POSTED,
    MAY_HAVE_ARRIVED,
    TRANSITIONS,
    UNRESOLVED,
    Attempt,
    Event,
    MessageState,
)

S, E = MessageState, Event


def attempt(state: MessageState | None, **more: object) -> Attempt:
    made = Attempt("bulk", 1000.0, **more)  # type: ignore[arg-type]
    if state is not None:
        made.messages["m"] = state
    return made


@pytest.mark.parametrize(("before", "event"), list(itertools.product([None, *S], E)))
def test_a_message_changes_by_the_table_and_by_nothing_else(before: MessageState | None, event: Event) -> None:
    made = attempt(before)
    if (before, event) in TRANSITIONS:
        made.apply("m", event)
        assert made.messages["m"] is TRANSITIONS[before, event]
    else:
        with pytest.raises(KeyError):
            made.apply("m", event)
        assert made.messages.get("m") is before


def test_what_was_accepted_or_refused_or_is_unconfirmed_is_never_posted_again() -> None:
    postable = {before for (before, event) in TRANSITIONS if event is E.INTENT_WRITTEN}
    assert postable == MAY_BE_POSTED | {S.IN_DOUBT}
    assert not postable & {S.ACCEPTED, S.REFUSED, S.DUPLICATE_ID, S.UNCONFIRMED}


def test_nothing_leaves_accepted_or_refused_unless_another_attempt_counts() -> None:
    left = {before for before, event in TRANSITIONS if event is not E.SUPERSEDED}
    assert left <= {None, *S} - {S.ACCEPTED, S.REFUSED}


def test_whoever_is_superseded_is_refused_from_every_state() -> None:
    assert {before for before, event in TRANSITIONS if event is E.SUPERSEDED} == {*S} - {S.REFUSED}
    assert {after for (_, event), after in TRANSITIONS.items() if event is E.SUPERSEDED} == {S.REFUSED}


def test_only_an_answer_or_a_log_row_makes_accepted() -> None:
    assert {event for (_, event), after in TRANSITIONS.items() if after is S.ACCEPTED} == {E.TAKEN, E.LOG_ROW}


def test_every_state_that_may_have_reached_somebody_is_followed() -> None:
    assert UNRESOLVED <= MAY_HAVE_ARRIVED
    assert not MAY_HAVE_ARRIVED & MAY_BE_POSTED
    assert S.REFUSED not in MAY_HAVE_ARRIVED
