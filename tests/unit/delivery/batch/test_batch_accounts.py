"""A batch whose record is lost, older than what was sent, or made from another account; with and without a ledger."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.delivery.ledger.folders import LocalFolder
from airflow_provider_omni.delivery.ledger.parts import SENT, TRIES, TryId, pack, unpack
from airflow_provider_omni.delivery.messages.intent_log import IntentLog
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.stores import INDEX
from airflow_provider_omni.omni.errors import (
    OmniContentChangedError,
    OmniInputError,
    OmniRejectedError,
    OmniStorageError,
    OmniUnknownOutcomeError,
)
from airflow_provider_omni.storage.process import ProcessMemory
from tests.harness.driver import KilledError
from tests.unit.delivery.batch.batchworld import World, numbers

LEDGERS = pytest.mark.parametrize("ledger", [True, False], ids=["ledger", "state"])


def _world(tmp_path: Path, **settings: Any) -> World:
    return World(tmp_path, duplicates="accept", **settings)


def _unaccounted(world: World, recipients: Any, **more: Any) -> Any:
    """A later try on Airflow 3.3 that no earlier one has told that it ended; the run began five minutes ago."""
    policy = {"record_complete": False, "durable": True, "unaccounted": 1, "first_try_at": world.clock.now() - 300}
    return world.send(recipients, policy=policy | more.pop("policy", {}), **{"ledger": False} | more)


def _killed(world: World, recipients: Any, post: int, **more: Any) -> None:
    world.fault = lambda number: "kill-after" if number == post else None
    with pytest.raises(KilledError):
        world.send(recipients, policy={"connections": 1} | more.pop("policy", {}), **more)
    world.fault = lambda number: None


def _looks(world: World) -> int:
    return sum("logs" in call.path for call in world.calls)


# -- records that are gone, or older than what was sent ----------------------------------------------------------------


@pytest.mark.parametrize("people", [30, 300])
def test_a_green_batch_whose_state_was_dropped_sends_to_nobody_again(tmp_path: Path, people: int) -> None:
    """Clear the task's state, as with [state_store] clear_on_success, and with a clear from Airflow 3.4 on."""
    world = _world(tmp_path)
    world.send(numbers(people), ledger=False)
    world.memory = ProcessMemory()
    end = _unaccounted(world, numbers(people))
    assert isinstance(end.error, OmniInputError)
    assert "clear_on_success" in str(end.error)
    assert end.writes is None
    assert world.accepted() == numbers(people)


@pytest.mark.parametrize("id_lists", ["all", "first", "none"])
def test_up_to_a_hundred_people_each_is_asked_for_alone(tmp_path: Path, id_lists: str) -> None:
    """So that nobody gets it twice, however few were sent to, and however the logs read lists of ids."""
    world = _world(tmp_path, id_lists=id_lists)
    _killed(world, numbers(100), 1, ledger=False)
    world.memory = ProcessMemory()
    sent = world.accepted()
    assert isinstance(_unaccounted(world, list(reversed(numbers(100)))).error, OmniInputError)
    assert world.accepted() == sent


def test_a_batch_whose_first_try_never_came_to_send_is_sent_by_the_next(tmp_path: Path) -> None:
    world = _world(tmp_path)
    end = _unaccounted(world, numbers(30))
    assert end.error is None
    assert world.accepted() == numbers(30)
    assert any("does not tell what the earlier tries have sent" in line for line in world.lines)


def test_after_a_killed_try_whoever_is_not_on_record_is_asked_for_and_then_sent_to(tmp_path: Path) -> None:
    world = _world(tmp_path)
    _killed(world, numbers(60), 3, ledger=False)
    end = _unaccounted(world, numbers(60))
    assert end.error is None
    assert world.accepted() == numbers(60)
    assert end.sent == 30


def test_a_record_that_was_restored_to_an_older_state_is_not_believed(tmp_path: Path) -> None:
    world = _world(tmp_path)
    world.fault = lambda post: "refused" if post > 2 else None
    world.send(numbers(60), ledger=False, policy={"connections": 1, "attempts": 1})
    older = copy.deepcopy(world.memory._entries)
    world.fault = lambda post: None
    writes = world.send(numbers(60), ledger=False).writes
    assert world.accepted() == numbers(60)
    world.memory._entries = older
    began = world.clock.now() - 300
    end = world.send(
        numbers(60), ledger=False, policy={"record_writes": writes, "durable": True, "first_try_at": began}
    )
    assert isinstance(end.error, OmniInputError)
    assert world.accepted() == numbers(60)


def test_a_record_that_is_all_there_is_needs_no_look(tmp_path: Path) -> None:
    world = _world(tmp_path)
    writes = world.send(numbers(5), ledger=False).writes
    assert world.send(numbers(8), ledger=False, policy={"record_writes": writes}).error is None
    assert world.accepted() == numbers(8)
    assert not _looks(world)


def test_where_the_logs_cannot_tell_nobody_is_sent_to_without_a_record(tmp_path: Path) -> None:
    world = _world(tmp_path)
    mend = world.failing("logs")
    end = _unaccounted(world, numbers(3))
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert end.error.retryable
    assert world.posts == 0
    mend()
    assert _unaccounted(world, numbers(3)).error is None


def test_an_empty_ledger_is_not_believed_where_an_earlier_try_has_said_that_it_has_sent(tmp_path: Path) -> None:
    """Another path in each try, and an Airflow that has lost which part it wrote last."""
    world = _world(tmp_path)
    writes = world.send(numbers(20)).writes
    assert writes
    world.memory = ProcessMemory()
    policy = {"record_writes": writes, "first_try_at": world.clock.now() - 300}
    end = world.send(numbers(20), folder=LocalFolder(tmp_path / "other"), policy=policy)
    assert isinstance(end.error, OmniInputError)
    assert world.accepted() == numbers(20)


@LEDGERS
def test_whoever_was_refused_and_then_accepted_under_a_further_id_is_found_without_a_record(
    tmp_path: Path, ledger: bool
) -> None:
    world = _world(tmp_path)
    world.poison = frozenset(numbers(1))
    world.send(numbers(1), ledger=ledger)
    world.poison = frozenset()
    assert world.send(numbers(1), ledger=ledger).error is None
    world.memory = ProcessMemory()
    other = LocalFolder(tmp_path / "other")
    assert isinstance(
        _unaccounted(world, numbers(1), ledger=ledger, folder=other, policy={"unaccounted": 2}).error, OmniInputError
    )
    assert world.accepted() == numbers(1)


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("refusals", [1, 2])
def test_who_is_in_doubt_on_an_older_record_may_have_been_accepted_under_a_further_id_since(
    tmp_path: Path, refusals: int, told: bool, trust: bool
) -> None:
    """Proven absent, or posted on trust, the first id would be taken: only the further one was used."""
    world = _world(tmp_path, refused_uses_id=False)
    world.fault = lambda post: "kill"
    with pytest.raises(KilledError):
        world.send(numbers(3), ledger=False)
    world.fault = lambda post: None
    older = copy.deepcopy(world.memory._entries)
    world.poison = frozenset(numbers(3))
    for _ in range(refusals):
        assert isinstance(world.send(numbers(3), ledger=False).error, OmniRejectedError)
    world.poison = frozenset()
    writes = world.send(numbers(3), ledger=False).writes
    assert world.accepted() == numbers(3)
    world.memory._entries = older
    lost = {"record_writes": writes} if told else {"record_complete": False, "unaccounted": refusals + 1}
    policy = {"durable": True, "first_try_at": world.clock.now() - 600, "trust_duplicate_rejection": trust} | lost
    end = world.send(numbers(3), ledger=False, policy=policy)
    assert isinstance(end.error, OmniInputError)
    assert world.accepted() == numbers(3)


# -- another account ---------------------------------------------------------------------------------------------------


@LEDGERS
def test_what_is_in_doubt_is_never_proven_absent_by_another_accounts_logs(tmp_path: Path, ledger: bool) -> None:
    first, second = _world(tmp_path), _world(tmp_path)
    _killed(first, numbers(10), 1, ledger=ledger, policy={"account": "a"})
    second.memory, second.scenario_key = first.memory, first.scenario_key
    second.tries = first.tries
    end = second.send(numbers(10), ledger=ledger, policy={"account": "b"})
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert "Restore the account" in str(end.error)
    assert not end.error.retryable
    assert not second.accepted()
    assert not _looks(second)
    first.tries = second.tries
    assert first.send(numbers(10), ledger=ledger, policy={"account": "a"}).error is None
    assert first.accepted() == numbers(10)


@LEDGERS
def test_nobody_is_added_from_another_account_once_somebody_may_have_been_sent_to(tmp_path: Path, ledger: bool) -> None:
    world = _world(tmp_path)
    world.send(numbers(10), ledger=ledger, policy={"account": "a"})
    end = world.send(numbers(10), ledger=ledger, policy={"account": "b"})
    assert end.error is None
    assert (end.receipt.account, end.sent, end.receipt.counts.accepted) == ("a", 0, 10)
    end = world.send(numbers(20), ledger=ledger, policy={"account": "b"})
    assert isinstance(end.error, OmniContentChangedError)
    assert "other account: 10 messages" in str(end.error)
    assert world.send(numbers(20), ledger=ledger, policy={"account": "a"}).error is None
    assert world.accepted() == numbers(20)


def test_a_batch_is_told_from_the_account_that_has_accepted_some_of_it() -> None:
    """Not from one where some may have arrived: two tries that did not know of each other have left both."""
    with Workspace() as workspace:
        known = IntentLog(workspace)
        for bulk_id, origin in (("doubtful", "a"), ("taken", "b")):
            line = {"bulk": bulk_id, "at": 1.0, "ids": [bulk_id]}
            known.replay(line, "content", origin=[origin, "SCENARIO"])
        assert [each.account for each in known.origins()] == ["a", "b"]
        known.replay({"bulk": "taken", "all": "accepted"}, None)
        assert [each.account for each in known.origins()] == ["b"]


@LEDGERS
def test_where_nobody_was_sent_to_another_account_takes_over(tmp_path: Path, ledger: bool) -> None:
    world = _world(tmp_path)
    world.fault = lambda post: "refused"
    assert world.send(numbers(10), ledger=ledger, policy={"account": "a", "attempts": 1}).error is not None
    world.fault = lambda post: None
    assert world.send(numbers(10), ledger=ledger, policy={"account": "b"}).error is None
    assert world.accepted() == numbers(10)


@LEDGERS
def test_another_account_is_not_trusted_to_refuse_what_it_has_never_seen(tmp_path: Path, ledger: bool) -> None:
    world = _world(tmp_path)
    _killed(world, numbers(10), 1, ledger=ledger, policy={"account": "a"})
    end = world.send(numbers(10), ledger=ledger, policy={"account": "b", "trust_duplicate_rejection": True})
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert world.accepted() == numbers(10)


@LEDGERS
def test_what_is_in_doubt_is_not_proven_absent_with_another_scenario(tmp_path: Path, ledger: bool) -> None:
    world = _world(tmp_path)
    world.fault = lambda post: "close-before"
    mend = world.failing("logs")
    world.send(numbers(10), ledger=ledger)
    mend()
    world.fault = lambda post: None
    other = world.simulator.add_scenario([{"channel": "LINE"}, {"channel": "SMS"}], name="other")
    end = world.send(numbers(10), ledger=ledger, scenario_key=other)
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert "Restore the scenario_key" in str(end.error)
    assert not world.accepted()
    assert world.send(numbers(10), ledger=ledger).error is None
    assert world.accepted() == numbers(10)


@LEDGERS
def test_a_receipt_names_the_account_that_has_accepted_and_not_the_one_where_a_try_was_overtaken(
    tmp_path: Path, ledger: bool
) -> None:
    """It had written down what it was about to post, and then it saw that another try had begun. (Tries that overlap
    can do so in a ledger; a record in Airflow's state of the task is that of one try.)
    """
    world = _world(tmp_path)
    world.send(numbers(10), ledger=ledger, policy={"account": "a"})
    if ledger:
        header = {"v": 1, "fingerprint": "", "lines": 1, "origin": ["b", world.scenario_key]}
        intent = {"bulk": "bulk", "at": world.clock.now(), "ids": ["message"]}
        world.folder.write(TryId(1, "0").part(TRIES), world.folder.read(world.folder.list(TRIES)[0]))
        world.folder.write(TryId(1, "0").part(SENT, 1), pack([header, intent]))
    end = world.send(numbers(12), ledger=ledger, policy={"account": "b"})
    assert isinstance(end.error, OmniContentChangedError)
    assert (end.receipt.account, end.receipt.counts.accepted) == ("a", 10)
    end = world.send(numbers(12), ledger=ledger, policy={"account": "c", "requests_per_second": 0.08})
    assert isinstance(end.error, OmniInputError)
    assert (end.receipt.account, end.receipt.counts.accepted) == ("a", 10), "recalled"


def test_a_try_that_could_not_read_the_ledger_names_no_account(tmp_path: Path) -> None:
    """The ledger says who has the messages, and this try does not know of them."""
    world = _world(tmp_path)
    world.send(numbers(10), policy={"account": "a"})
    folder = LocalFolder(world.folder.path)

    def unreadable(name: str) -> bytes:
        raise OmniStorageError(f"{name} is away", retryable=True)

    folder.read = unreadable  # type: ignore[method-assign]
    end = world.send(numbers(10), folder=folder, policy={"account": "b"})
    assert isinstance(end.error, OmniStorageError)
    assert (end.receipt.account, end.receipt.counts.accepted) == (None, 0)


def _written_by_an_older_version(world: World, *, ledger: bool) -> None:
    """The record of one that did not know of accounts."""
    if not ledger:
        for key, entry in world.memory._entries.items():
            kept = json.loads(json.dumps(entry))
            if key == INDEX:
                del kept["writes"]
            else:
                del kept["intent"]["origin"]
            world.memory._entries[key] = kept
        return
    for kind in (TRIES, SENT):
        for name in world.folder.list(kind):
            lines = [
                {key: value for key, value in line.items() if key not in ("account", "origin")}
                for line in unpack(world.folder.read(name), name)
            ]
            (world.folder.path / name).write_bytes(pack(lines))


@LEDGERS
def test_what_an_older_version_has_left_in_doubt_is_found_where_the_logs_show_it(tmp_path: Path, ledger: bool) -> None:
    world = _world(tmp_path)
    _killed(world, numbers(20), 1, ledger=ledger, policy={"account": "a"})
    _written_by_an_older_version(world, ledger=ledger)
    assert world.send(numbers(20), ledger=ledger, policy={"account": "b"}).error is None
    assert world.accepted() == numbers(20)


@LEDGERS
@pytest.mark.parametrize("trust", [False, True])
def test_what_an_older_version_has_left_in_doubt_is_never_proven_absent(
    tmp_path: Path, ledger: bool, trust: bool
) -> None:
    """It may have been posted from another account: nobody has written down from which."""
    first, second = _world(tmp_path), _world(tmp_path)
    _killed(first, numbers(20), 2, ledger=ledger, policy={"account": "a"})
    _written_by_an_older_version(first, ledger=ledger)
    second.memory, second.scenario_key, second.tries = first.memory, first.scenario_key, first.tries
    policy = {"account": "b", "trust_duplicate_rejection": trust}
    end = second.send(numbers(20), ledger=ledger, policy=policy)
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert not set(second.accepted()) & set(first.accepted())


def test_neither_ledger_nor_state_holds_more_of_an_account_than_its_hash(tmp_path: Path) -> None:
    world = _world(tmp_path)
    world.send(numbers(3), policy={"account": "a1b2"})
    header = next(iter(unpack(world.folder.read(name := world.folder.list(SENT)[0]), name)))
    assert header["origin"] == ["a1b2", world.scenario_key]


# -- what a receipt tells of earlier tries ---------------------------------------------------------------------------


@LEDGERS
def test_a_receipt_has_the_steps_of_what_was_accepted_though_the_content_has_changed(
    tmp_path: Path, ledger: bool
) -> None:
    """Without the SMS in it, LINE's failure would be taken for the end; then the SMS comes, and a second send."""
    world = _world(tmp_path)
    both = {"line": {"type": "TEXT", "text": "Hello"}, "sms": {"text": "Hello"}}
    assert world.send(numbers(10), both, ledger=ledger).receipt.flow == ("LINE", "SMS")
    end = world.send(numbers(10), {"line": both["line"]}, ledger=ledger)
    assert (end.error, end.sent, end.receipt.flow) == (None, 0, ("LINE", "SMS"))


@LEDGERS
def test_a_receipt_has_the_steps_of_what_was_accepted_though_the_scenario_has_changed(
    tmp_path: Path, ledger: bool
) -> None:
    world = _world(tmp_path)
    assert world.send(numbers(10), ledger=ledger).error is None
    other = world.simulator.add_scenario([{"channel": "SMS"}, {"channel": "LINE"}], "SMS-LINE")
    end = world.send(numbers(10), ledger=ledger, scenario_key=other)
    assert (end.error, end.sent) == (None, 0)
    assert (end.receipt.scenario_key, end.receipt.flow) == (world.scenario_key, ("LINE", "SMS"))
    # So has that of a try that fails before it could begin.
    end = world.send(numbers(10), ledger=ledger, scenario_key="nosuch")
    assert end.error is not None
    assert (end.receipt.scenario_key, end.receipt.flow) == (world.scenario_key, ("LINE", "SMS"))


@LEDGERS
def test_where_nobody_was_sent_to_a_receipt_has_the_steps_of_the_other_scenario(tmp_path: Path, ledger: bool) -> None:
    world = _world(tmp_path)
    world.fault = lambda post: "refused"
    assert world.send(numbers(10), ledger=ledger, policy={"attempts": 1}).error is not None
    world.fault = lambda post: None
    other = world.simulator.add_scenario([{"channel": "SMS"}, {"channel": "LINE"}], "SMS-LINE")
    end = world.send(numbers(10), ledger=ledger, scenario_key=other)
    assert (end.error, end.sent) == (None, 10)
    assert (end.receipt.scenario_key, end.receipt.flow) == (other, ("SMS", "LINE"))
