"""`max_cost`: a batch that could cost too much is refused before anything is posted."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.delivery.ledger.parts import pack
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.budget import Budget, read_limit, read_prices
from airflow_provider_omni.delivery.outbox.cost import estimate_cost
from airflow_provider_omni.ledger import unreached
from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.errors import OmniAuthenticationError, OmniInputError, OmniStorageError
from tests.harness.driver import KilledError
from tests.unit.delivery.batch.batchworld import World, numbers
from tests.unit.delivery.batch.waits import saying, wait

PRICES = {"LINE": 0.01, "SMS": {"41": 0.1, "66": 0.02}}
LONG = {"line": {"type": "TEXT", "text": "x" * 200}, "sms": {"text": "x" * 200}}
"""A text that takes two SMS parts."""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def budget(most: Any, **prices: Any) -> dict[str, Any]:
    return {"max_cost": {"EUR": most}, "prices": prices or PRICES}


def refused(result: Any) -> tuple[str, ...]:
    assert isinstance(result.error, OmniInputError)
    assert result.error.code == "OMNI-112"
    assert not result.error.retryable
    return result.error.problems


def test_every_step_of_everybody_counts_and_an_sms_by_its_parts(world: World) -> None:
    people = [*numbers(3), "66812345678"]
    with Workspace() as workspace:
        plan = world.plan(people, workspace, LONG)
        found = estimate_cost(workspace, Budget(read_limit({"EUR": 1}), read_prices(PRICES)), ["LINE", "SMS"])
        assert plan.left() == 4
    assert found.amount == Decimal("0.68")  # 4 × 0.01 + 3 × 2 × 0.1 + 2 × 0.02
    assert found.in_words("EUR") == "0.68 EUR for 4 people (4 by LINE, 8 SMS parts)"


def test_a_channel_that_stands_in_the_flow_twice_counts_twice(world: World) -> None:
    with Workspace() as workspace:
        world.plan(numbers(1), workspace)
        found = estimate_cost(workspace, Budget(read_limit({"EUR": 1}), read_prices(PRICES)), ["SMS", "LINE", "SMS"])
    assert found.amount == Decimal("0.21")


def test_personal_texts_count_by_the_parts_of_each(world: World) -> None:
    rows = [{"phone": number, "name": "x" * 100 * place} for place, number in enumerate(numbers(3), 1)]
    with Workspace() as workspace:
        world.plan(rows, workspace, {"sms": {"text": "{name}"}})
        found = estimate_cost(workspace, Budget(read_limit({"EUR": 1}), read_prices(PRICES)), ["SMS"])
    assert found.units == {"SMS": 1 + 2 + 2}


def test_a_hundred_thousand_tenths_of_a_cent_are_exact(world: World) -> None:
    with Workspace() as workspace:
        world.plan(numbers(1000), workspace)
        table = read_prices({"SMS": 0.001, "LINE": 0.1})
        found = estimate_cost(workspace, Budget(read_limit({"EUR": 1}), table), ["LINE", "SMS"])
    assert found.amount == Decimal("101")


def test_a_batch_within_the_limit_is_sent_and_the_receipt_has_the_estimate(world: World) -> None:
    end = world.send(numbers(10), **budget("1.1"))
    assert end.error is None
    assert end.receipt.to_json()["estimated_cost"] == {"EUR": "1.1"}
    assert any("up to 1.1 EUR for 10 people (10 by LINE, 10 SMS parts); max_cost is 1.1 EUR" in x for x in world.lines)


def test_a_batch_that_could_cost_a_little_more_is_refused_and_nothing_is_posted_or_planned(world: World) -> None:
    end = world.send(numbers(10), **budget("1.0999"))
    assert refused(end) == (
        "max_cost: got an estimate of up to 1.1 EUR for 10 people (10 by LINE, 10 SMS parts), expected at most 1.0999 "
        "EUR. That is if every step is tried for everybody",
    )
    assert world.accepted() == []
    assert end.receipt.to_json()["estimated_cost"] == {"EUR": "1.1"}
    assert list(unreached(str(world.folder.path)).rows()) == []
    assert not world.folder.list("plan/")


def test_without_a_ledger_it_is_refused_just_the_same(world: World) -> None:
    assert refused(world.send(numbers(10), ledger=False, **budget(1)))
    assert world.accepted() == []


def test_a_dry_run_is_refused_and_estimated_as_the_send_would_be(world: World) -> None:
    policy = {"dry_run": True}
    assert refused(world.send(numbers(10), policy=policy, **budget(1)))
    assert world.send(numbers(10), policy=policy, **budget(2)).receipt.to_json()["estimated_cost"] == {"EUR": "1.1"}


def test_a_price_that_is_missing_for_somebody_refuses_the_send_and_names_channel_and_country(world: World) -> None:
    some = budget(100, SMS={"41": 0.1}, LINE={"41": 0.01, "1": 0})
    end = world.send([*numbers(2), "66812345678", "12015550123"], **some)
    assert sorted(refused(end)) == [
        "prices.LINE: got no price for numbers that begin with 66 (1 person), expected one for each channel and "
        "country that is sent to; '' is the price for all others",
        "prices.SMS: got no price for numbers that begin with 1 (1 person), expected one for each channel and "
        "country that is sent to; '' is the price for all others",
        "prices.SMS: got no price for numbers that begin with 66 (1 person), expected one for each channel and "
        "country that is sent to; '' is the price for all others",
    ]
    assert world.accepted() == []
    assert "estimated_cost" not in end.receipt.to_json()
    assert not any(number in str(end.error) for number in ("66812345678", "12015550123"))


def test_a_step_without_content_needs_no_price(world: World) -> None:
    assert world.send(numbers(2), {"sms": {"text": "Hi"}}, **budget(1, SMS=0.1)).error is None


def test_people_on_the_suppression_list_cost_nothing(world: World) -> None:
    people = numbers(10)
    end = world.send([*people, "66812345678"], suppress=["66812345678"], **budget("1.1", LINE=0.01, SMS={"41": 0.1}))
    assert end.error is None
    assert len(world.accepted()) == 10


def test_ids_and_fingerprint_are_the_same_with_and_without_a_limit(world: World) -> None:
    with Workspace() as one, Workspace() as other:
        plain, limited = world.plan(numbers(3), one), world.plan(numbers(3), other, **budget(1))
        assert plain.fingerprint == limited.fingerprint
        assert one.all("SELECT id FROM person") == other.all("SELECT id FROM person")


class Unreadable(World):
    """An account that may send, and may not read scenarios."""

    def execute(self, call: Call[Any]) -> Any:
        if call.method == "GET" and "/scenarios/" in call.path:
            raise OmniAuthenticationError("not for you", status=403)
        return super().execute(call)


def test_where_the_flow_is_not_known_every_channel_that_has_content_counts(tmp_path: Path) -> None:
    world = Unreadable(tmp_path)
    assert refused(world.send(numbers(10), **budget(1)))[0].startswith("max_cost: got an estimate of up to 1.1 EUR")
    assert world.send(numbers(10), **budget(2)).error is None


# -- later tries -------------------------------------------------------------------------------------------------------


def test_a_try_that_has_nobody_left_is_never_refused(world: World) -> None:
    assert world.send(numbers(10), **budget(2)).error is None
    again = world.send(numbers(10), **budget("0.01"))
    assert again.error is None
    assert again.receipt.to_json()["estimated_cost"] == {"EUR": "1.1"}
    assert world.send(numbers(10), **budget(1, VIBER=1)).error is None


def test_a_source_that_has_grown_beyond_the_limit_is_not_sent_to(world: World) -> None:
    assert world.send(numbers(10), **budget(2)).error is None
    end = world.send(numbers(20), **budget(2))
    assert refused(end)[0].startswith("max_cost: got an estimate of up to 2.2 EUR for 20 people")
    assert len(world.accepted()) == 10
    assert end.receipt.counts.accepted == 10


def half_sent(tmp_path: Path, **settings: Any) -> World:
    """A batch of which the first try has sent 20 of 30, and a wait has heard of them."""
    world = World(tmp_path, **settings)
    world.fault = lambda post: "refuse-auth" if post == 3 else None
    world.send(numbers(30), saying("Hello"), policy={"connections": 1}, **budget(4))
    world.fault = lambda post: None
    assert len(world.accepted()) == 20
    wait(world, success_when="finished")
    return world


def test_what_reports_have_told_counts_before_more_is_posted(tmp_path: Path) -> None:
    world = half_sent(tmp_path, prices={"LINE": 0.2, "SMS": 0.05})
    end = world.send(numbers(30), saying("Hello"), **budget(4))
    assert refused(end) == (
        "max_cost: got 4 EUR of it as told by reports so far, and up to 1.1 EUR for 10 people (10 by LINE, 10 SMS "
        "parts) who are left, expected at most 4 EUR together",
    )
    assert len(world.accepted()) == 20
    assert world.send(numbers(30), saying("Hello"), **budget("5.1")).error is None
    assert len(world.accepted()) == 30


def test_reports_as_cheap_as_estimated_let_the_rest_through(tmp_path: Path) -> None:
    world = half_sent(tmp_path, prices={"LINE": 0.01, "SMS": 0.05})
    assert world.send(numbers(30), saying("Hello"), **budget("3.3")).error is None
    assert len(world.accepted()) == 30


def test_reports_in_another_currency_cannot_be_compared_and_stop_the_rest(tmp_path: Path) -> None:
    world = half_sent(tmp_path, currency="USD")
    (line,) = refused(world.send(numbers(30), saying("Hello"), **budget(4)))
    assert line == "max_cost: got reports that tell costs in USD, expected EUR: they cannot be compared"
    assert len(world.accepted()) == 20


def test_outcomes_that_cannot_be_read_stop_the_rest(tmp_path: Path) -> None:
    world = half_sent(tmp_path)
    world.folder.write("outcomes/00009-zz-000001.jsonl.gz", pack([{"v": 1}, {"id": "x", "steps": [["SMS"]]}]))
    end = world.send(numbers(30), saying("Hello"), **budget(4))
    assert isinstance(end.error, OmniStorageError)
    assert len(world.accepted()) == 20


def test_a_killed_try_goes_on_within_the_limit(world: World) -> None:
    world.fault = lambda post: "kill" if post == 2 else None
    with pytest.raises(KilledError):
        world.send(numbers(30), **budget("3.3"))
    world.fault = lambda post: None
    world.clock.advance(600)
    assert world.send(numbers(30), **budget("3.3")).error is None
    assert len(world.accepted()) == 30
