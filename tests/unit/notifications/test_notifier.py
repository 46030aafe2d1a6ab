"""The notifier: what it sends when, sync and async, and which ids it makes."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_omni.contents import LineText, Sms
from airflow_provider_omni.notifications.omni import OmniNotifier, send_omni_notification
from airflow_provider_omni.omni.errors import OmniInputError, OmniTransportError
from airflow_provider_omni.simulator.running import RunningSimulator
from airflow_provider_omni.simulator.settings import SOURCE_SCENARIO_KEY
from tests.unit.notifications.callbacks import deadline, texts, worker


@pytest.fixture
def account(omni_simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> RunningSimulator:
    omni_simulator.configure(source_scenario=True)
    omni_simulator.reset()
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", omni_simulator.airflow_connection_json)
    return omni_simulator


def notifier(**arguments: Any) -> OmniNotifier:
    defaults = {"scenario_key": SOURCE_SCENARIO_KEY, "to": "41793026727", "line": "{{ ti.task_id }} failed"}
    return OmniNotifier(**defaults | arguments)


def context(task_id: str = "load", try_number: int = 1) -> dict[str, Any]:
    ti = SimpleNamespace(dag_id="dag", run_id="run", task_id=task_id, map_index=-1, try_number=try_number)
    return {"ti": ti}


def ids(account: RunningSimulator) -> list[str]:
    return [each.message_id for each in account.record.acceptances]


def test_a_callback_sends_one_message_with_one_call(account: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_omni.notifications.omni._LOADED_AT", time.monotonic())
    notifier()(worker(began=20.0))
    assert [call.name for call in account.record.calls] == ["send"]
    assert len(ids(account)) == 1


def test_two_tasks_are_two_notifications_even_from_one_notifier(account: RunningSimulator) -> None:
    one = notifier()
    one(context("load"))
    one(context("publish"))
    assert len({each.content_hash for each in account.record.acceptances}) == 2
    assert len(set(ids(account))) == 2


def test_a_callback_that_calls_notify_by_hand_sends_what_the_templates_say(account: RunningSimulator) -> None:
    one = notifier(sms="{{ ti.task_id }} failed")
    one.notify(worker(task_id="load"))
    one.notify(worker(task_id="publish"))
    one(worker(task_id="clean"))
    assert texts(account) == ["load failed", "publish failed", "clean failed"]


async def test_a_coroutine_that_awaits_async_notify_by_hand_sends_what_the_templates_say(
    account: RunningSimulator,
) -> None:
    await notifier(sms="{{ dag_run.dag_id }} is late").async_notify(deadline())
    assert texts(account) == ["dag is late"]


def test_a_dag_of_the_scheduler_that_can_render_nothing_does_not_cost_the_alert(account: RunningSimulator) -> None:
    """`dag.test()` gives it to the callbacks of a DAG."""
    stored = SimpleNamespace(dag_id="dag", render_template_as_native_obj=False)
    notifier(sms="{{ dag.dag_id }}: {{ run_id }} failed")(worker() | {"dag": stored})
    assert texts(account) == ["dag: run failed"]


def test_templates_in_models_are_rendered(account: RunningSimulator) -> None:
    notifier(line=LineText(text="{{ ti.task_id }} failed"), sms=Sms(text="{{ ti.task_id }} failed"))(context("load"))
    notifier(line="load failed", sms="load failed")(context("load", 2))
    assert len({each.content_hash for each in account.record.acceptances}) == 1


def test_each_try_is_notified_about(account: RunningSimulator) -> None:
    notifier()(context(try_number=1))
    notifier()(context(try_number=2))
    assert len(set(ids(account))) == 2


def test_the_same_occasion_makes_the_same_ids_so_that_the_vendor_can_refuse_the_second(
    account: RunningSimulator,
) -> None:
    notifier()(context())
    notifier()(context())
    assert len(ids(account)) == 1


async def test_a_deadline_alert_is_sent_from_the_event_loop(account: RunningSimulator) -> None:
    alert = notifier(line=None, sms="{{ dag_run.run_id }} is late")
    alert.context = {"dag_run": {"dag_id": "dag", "run_id": "run"}, "deadline": {"id": "d"}}
    await alert
    assert len(ids(account)) == 1


def test_what_cannot_be_sent_raises_and_is_not_posted(account: RunningSimulator) -> None:
    with pytest.raises(OmniInputError, match=r"to\[0\]"):
        notifier(to="12")(context())
    assert account.record.calls == []


def test_a_vendor_that_cannot_be_reached_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", "omni://login:long-password@127.0.0.1:1/http")
    for module in ("retrying", "outbox.dispatcher"):
        monkeypatch.setattr(f"airflow_provider_omni.delivery.{module}.backoff", lambda *_: 0.0)
    with pytest.raises(OmniTransportError):
        notifier()(context())


def test_the_number_is_hidden_from_the_context_that_airflow_logs() -> None:
    seen = context()
    quiet = notifier()
    quiet._update_context(seen)
    assert "41793026727" not in repr(seen["to"])


def test_a_text_that_was_rendered_is_shown_by_its_shape_only(account: RunningSimulator) -> None:
    one = notifier(line="{{ ti.task_id }} hush", sms={"text": "{{ ti.task_id }} hush"})
    one(context())
    shown = repr((one.line, one.sms, one.other_channels))
    assert "hush" not in shown
    assert "TEXT" in shown
    seen = context("other")
    one._update_context(seen)
    assert "load hush" not in repr(seen)


def test_the_lower_case_name_is_the_same() -> None:
    assert send_omni_notification is OmniNotifier


def callback_data(account: RunningSimulator) -> list[Any]:
    said = [each.content.callback_data for each in account.record.messages]
    return [None if each is None else json.loads(each) for each in said]


def test_an_alert_names_the_dag_run_and_task_that_it_is_about(account: RunningSimulator) -> None:
    notifier()(context("load"))
    assert callback_data(account) == [{"dag": "dag", "run": "run", "task": "load"}]


async def test_an_alert_about_a_deadline_names_dag_and_run(account: RunningSimulator) -> None:
    await notifier(line="late").async_notify(deadline())
    assert callback_data(account) == [{"dag": "dag", "run": "run"}]


def test_an_alert_of_a_dags_own_callback_names_no_task_since_airflow_gives_any(account: RunningSimulator) -> None:
    notifier()(context("load") | {"reason": "task_failure"})
    assert callback_data(account) == [{"dag": "dag", "run": "run"}]


def test_an_alert_keeps_its_ids_whether_it_says_where_it_comes_from_or_not(
    account: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    notifier()(worker())
    monkeypatch.setenv("AIRFLOW__OMNI__CALLBACK_DATA", "False")
    notifier()(worker())
    assert len(ids(account)) == 1
    notifier()(worker(task_id="other"))
    assert callback_data(account)[-1] is None
