"""Airflow runs a callback twice: worker and DAG processor, two triggerers. The vendor takes whatever it is given."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_omni.delivery.outbox.alerts import LOOK_SECONDS
from airflow_provider_omni.notifications.occasions import cannot_be_repeat, occasion_of
from airflow_provider_omni.notifications.omni import LOOK_TIMEOUTS
from airflow_provider_omni.omni.errors import OmniInputError, OmniRejectedError, OmniTransportError
from airflow_provider_omni.simulator.running import RunningSimulator
from tests.unit.notifications.callbacks import (
    calls,
    deadline,
    messages,
    notifier,
    processor,
    run_of,
    texts,
    worker,
)

NOT_IN_A_LOOP = UUID(int=0)
OF_A_DAG = {"dag": DAG("dag", schedule=None), "run_id": "run", "reason": "task_failure"}
"""The context that the DAG processor gives to a DAG's own callback when it knows of no task."""


async def alert(context: dict[str, Any], **arguments: Any) -> None:
    one = notifier(**arguments)
    one.context = dict(context)
    await one


# -- the same ids in every process -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "context", "message_id"),
    [
        ({"line": "{{ ti.task_id }} failed"}, worker(), "d24b181c-629c-5744-81d0-608294b71ede"),
        ({"line": "It failed", "sms": "It failed"}, worker(), "9cec8fa8-7ebb-56cd-861c-fb098d209c0c"),
        (
            {"sms": "It failed", "idempotency_key": "k-{{ ti.try_number }}"},
            worker(),
            "a17241e9-7620-5975-a5c0-f1baa13a713f",
        ),
        (
            {"sms": "{{ dag_run.run_id }} is late"},
            {"dag_run": {"dag_id": "dag", "run_id": "run"}, "deadline": {"id": "d"}},
            "2ae17b70-bcbc-56c9-bff3-05afc83d5629",
        ),
    ],
)
def test_the_ids_of_alerts_are_what_they_have_always_been(
    vendor: RunningSimulator, arguments: dict[str, Any], context: dict[str, Any], message_id: str
) -> None:
    notifier(**arguments)(context)
    assert messages(vendor) == [message_id]


@pytest.mark.parametrize(
    "text",
    [
        "{{ ti.task_id }} failed",
        "{{ ti.task_id }}: {{ exception }}",
        "{{ ti.task_id }}: {{ exception.args[0].strip() }}",
        "{{ exception or 'no reason' }} in {{ ti.task_id }}",
        "{{ ti.task_id }} is {{ ti.state }}",
        "{{ ti.task_id }} on {{ ti.hostname }} since {{ ti.start_date }}",
        "{{ ti.task_id }}, iteration {{ loop.index }}",
    ],
)
@pytest.mark.parametrize("worker_first", [True, False])
def test_worker_and_dag_processor_make_one_message_of_a_failure(
    vendor: RunningSimulator, text: str, worker_first: bool
) -> None:
    contexts = [worker(), processor()]
    for context in contexts if worker_first else reversed(contexts):
        notifier(sms=text)(context)
    assert len(messages(vendor)) == 1


def test_worker_and_dag_processor_make_one_message_of_a_retry(vendor: RunningSimulator) -> None:
    for context in (worker(state="up_for_retry", max_tries=2), processor(max_tries=2)):
        notifier(sms="{{ ti.task_id }} is {{ ti.state }}")(context)
    assert texts(vendor) == ["load is up_for_retry"]


def test_airflows_own_task_instances_make_one_message_in_both_processes(vendor: RunningSimulator) -> None:
    from airflow.sdk import BaseOperator
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    with DAG("dag", schedule=None) as dag:
        task = BaseOperator(task_id="load")
    known = {"id": uuid4(), "dag_id": "dag", "run_id": "run", "task_id": "load", "try_number": 1, "map_index": -1}
    instances = [
        RuntimeTaskInstance.model_construct(**known, task=task, start_date=datetime.now(UTC), state="failed"),
        RuntimeTaskInstance.model_construct(**known, task=task),
    ]
    contexts: list[dict[str, Any]] = [{"ti": ti, "task_instance": ti, "dag": dag, "run_id": "run"} for ti in instances]
    contexts[0]["exception"] = ValueError("boom")
    for context in contexts:
        notifier(sms="{{ ti.task_id }} {{ ti.state }}: {{ exception }}, {{ ti.log_url }}")(context)
    assert len(messages(vendor)) == 1


def test_a_notifier_for_start_and_success_sends_both(vendor: RunningSimulator) -> None:
    one = notifier(sms="{{ ti.task_id }} is {{ ti.state }}")
    one(worker(state="running"))
    one(worker(state="success"))
    assert texts(vendor) == ["load is running", "load is success"]


def test_each_iteration_of_a_loop_is_alerted_about_by_whichever_process(vendor: RunningSimulator) -> None:
    region = uuid4()
    for index in range(3):
        place = {"region_id": region, "region_index": index}
        notifier(sms="failed")(worker(**place) | {"loop": SimpleNamespace(index=index)})
        notifier(sms="failed")(processor(**place))
    assert len(set(messages(vendor))) == len(messages(vendor)) == 3


def test_mapped_tasks_in_a_loop_are_told_apart_by_whichever_process(vendor: RunningSimulator) -> None:
    for index in range(2):
        place = {"region_id": UUID(int=7 + index), "map_index": 0}
        notifier(sms="failed")(worker(**place) | {"loop": SimpleNamespace(index=index)})
        notifier(sms="failed")(processor(**place))
    assert len(set(messages(vendor))) == len(messages(vendor)) == 2


def test_outside_of_loops_the_region_adds_nothing_to_the_name() -> None:
    assert occasion_of(worker(region_id=NOT_IN_A_LOOP, region_index=0)) == occasion_of(worker())


def test_an_own_key_that_hides_the_iteration_is_warned_about(
    vendor: RunningSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    notifier(sms="failed", idempotency_key="mine")(worker() | {"loop": SimpleNamespace(index=1)})
    assert "iteration 1 of a loop" in capsys.readouterr().out


@pytest.mark.parametrize("context", [deadline(), OF_A_DAG])
def test_a_callback_without_a_task_sends_one_message_however_often_it_runs(
    vendor: RunningSimulator, context: dict[str, Any]
) -> None:
    for _ in range(3):
        notifier(sms="late")(dict(context))
    assert len(messages(vendor)) == 1


def test_a_dag_that_fails_again_after_a_clear_is_alerted_about_again_also_where_airflow_does_not_tell(
    vendor: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    notifier(sms="failed")(dict(OF_A_DAG))
    later = datetime.now(UTC).timestamp() + 3600.0
    monkeypatch.setattr("airflow_provider_omni.notifications.omni.time.time", lambda: later)
    monkeypatch.setattr("airflow_provider_omni.omni.responses._date_of", lambda headers: later)
    notifier(sms="failed")(dict(OF_A_DAG))
    assert len(set(messages(vendor))) == 2


def test_a_clock_that_is_ahead_of_the_vendors_makes_no_other_alert_of_a_dags_own_callback(
    vendor: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    notifier(sms="failed")(dict(OF_A_DAG))
    ahead = 3600.0
    monkeypatch.setattr("airflow_provider_omni.delivery.clock.steady_clock", lambda *_: lambda: time.time() + ahead)
    notifier(sms="failed")(dict(OF_A_DAG))
    assert len(messages(vendor)) == 1


def test_a_dags_own_callback_alerts_again_after_a_clear_that_left_its_task_as_it_was(vendor: RunningSimulator) -> None:
    for clear_number in (0, 1):
        context = processor(state="upstream_failed") | {"reason": "task_failure", "dag_run": run_of(clear_number)}
        notifier(sms="failed")(context)
        notifier(sms="failed")(context)
    assert len(set(messages(vendor))) == len(messages(vendor)) == 2


# -- the look --------------------------------------------------------------------------------------------------------


async def test_a_deadline_alert_whose_triggerer_died_is_sent_once(vendor: RunningSimulator) -> None:
    for _ in range(3):
        await alert(deadline(), sms="{{ dag_run.run_id }} is late")
    assert len(messages(vendor)) == 1


async def test_a_triggerer_that_died_before_the_answer_came_has_sent_all_the_same(
    vendor: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_omni.notifications.omni.PATIENCE", 0.0)
    vendor.faults.add("reset-after", call="send")
    vendor.faults.add("error-before", call="logs", skip=1, times=None)
    with pytest.raises(Exception, match="may or may not have been sent"):
        await alert(deadline(), sms="late")
    vendor.faults.clear()
    await alert(deadline(), sms="late")
    assert len(messages(vendor)) == 1


async def test_sync_and_async_find_each_others_messages(vendor: RunningSimulator) -> None:
    notifier(sms="late")(deadline())
    await alert(deadline(), sms="late")
    assert len(messages(vendor)) == 1


async def test_two_runs_at_the_same_moment_are_one_message_where_the_vendor_refuses_repeated_ids(
    vendor: RunningSimulator,
) -> None:
    vendor.configure(duplicates="status-23", log_lag_seconds=60.0)
    await asyncio.gather(*(alert(deadline(), sms="late") for _ in range(5)))
    assert len(messages(vendor)) == 1


def test_a_copy_that_the_vendor_refuses_as_seen_is_no_failure_while_the_logs_lag_behind(
    vendor: RunningSimulator,
) -> None:
    vendor.configure(duplicates="status-23", log_lag_seconds=600.0)
    notifier(sms="failed")(worker())
    notifier(sms="failed")(processor())
    assert len(messages(vendor)) == 1


def test_only_those_who_have_not_got_the_alert_get_it(vendor: RunningSimulator) -> None:
    notifier(sms="failed", to=["41793026727"])(worker())
    notifier(sms="failed", to=["41793026727", "41793026731"])(processor())
    assert [each.to for each in vendor.record.acceptances] == ["41793026727", "41793026731"]


@pytest.mark.parametrize("id_lists", ["all", "first", "none"])
def test_everybody_of_a_longer_list_is_found_whether_or_not_the_vendor_reads_lists_of_ids(
    vendor: RunningSimulator, id_lists: str
) -> None:
    vendor.configure(id_lists=id_lists)
    team = [f"417930267{index:02d}" for index in (27, 31, 40, 60)]
    for context in (worker(), processor()):
        notifier(sms="failed", to=team)(context)
    assert len(messages(vendor)) == len(team)


@pytest.mark.parametrize("id_lists", ["first", "none"])
def test_the_one_who_has_got_the_alert_is_found_though_the_others_were_refused_and_lists_are_not_read(
    vendor: RunningSimulator, id_lists: str
) -> None:
    vendor.configure(id_lists=id_lists, refused_in="nothing")
    team = [f"4179302{index:02d}{fate}" for index, fate in enumerate((18, 27, 18, 18, 18))]
    with pytest.raises(OmniRejectedError):
        notifier(sms="failed", to=team)(worker())
    with pytest.raises(OmniRejectedError):
        notifier(sms="failed", to=team)(processor())
    assert len(messages(vendor)) == 1


def test_where_a_list_is_seen_to_be_read_nobody_is_asked_for_alone(vendor: RunningSimulator) -> None:
    team = [f"4179302{index:02d}27" for index in range(60)]
    notifier(sms="failed", to=team)(worker())
    before = len(vendor.record.calls)
    notifier(sms="failed", to=team)(processor())
    assert [call.name for call in vendor.record.calls[before:]] == ["logs", "logs"]


def test_a_row_of_another_message_does_not_stop_the_alert(
    vendor: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    notifier(sms="another")(worker())
    strangers = vendor.record.messages[0].message_id
    from airflow_provider_omni.omni import api

    original = api.get_logs
    monkeypatch.setattr(api, "get_logs", lambda **query: original(**query | {"message_ids": (strangers,)}))
    notifier(sms="failed")(processor())
    assert texts(vendor) == ["another", "failed"]


@pytest.mark.parametrize("fault", ["error-before", "reset-before", "throttle", "unreadable", "wrong-shape"])
def test_logs_that_cannot_be_read_do_not_cost_the_alert(
    vendor: RunningSimulator, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor.faults.add(fault, call="logs", times=None)
    notifier(sms="failed")(processor())
    assert len(messages(vendor)) == 1
    assert "perhaps again" in capsys.readouterr().out


def test_logs_that_failed_once_are_asked_again_before_the_alert_is_sent_again(vendor: RunningSimulator) -> None:
    notifier(sms="failed")(worker())
    vendor.faults.add("error-before", call="logs")
    notifier(sms="failed")(processor())
    assert len(messages(vendor)) == 1


def test_a_login_that_may_not_read_the_logs_sends_all_the_same(
    vendor: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.faults.add("forbid", call="logs", times=None)
    notifier(sms="failed")(processor())
    assert len(messages(vendor)) == 1


def test_the_log_says_that_an_alert_was_not_sent_again(
    vendor: RunningSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    notifier(sms="failed")(worker())
    notifier(sms="failed")(processor())
    said = capsys.readouterr().out
    assert "The logs show this alert already: 1 of 1 message is not sent again." in said
    assert "41793026727" not in said


# -- who needs to look -----------------------------------------------------------------------------------------------


@pytest.fixture
def young(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has just begun."""
    monkeypatch.setattr("airflow_provider_omni.notifications.omni._LOADED_AT", time.monotonic())


@pytest.mark.usefixtures("young")
def test_the_worker_of_a_young_task_sends_without_a_look(vendor: RunningSimulator) -> None:
    notifier(sms="failed")(worker(began=20.0))
    assert calls(vendor) == ["send"]


@pytest.mark.parametrize(
    "made",
    [
        lambda: worker(began=3600.0),
        lambda: worker(began=-3600.0),
        lambda: worker(began=20.0) | {"exception": "said by a DAG processor of Airflow 2"},
        lambda: worker(began=20.0) | {"reason": "task_failure"},
        processor,
        deadline,
    ],
)
@pytest.mark.usefixtures("young")
def test_everybody_else_looks_once_before_sending(vendor: RunningSimulator, made: Callable[[], dict[str, Any]]) -> None:
    notifier(sms="failed")(made())
    assert calls(vendor) == ["logs", "send"]


@pytest.mark.parametrize("arguments", [{"idempotency_key": "mine"}, {"dedupe": "task"}, {"dedupe": "run"}])
def test_a_name_that_others_share_is_looked_for_also_by_the_worker_of_a_young_task(
    vendor: RunningSimulator, arguments: dict[str, Any]
) -> None:
    notifier(sms="failed", **arguments)(worker(began=20.0))
    assert calls(vendor) == ["logs", "send"]


def test_how_young_a_task_must_be_is_for_airflows_own_setting_to_say(
    vendor: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT", "10")
    notifier(sms="failed")(worker(began=20.0))
    assert calls(vendor) == ["logs", "send"]


def test_a_setting_that_cannot_be_read_means_a_look() -> None:
    assert not cannot_be_repeat(worker(began=1.0), datetime.now(UTC).timestamp(), alive_for=1.0, lost_after=0.0)


def test_a_wall_clock_that_was_put_back_makes_no_task_young(
    vendor: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_omni.notifications.omni._LOADED_AT", time.monotonic() - 3600.0)
    notifier(sms="failed")(worker(began=20.0))
    assert calls(vendor) == ["logs", "send"]


# -- what counts as the same alert -------------------------------------------------------------------------------------


def test_a_run_with_many_failing_mapped_tasks_is_one_alert(vendor: RunningSimulator) -> None:
    for index in range(20):
        one = notifier(sms="{{ ti.task_id }}[{{ ti.map_index }}]: {{ exception }}", dedupe="run")
        one(worker(map_index=index, exception=ValueError(str(index))))
    assert texts(vendor) == ["load[0]: 0"]


def test_a_task_with_its_tries_copies_and_iterations_is_one_alert_and_another_task_is_another(
    vendor: RunningSimulator,
) -> None:
    for place in (
        {"try_number": 1},
        {"try_number": 2},
        {"map_index": 3},
        {"region_id": UUID(int=7), "region_index": 1},
        {"task_id": "publish"},
    ):
        notifier(sms="{{ ti.task_id }} failed", dedupe="task")(worker(**place))
    assert texts(vendor) == ["load failed", "publish failed"]


@pytest.mark.parametrize("dedupe", ["task", "run"])
def test_another_text_is_another_alert(vendor: RunningSimulator, dedupe: str) -> None:
    notifier(sms="{{ ti.task_id }} failed", dedupe=dedupe)(worker())
    notifier(sms="{{ ti.task_id }} is back", dedupe=dedupe)(worker(state="success"))
    assert len(messages(vendor)) == 2


@pytest.mark.parametrize("dedupe", ["task", "run"])
def test_a_run_that_fails_again_after_a_clear_is_alerted_about_again(vendor: RunningSimulator, dedupe: str) -> None:
    for clear_number in (0, 1, 1):
        notifier(sms="failed", dedupe=dedupe)(worker(clear_number=clear_number))
    assert len(messages(vendor)) == 2


async def test_deadlines_of_a_run_are_one_alert_or_one_each(vendor: RunningSimulator) -> None:
    for dedupe, expected in (("run", 1), ("task", 3)):
        for name in ("a", "b"):
            await alert(deadline() | {"deadline": {"id": name}}, sms="late", dedupe=dedupe)
        assert len(messages(vendor)) == expected


def test_settings_that_mean_nothing_are_refused_with_every_problem() -> None:
    with pytest.raises(OmniInputError) as refused:
        notifier(sms="failed", dedupe="always", max_sms_parts=0)
    assert [problem.partition(":")[0] for problem in refused.value.problems] == ["max_sms_parts", "dedupe"]


def test_a_vendor_that_is_down_raises_after_the_look(vendor: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", "omni://login:long-password@127.0.0.1:1/http")
    with pytest.raises(OmniTransportError):
        notifier(sms="failed")(processor())


@pytest.mark.parametrize("way", ["worker", "triggerer"])
async def test_logs_that_hang_cost_the_alert_no_more_than_airflow_gives_it(
    vendor: RunningSimulator, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr("airflow_provider_omni.notifications.omni.LOOK_TIMEOUTS", (0.05, 0.1))
    vendor.faults.add("hold-before", call="logs", times=None)
    if way == "worker":
        await asyncio.to_thread(notifier(sms="failed"), worker())
    else:
        await alert(deadline(), sms="failed")
    assert len(messages(vendor)) == 1
    assert calls(vendor).count("send") == 1


def test_a_look_and_its_repetition_leave_most_of_a_workers_overtime_to_the_send() -> None:
    from airflow.providers.common.compat.sdk import conf

    longest = LOOK_SECONDS + sum(LOOK_TIMEOUTS)
    assert longest <= conf.getfloat("core", "task_success_overtime") / 2
