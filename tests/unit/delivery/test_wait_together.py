"""Several sends, one verdict: when it falls, and what the parts share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_omni.delivery.tracking.criterion import SuccessCriterion
from airflow_provider_omni.delivery.tracking.verdict import Verdict
from airflow_provider_omni.delivery.tracking.wait import WaitEnd
from airflow_provider_omni.delivery.tracking.wait_limits import CLOSING
from airflow_provider_omni.delivery.tracking.wait_together import WaitTogether, wait_for
from airflow_provider_omni.delivery.tracking.watch import Bulk, Watch
from airflow_provider_omni.omni.errors import OmniConfigurationError, OmniStorageError, OmniTransportError
from tests.unit.delivery.stage import START, Stage, report, row

TIMEOUT = 600.0


def together(*bulks: tuple[Bulk, ...], criterion: SuccessCriterion | None = None, **more: Any) -> Watch:
    flow = ("LINE", "SMS")
    whole = Watch(
        bulks=(),
        deadline=START + TIMEOUT,
        criterion=criterion or SuccessCriterion(),
        flow=flow,
        poll_interval=20.0,
        **more,
    )
    return replace(whole, parts=tuple(replace(whole, bulks=each).as_part() for each in bulks))


def machine(stage: Stage, watch: Watch, account: str = "") -> WaitTogether:
    made = wait_for(watch, stage.clock.now, "ab", lambda: 0.5, account=account)
    assert isinstance(made, WaitTogether)
    return made


def wait(stage: Stage, watch: Watch) -> WaitEnd:
    return stage.play(machine(stage, watch).until_decided())


def alone(*ids: str) -> tuple[Bulk, ...]:
    return tuple(Bulk(None, 1, (each,)) for each in ids)


def told(**states: str) -> Any:
    """Reports and rows of messages that are asked for one by one; nothing of others."""

    def answer(call: Any) -> list[Any]:
        asked = dict(call.query).get("messageId", "").split(",")
        of = report if call.path.endswith("reports") else row
        return [of(each, states[each], channel="SMS") for each in asked if each in states]

    return answer


def test_no_part_decides_alone() -> None:
    stage = Stage(reports=[told(a="handset", b="failed")], logs=[told(a="handset", b="failed")])
    end = wait(stage, together(alone("a"), alone("b"), criterion=SuccessCriterion(0.5, settle=True)))
    assert (end.verdict, end.summary["delivered"], end.summary["failed"]) == (Verdict.SUCCESS, 1, 1)


@pytest.mark.parametrize(
    ("success_when", "states", "verdict"),
    [("any", {"b": "handset"}, Verdict.SUCCESS), ("all", {"a": "failed"}, Verdict.FAILURE)],
)
def test_the_verdict_falls_as_soon_as_no_part_can_change_it(success_when: str, states: Any, verdict: Verdict) -> None:
    stage = Stage(reports=[told(**states)], logs=[told(**states)])
    assert wait(stage, together(alone("a"), alone("b"), criterion=SuccessCriterion(success_when))).verdict is verdict
    assert stage.clock.now() < START + TIMEOUT


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_an_operators_word_counts_only_if_it_holds_when_the_others_have_succeeded(order: str) -> None:
    """It is taken back before the other send succeeds: all were never delivered at one time."""
    taken_back = False

    def states(call: Any) -> Any:
        nonlocal taken_back
        stage.clock.advance(1.0)
        asked = dict(call.query).get("messageId", "").split(",")
        if "b" in asked:
            taken_back = True
        a = [row("a", "failed" if taken_back else "operator", channel="SMS")] if "a" in asked else []
        return a + ([row("b", "handset", channel="SMS")] if "b" in asked else [])

    stage = Stage(logs=[states], reports=[[]])
    assert wait(stage, together(*map(alone, order))).verdict is Verdict.FAILURE


def test_a_failure_counts_only_once_the_logs_were_asked_though_other_parts_go_on() -> None:
    """Somebody else has taken the report of a delivery that came before the last step's failure."""

    def reports(call: Any) -> list[Any]:
        of_a = dict(call.query)["messageId"] == "a" and stage.clock.now() > START
        return [report("a", "failed", channel) for channel in ("LINE", "SMS")] if of_a else []

    def rows(call: Any) -> list[Any]:
        of_a = dict(call.query)["messageId"] == "a" and stage.clock.now() > START
        return [row("a", "handset"), row("a", "failed", channel="SMS")] if of_a else []

    stage = Stage(reports=[reports], logs=[rows])
    end = wait(stage, together(alone("a"), alone("b"), criterion=SuccessCriterion("all")))
    assert (end.verdict, end.summary["delivered"], end.summary["failed"]) == (Verdict.TIMEOUT, 1, 0)


def test_at_the_deadline_all_parts_are_counted() -> None:
    stage = Stage(reports=[told(a="handset")], logs=[told(a="handset")])
    end = wait(stage, together(alone("a"), alone("b"), criterion=SuccessCriterion("finished")))
    assert (end.verdict, end.summary["pending"]) == (Verdict.TIMEOUT, 1)
    assert stage.clock.now() < START + TIMEOUT + CLOSING


def test_nothing_is_decided_while_a_part_could_not_write_down_what_it_has_read() -> None:
    states = {"a": "handset", "b": "handset"}
    stage = Stage(reports=[told(**states)], logs=[told(**states)])
    stage.saves = [None, OmniStorageError("not now"), OmniStorageError("not now"), None]
    end = wait(stage, together(alone("a"), alone("b")))
    assert end.verdict is Verdict.SUCCESS
    assert stage.clock.now() > START


@pytest.mark.parametrize("written", [0, 1], ids=["the first part", "the second part"])
def test_a_verdict_waits_until_all_that_was_read_is_written_down_and_counted(written: int) -> None:
    states = {"a": "failed", "b": "handset"}
    stage = Stage(reports=[told(**states)], logs=[told(**states)])
    stage.saves = [*[None] * written, OmniStorageError("not now"), OmniStorageError("not now"), None]
    end = wait(stage, together(alone("a"), alone("b"), criterion=SuccessCriterion("all")))
    assert (end.verdict, end.summary["delivered"], end.summary["failed"]) == (Verdict.FAILURE, 1, 1)
    assert stage.clock.now() > START


def test_a_copy_of_the_wait_knows_what_the_one_before_has_read_in_each_part() -> None:
    watch = together(alone("a"), alone("b"))
    first = Stage(reports=[told(a="handset")], logs=[[]])
    assert first.play(machine(first, watch).poll()) is None
    second = Stage(memory=first.memory, reports=[told(b="handset")], logs=[[]])
    assert wait(second, Watch.from_json(watch.to_json())).verdict is Verdict.SUCCESS


def test_the_last_looks_of_all_parts_together_take_no_longer_than_those_of_one() -> None:
    def slow(_: Any) -> Any:
        stage.clock.advance(20.0)
        return OmniTransportError("slow")

    stage = Stage(reports=[[]], logs=[slow])
    stage.clock.reach(START + TIMEOUT - 1.0)
    end = wait(stage, together(*(alone(f"{number}") for number in range(30))))
    assert (end.verdict, end.summary["pending"]) == (Verdict.TIMEOUT, 30)
    assert stage.clock.now() < START + TIMEOUT + 2 * CLOSING  # Airflow's own time-out


def test_each_part_gets_its_share_of_the_last_looks() -> None:
    """The first of two could use up all the time: its logs fail, and a look that fails is repeated."""
    asked: set[str] = set()

    def slow(call: Any) -> Any:
        asked.update(dict(call.query)["messageId"].split(","))
        stage.clock.advance(100.0)
        return OmniTransportError("slow")

    stage = Stage(reports=[[]], logs=[slow])
    stage.clock.reach(START + TIMEOUT + 1.0)
    wait(stage, together(alone("a"), alone("b")))
    assert asked == {"a", "b"}


def test_only_the_account_that_has_the_messages_is_asked() -> None:
    watch = together(alone("a"), alone("b"), account="ours")
    stage = Stage()
    poll = machine(stage, watch, account="other").poll()
    with pytest.raises(OmniConfigurationError):
        stage.play(poll)
    assert not stage.reads


def test_nobody_at_all_who_was_sent_to_opens_no_gate() -> None:
    watch = together((), ())
    parts = tuple(replace(each, unsent=2 * number) for number, each in enumerate(watch.parts))
    end = wait(Stage(), replace(watch, parts=parts))
    assert (end.verdict, end.explanation) == (
        Verdict.FAILURE,
        "Nobody was sent to: the vendor refused, or the send never reached, everybody (2 recipients).",
    )
