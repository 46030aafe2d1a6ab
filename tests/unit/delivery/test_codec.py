"""The journal: what is written down is what was seen, whoever writes first."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.delivery.messages.codec import decode, encode
from airflow_provider_omni.delivery.messages.status import StatusUpdate, Tracker
from tests.unit.delivery.updates import held, stories


def journal_of(story: list[StatusUpdate]) -> Any:
    tracker = Tracker()
    for update in story:
        tracker.observe(update)
    return json.loads(json.dumps(encode(step for steps in held(tracker).values() for step in steps.values())))


@given(stories)
def test_what_is_written_is_read_back(story: list[StatusUpdate]) -> None:
    entry = journal_of(story)
    tracker = Tracker()
    for update in story:
        tracker.observe(update)
    again = Tracker()
    for update in decode(entry):
        again.observe(update)
    assert held(again) == held(tracker)


@given(stories, stories)
def test_merging_two_journals_gives_the_same_in_either_order(
    one: list[StatusUpdate], other: list[StatusUpdate]
) -> None:
    first, second = list(decode(journal_of(one))), list(decode(journal_of(other)))
    assert journal_of(first + second) == journal_of(second + first) == journal_of(one + other)


@given(stories, st.randoms(use_true_random=False))
def test_the_same_sightings_in_any_order_give_the_same_value(story: list[StatusUpdate], random: Any) -> None:
    shuffled = random.sample(story, len(story))
    assert journal_of(story) == journal_of(shuffled)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "x",
        3,
        [],
        {},
        {"v": 2},
        {"v": 1},
        {"v": 1, "s": [], "m": {"m": [[0, 1, 2, None, None]]}},
        {"v": 1, "s": [["A"]], "m": []},
    ],
)
def test_an_entry_that_cannot_be_read_holds_nothing(entry: Any) -> None:
    assert list(decode(entry)) == []


def test_the_journal_of_a_full_bulk_stays_small() -> None:
    from tests.unit.delivery.stage import report

    updates = [StatusUpdate.of(report(f"00000000-0000-0000-0000-{n:012}")) for n in range(499)]
    assert len(json.dumps(encode(updates))) < 64 * 1024
