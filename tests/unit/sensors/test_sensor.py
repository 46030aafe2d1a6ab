"""The sensor's use of Airflow's side: defaults, deferral, the trigger's events."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_provider_omni.delivery.messages.codec import decode
from airflow_provider_omni.omni.errors import OmniError, OmniInputError
from airflow_provider_omni.sensors.delivery_wait import TRIGGERER_GRACE
from airflow_provider_omni.sensors.omni import OmniDeliverySensor
from airflow_provider_omni.storage import xcom
from tests.unit.operators.rendered import with_values

RECEIPT = {"flow": ["LINE", "SMS"], "bulks": [{"bulk_id": "b", "messages": 2}]}
SUMMARY = {"total": 2, "delivered": 1, "failed": 1, "pending": 0}


def sensor(**arguments: Any) -> OmniDeliverySensor:
    return OmniDeliverySensor(**{"task_id": "wait", "receipt": RECEIPT} | arguments)


class Context(dict[str, Any]):
    def __init__(self) -> None:
        self.xcoms: dict[str, Any] = {}
        push = lambda key, value: self.xcoms.__setitem__(key, value)  # noqa: E731
        super().__init__(
            ti=SimpleNamespace(dag_id="dag", run_id="run", task_id="wait", map_index=4, try_number=1, xcom_push=push)
        )


def complete(status: Any, **arguments: Any) -> Any:
    event = {"status": status, "message": "1 of 2 delivered", "summary": SUMMARY}
    return sensor(**arguments).execute_complete(Context(), event)


def test_a_success_returns_the_summary() -> None:
    assert complete("success") == SUMMARY


def test_too_few_deliveries_fail_the_task_for_good_with_counts() -> None:
    with pytest.raises(AirflowFailException, match="1 of 2 delivered"):
        complete("failure")


def test_the_deadline_is_airflows_own_exception_for_it() -> None:
    with pytest.raises(AirflowSensorTimeout, match="1 of 2 delivered"):
        complete("timeout")


@pytest.mark.parametrize("status", ["failure", "timeout"])
@pytest.mark.parametrize("option", ["soft_fail", "never_fail"])
def test_soft_fail_and_never_fail_skip(status: str, option: str) -> None:
    with pytest.raises(AirflowSkipException, match="1 of 2 delivered"):
        complete(status, **{option: True})


@pytest.mark.parametrize("status", ["failure", "timeout", "success"])
def test_the_summary_stands_in_xcom_however_it_ends(status: str) -> None:
    context = Context()
    event = {"status": status, "message": "", "summary": SUMMARY}
    with contextlib.suppress(AirflowFailException, AirflowSensorTimeout):
        sensor().execute_complete(context, event)
    assert context.xcoms["return_value"] == SUMMARY


def test_an_error_that_a_retry_may_mend_is_left_to_airflows_retries() -> None:
    with pytest.raises(OmniError, match="broken"):
        sensor().execute_complete(Context(), {"status": "error", "message": "broken", "retryable": True})


def test_an_error_that_no_retry_can_mend_fails_for_good() -> None:
    with pytest.raises(AirflowFailException, match="wrong password"):
        sensor().execute_complete(Context(), {"status": "error", "message": "wrong password", "retryable": False})


@pytest.mark.parametrize(("status", "code"), [("failure", "OMNI-133"), ("timeout", "OMNI-134")])
@pytest.mark.parametrize("option", [{}, {"soft_fail": True}])
def test_airflows_own_exceptions_end_with_the_code_of_the_verdict(status: str, code: str, option: Any) -> None:
    with pytest.raises((AirflowFailException, AirflowSensorTimeout, AirflowSkipException)) as caught:
        complete(status, **option)
    assert str(caught.value).endswith(f"1 of 2 delivered ({code}, docs/errors.md#{code.lower()})")


def test_an_error_from_the_trigger_has_its_code_once_and_before_its_problems() -> None:
    error = OmniInputError("It cannot be used.", problems=["one", "two"])
    event = {"status": "error", "error": "OmniInputError", "message": error.text, "retryable": False}
    with pytest.raises(AirflowFailException) as caught:
        sensor().execute_complete(Context(), event)
    assert str(caught.value) == "It cannot be used. (OMNI-112, docs/errors.md#omni-112)\n - one\n - two"


@pytest.mark.parametrize("event", [None, {}, {"status": "done"}, {"status": "success"}, "success", ["success"]])
def test_an_event_that_is_not_known_is_never_a_success(event: Any) -> None:
    with pytest.raises(OmniError, match="does not know"):
        sensor().execute_complete(Context(), event)


@pytest.fixture
def deferred(monkeypatch: pytest.MonkeyPatch) -> TaskDeferred:
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", "omni://login:long-password@127.0.0.1:1/http")
    with pytest.raises(TaskDeferred) as caught:
        sensor(deferrable=True, timeout=600).execute(Context())
    return caught.value


def test_deferring_asks_nothing_of_the_vendor_and_hands_plain_json_over(deferred: TaskDeferred) -> None:
    _, arguments = deferred.trigger.serialize()
    assert json.loads(json.dumps(arguments)) == arguments
    assert (arguments["dag_id"], arguments["run_id"], arguments["task_id"]) == ("dag", "run", "wait")
    assert arguments["map_index"] == 4
    assert arguments["try_number"] == 1


def test_deferring_writes_an_entry_that_says_nothing_for_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", "omni://login:long-password@127.0.0.1:1/http")
    monkeypatch.setattr(xcom, "_xcom_class", lambda: type("XCom", (), {"__module__": "airflow.sdk.bases.xcom"}))
    context = Context()
    with pytest.raises(TaskDeferred):
        sensor(deferrable=True).execute(context)
    assert {key: list(decode(entry)) for key, entry in context.xcoms.items()} == {"omni_journal_b_try_1": []}


def test_airflow_gives_up_later_than_the_trigger_whose_end_has_the_counts(deferred: TaskDeferred) -> None:
    assert deferred.timeout is not None
    assert TRIGGERER_GRACE < deferred.timeout <= timedelta(seconds=600) + TRIGGERER_GRACE


@pytest.mark.parametrize(
    ("option", "exception"), [({}, AirflowFailException), ({"soft_fail": True}, AirflowSkipException)]
)
@pytest.mark.parametrize("mode", [{"mode": "poke"}, {"mode": "reschedule"}, {"deferrable": True}])
def test_bad_input_ends_the_task_the_same_way_in_every_mode(
    monkeypatch: pytest.MonkeyPatch, mode: Any, option: Any, exception: type[Exception]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", "omni://login:long-password@127.0.0.1:1/http")
    context = Context()
    context["ti"].get_first_reschedule_date = lambda _: None
    with pytest.raises(exception, match="last_channel"):
        with_values(sensor(**mode | option), last_channel="FAX").execute(context)


@pytest.mark.parametrize(
    ("typo", "line"),
    [
        ({"success_when": "most"}, "success_when: got 'most', expected 'all', "),
        ({"success_when": "{{ x }}"}, "success_when: got a template, expected a plain value"),
        ({"timeout": "{{ x }}"}, "timeout: got a template, expected 0 or more seconds, or a timedelta"),
        ({"timeout": "1h"}, "timeout: got '1h', expected 0 or more seconds, or a timedelta"),
        ({"timeout": float("inf")}, "timeout: got inf, expected 0 or more seconds"),
        ({"poke_interval": None}, "poke_interval: got nothing, expected 0 or more seconds"),
        ({"poke_interval": timedelta(seconds=-1)}, "poke_interval: got a value of type timedelta, expected 0 or more"),
        ({"delivered_means": "seen"}, "delivered_means: got 'seen', expected 'group' or "),
        ({"settle": "yes"}, "settle: got a text, expected True or False"),
        ({"settle": 1}, "settle: got 1, expected True or False"),
        ({"last_channel": "FAX"}, "last_channel: got 'FAX', expected one of LINE, SMS, "),
        ({"receipt": None}, "receipt, message_ids, bulk_ids: got none of them, expected exactly one"),
        ({"bulk_ids": "b"}, "receipt, message_ids, bulk_ids: got receipt and bulk_ids, expected exactly one"),
    ],
)
def test_a_slip_shows_when_the_dag_is_read(typo: Any, line: str) -> None:
    with pytest.raises(OmniInputError) as caught:
        sensor(**typo)
    [problem] = caught.value.problems
    assert problem.startswith(line)


def test_all_slips_of_a_sensor_are_told_at_once_with_its_name() -> None:
    with pytest.raises(OmniInputError, match="OmniDeliverySensor 'wait' cannot be used as it is") as caught:
        sensor(receipt=None, success_when="most", delivered_means="seen", settle="yes", last_channel="FAX")
    assert len(caught.value.problems) == 5


def test_what_is_a_template_of_a_sensor_may_become_anything() -> None:
    assert sensor(receipt="{{ ti.xcom_pull('send') }}", last_channel="{{ params.last }}")


class Late(OmniDeliverySensor):
    def execute(self, context: Any) -> Any:
        raise NotImplementedError


def test_a_class_of_the_users_own_may_bring_what_it_waits_for_later() -> None:
    assert Late(task_id="wait")


def test_making_a_sensor_reads_no_connection() -> None:
    sensor(omni_conn_id="a connection that does not exist", scenario_key="K")


def test_airflow_itself_gives_up_after_any_wait_of_ours_could_end() -> None:
    scheduled, steps = 180 * 86400, 4 * 48 * 3600  # the farthest send_at, and four steps that take longest
    assert sensor().timeout > scheduled + steps
    assert sensor(timeout=60.0).timeout == 60.0


def test_the_delivery_report_of_the_trigger_is_that_of_the_task() -> None:
    context = Context()
    event = {"status": "success", "message": "", "summary": SUMMARY, "delivery": {"state": "delivered"}}
    sensor().execute_complete(context, event)  # type: ignore[arg-type]
    assert context.xcoms["omni_delivery"] == {"state": "delivered"}


def test_an_error_from_the_trigger_is_reported_with_what_it_knew() -> None:
    context = Context()
    delivery = {"state": "error", "total": 3}
    event = {"status": "error", "error": "OmniTransportError", "message": "", "retryable": True, "delivery": delivery}
    with pytest.raises(OmniError):
        sensor().execute_complete(context, event)  # type: ignore[arg-type]
    assert context.xcoms["omni_delivery"] == delivery


def test_a_trigger_of_an_older_version_ends_the_task_without_a_report() -> None:
    context = Context()
    sensor().execute_complete(context, {"status": "success", "message": "", "summary": SUMMARY})  # type: ignore[arg-type]
    assert "omni_delivery" not in context.xcoms


def test_arguments_that_cannot_be_used_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", "omni://login:long-password@127.0.0.1:1/http")
    context = Context()
    with pytest.raises(AirflowFailException):
        sensor(receipt="nonsense").execute(context)  # type: ignore[arg-type]
    assert context.xcoms["omni_delivery"]["state"] == "error"
