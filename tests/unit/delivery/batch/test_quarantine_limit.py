"""`max_quarantined`: a column that was read wrongly is an error before the first POST."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.delivery.ledger.shards import Shard
from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.plan import BatchSpec, plan_batch
from airflow_provider_omni.delivery.recipients.contents import MessageTemplate
from airflow_provider_omni.delivery.recipients.numbers import NumberRules
from airflow_provider_omni.ledger import unreached
from airflow_provider_omni.omni.errors import OmniInputError
from tests.unit.delivery.batch.batchworld import World, numbers

BAD = "0793026727"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as database:
        yield database


def refusal(world: World, workspace: Workspace, rows: list[Any], **spec: Any) -> tuple[str, ...]:
    with pytest.raises(OmniInputError) as caught:
        world.plan(rows, workspace, **spec)
    return caught.value.problems


def test_more_than_a_tenth_of_the_rows_refuses_the_batch_by_default_and_the_error_says_how_to_raise_it(
    world: World,
    workspace: Workspace,
) -> None:
    told = refusal(world, workspace, [*numbers(17), *[BAD] * 2], max_quarantined=0.1)
    assert told == (
        "max_quarantined: got 2 of 19 rows that cannot be used, expected at most 0.1 of them. Was a column read "
        "wrongly? The reasons follow. Where the others are to be sent to all the same, raise it: max_quarantined=2 "
        "(rows) or 0.11 (a share of them)",
        "2 × not a phone number (it does not start with a country code)",
        "row 17: phone number: got 0793…727; expected a number that starts with its country code, or region=… for "
        "numbers without one",
        "row 18: phone number: got 0793…727; expected a number that starts with its country code, or region=… for "
        "numbers without one",
    )
    assert world.accepted() == []


@pytest.mark.parametrize("most", [2, 0.11, 1.0, 1000])
def test_what_the_error_names_lets_the_batch_through(world: World, workspace: Workspace, most: float) -> None:
    assert world.plan([*numbers(17), *[BAD] * 2], workspace, max_quarantined=most).left() == 17


def test_a_tenth_is_not_more_than_a_tenth(world: World, workspace: Workspace) -> None:
    assert world.plan([*numbers(18), *[BAD] * 2], workspace, max_quarantined=0.1).left() == 18


@pytest.mark.parametrize(
    ("bad", "rows", "most"),
    [(1, 10, 0.1), (3, 30, 0.1), (29, 100, 0.29), (7, 100, 0.07), (57, 100, 0.57), (0, 0, 0.1), (0, 0, 0), (0, 5, 0.0)],
)
def test_exactly_the_share_that_is_allowed_is_allowed(
    world: World, workspace: Workspace, bad: int, rows: int, most: float
) -> None:
    plan = world.plan([*numbers(rows - bad), *[BAD] * bad], workspace, max_quarantined=most)
    assert (plan.left(), plan.intake.quarantined) == (rows - bad, bad)


@pytest.mark.parametrize(("bad", "rows", "most"), [(1, 9, 0.1), (4, 39, 0.1), (30, 100, 0.29), (1, 100, 0.0)])
def test_one_more_than_the_share_that_is_allowed_is_not(
    world: World, workspace: Workspace, bad: int, rows: int, most: float
) -> None:
    told = refusal(world, workspace, [*numbers(rows - bad), *[BAD] * bad], max_quarantined=most)
    assert told[0].startswith(f"max_quarantined: got {bad} of {rows} rows")


@pytest.mark.parametrize("most", [0, 0.0, 1])
def test_none_at_all_and_one_at_most_can_be_asked_for(world: World, workspace: Workspace, most: float) -> None:
    told = refusal(world, workspace, [*numbers(1000), *[BAD] * 2], max_quarantined=most)
    assert told[0].startswith("max_quarantined: got 2 of 1,002 rows")


def test_whom_allow_lists_duplicates_and_other_shards_leave_out_does_not_count(
    world: World, workspace: Workspace
) -> None:
    rows = [*numbers(5), *numbers(40, start=100), *numbers(5), "+66812345678"]
    limits = NumberRules(countries=frozenset({"CH"}))
    allowed = frozenset(numbers(5))
    plan = world.plan(rows, workspace, max_quarantined=0, allowed_recipients=allowed, numbers=limits)
    assert (plan.intake.people, plan.intake.quarantined, plan.intake.duplicates) == (5, 41, 5)
    with Workspace() as another:
        plan = world.plan(rows, another, max_quarantined=0, shard=Shard(1, 8), numbers=NumberRules())
        assert plan.intake.quarantined == 0


def test_of_a_country_that_is_not_allowed_the_reason_names_it(world: World, workspace: Workspace) -> None:
    rules = NumberRules(countries=frozenset({"CH", "US"}))
    plan = world.plan([*numbers(1), "+66812345678", "+12025550123"], workspace, max_quarantined=0, numbers=rules)
    assert [(place, reason) for place, reason, _ in plan.quarantined()] == [
        (1, "its country is not among allowed_countries: TH")
    ]
    assert dict(plan.intake.reasons) == {"its country is not among allowed_countries": 1}


def test_the_same_number_with_another_text_counts_since_somebody_gets_nothing(
    world: World, workspace: Workspace
) -> None:
    rows = [{"phone": numbers(1)[0], "name": name} for name in ("Ada", "Bob")]
    told = refusal(world, workspace, rows, content={"sms": {"text": "Dear {name}"}}, max_quarantined=0.1)
    assert told[0].startswith("max_quarantined: got 1 of 2 rows")


def test_a_shard_with_few_rows_may_have_bad_ones_by_chance_but_not_twenty(world: World, workspace: Workspace) -> None:
    half = Shard(1, 2)
    bad = [f"0{index}" for index in range(30)]
    plan = world.plan([*numbers(20), *bad], workspace, shard=half, max_quarantined=0.1)
    assert 0 < plan.intake.quarantined < 20
    with Workspace() as another:
        many = [f"0{index}" for index in range(100)]
        told = refusal(world, another, [*numbers(20), *many], shard=half, max_quarantined=0.1)
        assert "rows of this shard that cannot be used" in told[0]


def test_a_column_of_national_numbers_reaches_nobody_without_a_region_and_its_people_with_one(
    world: World,
) -> None:
    thai = [f"8{index * 7919 % 10**6:06d}00" for index in range(60)]
    with pytest.raises(OmniInputError, match="Nothing was sent"):
        world.send(thai, max_quarantined=0.1)
    assert world.accepted() == []
    end = world.send(thai, max_quarantined=0.1, numbers=NumberRules("TH"))
    assert end.error is None
    assert world.accepted() == sorted(f"66{number}" for number in thai)


def test_a_second_send_with_a_region_reads_the_ledgers_numbers_as_international(
    world: World, workspace: Workspace
) -> None:
    number = "4915112345678"  # without a plus it is a number of Germany with and without its country code
    german = NumberRules("DE")
    world.poison = frozenset({number})
    world.send([f"+{number}"], numbers=german, policy={"on_rejected": "ignore"})
    assert world.accepted() == []
    again = BatchSpec(Identity("again"), "K", MessageTemplate({"sms": {"text": "x"}}), ("SMS",), numbers=german)
    plan = plan_batch(again, unreached(str(world.folder.path)).rows(), workspace, datetime.now(UTC))
    assert workspace.all("SELECT address FROM person") == [(int(number),)]
    assert plan.intake.quarantined == 0
