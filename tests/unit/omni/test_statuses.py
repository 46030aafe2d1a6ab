"""The meaning of a status."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.omni.models import Status
from airflow_provider_omni.omni.statuses import (
    KNOWN_STATUSES,
    Group,
    KnownStatus,
    StepState,
    account_blocked,
    group_of,
    is_duplicate,
    is_refusal,
    may_succeed_later,
    step_state,
)
from airflow_provider_omni.simulator import outcomes

STATE_OF_GROUP = {
    Group.ACCEPTED: StepState.PENDING,
    Group.PENDING: StepState.PENDING,
    Group.UNDELIVERABLE: StepState.FAILED,
    Group.EXPIRED: StepState.FAILED,
    Group.REJECTED: StepState.FAILED,
}


def known(number: int) -> Status:
    row = KNOWN_STATUSES[number]
    return Status(group_id=row.group, group_name=row.group.name, id=number, name=row.name)


@pytest.mark.parametrize("number", sorted(KNOWN_STATUSES))
def test_every_known_status_has_the_state_of_its_group(number: int) -> None:
    row = KNOWN_STATUSES[number]
    special = {2: StepState.OPERATOR, 5: StepState.HANDSET}
    assert step_state(known(number)) is special.get(number, STATE_OF_GROUP.get(row.group, StepState.PENDING))


@pytest.mark.parametrize("status", [each for each in vars(outcomes).values() if isinstance(each, outcomes.Status)])
def test_a_status_of_the_simulator_is_in_the_registry_unless_its_name_says_that_it_is_new(
    status: outcomes.Status,
) -> None:
    if "SOMETHING_NEW" in status.name:
        assert status.id not in KNOWN_STATUSES
    else:
        assert KNOWN_STATUSES[status.id][:2] == (status.name, status.group_id)


def test_a_validity_that_the_vendor_refused_ends_the_step_though_only_its_id_is_told() -> None:
    assert step_state(Status(id=70)) is StepState.FAILED
    assert is_refusal(Status(id=70))


@pytest.mark.parametrize(
    ("group", "final", "state"),
    [
        (Group.DELIVERED, True, StepState.HANDSET),
        (Group.DELIVERED, False, StepState.OPERATOR),
        (Group.UNDELIVERABLE, True, StepState.FAILED),
        (Group.UNDELIVERABLE, False, StepState.PENDING),
        (Group.PENDING, False, StepState.PENDING),
    ],
)
def test_a_new_row_of_the_registry_is_believed_as_it_stands(
    monkeypatch: pytest.MonkeyPatch, group: Group, final: bool, state: StepState
) -> None:
    monkeypatch.setitem(KNOWN_STATUSES, 9999, KnownStatus("NEW", group, final))
    assert step_state(Status(group_id=group, id=9999)) is state
    assert step_state(Status(group_id=Group.DELIVERED, id=9999)) is (
        state if group is Group.DELIVERED else StepState.OPERATOR
    )


@pytest.mark.parametrize("number", sorted(KNOWN_STATUSES))
@pytest.mark.parametrize("members", [("group_id",), ("group_name",), ("name",), ("group_id", "name"), ("id",)])
def test_a_known_status_is_recognised_by_what_little_there_is(number: int, members: tuple[str, ...]) -> None:
    little = Status(**{member: getattr(known(number), member) for member in members})
    assert group_of(little) is KNOWN_STATUSES[number].group


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (Status(group_id=5, id=9999, name="REJECTED_NEW"), StepState.FAILED),
        (Status(group_id=3, id=9999, name="DELIVERED_NEW"), StepState.OPERATOR),
        (Status(group_id=3, id=5), StepState.HANDSET),
        (Status(group_id=3, id=5, name="DELIVERED_TO_OPERATOR"), StepState.OPERATOR),
        (Status(group_id=1, id=5), StepState.PENDING),
        (Status(group_id=9, group_name="EXPIRED"), StepState.FAILED),
        (Status(group_id=9, group_name="NEW"), StepState.PENDING),
        (Status(name="undeliverable_new"), StepState.FAILED),
        (Status(name="NEW", id=5), StepState.PENDING),
        (Status(), StepState.PENDING),
        (Status(group_id=4, id=87, name="SIGNALS_BLOCKED"), StepState.FAILED),
        (Status(group_id=5, id=100, name="UNDELIVERABLE_REJECTED_PLATFORM"), StepState.FAILED),
    ],
)
def test_the_group_is_believed_first_then_the_name(status: Status, state: StepState) -> None:
    assert step_state(status) is state


@pytest.mark.parametrize("number", sorted(KNOWN_STATUSES))
def test_what_failed_before_it_was_accepted_is_a_refusal(number: int) -> None:
    failed = KNOWN_STATUSES[number].group in (Group.UNDELIVERABLE, Group.EXPIRED, Group.REJECTED)
    assert is_refusal(known(number)) == (failed and number != 23)


@pytest.mark.parametrize(
    "status",
    [
        known(23),
        Status(group_id=5, id=23),
        Status(group_id=5, name="REJECTED_DUPLICATE_MESSAGE_ID"),
        Status(id=23, name="X"),
    ],
)
def test_seen_before_is_not_refused(status: Status) -> None:
    assert is_duplicate(status)
    assert not is_refusal(status)


def test_a_group_id_and_a_group_name_that_contradict_each_other_are_no_refusal() -> None:
    assert not is_refusal(Status(group_id=5, group_name="PENDING"))


def test_no_credit_stops_everything_and_a_bad_number_does_not() -> None:
    assert [number for number in KNOWN_STATUSES if account_blocked(known(number))] == [12, 17]


def test_what_a_later_try_may_mend() -> None:
    assert [number for number in KNOWN_STATUSES if may_succeed_later(known(number))] == [12, 17, 20, 21, 89, 100]


@given(
    st.builds(
        Status,
        group_id=st.none() | st.integers(-5, 12),
        group_name=st.none() | st.sampled_from([*Group.__members__, "NEW", ""]),
        id=st.none() | st.integers(-5, 120),
        name=st.none() | st.sampled_from([row.name for row in KNOWN_STATUSES.values()]) | st.text(max_size=8),
    )
)
def test_every_status_has_one_meaning(status: Status) -> None:
    assert step_state(status) in StepState
    assert not (is_refusal(status) and is_duplicate(status))
    assert not is_refusal(status) or step_state(status) is StepState.FAILED
    assert is_refusal(status) or not (may_succeed_later(status) or account_blocked(status))
