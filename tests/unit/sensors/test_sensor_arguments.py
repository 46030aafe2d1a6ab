"""From what a user typed to a watch: exactly one source, a known criterion, a deadline that fits."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_omni.delivery.tracking.watch import Watch
from airflow_provider_omni.omni.errors import OmniConfigurationError, OmniInputError
from airflow_provider_omni.sensors.arguments import read_watch

NOW = 1_800_000_000.0
HOUR = 3600.0


def receipt(**changes: Any) -> dict[str, Any]:
    bulks = [{"bulk_id": "b", "messages": 2}]
    return {"scenario_key": "K", "flow": ["LINE", "SMS"], "bulks": bulks, "counts": {}, "ledger_path": None} | changes


def watch(**arguments: Any) -> Watch:
    return read_watch(**{"started_at": NOW, "timeout": None} | arguments)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"receipt": receipt(), "bulk_ids": ["b"]}, {"message_ids": "m", "bulk_ids": "b"}],
    ids=["none", "receipt and bulk ids", "both ids"],
)
def test_exactly_one_source_is_taken(arguments: Any) -> None:
    with pytest.raises(OmniInputError, match="expected exactly one"):
        watch(**arguments)


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(OmniInputError) as caught:
        watch(success_when="most", delivered_means="seen", last_channel=3)
    for field in ("receipt, message_ids, bulk_ids", "success_when", "delivered_means", "last_channel"):
        assert f"\n - {field}: " in str(caught.value)


@pytest.mark.parametrize("bad", ["no receipt", {"bulks": "b"}, {"bulks": [{"bulk_id": ""}]}, 7, [7]])
def test_what_is_not_a_receipt_is_refused(bad: Any) -> None:
    with pytest.raises(OmniInputError, match="receipt"):
        watch(receipt=bad)


def test_a_receipt_that_a_template_has_made_a_text_is_read() -> None:
    assert watch(receipt=str(receipt())) == watch(receipt=receipt())


def test_the_flow_of_the_receipt_tells_the_last_channel() -> None:
    assert watch(receipt=receipt(), read_flow=lambda: ("SMS",), last_channel="VIBER").flow == ("LINE", "SMS")


def test_without_a_receipt_the_scenarios_flow_counts_more_than_the_last_channel() -> None:
    assert watch(bulk_ids="b", read_flow=lambda: ("LINE", "SMS"), last_channel="viber").flow == ("LINE", "SMS")


def test_the_last_channel_alone_is_enough() -> None:
    assert watch(message_ids=["m"], last_channel="sms").flow == ("SMS",)


def test_a_time_out_counts_from_the_start_of_the_wait() -> None:
    assert watch(receipt=receipt(validity_seconds=60), timeout=10.0).deadline == NOW + 10


def test_the_default_is_the_validity_of_all_channels_and_an_hour() -> None:
    assert watch(receipt=receipt(validity_seconds=600)).deadline == NOW + 600 + HOUR


@pytest.mark.parametrize("arguments", [{"receipt": receipt()}, {"bulk_ids": ["b"]}], ids=["receipt", "ids"])
def test_the_default_is_47_hours_where_the_validity_is_not_known(arguments: Any) -> None:
    assert watch(**arguments).deadline == NOW + 47 * HOUR


def test_the_default_counts_from_when_the_message_is_sent() -> None:
    later = receipt(send_at="2027-01-15T10:00:00+00:00", validity_seconds=600)  # two hours after NOW
    assert watch(receipt=later).deadline == NOW + 2 * HOUR + 600 + HOUR


def test_the_logs_alone_follow_no_more_bulks_than_the_vendor_lets_them() -> None:
    many = receipt(bulks=[{"bulk_id": str(number), "messages": 2} for number in range(61)])
    assert len(watch(receipt=many).bulks) == 61
    with pytest.raises(OmniInputError, match="deferrable=True"):
        watch(receipt=many, logs_only=True)


def test_a_watch_is_plain_json_and_back() -> None:
    made = watch(receipt=receipt(), success_when=0.95, settle=True)
    assert Watch.from_json(made.to_json()) == made


def test_a_wait_that_an_older_version_began_with_a_goal_of_1_goes_on() -> None:
    assert Watch.from_json(watch(receipt=receipt()).to_json() | {"success_when": 1}).criterion.success_when == 1.0


def test_a_watch_on_a_ledger_knows_how_many_the_receipt_says_may_have_been_accepted() -> None:
    counts = {"requested": 9, "accepted": 5, "unconfirmed": 2, "rejected": 2}
    made = watch(receipt=receipt(counts=counts, ledger_path="/ledger"))
    assert made.accepted == 7
    assert Watch.from_json(made.to_json()) == made
    older = {name: value for name, value in made.to_json().items() if name != "accepted"}
    assert Watch.from_json(older).accepted == 0
    assert watch(receipt=receipt(counts=counts, ledger_path="/ledger", dry_run=True)).accepted == 0


def test_a_watch_knows_the_account_of_its_receipt_and_another_one_is_refused() -> None:
    made = watch(receipt=receipt(account="ours"), account="ours")
    assert made.account == "ours"
    assert Watch.from_json(made.to_json()) == made
    with pytest.raises(OmniConfigurationError, match="the one that the receipt is from"):
        watch(receipt=receipt(account="ours"), account="other")


@pytest.mark.parametrize("source", [{"receipt": receipt()}, {"message_ids": "m"}, {"receipt": receipt(account=7)}])
def test_where_no_receipt_tells_the_account_is_the_one_that_is_there_when_the_wait_begins(source: Any) -> None:
    assert watch(account="first", **source).account == "first"


def test_a_dry_run_has_no_messages_in_any_account() -> None:
    assert watch(receipt=receipt(account="ours", dry_run=True), account="other").account == "other"


def test_a_watch_of_a_version_that_did_not_know_of_accounts_is_read() -> None:
    older = {name: value for name, value in watch(receipt=receipt()).to_json().items() if name != "account"}
    assert Watch.from_json(older).account == ""


# -- what may be a mistake -------------------------------------------------------------------------------------------


def warnings(receipts: Any, timeout: float | None) -> list[str]:
    said: list[str] = []
    watch(receipt=receipts, timeout=timeout, warn=said.append)
    return said


SENT = {"sent_at": "2027-01-15T07:00:00+00:00", "validity_seconds": 2 * HOUR}  # an hour before NOW


def test_a_time_that_is_shorter_than_the_validity_periods_is_warned_about() -> None:
    (said,) = warnings(receipt(**SENT), 0.5 * HOUR)
    assert "timeout: the wait ends at 2027-01-15 08:30:00 UTC" in said
    assert "may be tried until 2027-01-15 09:00:00 UTC" in said


@pytest.mark.parametrize("timeout", [HOUR, 2 * HOUR, None])
def test_a_time_that_is_long_enough_from_when_the_messages_were_sent_is_none(timeout: float | None) -> None:
    assert warnings(receipt(**SENT), timeout) == []


def test_where_not_all_channels_say_how_long_they_run_nothing_is_said() -> None:
    assert warnings(receipt(sent_at=SENT["sent_at"]), 60.0) == []


@pytest.mark.parametrize("more", [{}, {"validity_seconds": 60}], ids=["no validity", "validity"])
def test_a_time_that_ends_before_the_messages_are_sent_is_warned_about(more: Any) -> None:
    (said,) = warnings(receipt(send_at="2027-01-15T10:00:00+00:00", **more), HOUR)
    assert "the messages of the receipt are sent at 2027-01-15 10:00:00 UTC" in said


def test_a_time_that_ends_while_scheduled_messages_are_under_way_is_warned_about() -> None:
    (said,) = warnings(receipt(send_at="2027-01-15T10:00:00+00:00", validity_seconds=2 * HOUR), 3 * HOUR)
    assert "may be tried until 2027-01-15 12:00:00 UTC" in said


def test_of_many_receipts_some_are_warned_about() -> None:
    many = [receipt(bulks=[{"bulk_id": str(number), "messages": 1}], **SENT) for number in range(9)]
    said = warnings(many, 60.0)
    assert [line.partition("the receipt[")[2][:1] for line in said] == ["0", "1", "2"]
