"""The wait: read, write down, decide; and the logs fill what the reports did not bring."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_omni.delivery.effects import CallApi, Load, Save, Sleep
from airflow_provider_omni.delivery.messages.codec import decode, encode, points_to_messages
from airflow_provider_omni.delivery.messages.status import StatusUpdate
from airflow_provider_omni.delivery.tracking.criterion import SuccessCriterion
from airflow_provider_omni.delivery.tracking.verdict import DeliveryCounts, Verdict, explain
from airflow_provider_omni.delivery.tracking.wait import DeliveryWait, WaitEnd
from airflow_provider_omni.delivery.tracking.wait_limits import (
    CLOSING,
    CLOSING_READS,
    IDLE_POLLS,
    JOURNAL_PATIENCE,
    REFUSALS,
    SERVED,
)
from airflow_provider_omni.delivery.tracking.watch import Bulk, Watch
from airflow_provider_omni.omni.api import MAX_LIMIT
from airflow_provider_omni.omni.errors import (
    OmniAuthenticationError,
    OmniBusyError,
    OmniConfigurationError,
    OmniError,
    OmniRateLimitError,
    OmniRequestError,
    OmniServerError,
    OmniStaleTryError,
    OmniStorageError,
    OmniTransportError,
)
from airflow_provider_omni.omni.models import Rows
from airflow_provider_omni.omni.statuses import StepState
from tests.unit.delivery.stage import START, Stage, report, row

LOST = OmniTransportError("the answer never came")
FAILS = OmniStorageError("cannot write")
BULK = Bulk("bulk", 2, ("a", "b"))
ALONE = Bulk("bulk", 1, ("m",))
HOUR = 3600.0


def watch(*bulks: Bulk, timeout: float = HOUR, criterion: SuccessCriterion | None = None, **more: Any) -> Watch:
    more.setdefault("flow", ("LINE", "SMS"))
    more.setdefault("poll_interval", 30.0)
    return Watch(bulks or (ALONE,), START + timeout, criterion or SuccessCriterion(), **more)


def wait(stage: Stage, made: Watch | None = None, until: Any = None) -> Any:
    machine = DeliveryWait(made or watch(), stage.clock.now, jitter=lambda: 0.5).until_decided()
    return stage.play(machine, until) if until else stage.play(machine)


def polls(stage: Stage, made: Watch, number: int) -> list[WaitEnd | None]:
    machine = DeliveryWait(made, stage.clock.now, jitter=lambda: 0.5)
    ends = []
    for _ in range(number):
        ends.append(stage.play(machine.poll()))
        stage.clock.advance(made.poll_interval)
    return ends


def unread(*rows: Any) -> Rows[Any]:
    """A page of which one row could not be read."""
    page = Rows(rows)
    page.skipped = 1
    return page


def kinds(stage: Stage) -> list[str]:
    """The effects that were done, in order, in short."""
    names = {Load: "load", Save: "save", Sleep: "pause"}
    return [
        effect.call.path.rsplit("/", 1)[-1] if isinstance(effect, CallApi) else names[type(effect)]
        for effect in stage.effects
        if isinstance(effect, CallApi | Load | Save | Sleep)
    ]


# -- reading ---------------------------------------------------------------------------------------------------------


def test_a_delivery_ends_the_wait_with_a_summary() -> None:
    stage = Stage(reports=[[], [report("m")]])
    end = wait(stage)
    assert end.verdict is Verdict.SUCCESS
    assert (end.summary["delivered"], end.summary["total"]) == (1, 1)
    assert "1 of 1 delivered" in end.explanation


def test_reports_are_never_read_without_a_filter_and_always_a_thousand_at_a_time() -> None:
    stage = Stage()
    wait(stage, watch(BULK, ALONE, Bulk(None, 1, ("n",)), Bulk("hand", None), timeout=100.0))
    assert stage.reads
    assert all(("bulkId" in read) != ("messageId" in read) and read["limit"] == "1000" for read in stage.reads)


def test_the_journal_is_read_first_of_all_and_may_decide_alone() -> None:
    first = Stage(reports=[[report("m")]])
    wait(first, watch(criterion=SuccessCriterion(settle=True)))
    second = Stage(memory=first.memory, reports=[LOST], logs=[LOST])
    assert wait(second).verdict is Verdict.SUCCESS
    assert kinds(second) == ["load"]


def test_a_journal_with_an_operators_word_alone_decides_only_after_the_logs_were_asked() -> None:
    first = Stage(reports=[[report("m", "operator", "SMS")]], logs=[[row("m", "operator", "SMS")]])
    assert (
        wait(first, watch(criterion=SuccessCriterion(delivered_means="handset"), timeout=1.0)).verdict
        is Verdict.TIMEOUT
    )
    second = Stage(memory=first.memory, reports=[[]], logs=[[row("m", "failed", "SMS", done=20.0)]])
    assert wait(second).verdict is Verdict.FAILURE


def test_what_was_read_is_written_down_before_anything_is_decided() -> None:
    stage = Stage(reports=[[report("m")]])
    wait(stage)
    done = kinds(stage)
    assert done[done.index("reports") : done.index("reports") + 3] == ["reports", "load", "save"]


def test_pages_are_read_until_a_short_one_and_each_is_written_down() -> None:
    ids = tuple(f"m{n}" for n in range(MAX_LIMIT + 1))
    pages = [[report(each) for each in ids[:MAX_LIMIT]], [report(ids[MAX_LIMIT])]]
    stage = Stage(reports=pages)
    end = wait(stage, watch(Bulk("bulk", MAX_LIMIT + 1)))
    assert end.verdict is Verdict.SUCCESS
    assert kinds(stage)[1:] == ["reports", "load", "save", "reports", "load", "save", "logs"]


def test_only_changes_are_written() -> None:
    stage = Stage(reports=[[report("a")]])
    wait(stage, watch(BULK, timeout=600.0))
    assert kinds(stage).count("save") == 1


def test_a_message_that_is_only_under_way_is_not_worth_writing() -> None:
    stage = Stage(logs=[[row("m")]])
    wait(stage, watch(timeout=600.0))
    assert "save" not in kinds(stage)


def test_what_another_copy_wrote_is_merged_not_overwritten() -> None:
    other = Stage(reports=[[report("a")]])
    wait(other, watch(BULK, timeout=60.0))
    stage = Stage(reports=[[], [report("b")]])

    def steals(call: Any) -> Any:
        stage.memory.update(other.memory)
        return [report("b")]

    stage.reports = [[], steals, []]
    assert wait(stage, watch(BULK)).verdict is Verdict.SUCCESS
    assert {update.message_id for update in decode(stage.memory[BULK.journal_key])} == {"a", "b"}


def test_done_sources_are_not_read_again() -> None:
    done, open_ = Bulk(None, 1, ("m",)), Bulk(None, 1, ("n",))
    stage = Stage(reports=[[report("m")], []])
    wait(stage, watch(done, open_, timeout=600.0))
    assert sum(read.get("messageId") == "m" for read in stage.reads) == 1


# -- a dirty journal -------------------------------------------------------------------------------------------------


def test_nothing_is_decided_from_what_could_not_be_written_down() -> None:
    stage = Stage(reports=[[report("m")], []], saves=[FAILS])
    assert polls(stage, watch(), 3) == [None, None, None]


def test_what_could_not_be_written_is_written_later_though_nothing_more_is_read() -> None:
    stage = Stage(reports=[[report("m")], []], saves=[FAILS, FAILS, FAILS, None])
    ends = polls(stage, watch(), 3)
    assert ends[0] is None
    assert next(end.verdict for end in ends if end is not None) is Verdict.SUCCESS
    assert len(stage.reads) == 1


def test_at_the_deadline_a_write_that_fails_is_repeated_a_few_times() -> None:
    stage = Stage(start=START + 2 * HOUR, reports=[[report("m")], []], saves=[FAILS, FAILS, FAILS, None])
    assert wait(stage).verdict is Verdict.SUCCESS


def test_at_the_deadline_nothing_is_decided_from_what_cannot_be_written_down() -> None:
    stage = Stage(reports=[[report("m")], []], saves=[FAILS])
    with pytest.raises(OmniStorageError, match="could not be written down") as caught:
        wait(stage, watch(timeout=300.0))
    assert caught.value.retryable
    assert stage.clock.now() - START < 300.0 + CLOSING


def test_while_a_write_fails_nothing_more_is_taken_from_the_reports() -> None:
    stage = Stage(reports=[[report("a")], [report("b")]], saves=[FAILS])
    assert polls(stage, watch(BULK), 5) == [None] * 5
    assert len(stage.reads) == 1


def test_a_journal_that_cannot_be_read_at_first_is_read_later() -> None:
    before = Stage(reports=[[report("m")]])
    wait(before, watch(criterion=SuccessCriterion(settle=True)))
    stage = Stage(memory=before.memory, loads=[FAILS, FAILS, None])
    assert wait(stage).verdict is Verdict.SUCCESS
    assert stage.clock.now() - START < 120.0


@pytest.mark.parametrize("broken", [{"loads": [FAILS]}, {"saves": [FAILS]}], ids=["read", "written"])
def test_a_journal_that_stays_out_of_reach_ends_the_wait_with_an_error_long_before_its_deadline(broken: Any) -> None:
    stage = Stage(reports=[[report("m")], []], **broken)
    with pytest.raises(OmniStorageError, match="for 30 minutes") as caught:
        wait(stage, watch(timeout=47 * HOUR))
    assert caught.value.retryable
    assert JOURNAL_PATIENCE <= stage.clock.now() - START < JOURNAL_PATIENCE + 60.0


def test_one_entry_that_stays_out_of_reach_ends_the_wait_though_the_others_can_be_used() -> None:
    stage = Stage(reports=[[report("a")], [], [], []], loads=[None, FAILS])
    with pytest.raises(OmniStorageError, match="for 30 minutes"):
        wait(stage, watch(Bulk(None, 1, ("a",)), Bulk(None, 1, ("b",)), timeout=47 * HOUR))


def test_two_failures_that_are_polls_of_half_an_hour_apart_end_nothing() -> None:
    stage = Stage(reports=[[report("m")], []], loads=[FAILS, FAILS, None])
    assert wait(stage, watch(timeout=47 * HOUR, poll_interval=1800.0)).verdict is Verdict.SUCCESS


def test_a_journal_that_was_out_of_reach_for_a_quarter_of_an_hour_ends_nothing() -> None:
    stage = Stage(reports=[[report("m")], []], loads=[FAILS] * 30 + [None])
    assert wait(stage, watch(timeout=47 * HOUR)).verdict is Verdict.SUCCESS


def test_nothing_is_decided_while_a_part_of_the_journal_could_not_be_read() -> None:
    """One message has failed, so the verdict is clear; but the summary would leave the other one out."""
    bulks = Bulk(None, 1, ("a",)), Bulk(None, 1, ("b",))
    before = Stage(reports=[[report("a", "failed", "SMS")], [report("b")], []])
    wait(before, watch(*bulks, criterion=SuccessCriterion(settle=True)))
    stage = Stage(memory=before.memory, loads=[None, FAILS, None])
    end = wait(stage, watch(*bulks))
    assert (end.verdict, end.summary["delivered"], end.summary["failed"]) == (Verdict.FAILURE, 1, 1)


def test_a_stale_try_stops() -> None:
    stage = Stage(reports=[[report("m")]], saves=[OmniStaleTryError("replaced")])
    with pytest.raises(OmniStaleTryError):
        wait(stage)


# -- healing ---------------------------------------------------------------------------------------------------------


def test_the_logs_are_asked_at_every_start() -> None:
    stage = Stage(logs=[[row("m", "handset")]])
    assert wait(stage).verdict is Verdict.SUCCESS
    assert stage.clock.now() == START


@pytest.mark.parametrize("error", [LOST, OmniServerError("down", status=500)])
def test_the_logs_are_asked_after_a_read_that_failed(error: Exception) -> None:
    stage = Stage(reports=[[], error, []], logs=[[], [row("m", "handset")]])
    assert wait(stage).verdict is Verdict.SUCCESS
    assert stage.clock.now() == START + 30.0


def test_the_logs_are_asked_after_a_report_that_could_not_be_read() -> None:
    stage = Stage(reports=[[], unread(report("n")), []], logs=[[], [row("m", "handset")]])
    assert wait(stage).verdict is Verdict.SUCCESS
    assert len(stage.looks) == 2
    assert stage.clock.now() < START + 2 * 30.0


def test_a_page_that_is_full_with_its_unreadable_rows_is_not_the_last() -> None:
    stage = Stage(reports=[unread(*[report("n")] * (MAX_LIMIT - 1)), [report("m")]])
    assert wait(stage).verdict is Verdict.SUCCESS
    assert stage.clock.now() == START


def test_what_a_second_reader_took_is_healed_within_a_few_polls() -> None:
    stage = Stage(logs=[[], [row("m", "handset")]])
    assert wait(stage).verdict is Verdict.SUCCESS
    assert stage.clock.now() - START <= IDLE_POLLS * 30.0


def test_a_look_that_fails_is_repeated_at_the_next_poll() -> None:
    stage = Stage(logs=[LOST, LOST, [row("m", "handset")]])
    assert wait(stage).verdict is Verdict.SUCCESS
    assert stage.clock.now() == START + 60.0


def test_while_the_budget_is_used_up_the_wait_goes_on_without_the_logs() -> None:
    stage = Stage(logs=[OmniBusyError("full")], reports=[[], [], [report("m")]])
    assert wait(stage).verdict is Verdict.SUCCESS
    patience = [
        effect.patience for effect in stage.effects if isinstance(effect, CallApi) and "logs" in effect.call.path
    ]
    assert set(patience) == {0.0}


def test_before_giving_up_the_logs_are_asked_and_waited_for() -> None:
    stage = Stage(logs=[[]])

    def at_last(call: Any) -> Any:
        return [row("m", "handset")] if stage.clock.now() >= START + 50.0 else []

    stage.logs = [at_last]
    assert wait(stage, watch(timeout=50.0)).verdict is Verdict.SUCCESS
    last = [effect for effect in stage.effects if isinstance(effect, CallApi)][-1]
    assert (last.patience or 0.0) > 0.0


def test_a_last_look_that_fails_is_repeated_before_giving_up() -> None:
    stage = Stage(logs=[[], LOST, OmniBusyError("full"), [row("m", "handset")]])
    assert wait(stage, watch(timeout=10.0)).verdict is Verdict.SUCCESS


def test_a_last_look_that_always_fails_does_not_hold_the_wait_for_ever() -> None:
    stage = Stage(logs=[LOST])
    end = wait(stage, watch(timeout=10.0))
    assert end.verdict is Verdict.TIMEOUT
    assert stage.clock.now() - START < 60.0


def test_giving_up_is_over_in_time_however_many_bulks_wait_for_the_budget() -> None:
    stage = Stage()

    def busy(call: Any) -> Any:
        stage.clock.advance(60.0)
        return OmniBusyError("full")

    stage.logs = [busy]
    assert wait(stage, watch(*(Bulk(f"b{n}", 2) for n in range(100)), timeout=0.0)).verdict is Verdict.TIMEOUT
    patience = [
        effect.patience for effect in stage.effects if isinstance(effect, CallApi) and "logs" in effect.call.path
    ]
    assert patience[0] == CLOSING
    assert patience == sorted(patience, reverse=True)
    assert stage.clock.now() - START <= CLOSING + 60.0


def test_messages_under_way_do_not_make_the_logs_be_asked_at_every_poll() -> None:
    stage = Stage(logs=[[row("m")]])
    wait(stage, watch(timeout=3000.0))
    assert len(stage.looks) <= 3000.0 / 30.0 / IDLE_POLLS + 3


# -- single messages in one look ---------------------------------------------------------------------------------------


def singles(number: int) -> tuple[Bulk, ...]:
    return tuple(Bulk(None, 1, (f"m{n}",)) for n in range(number))


def logs_of(*delivered: str, reads: str = "all") -> Any:
    """Logs that show these as delivered; of a list of ids the vendor reads all, the first, or none at all."""

    def answer(call: Any) -> Any:
        asked = dict(call.query)["messageId"].split(",")
        if reads == "first":
            asked = asked[:1]
        elif reads == "one" and len(asked) > 1:
            asked = []
        return [row(each, "handset") for each in asked if each in delivered]

    return answer


@pytest.mark.parametrize("reads", ["all", "first", "one"])
def test_lone_messages_are_healed_whether_or_not_the_vendor_reads_lists(reads: str) -> None:
    everybody = [f"m{n}" for n in range(7)]
    stage = Stage(logs=[logs_of(*everybody, reads=reads)])
    end = wait(stage, watch(*singles(7)))
    assert end.verdict is Verdict.SUCCESS
    assert stage.clock.now() == START


def test_one_look_is_enough_for_many_single_messages() -> None:
    stage = Stage(logs=[logs_of(*[f"m{n}" for n in range(40)])])
    wait(stage, watch(*singles(40)))
    assert len(stage.looks) == 1


def test_messages_that_no_log_shows_cost_one_look_more_and_do_not_end_the_lists() -> None:
    stage = Stage(logs=[logs_of("m0", "m1")])
    polls(stage, watch(*singles(5)), 1)
    assert [look["messageId"].count(",") + 1 for look in stage.looks] == [5, 1]


@pytest.mark.parametrize("reads", ["first", "one"])
def test_one_message_whose_report_is_lost_is_found_among_many_that_the_logs_do_not_have(reads: str) -> None:
    """The vendor keeps two days: of the others, sent before, no query shows anything, alone or in a list."""
    for position in range(18):
        stage = Stage(logs=[logs_of(f"m{position}", reads=reads)])
        (end,) = polls(stage, watch(*singles(18), criterion=SuccessCriterion("any")), 1)
        assert end is not None, position


def test_one_request_whose_report_is_lost_is_found_among_many_that_the_logs_do_not_have() -> None:
    """Each was heard of, so its bulk id is not doubted, and no message of it is looked for by its own id."""
    bulks = [Bulk(f"b{number:02d}", 2, (f"x{number:02d}", f"y{number:02d}")) for number in range(18)]
    for kept in bulks:

        def logs(call: Any, kept: Bulk = kept) -> Any:
            found = dict(call.query).get("bulkId") == kept.bulk_id  # alone, not in a list
            return [row(each, "handset", bulk_id=kept.bulk_id) for each in kept.message_ids] if found else []

        heard = [[report(bulk.message_ids[0], "enroute", bulk_id=bulk.bulk_id)] for bulk in bulks]
        (end,) = polls(Stage(reports=[*heard, []], logs=[logs]), watch(*bulks, criterion=SuccessCriterion("any")), 1)
        assert end is not None, kept.bulk_id


def test_once_a_list_has_shown_two_of_its_ids_one_that_shows_none_is_believed() -> None:
    seen: list[int] = []

    def logs(call: Any) -> Any:
        asked = dict(call.query)["messageId"].split(",")
        seen.append(len(asked))
        return [row(each, "handset") for each in asked if each in ("m0", "m1")]

    polls(Stage(logs=[logs]), watch(*singles(40)), IDLE_POLLS + 1)
    assert seen == [40, 1, 38, 1, 1, 1]


def test_of_a_list_that_may_not_be_read_what_could_be_asked_alone_is_not_asked_again_in_the_next_poll() -> None:
    """The account's budget has room for ten calls a poll."""
    asked: list[str] = []
    calls: dict[float, int] = {}

    def logs(call: Any) -> Any:
        calls[stage.clock.now()] = calls.get(stage.clock.now(), 0) + 1
        if calls[stage.clock.now()] > 10:
            return OmniBusyError("full")
        asked.append(dict(call.query)["messageId"])
        return []

    stage = Stage(logs=[logs])
    polls(stage, watch(*singles(18)), 3)
    alone = [each for each in asked if "," not in each]
    assert sorted(alone) == sorted(f"m{number}" for number in range(18))


def test_long_ids_given_by_hand_are_asked_for_in_as_many_looks_as_it_takes() -> None:
    ids = ["x" * 190 + f"{n:03}" for n in range(30)]
    stage = Stage(logs=[logs_of(*ids)])
    assert wait(stage, watch(*(Bulk(None, 1, (each,)) for each in ids))).verdict is Verdict.SUCCESS
    assert all(len(look["messageId"]) <= 2048 for look in stage.looks)


# -- many requests ---------------------------------------------------------------------------------------------------


def many(number: int) -> tuple[Bulk, ...]:
    """Requests too large to be asked for together."""
    return tuple(Bulk(f"b{n}", 400) for n in range(number))


def scarce(stage: Stage, each_poll: int) -> Any:
    """Logs that have room for so many calls at a time."""
    calls: dict[float, int] = {}

    def answer(call: Any) -> Any:
        calls[stage.clock.now()] = calls.get(stage.clock.now(), 0) + 1
        return OmniBusyError("full") if calls[stage.clock.now()] > each_poll else []

    return answer


def looked_at(stage: Stage) -> list[str]:
    asked = [effect for effect in stage.effects if isinstance(effect, CallApi) and "logs" in effect.call.path]
    return [dict(effect.call.query)["bulkId"] for effect in asked]


def test_small_requests_are_looked_for_together_and_large_ones_are_not() -> None:
    stage = Stage(logs=[lambda call: [row("m", bulk_id=each) for each in dict(call.query)["bulkId"].split(",")]])
    polls(stage, watch(*(Bulk(f"small{n}", 2) for n in range(40)), *many(3)), 1)
    assert [read.count(",") + 1 for read in looked_at(stage)] == [41, 1, 1]


def test_a_vendor_that_does_not_read_lists_of_requests_is_asked_for_one_at_a_time() -> None:
    def answer(call: Any) -> Any:
        asked = dict(call.query)["bulkId"]
        return [] if "," in asked else [row(f"{asked}-{n}", "handset", bulk_id=asked) for n in "ab"]

    stage = Stage(logs=[answer])
    assert wait(stage, watch(*(Bulk(f"b{n}", 2) for n in range(7)))).verdict is Verdict.SUCCESS
    assert stage.clock.now() == START


def test_a_vendor_that_refuses_lists_is_asked_for_one_at_a_time() -> None:
    def answer(call: Any) -> Any:
        asked = dict(call.query)["messageId"]
        return OmniRequestError("no lists", status=400) if "," in asked else [row(asked, "handset")]

    stage = Stage(logs=[answer])
    assert wait(stage, watch(*singles(5))).verdict is Verdict.SUCCESS
    assert stage.clock.now() == START + 30.0


def test_who_has_waited_longest_is_looked_for_first_so_that_nobody_starves() -> None:
    stage = Stage()
    stage.logs = [scarce(stage, 3)]
    polls(stage, watch(*many(30), timeout=10 * HOUR), 10)
    assert set(looked_at(stage)) == {f"b{n}" for n in range(30)}


def test_requests_whose_reports_were_lost_are_looked_for_before_all_others() -> None:
    stage = Stage()
    stage.logs = [scarce(stage, 3)]
    lose = lambda call: LOST if dict(call.query)["bulkId"] == "b20" and stage.clock.now() == START + 30 else []  # noqa: E731
    stage.reports = [lose]
    polls(stage, watch(*many(30), timeout=10 * HOUR), 2)
    assert "b20" in looked_at(stage)[4:7]


def test_processes_of_one_poll_each_begin_to_look_at_another_place() -> None:
    count = 2 * SERVED
    seen: set[str] = set()
    stage = Stage()
    stage.logs = [scarce(stage, SERVED)]
    for _ in range(8):
        polls(stage, watch(*many(count), timeout=10 * HOUR), 1)
    seen = set(looked_at(stage))
    assert len(seen) == count


def test_the_last_round_begins_ahead_of_the_deadline_where_it_takes_longer_than_is_left_after_it() -> None:
    stage = Stage()
    stage.logs = [scarce(stage, 50)]
    count = 1500  # fifteen minutes at a hundred a minute
    made = watch(*many(count), timeout=2 * HOUR)
    machine = DeliveryWait(made, stage.clock.now, jitter=lambda: 0.5)
    for source in machine.deliveries.subscriptions:
        source.looked_at, source.logs_due, source.idle_polls = START, False, -1000
    stage.clock.reach(START + 2 * HOUR - 700.0)
    assert stage.play(machine.poll()) is None
    assert not looked_at(stage)
    stage.clock.reach(START + 2 * HOUR - 500.0)
    assert stage.play(machine.poll()) is None
    assert len(looked_at(stage)) == 51


@pytest.mark.parametrize("seconds", [0.25, 2.0])
def test_the_end_of_two_thousand_open_requests_comes_before_airflows_own_time_out(seconds: float) -> None:
    stage = Stage()

    def slow(call: Any) -> Any:
        stage.clock.advance(seconds)
        return []

    stage.logs, stage.reports = [slow], [slow]
    assert wait(stage, watch(*many(2000), timeout=HOUR)).verdict is Verdict.TIMEOUT
    assert stage.clock.now() - START - HOUR <= CLOSING + 10 * seconds
    assert CLOSING_READS < CLOSING


# -- who is counted --------------------------------------------------------------------------------------------------


def test_refused_messages_that_show_up_under_the_bulk_id_are_not_counted() -> None:
    stage = Stage(logs=[[row("a", "handset"), row("b", "handset"), row("refused", "refused", "SMS")]])
    end = wait(stage, watch(BULK))
    assert end.verdict is Verdict.SUCCESS
    assert end.summary["total"] == 2


def test_a_foreign_report_among_a_lone_messages_reports_is_not_counted() -> None:
    stage = Stage(reports=[[report("somebody else's", "failed", "SMS"), report("m")]])
    assert wait(stage).summary["total"] == 1


def test_messages_of_strangers_under_a_bulk_id_never_make_less_than_nobody_pending() -> None:
    strangers = [report(name) for name in ("x", "y", "z")]
    end = wait(Stage(reports=[strangers]), watch(Bulk("bulk", 2), criterion=SuccessCriterion("all")))
    assert end.summary["pending"] == 0
    assert (end.summary["total"], end.summary["delivered"]) == (3, 3)


def test_an_unknown_bulk_is_as_large_as_two_looks_apart_agree() -> None:
    stage = Stage(logs=[[row("a", "handset")], [row("a", "handset"), row("b", "handset")]])
    end = wait(stage, watch(Bulk("hand", None)))
    assert end.verdict is Verdict.SUCCESS
    assert end.summary["total"] == 2
    assert stage.clock.now() - START == 60.0


def test_an_unknown_bulk_may_succeed_early_for_any() -> None:
    stage = Stage(logs=[[row("a", "handset"), row("b")]])
    assert wait(stage, watch(Bulk("hand", None), criterion=SuccessCriterion("any"))).verdict is Verdict.SUCCESS
    assert stage.clock.now() == START


def test_an_unknown_bulk_of_which_nothing_is_heard_times_out() -> None:
    end = wait(Stage(), watch(Bulk("hand", None), timeout=600.0))
    assert end.verdict is Verdict.TIMEOUT
    assert end.summary["total"] == 0


def test_an_unknown_bulk_that_was_sent_long_ago_is_as_large_as_one_look_says() -> None:
    stage = Stage(start=START + 200.0, logs=[[row("a", "handset"), row("b", "handset")]])
    ends = polls(stage, watch(Bulk("hand", None)), 1)
    assert ends[0] is not None
    assert ends[0].summary["total"] == 2


@pytest.mark.parametrize(
    ("success_when", "verdict"),
    [("all", Verdict.TIMEOUT), (0.5, Verdict.TIMEOUT), ("finished", Verdict.TIMEOUT), ("any", Verdict.SUCCESS)],
)
def test_at_the_deadline_a_bulk_of_unknown_size_is_a_success_for_any_only(success_when: Any, verdict: Verdict) -> None:
    stage = Stage(reports=[[report("a")], []], logs=[LOST])
    end = wait(stage, watch(Bulk("hand", None), timeout=100.0, criterion=SuccessCriterion(success_when, settle=True)))
    assert end.verdict is verdict
    assert ("not known" in end.explanation) == (verdict is Verdict.TIMEOUT)


def test_an_unknown_bulk_with_a_full_page_of_rows_is_not_sized() -> None:
    stage = Stage(logs=[[row(f"m{n}", "handset") for n in range(MAX_LIMIT)]])
    assert polls(stage, watch(Bulk("hand", None)), 4) == [None] * 4


def test_an_unknown_bulk_with_a_row_that_cannot_be_read_is_not_sized() -> None:
    stage = Stage(logs=[unread(row("a", "handset"))])
    assert polls(stage, watch(Bulk("hand", None)), 4) == [None] * 4


# -- deciding --------------------------------------------------------------------------------------------------------


def test_a_failed_step_waits_for_the_next_one() -> None:
    stage = Stage(reports=[[report("m", "failed", "LINE")], [], [report("m", "handset", "SMS")]])
    assert wait(stage).verdict is Verdict.SUCCESS


DOWN = OmniServerError("down", status=503)


@pytest.mark.parametrize("error", [DOWN, LOST, OmniRateLimitError("slower", status=429)], ids=["503", "reset", "429"])
@pytest.mark.parametrize("timeout", [HOUR, -1.0], ids=["before the deadline", "at the deadline"])
def test_a_failure_that_the_logs_show_counts_only_once_the_reports_were_read(error: OmniError, timeout: float) -> None:
    """The logs show the last step only. A read that failed may have handed nothing out."""
    stage = Stage(reports=[error, [report("m")], []], logs=[[row("m", "failed", channel="SMS")]])
    assert wait(stage, watch(timeout=timeout)).verdict is Verdict.SUCCESS


def test_a_failure_that_only_the_logs_can_show_counts_at_the_deadline() -> None:
    stage = Stage(reports=[DOWN], logs=[[row("m", "failed", channel="SMS")]])
    assert wait(stage).verdict is Verdict.FAILURE
    assert START + HOUR <= stage.clock.now() < START + HOUR + CLOSING


def test_a_failure_of_every_step_needs_no_report() -> None:
    rows = [row("m", "failed", channel="LINE"), row("m", "failed", channel="SMS")]
    stage = Stage(reports=[DOWN], logs=[rows])
    assert wait(stage).verdict is Verdict.FAILURE
    assert stage.clock.now() == START


def test_a_copy_reads_the_reports_before_a_failure_counts_that_an_earlier_one_has_from_the_logs() -> None:
    stage = Stage(reports=[[report("m")], []], logs=[[]])
    stage.memory[ALONE.journal_key] = encode([StatusUpdate.of(row("m", "failed", channel="SMS"))])
    assert wait(stage).verdict is Verdict.SUCCESS


LATE = [row("m", "handset", channel="LINE"), row("m", "failed", channel="SMS")]
"""Log rows of a message whose first step was delivered before its last one failed."""


def test_a_failure_that_an_earlier_copy_has_written_counts_only_once_the_logs_were_asked() -> None:
    """That copy, or another one beside it, may have died with a report of a delivery that it had not written."""
    steps = [StatusUpdate.of(row("m", "failed", channel=channel)) for channel in ("LINE", "SMS")]
    stage = Stage(logs=[LATE], memory={ALONE.journal_key: encode(steps)})
    assert wait(stage).verdict is Verdict.SUCCESS
    assert kinds(stage) == ["load", "logs", "load", "save"]


def test_a_failure_that_a_report_tells_counts_only_once_the_logs_were_asked() -> None:
    """Another copy beside this one may have taken the report of the delivery, and died before it wrote it."""
    stage = Stage(reports=[[], [report("m", "failed", "LINE"), report("m", "failed", "SMS")]], logs=[[], LATE])
    assert wait(stage).verdict is Verdict.SUCCESS


def test_while_the_logs_cannot_be_asked_a_failure_counts_at_the_deadline_only() -> None:
    failed = [report("m", "failed", "LINE"), report("m", "failed", "SMS")]
    stage = Stage(reports=[[], failed, []], logs=[[], DOWN, DOWN, LATE])
    assert wait(stage).verdict is Verdict.SUCCESS
    stage = Stage(reports=[[], failed, []], logs=[[], DOWN])
    assert wait(stage, watch(timeout=300.0)).verdict is Verdict.FAILURE
    assert START + 300.0 <= stage.clock.now() < START + 300.0 + CLOSING


def test_at_the_deadline_the_logs_are_asked_before_a_failure_counts() -> None:
    failed = [report("m", "failed", "LINE"), report("m", "failed", "SMS")]
    stage = Stage(reports=[[], failed, []], logs=[[], *[DOWN] * 10, LATE])
    assert wait(stage, watch(timeout=300.0)).verdict is Verdict.SUCCESS
    assert stage.clock.now() >= START + 300.0


@pytest.mark.parametrize(
    "criterion", [SuccessCriterion("finished"), SuccessCriterion(0.5)], ids=["finished", "a ratio"]
)
def test_a_summary_counts_nobody_as_failed_of_whom_the_logs_were_not_asked(criterion: SuccessCriterion) -> None:
    pages = [[report("m", "failed", "LINE"), report("m", "failed", "SMS")], [report("n")], []]
    stage = Stage(reports=[[], [], *pages], logs=[[], [], LATE])
    end = wait(stage, watch(ALONE, Bulk("other", 1, ("n",)), criterion=replace(criterion, settle=True), ids_per_look=1))
    assert (end.verdict, end.summary["delivered"], end.summary["failed"]) == (Verdict.SUCCESS, 2, 0)


def test_the_failure_of_the_only_step_needs_no_logs() -> None:
    stage = Stage(reports=[[], [report("m", "failed", "SMS")]], logs=[[], DOWN])
    assert wait(stage, watch(flow=("SMS",))).verdict is Verdict.FAILURE
    assert len(stage.looks) == 1


def test_failures_of_more_subscriptions_than_can_be_asked_about_soon_are_taken() -> None:
    ids = [f"m{index}" for index in range(21)]
    failed = [[report(each, "failed", channel) for channel in ("LINE", "SMS")] for each in ids]
    stage = Stage(reports=[*([[]] * len(ids)), *failed, []], logs=[[]])
    watched = watch(*(Bulk(None, 1, (each,)) for each in ids), ids_per_look=1)
    assert wait(stage, watched).verdict is Verdict.FAILURE
    assert len(stage.looks) == len(ids)


def test_the_failure_of_the_last_step_ends_the_wait() -> None:
    stage = Stage(reports=[[report("m", "failed", "LINE"), report("m", "failed", "SMS")]])
    end = wait(stage)
    assert end.verdict is Verdict.FAILURE
    assert end.summary["failed_message_ids"] == ["m"]
    assert "cannot be reached any more" in end.explanation


def test_at_the_deadline_a_failed_step_after_which_nothing_came_counts_as_failed() -> None:
    stage = Stage(reports=[[report("m", "failed", "LINE")], []])
    end = wait(stage, watch(timeout=300.0))
    assert end.verdict is Verdict.FAILURE
    assert end.summary["failed"] == 1


def test_at_the_deadline_a_step_that_failed_just_before_it_is_not_the_end() -> None:
    stage = Stage(
        reports=[[], [report("m", "failed", "LINE", done=110.0)]], logs=[[row("m", "failed", "LINE", done=110.0)]]
    )
    end = wait(stage, watch(timeout=120.0, poll_interval=120.0))
    assert end.verdict is Verdict.TIMEOUT
    assert (end.summary["failed"], end.summary["pending"]) == (0, 1)


def test_a_refused_look_or_read_is_told_with_its_reason() -> None:
    refused = OmniRequestError("The filter is not known.", status=400)
    stage = Stage(reports=[refused, []], logs=[refused])
    wait(stage, watch(timeout=100.0))
    for said in ("A read of reports failed", "A look into the logs failed"):
        assert any(f"{said} (OmniRequestError, HTTP 400: The filter is not known.)" in each for each in stage.notes)


def test_the_deadline_is_wall_clock_time_and_says_how_many_are_open() -> None:
    stage = Stage(reports=[[report("a")], []])
    end = wait(stage, watch(BULK, timeout=100.0))
    assert end.verdict is Verdict.TIMEOUT
    assert "1 of 2 delivered (LINE 1), 0 failed, 1 pending" in end.explanation
    assert stage.clock.now() == START + 100.0


def test_a_wait_that_begins_after_its_deadline_still_looks_once() -> None:
    stage = Stage(start=START + 2 * HOUR, logs=[[row("m", "handset")]])
    assert wait(stage).verdict is Verdict.SUCCESS


def test_an_operator_delivery_waits_for_the_handset_where_that_is_meant() -> None:
    criterion = SuccessCriterion(delivered_means="handset")
    stage = Stage(reports=[[report("m", "operator", "SMS")], [report("m", "handset", "SMS")]])
    assert wait(stage, watch(criterion=criterion)).verdict is Verdict.SUCCESS
    assert stage.clock.now() == START + 30.0


def test_before_a_success_that_rests_on_an_operators_word_the_logs_are_asked_for_what_takes_it_back() -> None:
    stage = Stage(reports=[[], [report("m", "operator", "SMS")], []], logs=[[], [row("m", "failed", "SMS")]])
    assert wait(stage).verdict is Verdict.FAILURE
    assert stage.clock.now() == START + 30.0


def test_while_the_logs_cannot_be_asked_an_operators_word_is_no_success_before_the_deadline() -> None:
    down = OmniTransportError("down")
    words = [[], [report("m", "operator", "SMS")], []]
    stage = Stage(reports=list(words), logs=[[], down, [row("m", "failed", "SMS")]])
    assert wait(stage).verdict is Verdict.FAILURE
    stage = Stage(reports=list(words), logs=[[], down])
    assert wait(stage, watch(timeout=300.0)).verdict is Verdict.SUCCESS
    assert stage.clock.now() >= START + 300.0


def test_the_operators_words_of_more_sources_than_can_be_looked_for_soon_are_taken() -> None:
    ids = [f"m{index}" for index in range(21)]
    words = [[report(each, "operator", "SMS")] for each in ids]
    stage = Stage(reports=[*([[]] * len(ids)), *words, []], logs=[[]])
    watched = watch(*(Bulk(None, 1, (each,)) for each in ids), ids_per_look=1)
    assert wait(stage, watched).verdict is Verdict.SUCCESS
    assert stage.clock.now() == START + 30.0
    assert len(stage.looks) == len(ids)


def test_at_the_deadline_a_look_for_a_sample_that_fails_is_repeated_and_what_it_finds_is_followed() -> None:
    """The logs find no bulk ids; what was read of each message is in its own reports only."""
    failures = iter([OmniTransportError("down"), OmniTransportError("down")])

    def logs(call: Any) -> Any:
        ids = dict(call.query).get("messageId", "").split(",")
        if ids == [""]:
            return []
        return next(failures, None) or [row(each, "enroute") for each in ids]

    def reports(call: Any) -> Any:
        alone = dict(call.query).get("messageId")
        return [report(alone, "handset")] if alone else []

    stage = Stage(start=START + 2 * HOUR, logs=[logs], reports=[reports])
    end = wait(stage, watch(BULK))
    assert (end.verdict, end.summary["delivered"]) == (Verdict.SUCCESS, 2)


@pytest.mark.parametrize("processes", ["one process", "a process for each poll"])
def test_requests_that_nothing_finds_do_not_keep_the_others_from_being_doubted(processes: str) -> None:
    bulks = [Bulk(f"bulk{number:02d}", 2, (f"a{number:02d}", f"b{number:02d}")) for number in range(12)]
    found = {each for bulk in bulks[8:] for each in bulk.message_ids}

    def logs(call: Any) -> Any:
        return [row(each) for each in dict(call.query).get("messageId", "").split(",") if each in found]

    stage, made = Stage(logs=[logs]), watch(*bulks)
    machine = DeliveryWait(made, stage.clock.now, jitter=lambda: 0.5)
    for _ in range(30):
        if processes == "a process for each poll":
            machine = DeliveryWait(made, stage.clock.now, jitter=lambda: 0.5)
        stage.play(machine.poll())
        stage.clock.advance(made.poll_interval)
    followed = {key for key, entry in stage.memory.items() if points_to_messages(entry)}
    assert followed == {bulk.journal_key for bulk in bulks[8:]}


def test_of_a_request_whose_bulk_id_finds_nothing_as_many_are_looked_for_at_once_as_go_into_a_call() -> None:
    """All but one may have been refused, and so be in no log."""
    ids = tuple(f"m{number:02d}" for number in range(60))

    def logs(call: Any) -> Any:
        return [row("m40", "handset")] if "m40" in dict(call.query).get("messageId", "").split(",") else []

    stage = Stage(logs=[logs])
    polls(stage, watch(Bulk("bulk", 60, ids)), 6)
    assert any(points_to_messages(entry) for entry in stage.memory.values())


@pytest.mark.parametrize("failing", [1, 3])
def test_what_is_read_of_single_messages_is_written_only_where_later_copies_look_for_it(failing: int) -> None:
    """The mark that sends them there cannot be written at first; then the logs forget, and the process dies."""

    def logs(call: Any) -> Any:
        asked = dict(call.query).get("messageId", "")
        return [row(each, "handset") for each in asked.split(",") if each == "a"]

    stage = Stage(logs=[logs], saves=[FAILS] * failing + [None])
    polls(stage, watch(BULK), failing + 2)
    written = [effect.key for effect in stage.effects if isinstance(effect, Save)]
    assert written[: failing + 1] == [BULK.journal_key] * (failing + 1)
    assert points_to_messages(stage.memory[BULK.journal_key])
    later = Stage(logs=[[]])
    later.memory, later.now = stage.memory, stage.clock.now()
    machine = DeliveryWait(watch(BULK), later.clock.now, jitter=lambda: 0.5)
    assert later.play(machine.poll()) is None
    counts = later.play(machine.present_counts())
    assert counts is not None
    assert counts.delivered == 1


def test_the_mark_leaves_in_the_entry_what_another_copy_has_read_meanwhile() -> None:
    """Each report is handed out once: when the logs have forgotten, what the other copy has read is nowhere else."""
    stage = Stage()

    def logs(call: Any) -> Any:
        if dict(call.query).get("messageId") != "a":
            return []
        stage.memory.setdefault(BULK.journal_key, encode([StatusUpdate.of(report("b"))]))
        return [row("a")]

    stage.logs = [logs]
    later = Stage(memory=stage.memory)
    for there in (stage, later):
        machine = DeliveryWait(watch(BULK), there.clock.now, jitter=lambda: 0.5)
        there.play(machine.poll())
        assert {each.name for each in machine.deliveries.subscriptions} == {"a", "b"}
        counts = there.play(machine.present_counts())
        assert counts is not None
        assert counts.delivered == 1


def test_a_copy_that_cannot_read_the_mark_keeps_it() -> None:
    """It reads a report by the request's bulk id, and writes that down where the mark stands."""
    stage = Stage(reports=[[report("a")], []], logs=[[]])
    stage.memory[BULK.journal_key] = encode(()) | {"one_by_one": True}
    stage.loads = [FAILS, None]
    machine = DeliveryWait(watch(BULK), stage.clock.now, jitter=lambda: 0.5)
    stage.play(machine.poll())
    assert points_to_messages(stage.memory[BULK.journal_key])
    assert stage.play(machine.poll()) is None
    assert {each.name for each in machine.deliveries.subscriptions} == {"a", "b"}
    counts = stage.play(machine.present_counts())
    assert counts is not None
    assert counts.delivered == 1


@pytest.mark.parametrize("failing", [2, 3, 4])
def test_a_copy_that_learns_of_the_mark_late_writes_down_first_what_it_has_read(failing: int) -> None:
    """Its entry cannot be read at first, so that a page of reports is read by the request's bulk id."""
    stage = Stage(reports=[[report("a"), report("b")], []], logs=[[]], loads=[*[FAILS] * failing, None])
    stage.memory[BULK.journal_key] = encode(()) | {"one_by_one": True}
    end = wait(stage, watch(BULK))
    assert (end.verdict, end.summary["delivered"]) == (Verdict.SUCCESS, 2)
    written = stage.memory[BULK.journal_key]
    assert {each.message_id for each in decode(written)} == {"a", "b"}
    assert points_to_messages(written)


@pytest.mark.parametrize("singly", [False, True], ids=["by its bulk id", "singly"])
def test_what_a_copy_beside_has_read_counts_at_the_deadline_though_the_logs_are_silent(*, singly: bool) -> None:
    stage = Stage()
    machine = DeliveryWait(watch(BULK), stage.clock.now, jitter=lambda: 0.5)
    assert stage.play(machine.poll()) is None
    if singly:
        stage.memory[BULK.journal_key] = encode(()) | {"one_by_one": True}
        for each in BULK.message_ids:
            stage.memory[Bulk(None, 1, (each,)).journal_key] = encode([StatusUpdate.of(report(each))])
    else:
        stage.memory[BULK.journal_key] = encode([StatusUpdate.of(report(each)) for each in BULK.message_ids])
    end = stage.play(machine.until_decided())
    assert (end.verdict, end.summary["delivered"]) == (Verdict.SUCCESS, 2)
    assert stage.clock.now() < START + HOUR + CLOSING


def test_a_process_that_begins_at_the_deadline_reads_its_journal_once() -> None:
    stage = Stage()
    wait(stage, watch(timeout=-1.0))
    assert kinds(stage).count("load") == 1


def test_news_that_cannot_be_written_stays_with_its_request_though_another_copy_follows_singly() -> None:
    stage = Stage(reports=[[report("a"), report("b")], []], logs=[[]], loads=[FAILS, FAILS, None])
    stage.memory[BULK.journal_key] = encode(()) | {"one_by_one": True}
    stage.saves = [FAILS]
    assert polls(stage, watch(BULK), 6) == [None] * 6


def test_settle_waits_for_every_outcome() -> None:
    stage = Stage(reports=[[report("a")], [], [report("b", "failed", "SMS")]])
    end = wait(stage, watch(BULK, criterion=SuccessCriterion("any", settle=True)))
    assert end.verdict is Verdict.SUCCESS
    assert end.summary["pending"] == 0


def test_where_the_flow_is_unknown_the_logs_are_asked_before_a_failure_closes() -> None:
    stage = Stage(reports=[[report("m", "failed", "LINE")], []], logs=[[], [row("m", "enroute", "SMS")]])
    end = wait(stage, watch(flow=(), poll_interval=400.0, timeout=2000.0))
    assert end.verdict is Verdict.TIMEOUT  # neither after the settle time nor at the deadline: it is under way
    assert end.summary["pending"] == 1
    assert stage.clock.now() == START + 2000.0


def test_at_the_deadline_finished_is_not_reached_while_somebody_is_under_way() -> None:
    stage = Stage(reports=[[report("m", "failed", "LINE")], []], logs=[[row("m", "enroute", "SMS")]])
    end = wait(stage, watch(criterion=SuccessCriterion("finished"), timeout=100.0))
    assert end.verdict is Verdict.TIMEOUT
    assert (end.summary["failed"], end.summary["pending"]) == (0, 1)
    assert end.summary["by_status"] == {"PENDING_ENROUTE": 1}


def test_a_later_copy_knows_from_the_journal_who_was_under_way() -> None:
    first = Stage(reports=[[report("m", "failed", "LINE")], []], logs=[[row("m", "enroute", "SMS")]])
    wait(first, watch(criterion=SuccessCriterion("finished"), timeout=100.0))
    (entry,) = first.memory.values()
    assert {(step.channel, step.state) for step in decode(entry)} == {
        ("LINE", StepState.FAILED),
        ("SMS", StepState.PENDING),
    }


def test_where_the_flow_is_unknown_the_summary_says_what_was_closed_by_the_settle_time() -> None:
    stage = Stage(reports=[[report("m", "failed", "LINE")], []])
    end = wait(stage, watch(flow=()))
    assert end.verdict is Verdict.FAILURE
    assert end.summary["closed_by_settle_time"] == 1
    assert stage.clock.now() - START < 400.0


def dated(stage: Stage, behind: float, *rows: Any) -> Any:
    """Answers that name the vendor's time, whose clock is behind ours."""

    def answer(_: Any) -> Rows[Any]:
        page = Rows(rows)
        page.said_at = stage.clock.now() - behind
        return page

    return answer


@pytest.mark.parametrize("source", ["reports", "logs"])
def test_a_clock_that_is_ahead_of_the_vendors_closes_no_message_early(source: str) -> None:
    """By our clock the step has failed a quarter of an hour ago, by the vendor's it has just failed."""
    ahead = 900.0
    stage = Stage(start=START + ahead)
    stage.reports = [dated(stage, ahead, report("m", "failed", "LINE")), dated(stage, ahead)]
    stage.logs = [dated(stage, ahead, row("m", "failed", "LINE"))]
    setattr(stage, source, [[]])
    end = wait(stage, watch(flow=(), timeout=HOUR + ahead))
    assert end.summary["closed_by_settle_time"] == 1
    assert stage.clock.now() - ahead > START + 10.0 + 300.0


def test_a_clock_that_is_ahead_of_the_vendors_makes_no_failure_old_at_the_deadline() -> None:
    """The logs may not show yet that the next step has begun."""
    ahead = 900.0
    stage = Stage(start=START + ahead)
    stage.reports = [dated(stage, ahead, report("m", "failed", "LINE", done=15.0)), dated(stage, ahead)]
    stage.logs = [dated(stage, ahead, row("m", "failed", "LINE", done=15.0))]
    end = wait(stage, watch(timeout=ahead + 40.0, criterion=SuccessCriterion("finished")))
    assert (end.verdict, end.summary["pending"]) == (Verdict.TIMEOUT, 1)


def test_a_request_of_unknown_size_is_not_taken_for_whole_by_a_clock_that_is_ahead() -> None:
    ahead = 900.0
    stage = Stage(start=START + ahead)
    rows = [row("m", "handset", "LINE"), row("n", "handset", "LINE")]
    stage.logs = [dated(stage, ahead, rows[0]), dated(stage, ahead, *rows)]
    end = wait(stage, watch(Bulk("hand", None), timeout=HOUR + ahead))
    assert end.summary["total"] == 2


def test_nothing_to_wait_for_is_decided_at_once() -> None:
    stage = Stage()
    machine = DeliveryWait(Watch((), START + HOUR), stage.clock.now)
    end = stage.play(machine.until_decided())
    assert end.verdict is Verdict.SUCCESS
    assert stage.effects == []


@pytest.mark.parametrize("status", [401, 403])
def test_an_api_that_refuses_the_reads_ends_the_wait_after_a_few_polls(status: int) -> None:
    refusal = OmniAuthenticationError("no", status=status)
    stage = Stage(reports=[refusal])
    with pytest.raises(OmniAuthenticationError):
        wait(stage)
    assert len(stage.reads) == REFUSALS


def test_a_refusal_that_passes_does_not_end_the_wait() -> None:
    refusal = OmniAuthenticationError("no", status=401)
    stage = Stage(reports=[refusal, refusal, [], refusal, refusal, [report("m")]])
    assert wait(stage).verdict is Verdict.SUCCESS


def test_where_reports_could_not_be_kept_none_are_read() -> None:
    stage = Stage(logs=[[], [row("m", "handset")]])
    assert wait(stage, watch(logs_only=True)).verdict is Verdict.SUCCESS
    assert stage.reads == []


def test_polls_of_many_waits_are_spread() -> None:
    pauses = set()
    for jitter in (0.0, 0.5, 0.99):
        stage = Stage(reports=[[], [report("m")]])
        stage.play(DeliveryWait(watch(), stage.clock.now, jitter=lambda jitter=jitter: jitter).until_decided())  # type: ignore[misc]
        pauses |= {effect.seconds for effect in stage.effects if isinstance(effect, Sleep)}
    assert len(pauses) == 3
    assert all(27.0 <= pause <= 33.0 for pause in pauses)


# -- deaths ----------------------------------------------------------------------------------------------------------


def test_killed_after_the_read_and_before_the_write_the_logs_bring_it_back() -> None:
    stage = Stage(reports=[[report("m")], []])
    wait(stage, until=lambda effect: isinstance(effect, Load) and bool(stage.reads))
    stage.logs = [[row("m", "handset")]]
    assert wait(stage).verdict is Verdict.SUCCESS


def test_killed_after_the_write_the_next_copy_decides_without_a_call() -> None:
    stage = Stage(reports=[[report("m")], []])
    wait(stage, until=lambda effect: bool(stage.memory))
    stage.effects.clear()
    assert wait(stage).verdict is Verdict.SUCCESS
    assert kinds(stage) == ["load"]


def test_whoever_was_refused_or_never_sent_to_is_named_beside_a_goal_that_was_reached_without_them() -> None:
    counts = DeliveryCounts(total=3, delivered=3)
    assert explain(Verdict.SUCCESS, counts, SuccessCriterion("all"), 7) == (
        "Delivery goal 'all' reached: 3 of 3 delivered, 0 failed, 0 pending; not counted: 7 who were refused or never "
        "sent to."
    )
    assert "; not counted: 1 who was refused" in explain(Verdict.SUCCESS, counts, SuccessCriterion("all"), 1)
    assert "not counted" not in explain(Verdict.SUCCESS, counts, SuccessCriterion("all"))


def by_message_id(call: Any) -> list[Any]:
    """Reports or logs of a vendor who does not keep the callers' bulk ids."""
    asked = dict(call.query).get("messageId", "").split(",")
    return [(row if "logs" in call.path else report)(each, "handset") for each in asked if each]


def test_where_the_bulk_id_finds_nothing_the_messages_are_followed_by_their_own_ids() -> None:
    stage = Stage(reports=[by_message_id], logs=[by_message_id])
    end = wait(stage, watch(BULK))
    assert (end.verdict, end.summary["delivered"]) == (Verdict.SUCCESS, 2)


def test_a_later_copy_follows_them_so_too_when_the_logs_have_forgotten() -> None:
    def under_way(call: Any) -> Any:
        return [row("a", "enroute")] if "a" in dict(call.query).get("messageId", "").split(",") else []

    first = Stage(reports=[[]], logs=[under_way])
    wait(first, watch(BULK), until=lambda effect: isinstance(effect, Sleep))
    later = Stage(reports=[by_message_id], memory=first.memory)
    end = wait(later, watch(BULK))
    assert (end.verdict, end.summary["delivered"]) == (Verdict.SUCCESS, 2)
    assert later.looks == [] or all("bulkId" not in look for look in later.looks)


def test_a_bulk_id_that_finds_something_needs_no_look_by_message_ids() -> None:
    stage = Stage(reports=[[], [report("a"), report("b")]], logs=[[row("a", "enroute"), row("b", "enroute")]])
    assert wait(stage, watch(BULK)).verdict is Verdict.SUCCESS
    assert all("messageId" not in look for look in stage.looks)


@pytest.mark.parametrize("reads", [0, -1])
def test_a_message_that_nothing_finds_does_not_hide_that_lists_of_ids_are_not_read(reads: int) -> None:
    """Of a list the vendor reads one id only, and that one belongs to a message that shows up nowhere."""
    ids = ("a", "b", "c", "d")
    silent = ids[reads]

    def logs(call: Any) -> Any:
        asked = dict(call.query)["messageId"].split(",")
        return [row(asked[reads], "handset")] if asked[reads] != silent else []

    stage = Stage(logs=[logs])
    single = watch(*(Bulk(None, 1, (each,)) for each in ids), criterion=SuccessCriterion(success_when=0.75))
    end = wait(stage, single)
    assert (end.verdict, end.summary["delivered"]) == (Verdict.SUCCESS, 3)


@pytest.mark.parametrize("silent", [slice(0, 10), slice(15, 25), slice(30, 40)])
def test_messages_that_nothing_finds_and_that_stand_together_hide_nobody_else_until_the_deadline(silent: slice) -> None:
    """Follow what a killed try has left: a quarter was about to be posted, and lists of ids find nothing at all."""
    ids = tuple(f"{index:02d}" for index in range(40))

    def logs(call: Any) -> Any:
        asked = dict(call.query)["messageId"].split(",")
        return [row(asked[0], "handset")] if len(asked) == 1 and asked[0] not in ids[silent] else []

    stage = Stage(logs=[logs])
    end = wait(
        stage,
        watch(*(Bulk(None, 1, (each,)) for each in ids), timeout=250.0, criterion=SuccessCriterion(success_when=0.75)),
    )
    assert (end.verdict, end.summary["delivered"]) == (Verdict.SUCCESS, 30)


def test_another_message_is_looked_for_each_time_that_a_bulk_id_finds_nothing() -> None:
    """Also where each poll is a process of its own: the first may be one that nothing finds, and the only one that is
    read of a list.
    """

    def logs(call: Any) -> Any:
        return [row("b", "handset")] if dict(call.query).get("messageId", "").split(",")[0] == "b" else []

    stage = Stage(logs=[logs])
    for _ in range(2):
        stage.play(DeliveryWait(watch(BULK), stage.clock.now, jitter=lambda: 0.5).poll())
        stage.clock.advance(30.0)
    assert any(look.get("messageId", "").startswith("b") for look in stage.looks)


# -- whose account is asked -------------------------------------------------------------------------------------------


def test_another_account_than_the_receipts_is_asked_nothing() -> None:
    stage = Stage()
    machine = DeliveryWait(watch(account="ours"), stage.clock.now, account="other")
    with pytest.raises(OmniConfigurationError, match="another account than the messages were sent from") as caught:
        stage.play(machine.until_decided())
    assert not caught.value.retryable
    assert stage.effects == []


@pytest.mark.parametrize(("known", "asked"), [("", "other"), ("ours", ""), ("ours", "ours")])
def test_where_an_account_is_not_known_nothing_is_compared(known: str, asked: str) -> None:
    stage = Stage(reports=[[report("m")]])
    machine = DeliveryWait(watch(account=known), stage.clock.now, account=asked)
    assert stage.play(machine.until_decided()).verdict is Verdict.SUCCESS


def test_a_connection_that_changes_between_two_looks_is_noticed_by_the_next_one() -> None:
    stage = Stage()
    machine = DeliveryWait(watch(account="ours"), stage.clock.now, account="ours")
    assert stage.play(machine.poll()) is None
    machine.account, asked = "other", len(stage.effects)
    with pytest.raises(OmniConfigurationError):
        stage.play(machine.poll())
    assert len(stage.effects) == asked


def half_failed(account: str) -> Stage:
    """LINE has failed, as a first copy of the wait has read and written down. Nothing was heard of an SMS yet."""
    stage = Stage(reports=[[report("m", "failed")], []], logs=[[row("m", "failed")]])
    polls_of = DeliveryWait(watch(), stage.clock.now, account=account)
    assert stage.play(polls_of.poll()) is None
    return stage


def test_what_was_heard_from_one_account_another_one_does_not_close() -> None:
    """Its logs, where nothing is, would count as a look in vain, and whoever waits for an SMS as failed."""
    stage = Stage(memory=half_failed("ours").memory)
    stage.clock.reach(START + HOUR)
    with pytest.raises(OmniConfigurationError, match="the one that was asked so far"):
        stage.play(DeliveryWait(watch(), stage.clock.now, account="other").until_decided())
    assert stage.looks == []


def test_a_journal_of_a_version_that_did_not_know_of_accounts_is_read_by_any() -> None:
    stage = Stage(memory=half_failed("").memory, reports=[[report("m", channel="SMS")]])
    assert "account" not in next(iter(stage.memory.values()))
    assert stage.play(DeliveryWait(watch(), stage.clock.now, account="any").until_decided()).verdict is Verdict.SUCCESS


# -- what a look has shown, and what it has not ------------------------------------------------------------------------


def test_a_list_of_ids_that_shows_nothing_closes_nobody_as_failed() -> None:
    """Those that are looked for alone besides are found by nothing either: then nobody knows that no list is read."""
    made = watch(*(Bulk(None, 1, (each,)) for each in "ab"), criterion=SuccessCriterion("finished"), timeout=60.0)
    stage = Stage(reports=[lambda call: [report("a", "failed")] if dict(call.query)["messageId"] == "a" else []])
    end = wait(stage, made)
    assert (end.verdict, end.summary["failed"], end.summary["pending"]) == (Verdict.TIMEOUT, 0, 2)


def test_a_second_sms_that_is_under_way_is_known_to_later_copies_of_the_wait() -> None:
    flow = ("SMS", "LINE", "SMS")
    rows = [row("m", "failed", "SMS"), row("m", "failed", "LINE", done=20.0), second_sms_under_way()]
    first = Stage(logs=[rows])
    machine = DeliveryWait(watch(flow=flow), first.clock.now)
    assert first.play(machine.poll()) is None
    second = Stage(memory=first.memory, logs=[[row("m", "failed", "SMS")]])
    second.clock.reach(START + HOUR)
    end = second.play(DeliveryWait(watch(flow=flow), second.clock.now).until_decided())
    assert (end.verdict, end.summary["pending"]) == (Verdict.TIMEOUT, 1)


def second_sms_under_way() -> Any:
    return row("m", "enroute", "SMS").model_copy(update={"sent_at": datetime.fromtimestamp(START + 20.0, UTC)})
