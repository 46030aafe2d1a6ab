"""Hypothesis strategies for what reports and log rows tell."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from airflow_provider_omni.delivery.messages.status import StatusUpdate, Tracker
from airflow_provider_omni.omni.statuses import StepState

MESSAGES = ("m1", "m2", "m3")
CHANNELS = ("LINE", "SMS", "VIBER")

times = st.none() | st.integers(1_800_000_000_000, 1_800_000_100_000).map(lambda milliseconds: milliseconds / 1000)
updates = st.builds(
    StatusUpdate,
    message_id=st.sampled_from(MESSAGES),
    channel=st.sampled_from(CHANNELS),
    state=st.sampled_from(StepState),
    status=st.sampled_from(["A", "B"]),
    sent_at=times,
    done_at=times,
    cost=st.none() | st.sampled_from(["0", "0.02", "1"]),
    currency=st.none() | st.sampled_from(["EUR", "USD"]),
    permanent=st.none() | st.booleans(),
    error=st.none() | st.sampled_from(["EC_A", "EC_B"]),
)
stories = st.lists(updates, max_size=12)
flows = st.sampled_from([(), ("LINE", "SMS"), ("SMS",), ("LINE", "SMS", "VIBER"), ("SMS", "LINE", "SMS")])


def held(tracker: Tracker) -> Mapping[str, Mapping[str, StatusUpdate]]:
    """Return all that a tracker holds in memory: each message's updates, by the name of the step."""
    return tracker._steps
