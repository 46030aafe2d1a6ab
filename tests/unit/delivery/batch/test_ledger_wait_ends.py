"""Ends of a wait on a ledger that is not whole, cannot be written, or goes on meanwhile."""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from airflow_provider_omni.delivery.effects import Offload
from airflow_provider_omni.delivery.ledger.layout import SubFolder
from airflow_provider_omni.delivery.ledger.parts import OUTCOMES, pack, unpack
from airflow_provider_omni.delivery.ledger.shards import Shard
from airflow_provider_omni.delivery.messages.codec import step_of
from airflow_provider_omni.delivery.messages.status import StatusUpdate, Tracker
from airflow_provider_omni.delivery.tracking.subscriptions import Subscription
from airflow_provider_omni.delivery.tracking.verdict import Verdict
from airflow_provider_omni.delivery.tracking.wait_limits import TrackingLimits
from airflow_provider_omni.delivery.tracking.watch import Bulk
from airflow_provider_omni.ledger import read_outcomes, unreached
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import OmniConfigurationError, OmniInputError, OmniStorageError
from airflow_provider_omni.omni.failures import Failure, failure_error
from airflow_provider_omni.omni.statuses import StepState
from airflow_provider_omni.simulator import outcomes as steps
from airflow_provider_omni.simulator.fates import FATES, Fate, Moment, Since
from tests.harness.direct import request_of
from tests.unit.delivery.batch.batchworld import World, numbers
from tests.unit.delivery.batch.waits import machine_of, saying, wait
from tests.unit.delivery.updates import held

SHARED = saying("Hello")


@contextlib.contextmanager
def nothing_heard_of(channel: str) -> Iterator[None]:
    """The vendor shows no step on this channel before it has ended."""
    observe = Tracker.observe

    def unless_running(self: Tracker, update: StatusUpdate) -> bool:
        hidden = update.channel == channel and update.state is StepState.PENDING
        return not hidden and observe(self, update)

    with patch.object(Tracker, "observe", unless_running):
        yield


class Folder:
    """The world's folder, of which some calls fail."""

    def __init__(self, world: World, fails: Any) -> None:
        self.world, self.fails, self.failed = world, fails, Counter[str]()

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            if self.fails(name, arguments, self.failed[name]):
                self.failed[name] += 1
                raise OmniStorageError("The disk is away.", retryable=True)
            return getattr(self.world.folder, name)(*arguments)

        return call


def outcomes(world: World) -> Counter[str | None]:
    return Counter(row.outcome for row in read_outcomes(str(world.folder.path)))


def sent_to(tmp_path: Path, count: int = 40) -> World:
    world = World(tmp_path)
    assert world.send(numbers(count), SHARED).error is None
    return world


# -- writing ---------------------------------------------------------------------------------------------------------


def test_at_the_deadline_a_write_that_fails_is_repeated_and_then_decided(tmp_path: Path) -> None:
    world = sent_to(tmp_path)
    world.clock.advance(600.0)
    folder = Folder(world, lambda name, arguments, failed: name == "write" and failed < 3)
    end = wait(world, hours=-0.01, folder=folder, success_when="finished")
    assert end.summary["delivered"] == 40
    assert outcomes(world) == {"delivered": 40}


def test_a_ledger_that_cannot_be_written_ends_with_an_error_and_not_with_a_verdict(tmp_path: Path) -> None:
    world = sent_to(tmp_path)
    folder = Folder(world, lambda name, arguments, failed: name == "write")
    with pytest.raises(OmniStorageError, match="nothing was decided") as caught:
        wait(world, folder=folder)
    assert caught.value.retryable


def test_while_the_ledger_cannot_be_written_no_reports_are_taken(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send([number[:-2] + "61" for number in numbers(40)], SHARED)  # something more may come of them
    world.clock.advance(600.0)
    world.calls.clear()
    with pytest.raises(OmniStorageError):
        wait(world, folder=Folder(world, lambda name, arguments, failed: name == "write"))
    assert sum("reports" in call.path for call in world.calls) == 4  # the first round over four requests


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_what_was_read_by_a_bulk_id_is_written_before_messages_are_followed_singly(
    tmp_path: Path, failing: int
) -> None:
    """Only reports tell of the delivery on LINE, and each is handed out once. A later request shows no row."""
    world = World(tmp_path, log_rows="last-step")
    late, prompt = [number[:-2] + "48" for number in numbers(20)], numbers(40)[20:]
    world.send(late, SHARED)
    world.simulator.configure(given_bulk_id="dropped")
    world.send(late + prompt, SHARED)
    world.clock.advance(600.0)
    folder = Folder(world, lambda name, names, failed: name == "write" and "outcomes" in names[0] and failed < failing)
    end = wait(world, folder=folder, success_when="finished")
    assert (end.summary["delivered"], end.summary["failed"]) == (40, 0)
    assert list(unreached(str(world.folder.path)).rows()) == []


def test_a_wait_that_is_left_off_keeps_what_is_not_written_down_though_the_batch_has_sent_more(tmp_path: Path) -> None:
    world = sent_to(tmp_path, 20)
    world.clock.advance(600.0)
    machine = machine_of(world)
    assert world.carry_out(machine.poll(), folder=Folder(world, lambda name, names, failed: name == "write")) is None
    world.send(numbers(40), SHARED)
    world.failing("logs")
    assert world.carry_out(machine.leave_off()) is False
    world.carry_out(machine.poll())
    assert outcomes(world)["delivered"] == 20


# -- a ledger that is not whole --------------------------------------------------------------------------------------


def take_away(world: World, what: str) -> None:
    if what == "sent":
        shutil.rmtree(world.folder.path / "sent")
    elif what == "folder":
        shutil.rmtree(world.folder.path)
    else:
        part = sorted((world.folder.path / "sent").iterdir())[0]
        part.write_bytes(part.read_bytes()[:-5])


@pytest.mark.parametrize(
    ("what", "says"), [("sent", "are missing"), ("cut", "cut short"), ("folder", "this machine does not see that path")]
)
def test_a_ledger_with_fewer_than_the_receipt_says_is_no_success(tmp_path: Path, what: str, says: str) -> None:
    world = sent_to(tmp_path)
    take_away(world, what)
    end = wait(world, accepted=40)
    assert end.verdict is Verdict.TIMEOUT
    assert says in end.explanation
    assert (end.summary["total"], end.summary["pending"]) == (40, 40)


def test_a_folder_that_is_mounted_later_is_followed(tmp_path: Path) -> None:
    world = sent_to(tmp_path)
    away = world.folder.path.with_name("away")
    world.folder.path.rename(away)
    machine = machine_of(world, accepted=40)
    assert world.carry_out(machine.poll()) is None
    away.rename(world.folder.path)
    world.clock.advance(60.0)
    assert world.carry_out(machine.until_decided()).verdict is Verdict.SUCCESS


def test_a_ledger_that_cannot_be_read_ends_as_the_deadline_does(tmp_path: Path) -> None:
    world = sent_to(tmp_path)
    end = wait(world, folder=Folder(world, lambda name, arguments, failed: name == "read"))
    assert end.verdict is Verdict.TIMEOUT
    assert "before the ledger could be used. The disk is away." in end.explanation


def test_what_was_proven_absent_once_and_doubted_again_is_waited_for(tmp_path: Path) -> None:
    """A try that goes on with an older proof of absence says so in its receipt, not in the ledger."""
    world = World(tmp_path)
    world.folder.write("tries/00001-aa.jsonl.gz", pack([{"v": 1}]))
    lines = [{"v": 1, "fingerprint": "x"}, {"bulk": "b", "at": world.clock.now(), "ids": ["m", "n"]}]
    world.folder.write("sent/00001-aa-000001.jsonl.gz", pack([*lines, {"bulk": "b", "all": "absent"}]))
    end = wait(world, accepted=2)
    assert (end.verdict, end.summary["total"]) == (Verdict.TIMEOUT, 2)
    assert "0 of 2 delivered, 0 failed, 2 pending" in end.explanation
    assert wait(world).summary["total"] == 0


def test_who_was_refused_since_the_receipt_was_made_is_not_missing_from_the_ledger(tmp_path: Path) -> None:
    """A receipt is made before each request, too: a try that dies then leaves one that calls everybody unconfirmed."""
    world = sent_to(tmp_path, 5)
    refused = [{"bulk": "r", "at": world.clock.now(), "ids": ["m", "n"]}, {"bulk": "r", "all": "refused"}]
    world.folder.write("sent/00002-bb-000001.jsonl.gz", pack([{"v": 1, "fingerprint": "x"}, *refused]))
    end = wait(world, accepted=7)
    assert (end.verdict, end.summary["total"]) == (Verdict.SUCCESS, 5)


def test_where_everybody_was_refused_since_the_receipt_was_made_no_gate_opens(tmp_path: Path) -> None:
    world = World(tmp_path)
    lines = [{"v": 1, "fingerprint": "x"}, {"bulk": "r", "at": world.clock.now(), "ids": ["m", "n"]}]
    world.folder.write("sent/00001-aa-000001.jsonl.gz", pack([*lines, {"bulk": "r", "all": "refused"}]))
    end = wait(world, accepted=2)
    assert (end.verdict, end.summary["total"]) == (Verdict.FAILURE, 0)


# -- others who write ------------------------------------------------------------------------------------------------


def test_what_another_copy_has_read_and_written_is_read_though_the_logs_are_silent(tmp_path: Path) -> None:
    world = sent_to(tmp_path)
    execute = world.execute

    def without_logs(call: Any) -> Any:
        if "logs" in call.path:
            raise failure_error(call, Failure.BROKEN)
        return execute(call)

    world.execute = without_logs  # type: ignore[method-assign]
    first = machine_of(world)
    assert world.carry_out(first.poll()) is None
    world.clock.advance(120.0)
    assert wait(world).verdict is Verdict.SUCCESS
    began = world.clock.now()
    assert world.carry_out(first.until_decided()).verdict is Verdict.SUCCESS
    assert world.clock.now() - began < 300.0


def test_what_another_copy_has_read_of_single_messages_is_read_though_this_one_follows_requests(
    tmp_path: Path,
) -> None:
    """That the bulk ids find nothing only the other copy could see, before the logs fell silent."""
    world = World(tmp_path, given_bulk_id="dropped", report_bulk_id="empty")
    world.send(numbers(20), SHARED)
    mend = world.failing("logs")
    first = machine_of(world, hours=1.0)
    assert world.carry_out(first.poll()) is None
    mend()
    world.clock.advance(120.0)
    assert wait(world).verdict is Verdict.SUCCESS
    world.failing("logs")
    end = world.carry_out(first.until_decided())
    assert (end.verdict, end.summary["delivered"]) == (Verdict.SUCCESS, 20)


def test_a_failure_that_another_copy_has_written_counts_only_once_the_logs_were_asked(tmp_path: Path) -> None:
    """A third copy has taken the report of the delivery, and died before it wrote it."""
    world = sent_to(tmp_path)
    world.clock.advance(120.0)
    assert wait(world).verdict is Verdict.SUCCESS
    names = world.folder.list(OUTCOMES)
    steps = [line for name in names for line in unpack(world.folder.read(name), name) if "steps" in line]
    for name in names:
        (world.folder.path / name).unlink()
    failed = [
        step_of(StatusUpdate("", channel, StepState.FAILED, "EXPIRED", world.clock.now(), world.clock.now()))
        for channel in ("LINE", "SMS")
    ]
    lines = [{"v": 1}, *(line | {"steps": failed} for line in steps)]
    world.folder.write("outcomes/00000-aa-000001.jsonl.gz", pack(lines))
    end = wait(world)
    assert (end.verdict, end.summary["delivered"], end.summary["failed"]) == (Verdict.SUCCESS, 40, 0)
    assert outcomes(world) == {"delivered": 40}


def test_what_a_cleared_batch_sends_meanwhile_is_followed_too(tmp_path: Path) -> None:
    world = sent_to(tmp_path, 20)
    machine = machine_of(world)
    assert world.carry_out(machine.poll()) is None
    world.send(numbers(40), SHARED)
    world.clock.advance(60.0)
    end = world.carry_out(machine.until_decided())
    assert (end.verdict, end.summary["total"], end.summary["delivered"]) == (Verdict.SUCCESS, 40, 40)
    assert outcomes(world) == {"delivered": 40}


# -- an event loop ---------------------------------------------------------------------------------------------------


def test_outcomes_are_counted_in_threads_and_forgotten_as_soon_as_they_are_written(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(numbers(3000), SHARED, chunk_size=400)
    world.clock.advance(600.0)
    machine = machine_of(world, success_when="finished", limits=TrackingLimits(news_in_a_part=500))
    known, kinds = [], Counter[str]()

    def seen(effect: Any) -> None:
        kinds[type(effect).__name__] += 1
        known.append(len(held(machine.deliveries.tracker)))

    end = world.carry_out(machine.until_decided(), before=seen)
    assert end.summary["delivered"] == 3000
    assert max(known) <= 1000
    assert kinds[Offload.__name__] > 8


# -- what readers are told -------------------------------------------------------------------------------------------


def test_who_is_under_way_at_the_deadline_is_pending_in_the_ledger_too_and_is_not_resent_to(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = numbers(1)[0][:-2] + "46"  # LINE refuses for good, the SMS is silent
    world.send([number, *numbers(1, 1)], SHARED)
    end = wait(world, hours=0.01, success_when="finished")
    assert end.verdict is Verdict.TIMEOUT
    assert (end.summary["failed"], end.summary["delivered"], end.summary["pending"]) == (0, 1, 1)
    assert outcomes(world) == {"pending": 1, "delivered": 1}
    path = str(world.folder.path)
    assert not list(unreached(path).rows())
    assert [row.number for row in unreached(path, include_unknown=True).rows()] == [number]


def test_who_failed_for_want_of_news_at_the_deadline_has_failed_in_the_ledger_too_and_is_resent_to(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, reports="per-step")
    number = numbers(1)[0][:-2] + "46"
    world.send([number, *numbers(1, 1)], SHARED)
    with nothing_heard_of("SMS"):
        end = wait(world, hours=0.01, success_when="finished")
    assert (end.summary["failed"], end.summary["delivered"]) == (1, 1)
    (row,) = [each for each in read_outcomes(str(world.folder.path)) if each.outcome == "failed"]
    assert row.permanent is None  # that of LINE is not about the SMS
    assert [row.number for row in unreached(str(world.folder.path)).rows()] == [number]


def test_who_failed_for_want_of_news_is_pending_again_once_a_later_wait_has_heard_of_them(tmp_path: Path) -> None:
    world = World(tmp_path, reports="per-step")
    world.send([numbers(1)[0][:-2] + "46", *numbers(1, 1)], SHARED)
    with nothing_heard_of("SMS"):
        wait(world, hours=0.01, success_when="finished")
    assert outcomes(world) == {"failed": 1, "delivered": 1}
    assert wait(world, hours=0.001, success_when="finished").verdict is Verdict.TIMEOUT
    assert outcomes(world) == {"pending": 1, "delivered": 1}
    assert not list(unreached(str(world.folder.path)).rows())


def test_nobody_has_failed_for_a_reader_while_a_wait_is_still_under_way(tmp_path: Path) -> None:
    world = World(tmp_path, reports="per-step")
    world.send([number[:-2] + "46" for number in numbers(2)], SHARED)
    machine = machine_of(world)
    assert world.carry_out(machine.poll()) is None
    world.clock.advance(20.0)
    assert world.carry_out(machine.poll()) is None
    assert outcomes(world) == {"pending": 2}
    assert list(unreached(str(world.folder.path)).rows()) == []


def test_a_part_of_another_version_is_one_clear_error_of_the_reader(tmp_path: Path) -> None:
    world = sent_to(tmp_path, 2)
    world.folder.write("outcomes/00000-aa-000001.jsonl.gz", pack([{"v": 99}, {"id": "m", "something": "else"}]))
    with pytest.raises(OmniStorageError, match="another version"):
        outcomes(world)


def test_a_damaged_line_of_outcomes_is_one_clear_error_of_the_reader_and_no_end_of_a_wait(tmp_path: Path) -> None:
    world = sent_to(tmp_path, 2)
    world.folder.write("outcomes/00000-aa-000001.jsonl.gz", pack([{"v": 1}, {"id": "m", "steps": [["LINE"]]}]))
    assert wait(world).summary["delivered"] == 2
    with pytest.raises(OmniStorageError, match="cannot be read"):
        outcomes(world)


def test_a_shard_that_never_began_is_told_before_anybody_is_resent_to(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(numbers(8), SHARED, shard=Shard(1, 3), folder=SubFolder(world.folder, "shard-1-of-3"))
    with pytest.raises(OmniInputError, match=r"of which 2 shards .* never began"):
        list(unreached(str(world.folder.path)).rows())


# -- whose account is asked -------------------------------------------------------------------------------------------


def test_outcomes_that_were_read_from_one_account_another_one_does_not_go_on_with(tmp_path: Path) -> None:
    world = World(tmp_path, reports="per-step", beat_seconds=100.0)
    world.send([number[:-2] + "40" for number in numbers(40)], saying("Hello", line=60, sms=60))
    first = machine_of(world, account="ours")
    while not world.folder.list("outcomes/"):
        world.clock.advance(10.0)
        assert world.carry_out(first.poll()) is None  # until LINE has failed, and that is written down
    world.clock.advance(2 * 3600.0)
    asked = len(world.calls)
    with pytest.raises(OmniConfigurationError, match="the one that was asked so far"):
        world.carry_out(machine_of(world, hours=0.0, account="other").until_decided())
    assert len(world.calls) == asked
    assert outcomes(world) == {"pending": 40}
    assert world.carry_out(machine_of(world, account="ours").until_decided()).summary["delivered"] == 40


def test_a_ledger_says_from_which_accounts_its_tries_have_sent(tmp_path: Path) -> None:
    world = sent_to(tmp_path, 4)
    world.folder.write("tries/00002-bb.jsonl.gz", pack([{"v": 1, "account": "ours"}]))
    with pytest.raises(OmniConfigurationError, match="as its ledger says"):
        wait(world, account="other")
    assert wait(world, account="ours").verdict is Verdict.SUCCESS


def test_a_try_that_has_sent_nothing_does_not_say_whose_account_is_asked(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.send(numbers(4), SHARED, policy={"account": "ours"}).error is None
    assert world.send(numbers(4), SHARED, policy={"account": "other"}).error is None
    with pytest.raises(OmniConfigurationError, match="as its ledger says"):
        wait(world, account="other")
    assert wait(world, account="ours").verdict is Verdict.SUCCESS


# -- bulk ids that find nothing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("polls", range(1, 7))
def test_each_sample_of_a_request_has_its_turn_whatever_time_lies_between_the_looks(tmp_path: Path, polls: int) -> None:
    """Some are found by nothing, as the refused ones whose answer was lost. The others must not wait for ever."""
    world = World(tmp_path)
    machine = machine_of(world)
    source = Subscription(Bulk("bulk", 3), None, samples=("a", "b", "c"))
    machine.deliveries.subscriptions = [source]
    asked = []

    def ask(_: float, message_ids: tuple[str, ...]) -> Any:
        asked.extend(message_ids if len(message_ids) == 1 else ())  # whether the logs read lists is not certain
        yield from ()
        return []

    with patch.object(machine.queries, "ask", ask):
        for _ in range(3):
            source.unseen = True
            world.carry_out(machine.followed.doubt_bulk_ids(0.0))
            world.clock.advance(polls * machine.watch.poll_interval)
    assert sorted(asked) == ["a", "b", "c"]


# -- a failure that a report which nobody has read may contradict ------------------------------------------------------

MANY = TrackingLimits(many_single=2, single_together=2)
LATE = Fate(
    "LINE delivered late, then SMS undeliverable",
    chat=(Moment(2, steps.HANDSET, since=Since.EXPIRY),),
    sms=(Moment(4, steps.NOT_DELIVERED, steps.ABSENT_SUBSCRIBER),),
)


def failed_at_last(world: World, fate: str, personal: bool) -> None:
    """Three messages of a fate, of which the logs show the last step only, which has failed."""
    rows = [{"phone": number[:-2] + fate, "name": number[4:9]} for number in numbers(3)]
    assert world.send(rows, saying("Hello {name}" if personal else "Hello")).error is None
    world.clock.advance(600.0)


def unreached_of(world: World) -> int:
    return len(list(unreached(str(world.folder.path)).rows()))


@pytest.mark.parametrize("personal", [False, True])
def test_whose_reports_could_not_be_read_until_the_deadline_is_not_among_the_unreached(
    tmp_path: Path, personal: bool
) -> None:
    """A report tells that LINE has delivered. The wait gave up before it could read it."""
    world = World(tmp_path, log_rows="last-step")
    failed_at_last(world, "48", personal)
    mend = world.failing("reports")
    assert wait(world, hours=0.01, success_when="finished", limits=MANY).summary["failed"] == 3
    assert (outcomes(world), unreached_of(world)) == ({"pending": 3}, 0)
    mend()
    assert wait(world, success_when="finished", limits=MANY).summary["delivered"] == 3
    assert (outcomes(world), unreached_of(world)) == ({"delivered": 3}, 0)


@pytest.mark.parametrize("personal", [False, True])
@pytest.mark.parametrize("waits", [1, 2])
def test_a_failure_is_confirmed_as_soon_as_the_reports_could_be_read(
    tmp_path: Path, personal: bool, waits: int
) -> None:
    """By the same wait, or by a later one, which finds the failure in the ledger. No report is left that tells it."""
    world = World(tmp_path, log_rows="last-step")
    failed_at_last(world, "42", personal)
    world.simulator.handle(request_of(api.get_reports(limit=1000)))  # somebody else has read them
    mend = world.failing("reports")
    machine = machine_of(world, success_when="finished", limits=MANY)
    assert world.carry_out(machine.poll()) is None
    assert (outcomes(world), unreached_of(world)) == ({"pending": 3}, 0)
    mend()
    last = machine if waits == 1 else machine_of(world, success_when="finished", limits=MANY)
    assert world.carry_out(last.until_decided()).summary["failed"] == 3
    assert (outcomes(world), unreached_of(world)) == ({"failed": 3}, 3)


def test_a_wait_that_is_decided_by_others_leaves_a_failure_unconfirmed(tmp_path: Path) -> None:
    world = World(tmp_path, log_rows="last-step")
    reached, late = numbers(10), [number[:-2] + "48" for number in numbers(2, 10)]
    world.send(reached + late, SHARED)
    world.clock.advance(600.0)
    world.failing("reports")
    assert wait(world, success_when="any").verdict is Verdict.SUCCESS
    assert (outcomes(world), unreached_of(world)) == ({"delivered": 10, "pending": 2}, 0)


@pytest.mark.parametrize("names", [("aa", "bb"), ("bb", "aa")])
def test_a_failure_is_confirmed_by_any_copy_of_the_wait(tmp_path: Path, names: tuple[str, str]) -> None:
    world = sent_to(tmp_path, 1)
    (row,) = read_outcomes(str(world.folder.path))
    step = ["SMS", "FAILED", "UNDELIVERABLE_NOT_DELIVERED", 1.0, 2.0, None, None, None]
    for name, mark in zip(names, ({"unconfirmed": True}, {}), strict=True):
        line = {"id": row.message_id, "steps": [step]} | mark
        world.folder.write(f"outcomes/00000-{name}-000001.jsonl.gz", pack([{"v": 1, "flow": ["LINE", "SMS"]}, line]))
    assert (outcomes(world), unreached_of(world)) == ({"failed": 1}, 1)


def test_an_unconfirmed_failure_is_one_if_another_copy_has_seen_every_step_fail(tmp_path: Path) -> None:
    world = sent_to(tmp_path, 1)
    (row,) = read_outcomes(str(world.folder.path))
    for name, channel, mark in (("aa", "SMS", {"unconfirmed": True}), ("bb", "LINE", {})):
        line = {"id": row.message_id, "steps": [[channel, "FAILED", "EXPIRED", 1.0, 2.0, None, None, None]]} | mark
        world.folder.write(f"outcomes/00000-{name}-000001.jsonl.gz", pack([{"v": 1, "flow": ["LINE", "SMS"]}, line]))
    assert (outcomes(world), unreached_of(world)) == ({"failed": 1}, 1)


@pytest.mark.parametrize("hours", [0.0, 2.0])
def test_a_report_that_came_between_the_read_of_reports_and_the_logs_is_read_before_the_failure_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    monkeypatch.setitem(FATES, "90", LATE)
    world = World(tmp_path, log_rows="last-step")
    world.send([number[:-2] + "90" for number in numbers(3)], SHARED)
    world.clock.advance(61.0)  # LINE has expired; it is delivered a second later, and the SMS fails after that
    execute = world.execute

    def after_a_while(call: Any) -> Any:
        if "logs" in call.path:
            world.clock.advance(10.0)
        return execute(call)

    world.execute = after_a_while  # type: ignore[method-assign]
    assert wait(world, hours=hours, success_when="finished").summary["delivered"] == 3
    assert (outcomes(world), unreached_of(world)) == ({"delivered": 3}, 0)


@pytest.mark.parametrize("polls", [1, 2])
def test_before_a_failure_counts_the_wait_reads_what_another_copy_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, polls: int
) -> None:
    """The other one has read the report of a delivery, which is handed out once."""
    monkeypatch.setitem(FATES, "90", LATE)
    world = World(tmp_path, log_rows="last-step")
    world.send([number[:-2] + "90" for number in numbers(3)], SHARED)
    first, other = (machine_of(world, success_when=goal) for goal in ("all", "finished"))
    for _ in range(polls):
        assert world.carry_out(first.poll()) is None
    world.clock.advance(63.0)  # LINE was delivered, and the SMS is under way
    world.carry_out(other.poll())
    world.clock.advance(3.0)
    assert world.carry_out(first.until_decided()).verdict is Verdict.SUCCESS
