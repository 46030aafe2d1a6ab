"""Send operators with `wait_for_delivery`: one task that sends and then waits, in the worker and in the triggerer."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout, Asset, TaskDeferred
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_provider_omni.omni.errors import OmniError, OmniInputError
from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor
from airflow_provider_omni.simulator.running import RunningSimulator
from tests.harness.clock import SkippingClock
from tests.integration.airflow.test_fates import NUMBER, REFUSED, Task, account, clock, task

__all__ = ["account", "clock", "task"]

SCENARIO = "CC9F01A5DC7BEE2C2B829D203482A654"
SHORT = {"text": "Hello", "validityPeriod": 31, "validityPeriodTimeUnit": "SECONDS"}
MODES = ["poke", "deferrable"]


def one(mode: str, *codes: str, **arguments: Any) -> OmniSendMessageOperator:
    """A send to a few people of these fates, which waits."""
    given = {"to": [NUMBER + code for code in codes], "scenario_key": SCENARIO, "line": SHORT, "sms": SHORT}
    waits = {"wait_for_delivery": True, "deferrable": mode == "deferrable", "poke_interval": 1.5}
    return OmniSendMessageOperator(**{"task_id": "send"} | given | waits | arguments)


def many(mode: str, people: Any, ledger: Path | None, **arguments: Any) -> OmniSendBatchOperator:
    """A batch that waits."""
    given = {"recipients": people, "scenario_key": SCENARIO, "line": SHORT, "sms": SHORT}
    waits = {"wait_for_delivery": True, "deferrable": mode == "deferrable", "poke_interval": 1.5}
    path = {} if ledger is None else {"ledger_path": str(ledger)}
    return OmniSendBatchOperator(**{"task_id": "send"} | given | waits | path | arguments)


def accepted(account: RunningSimulator) -> Counter[str]:
    return Counter(each.to for each in account.record.acceptances)


@pytest.mark.parametrize("mode", MODES)
def test_a_send_that_waits_returns_its_receipt_with_the_summary(
    account: RunningSimulator, task: Task, mode: str
) -> None:
    value = getattr(task, mode)(one(mode, "27", "41"))
    assert value["counts"]["accepted"] == 2
    assert value["delivery"]["delivered"] == 2
    assert value["delivery"]["by_channel"] == {"LINE": 1, "SMS": 1}
    assert task.xcoms["return_value"] == value
    assert NUMBER not in json.dumps([task.events, task.xcoms, task.state])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ledger", [False, True], ids=["no ledger", "ledger"])
def test_a_batch_that_waits_returns_its_receipt_with_the_summary(
    account: RunningSimulator, task: Task, tmp_path: Path, mode: str, ledger: bool
) -> None:
    people = [f"{NUMBER[:-1]}{index}{code}" for index in range(3) for code in ("27", "41", "42")]
    value = getattr(task, mode)(many(mode, people, tmp_path if ledger else None, success_when="finished"))
    assert (value["delivery"]["delivered"], value["delivery"]["failed"]) == (6, 3)
    assert value["counts"]["accepted"] == 9


@pytest.mark.parametrize("mode", MODES)
def test_openlineage_is_told_what_was_sent_and_what_came_of_it(
    account: RunningSimulator, task: Task, tmp_path: Path, mode: str
) -> None:
    operator = many(mode, [NUMBER[:-1] + f"0{code}" for code in ("27", "41")], tmp_path)
    getattr(task, mode)(operator)
    lineage = operator.get_openlineage_facets_on_complete(None)
    facet = lineage.run_facets["omni_delivery"]
    assert (facet.counts["accepted"], facet.delivered, facet.by_channel) == (2, 2, {"LINE": 1, "SMS": 1})
    assert [(each.namespace, each.name) for each in lineage.outputs] == [("file", str(tmp_path))]


def test_the_receipt_stands_in_xcom_before_the_wait_begins(account: RunningSimulator, task: Task) -> None:
    with pytest.raises(TaskDeferred) as caught:
        one("deferrable", "27").execute(task.context)
    receipt = task.xcoms["return_value"]
    assert receipt["counts"]["accepted"] == 1
    assert caught.value.kwargs == {"receipt": receipt}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("code", "error"), [("42", AirflowFailException), ("73", AirflowSensorTimeout)], ids=["undelivered", "timed out"]
)
def test_a_wait_in_vain_fails_for_good_with_receipt_and_summary_in_xcom(
    account: RunningSimulator, task: Task, mode: str, code: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match="0 of 1 delivered"):
        getattr(task, mode)(one(mode, code, timeout=100))
    value = task.xcoms["return_value"]
    assert (value["counts"]["accepted"], value["delivery"]["delivered"]) == (1, 0)


def test_a_long_pause_between_polls_does_not_sleep_over_the_deadline(
    account: RunningSimulator, task: Task, clock: SkippingClock
) -> None:
    with pytest.raises(AirflowSensorTimeout):
        task.poke(one("poke", "73", timeout=100, poke_interval=3600))
    assert clock.now() - task.started_at < 100 + 300  # the last reads take up to five minutes


def test_without_a_pause_between_polls_the_vendor_is_not_asked_in_a_circle(
    account: RunningSimulator, task: Task, clock: SkippingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    sleep = clock.sleep
    monkeypatch.setattr(clock, "sleep", lambda seconds: (pauses.append(seconds), sleep(seconds)))
    task.poke(one("poke", "27", poke_interval=0))
    assert pauses
    assert min(pauses) >= 0.1


@pytest.mark.parametrize("mode", MODES)
def test_less_than_everybody_is_enough_where_the_user_says_so(account: RunningSimulator, task: Task, mode: str) -> None:
    value = getattr(task, mode)(one(mode, "27", "27", "42", success_when="any"))
    assert value["delivery"]["delivered"] >= 1


def test_a_retry_of_a_wait_sends_nothing_again_and_goes_on_waiting(account: RunningSimulator, task: Task) -> None:
    with pytest.raises(TaskDeferred):
        one("deferrable", "27", "41").execute(task.context)
    first = task.xcoms["return_value"]
    event = {"status": "error", "error": "OmniStorageError", "message": "out of reach", "retryable": True}
    with pytest.raises(OmniError, match="out of reach"):
        one("deferrable", "27", "41").execute_complete(task.context, event=event, receipt=first)
    task.begin_next_try()
    value = task.deferrable(one("deferrable", "27", "41"))
    assert value["delivery"]["delivered"] == 2
    assert value["message_ids"] == first["message_ids"]
    assert set(accepted(account).values()) == {1}


@pytest.mark.parametrize("ledger", [False, True], ids=["no ledger", "ledger"])
def test_a_retry_of_a_batch_that_waited_sends_nothing_again(
    account: RunningSimulator, task: Task, tmp_path: Path, ledger: bool
) -> None:
    people = [f"{NUMBER[:-1]}{index}27" for index in range(5)]
    with pytest.raises(TaskDeferred):
        many("deferrable", people, tmp_path if ledger else None).execute(task.context)
    task.begin_next_try()
    value = task.poke(many("poke", people, tmp_path if ledger else None))
    assert value["delivery"]["delivered"] == 5
    assert accepted(account) == Counter(people)


@pytest.mark.parametrize("mode", MODES)
def test_the_delivery_report_of_a_send_that_waits_tells_of_both(
    account: RunningSimulator, task: Task, mode: str
) -> None:
    getattr(task, mode)(one(mode, "27", "71", success_when="finished"))
    report = task.xcoms["omni_delivery"]
    assert (report["kind"], report["state"]) == ("wait", "delivered")
    assert report["send"]["state"] == "sent"
    assert report["send"]["counts"]["accepted"] == 2


@pytest.mark.parametrize("mode", MODES)
def test_a_dry_run_waits_for_nobody(account: RunningSimulator, task: Task, mode: str) -> None:
    value = getattr(task, mode)(one(mode, "27", dry_run=True))
    assert value["dry_run"]
    assert value["delivery"]["total"] == 0
    assert not accepted(account)


def test_a_refused_recipient_fails_the_task_before_it_waits(account: RunningSimulator, task: Task) -> None:
    with pytest.raises(Exception, match="1 of 2 messages"):
        one("deferrable", "27", sorted(REFUSED)[0]).execute(task.context)
    assert task.xcoms["return_value"]["counts"]["rejected"] == 1


@pytest.mark.parametrize("event", [None, {}, {"status": "done"}, "success"])
def test_an_event_that_is_not_known_is_never_a_success(account: RunningSimulator, task: Task, event: Any) -> None:
    with pytest.raises(OmniError, match="does not know"):
        one("deferrable", "27").execute_complete(task.context, event=event, receipt={"bulks": []})


def test_mistakes_in_the_wait_show_when_the_dag_is_read_with_all_others() -> None:
    with pytest.raises(OmniInputError) as caught:
        one("poke", "27", success_when=1.5, poke_interval=-1, timeout="{{ x }}", deferrable="yes", dry_run="no")
    told = "\n".join(caught.value.problems)
    for name in ("success_when", "poke_interval", "timeout", "deferrable", "dry_run"):
        assert name in told


def test_arguments_of_a_wait_are_not_looked_at_without_one() -> None:
    one("poke", "27", wait_for_delivery=False, timeout=None, poke_interval=1)
    with pytest.raises(OmniInputError, match="wait_for_delivery"):
        one("poke", "27", wait_for_delivery="yes")


TOLD = Asset("x-shop://told")


@pytest.mark.parametrize("mode", MODES)
def test_the_event_of_an_asset_tells_the_counts_of_send_and_delivery(
    account: RunningSimulator, task: Task, mode: str
) -> None:
    task.more["outlet_events"] = OutletEventAccessors()
    value = getattr(task, mode)(one(mode, "27", "41", outlets=[TOLD]))
    told = task.more["outlet_events"][TOLD].extra["omni"]
    assert told["counts"] == value["counts"]
    assert told["delivery"] == {name: each for name, each in value["delivery"].items() if name != "ledger_path"}
    assert NUMBER not in json.dumps(told)


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable"])
def test_the_event_of_a_sensor_tells_the_delivery(account: RunningSimulator, task: Task, mode: str) -> None:
    receipt = one("poke", "27", "41", wait_for_delivery=False).execute(task.context)
    task.more["outlet_events"] = OutletEventAccessors()
    kind: dict[str, Any] = {"deferrable": True} if mode == "deferrable" else {"mode": mode}
    getattr(task, mode)(OmniDeliverySensor(task_id="wait", receipt=receipt, poke_interval=1.5, outlets=[TOLD], **kind))
    told = task.more["outlet_events"][TOLD].extra["omni"]
    assert told["delivery"]["delivered"] == 2
    assert list(told) == ["delivery"]


def test_a_wait_that_is_resumed_with_the_event_alone_takes_its_receipt_from_xcom(
    account: RunningSimulator, task: Task
) -> None:
    with pytest.raises(TaskDeferred):
        one("deferrable", "27").execute(task.context)
    receipt = task.xcoms["return_value"]
    context = task.context
    context["ti"].xcom_pull = lambda task_ids, map_indexes: task.xcoms["return_value"]
    event = {"status": "success", "message": "done", "summary": {"delivered": 1}}
    value = one("deferrable", "27").execute_complete(context, event=event)
    assert value == receipt | {"delivery": {"delivered": 1}}


@pytest.mark.parametrize("mode", MODES)
def test_what_a_waiting_batch_has_heard_counts_before_its_next_try_posts_more(
    account: RunningSimulator, task: Task, tmp_path: Path, mode: str
) -> None:
    """The prices that the user has given are lower than those that the reports tell."""
    people = [f"{NUMBER[:-1]}{index}{code}" for index in range(3) for code in ("27", "41")]
    cheap = {"max_cost": {"EUR": "0.03"}, "prices": {"LINE": 0.001, "SMS": 0.001}, "success_when": "finished"}
    value = getattr(task, mode)(many(mode, people, tmp_path, **cheap))
    assert value["estimated_cost"] == {"EUR": "0.012"}
    assert float(value["delivery"]["cost"]["EUR"]) > 0.03
    task.begin_next_try()
    again = getattr(task, mode)(many(mode, people, tmp_path, **cheap))  # nobody is left: it waits
    assert again["delivery"]["delivered"] == 6
    task.begin_next_try()
    with pytest.raises(AirflowFailException, match=r"EUR of it as told by reports so far, and up to 0\.002 EUR"):
        getattr(task, mode)(many(mode, [*people, f"{NUMBER[:-1]}927"], tmp_path, **cheap))
    assert sum(accepted(account).values()) == 6


@pytest.mark.parametrize("mode", MODES)
def test_a_waiting_batch_follows_who_was_sent_to_before_the_list_named_them(
    account: RunningSimulator, task: Task, tmp_path: Path, mode: str
) -> None:
    people = [f"{NUMBER[:-1]}{index}{code}" for index in range(2) for code in ("27", "41")]
    (tmp_path / "gone.txt").write_text(people[0])
    listed = {"suppress": str(tmp_path / "gone.txt"), "success_when": "finished"}
    first = getattr(task, mode)(many(mode, people, tmp_path / "ledger", **listed))
    assert (first["counts"]["suppressed"], first["delivery"]["delivered"]) == (1, 3)
    (tmp_path / "gone.txt").write_text(people[1])
    task.begin_next_try()
    then = getattr(task, mode)(many(mode, people, tmp_path / "ledger", **listed))
    assert (then["counts"]["accepted"], then["counts"]["suppressed"]) == (4, 0)
    assert then["delivery"]["delivered"] == 4
    assert accepted(account) == Counter(people)
