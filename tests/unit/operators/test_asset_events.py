"""Events of assets: counts and ids beside what the user has put there, and never a reason for a send to fail."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_provider_omni.operators.asset_events import MOST_IDS, event_extra, tell_assets
from airflow_provider_omni.operators.omni import OmniSendMessageOperator

TOLD = Asset("x-shop://told")
RECEIPT = {
    "scenario_key": "K",
    "flow": ["SMS"],
    "bulks": [{"bulk_id": "b-1", "messages": 2}],
    "counts": {"requested": 2, "accepted": 2},
    "ledger_path": "/data/41793026727",
    "message_ids": ["m-1", "m-2"],
    "account": "a",
}
SUMMARY = {"total": 2, "delivered": 2, "by_channel": {"SMS": 2}, "ledger_path": "/data/41793026727"}


def told(outlets: list[Any], events: Any, **said: Any) -> None:
    operator = SimpleNamespace(outlets=outlets, log=logging.getLogger("test"))
    tell_assets(operator, {"outlet_events": events}, **said)


def test_a_send_tells_its_counts_and_a_wait_its_summary_ids_and_counts_only() -> None:
    sent = {"scenario_key": "K", "counts": {"requested": 2, "accepted": 2}, "bulk_ids": ["b-1"]}
    waited = {"delivery": {"total": 2, "delivered": 2, "by_channel": {"SMS": 2}}}
    assert event_extra(RECEIPT, None) == sent
    assert event_extra(None, SUMMARY) == waited
    assert event_extra(RECEIPT, SUMMARY) == sent | waited
    assert "4179" not in json.dumps(event_extra(RECEIPT, SUMMARY))


def test_an_event_is_small_whatever_the_size_of_the_send_and_says_if_nothing_was_sent() -> None:
    bulks = [{"bulk_id": f"b-{index}", "messages": 1} for index in range(1000)]
    extra = event_extra(RECEIPT | {"bulks": bulks, "dry_run": True}, None)
    assert len(extra["bulk_ids"]) == MOST_IDS
    assert extra["dry_run"] is True


def test_every_asset_among_the_outlets_gets_it_and_nothing_else_does() -> None:
    events = OutletEventAccessors()
    other = Asset("x-shop://other")
    told([TOLD, other, AssetAlias("alias"), "a file"], events, receipt=RECEIPT)
    assert set(events) == {TOLD, other}
    assert events[TOLD].extra == events[other].extra == {"omni": event_extra(RECEIPT, None)}


@pytest.mark.parametrize("own", [{"rows": 7}, {"omni": "mine"}, {"omni": None, "rows": 7}])
def test_what_the_user_has_put_there_stays(own: dict[str, Any]) -> None:
    events = OutletEventAccessors()
    events[TOLD].extra = dict(own)
    told([TOLD], events, summary=SUMMARY)
    assert events[TOLD].extra == {"omni": event_extra(None, SUMMARY)} | own


def test_an_extra_of_the_asset_itself_stays_with_the_asset() -> None:
    asset, events = Asset("x-shop://told", extra={"owner": "shop"}), OutletEventAccessors()
    told([asset], events, receipt=RECEIPT)
    assert asset.extra == {"owner": "shop"}


@pytest.mark.parametrize("events", [None, {}, {TOLD: SimpleNamespace(extra=None)}])
def test_no_event_fails_a_send(events: Any) -> None:
    told([TOLD], events, receipt=RECEIPT)


def test_a_task_without_outlets_looks_at_nothing() -> None:
    told([], SimpleNamespace(), receipt=RECEIPT)


def test_an_operator_tells_its_outlets_when_it_has_sent(vendor: Any, task: Any) -> None:
    events = OutletEventAccessors()
    send = OmniSendMessageOperator(
        task_id="t", scenario_key="K", to="41793026727", sms={"text": "Hi"}, flow=["SMS"], outlets=[TOLD]
    )
    receipt = send.execute(task.context() | {"outlet_events": events})
    assert events[TOLD].extra["omni"]["counts"] == receipt["counts"]
