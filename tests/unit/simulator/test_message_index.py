"""Standing of messages, and their number: as time passes, without looking at all of them."""

from __future__ import annotations

import pytest

from airflow_provider_omni.simulator.message_index import STATES, standing


def shown(account):
    return [(message.state, message.channel) for message in account.simulator.messages.find()]


def counts(account):
    with account.simulator.looking() as inside:
        return {state: n for state, n in inside.index.counts(account.clock.now()).items() if n}


@pytest.mark.parametrize(
    ("ending", "story"),
    [
        ("27", [(0, "pending", "LINE"), (1, "delivered", "LINE"), (200_000, "delivered", "LINE")]),
        ("40", [(0, "pending", "LINE"), (1, "pending", "SMS"), (2, "delivered", "SMS")]),
        ("42", [(0, "pending", "LINE"), (1, "pending", "SMS"), (2, "failed", "SMS")]),
        ("45", [(59, "pending", "LINE"), (60, "pending", "SMS"), (180, "failed", "SMS")]),
        ("48", [(60, "pending", "SMS"), (61, "failed", "SMS"), (63, "delivered", "LINE")]),
        ("62", [(2, "operator", "SMS"), (4, "failed", "SMS")]),
        ("64", [(1, "operator", "LINE"), (3, "delivered", "LINE")]),
        ("10", [(0, "refused", ""), (99, "refused", "")]),
    ],
)
def test_a_message_goes_through_its_states(driven, ending, story):
    account = driven()
    account.send(f"417930267{ending}")
    passed = 0
    for at, state, channel in story:
        account.advance(at - passed)
        passed = at
        assert shown(account) == [(state, channel)]
        assert counts(account) == {state: 1}


def test_a_message_of_later_is_scheduled_until_then(driven):
    account = driven()
    account.send(sendAt="2026-01-01T01:00:00.000+0000")
    assert shown(account) == [("scheduled", "")]
    account.advance(3600)
    assert shown(account) == [("pending", "LINE")]


def test_counts_are_those_of_every_message_looked_at_alone(driven):
    account = driven()
    account.send(*(f"4179302{place:02d}{ending}" for place in range(4) for ending in (10, 27, 40, 42, 44, 45, 62, 64)))
    for _ in range(12):
        account.advance(17)
        with account.simulator.looking() as inside:
            now = account.clock.now()
            messages = list(inside.index.oldest_first())
            alone = {state: sum(standing(message, now)[0] == state for message in messages) for state in STATES}
            assert inside.index.counts(now) == alone
            assert [message.channel for message in messages] == [standing(message, now)[1] for message in messages]


def test_numbers_stay_when_others_are_forgotten(driven):
    account = driven()
    account.send("41793026701", "41793026702", "41793026703")
    account.simulator.messages.delete(to="41793026702")
    with account.simulator.looking() as inside:
        assert [message.number for message in inside.index.newest_first()] == [3, 1]
        assert [message.number for message in inside.index.newest_first(before=3)] == [1]
        assert inside.index.get(2) is None
        assert inside.index.get(3).to == "41793026703"


def test_the_version_rises_with_what_a_list_would_show(driven):
    account = driven()
    seen = [account.simulator.version]
    for step in (account.send, lambda: account.advance(1), account.simulator.messages.delete, account.simulator.reset):
        step()
        seen.append(account.simulator.version)
    assert len(set(seen)) == len(seen)
    assert account.simulator.version == seen[-1]
