"""Receipts, ids, bad input and masked numbers of OmniSendMessageOperator. Faults are delivery's tests."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_omni.operators.omni import OmniSendMessageOperator
from airflow_provider_omni.simulator.outcomes import BAD_DESTINATION, REFUSALS
from tests.unit.operators.rendered import with_values

TO = ["41793026727", "+41 79 302 67 31"]


def operator(**arguments: Any) -> OmniSendMessageOperator:
    defaults = {"task_id": "send", "scenario_key": "K", "to": TO, "sms": {"text": "Hello"}, "flow": ["LINE", "SMS"]}
    return OmniSendMessageOperator(**defaults | arguments)


def ids(body: dict[str, Any]) -> list[str]:
    return [each["messageId"] for each in body["destinations"]]


def test_the_receipt_has_ids_and_counts_and_stands_in_xcom(vendor: Any, task: Any) -> None:
    receipt = operator().execute(task.context())
    assert receipt["counts"]["accepted"] == 2
    assert receipt["message_ids"] == ids(vendor.bodies[0])
    assert receipt["bulks"] == [{"bulk_id": vendor.bodies[0]["bulkId"], "messages": 2}]
    assert task.xcoms["return_value"] == receipt


def test_the_receipt_holds_no_number_and_no_text(vendor: Any, task: Any) -> None:
    written = json.dumps(operator().execute(task.context()))
    assert "4179" not in written
    assert "Hello" not in written


def test_a_retry_posts_nothing_again(vendor: Any, task: Any) -> None:
    first = operator().execute(task.context())
    second = operator().execute(task.context(try_number=2))
    assert len(vendor.bodies) == 1
    assert second["message_ids"] == first["message_ids"]


def test_the_same_task_of_another_run_makes_other_ids(vendor: Any, task: Any) -> None:
    operator().execute(task.context())
    task.state.clear()
    operator().execute(task.context(run_id="another run"))
    assert not set(ids(vendor.bodies[0])) & set(ids(vendor.bodies[1]))


def test_ids_depend_on_the_map_index_and_not_on_the_try_or_the_text(vendor: Any, task: Any) -> None:
    operator().execute(task.context())
    task.state.clear()
    operator(sms={"text": "other"}).execute(task.context())
    task.state.clear()
    operator().execute(task.context(map_index=1))
    assert ids(vendor.bodies[0]) == ids(vendor.bodies[1])
    assert not set(ids(vendor.bodies[0])) & set(ids(vendor.bodies[2]))


def test_a_scenario_of_the_create_operator_brings_its_flow_along(vendor: Any, task: Any) -> None:
    scenario = {"key": "K", "name": "n", "flow": [{"channel": "LINE", "from": "x"}, {"channel": "SMS"}]}
    receipt = operator(scenario_key=scenario, flow=None, line={"text": "Hello"}).execute(task.context())
    assert receipt["flow"] == ["LINE", "SMS"]
    assert vendor.calls == ["POST /omni/1/advanced"]


def test_without_a_flow_the_scenario_is_read_once(vendor: Any, task: Any) -> None:
    receipt = operator(flow=None, line={"text": "Hello"}).execute(task.context())
    assert receipt["flow"] == ["LINE", "SMS"]
    assert vendor.calls == ["GET /omni/1/scenarios/K", "POST /omni/1/advanced"]


def test_options_and_other_channels_go_out_under_the_names_of_the_api(vendor: Any, task: Any) -> None:
    operator(
        other_channels={"viber": {"text": "Hello"}},
        notify=True,
        notify_url="https://reports.example/omni",
        notify_content_type="application/json",
        callback_data="order 7",
        intermediate_report=True,
        send_at="2026-12-01T10:00:00+01:00",
    ).execute(task.context())
    body = vendor.bodies[0]
    assert body["viber"] == {"text": "Hello"}
    assert body["notify"] is True
    assert body["notifyUrl"] == "https://reports.example/omni"
    assert body["notifyContentType"] == "application/json"
    assert body["callbackData"] == "order 7"
    assert body["intermediateReport"] is True
    assert body["sendAt"].startswith("2026-12-01T")


def test_the_receipt_tells_how_long_all_channels_are_valid(vendor: Any, task: Any) -> None:
    line = {"text": "Hello", "validityPeriod": 5}
    sms = {"text": "Hello", "validityPeriod": 1, "validityPeriodTimeUnit": "HOURS"}
    assert operator(line=line, sms=sms).execute(task.context())["validity_seconds"] == 300 + 3600


def test_the_receipt_tells_no_validity_where_a_channel_does_not_say_its_own(vendor: Any, task: Any) -> None:
    receipt = operator(line={"text": "Hello", "validityPeriod": 5}).execute(task.context())
    assert "validity_seconds" not in receipt


def test_bad_input_is_one_error_that_names_every_problem_and_nothing_is_sent(vendor: Any, task: Any) -> None:
    bad = with_values(
        operator(),
        scenario_key=" ",
        to=["41793026727", "12", 3.5],
        line={"type": "IMAGE", "url": "ftp://x"},
        sms={"text": "", "validityPeriod": 10, "validityPeriodTimeUnit": "SECONDS"},
        other_channels={"telegram": {}},
        callback_data="x" * 4001,
        send_at="tomorrow",
        on_rejected="ask",
        log_grace=-1,
        idempotency_key="",
    )
    with pytest.raises(AirflowFailException) as caught:
        bad.execute(task.context())
    for field in (
        "scenario_key", "to[1]", "to[2]", "line.url", "line.thumbnailUrl", "sms.text", "sms.validityPeriod",
        "other_channels.telegram", "callback_data", "send_at", "on_rejected", "idempotency_key", "log_grace",
    ):  # fmt: skip
        assert f"\n - {field}: " in str(caught.value), field
    assert vendor.calls == []
    assert list(task.xcoms) == ["omni_delivery"]  # which says that it has failed


def test_errors_about_recipients_hold_no_number(vendor: Any, task: Any) -> None:
    with pytest.raises(AirflowFailException) as caught:
        operator(to=["4179302672712345678", "+41-79-302-67"]).execute(task.context())
    assert "41793026727" not in str(caught.value)
    assert "4179302" not in str(caught.value)


@pytest.mark.parametrize("nobody", [[], (), "[]", iter(())])
def test_an_empty_list_of_people_is_no_mistake_as_an_empty_source_of_a_batch_is_none(
    vendor: Any, task: Any, nobody: Any
) -> None:
    receipt = operator(to=nobody).execute(task.context())
    assert set(receipt["counts"].values()) == {0}
    assert receipt["bulks"] == []
    assert task.xcoms["return_value"] == receipt
    assert vendor.bodies == []


@pytest.mark.parametrize("nothing", [None, "", "None"])
def test_people_that_a_template_found_nothing_for_are_a_mistake(vendor: Any, task: Any, nothing: Any) -> None:
    with pytest.raises(AirflowFailException, match="to: got "):
        operator(to=nothing).execute(task.context())
    assert vendor.bodies == []


def test_content_for_none_of_the_flows_channels_is_refused(vendor: Any, task: Any) -> None:
    with pytest.raises(AirflowFailException, match="nobody would get anything"):
        with_values(operator(), flow=["LINE"]).execute(task.context())
    assert vendor.calls == []


def test_a_dry_run_checks_everything_and_posts_nothing(vendor: Any, task: Any) -> None:
    receipt = operator(dry_run=True, flow=None).execute(task.context())
    assert vendor.bodies == []
    assert receipt["dry_run"] is True
    assert receipt["bulks"] == []


def test_a_refused_recipient_fails_the_task_for_good_after_the_receipt_was_pushed(vendor: Any, task: Any) -> None:
    vendor.refusal = BAD_DESTINATION
    with pytest.raises(AirflowFailException, match="2 × REJECTED_DESTINATION"):
        operator().execute(task.context())
    assert task.xcoms["return_value"]["counts"]["rejected"] == 2


def test_refused_recipients_may_be_ignored(vendor: Any, task: Any) -> None:
    vendor.refusal = BAD_DESTINATION
    assert operator(on_rejected="ignore").execute(task.context())["counts"]["rejected"] == 2


def test_a_refusal_that_a_later_try_may_mend_is_left_to_airflows_retries(vendor: Any, task: Any) -> None:
    vendor.refusal = REFUSALS[12]
    with pytest.raises(Exception, match="NOT_ENOUGH_CREDITS") as caught:
        operator().execute(task.context())
    assert not isinstance(caught.value, AirflowFailException)


def test_only_allowed_recipients_get_anything(vendor: Any, task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"allowed_recipients": ["41793026727"]}
    connection = {"conn_type": "omni", "host": "http://127.0.0.1:1", "login": "l", "password": "p", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", json.dumps(connection))
    receipt = operator().execute(task.context())
    assert receipt["counts"] == {
        "requested": 2, "accepted": 1, "unconfirmed": 0, "rejected": 0, "quarantined": 1, "duplicates": 0,
    }  # fmt: skip


def test_an_id_secret_makes_other_ids(vendor: Any, task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    operator().execute(task.context())
    task.state.clear()
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", "omni://l:long-password@127.0.0.1:1/http?id_secret=keep-me")
    operator().execute(task.context())
    assert not set(ids(vendor.bodies[0])) & set(ids(vendor.bodies[1]))


def test_the_rendered_list_of_a_template_is_read_as_a_list(vendor: Any, task: Any) -> None:
    rendered = operator(to="{{ params.to }}")
    rendered.render_template_fields({"params": {"to": TO}})
    rendered.execute(task.context())
    assert len(vendor.bodies[0]["destinations"]) == 2


def test_constructing_reads_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_OMNI_DEFAULT", raising=False)
    copy.deepcopy(operator())


def test_a_template_that_found_no_scenario_is_refused_before_anything_is_asked(vendor: Any, task: Any) -> None:
    with pytest.raises(AirflowFailException, match="scenario_key: got 'None'"):
        operator(scenario_key="None").execute(task.context())
    assert vendor.bodies == []


def test_a_flow_with_a_channel_that_there_is_not_is_refused(vendor: Any, task: Any) -> None:
    with pytest.raises(AirflowFailException, match=r"flow\[1\]: got 'SSM', expected SMS, ") as caught:
        with_values(operator(line={"text": "t"}), flow=["LINE", "SSM"]).execute(task.context())
    assert caught.value.__suppress_context__, "bad input stands in the log once"
    assert vendor.bodies == []


def test_a_flow_that_a_template_rendered_to_text_is_read_as_a_list(vendor: Any, task: Any) -> None:
    receipt = operator(flow="['LINE', 'SMS']", line={"text": "Hello"}).execute(task.context())
    assert receipt["flow"] == ["LINE", "SMS"]


def test_a_step_that_nothing_was_said_on_is_named_in_the_log(
    vendor: Any, task: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    operator().execute(task.context())
    said = capfd.readouterr()
    assert "tries LINE too, but the message has no content for it" in said.out + said.err


@pytest.mark.parametrize("dry_run", ["false", "{{ params.dry }}", 0, None])
def test_a_dry_run_is_true_or_false_since_any_text_would_send_nothing_and_succeed(
    vendor: Any, task: Any, dry_run: Any
) -> None:
    with pytest.raises(AirflowFailException, match=r"dry_run: got .* expected True or False; it is no template"):
        with_values(operator(), dry_run=dry_run).execute(task.context())
    assert vendor.calls == []


def test_content_of_a_channel_that_is_not_in_the_flow_is_named_in_the_log(
    vendor: Any, task: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    operator(line={"text": "Hello"}, other_channels={"viber": {"text": "Hello"}}).execute(task.context())
    said = capfd.readouterr()
    assert "content for VIBER, which nobody gets" in said.out + said.err


def test_a_message_that_no_step_of_the_scenario_sends_is_refused(vendor: Any, task: Any) -> None:
    with pytest.raises(AirflowFailException, match="nobody would get anything"):
        operator(sms=None, other_channels={"viber": {"text": "Hello"}}).execute(task.context())
    assert vendor.bodies == []
