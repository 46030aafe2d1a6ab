"""Everything that stops a batch, what does not, and what is refused before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.errors import (
    OmniAuthenticationError,
    OmniContentChangedError,
    OmniInputError,
    OmniRateLimitError,
    OmniRejectedError,
    OmniRequestError,
    OmniServerError,
    OmniUnknownOutcomeError,
)
from airflow_provider_omni.omni.masking import mask_number
from tests.unit.delivery.batch.batchworld import World, numbers


def test_a_bad_entry_is_found_by_halving_and_stands_alone(tmp_path: Path) -> None:
    world = World(tmp_path)
    bad = numbers(95)[37]
    world.poison = frozenset({bad})
    end = world.send(numbers(95))
    assert isinstance(end.error, OmniRejectedError)
    assert world.accepted() == sorted(set(numbers(95)) - {bad})
    assert (end.receipt.counts.accepted, end.receipt.counts.rejected) == (94, 1)
    assert bad not in str(end.error)


def test_a_refused_entry_is_tried_again_by_a_later_try_with_another_id(tmp_path: Path) -> None:
    world = World(tmp_path)
    bad = numbers(95)[37]
    world.poison = frozenset({bad})
    world.send(numbers(95))
    world.poison = frozenset()
    end = world.send(numbers(95))
    assert end.error is None
    assert world.accepted() == numbers(95)
    assert end.receipt.counts.accepted == 95


def test_a_refusal_of_everything_stops_after_a_few(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.poison = frozenset({"4179"})
    end = world.send(numbers(900))
    assert isinstance(end.error, OmniRequestError)
    assert world.posts < 150
    world.poison = frozenset()
    assert world.send(numbers(900)).error is None
    assert world.accepted() == numbers(900)


def test_an_unknown_scenario_stops_early_and_sends_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    end = world.send(numbers(900), scenario_key="F" * 32, flow=("LINE", "SMS"))
    assert isinstance(end.error, OmniRequestError)
    assert world.posts < 150


@pytest.mark.parametrize(("fault", "status"), [("refuse-auth", 401), ("forbid", 403)])
def test_a_refused_login_stops_at_once_and_a_later_try_goes_on(tmp_path: Path, fault: str, status: int) -> None:
    world = World(tmp_path)
    world.fault = lambda post: fault if post >= 5 else None
    end = world.send(numbers(200))
    assert isinstance(end.error, OmniAuthenticationError)
    assert end.error.status == status
    assert "40 of 200 accepted" in str(end.error)
    assert world.posts <= 12
    world.fault = lambda post: None
    assert world.send(numbers(200)).error is None
    assert world.accepted() == numbers(200)


def test_no_credit_stops_at_once_and_a_later_try_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path, message_credits=42)
    end = world.send(numbers(200))
    assert isinstance(end.error, OmniRejectedError)
    assert end.error.retryable
    assert "NOT_ENOUGH_CREDITS" in str(end.error)
    assert end.receipt.counts.accepted == 42
    assert world.posts <= 12
    world.simulator.configure(message_credits=0)
    assert world.send(numbers(200)).error is None
    assert world.accepted() == numbers(200)


def test_throttling_backs_off_and_then_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "throttle" if 5 <= post < 12 else None
    begun = world.clock.now()
    assert world.send(numbers(200)).error is None
    assert world.accepted() == numbers(200)
    assert world.clock.now() - begun > 0.5


def test_throttling_without_end_gives_up(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "throttle" if post > 5 else None
    end = world.send(numbers(200))
    assert isinstance(end.error, OmniRateLimitError)
    assert end.error.retryable
    world.fault = lambda post: None
    assert world.send(numbers(200)).error is None
    assert world.accepted() == numbers(200)


def test_a_vendor_that_is_down_gets_no_more_posts(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "error-before" if post > 5 else None
    end = world.send(numbers(900))
    assert isinstance(end.error, OmniServerError)
    assert world.posts < 50
    world.fault = lambda post: None
    assert world.send(numbers(900)).error is None
    assert world.accepted() == numbers(900)


def test_what_stays_unknown_fails_the_task_and_the_rest_is_sent(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "reset-after" if post == 3 else None
    world.simulator.faults.add("throttle")
    execute = world.execute
    world.execute = lambda call: execute(call) if "logs" not in call.path else _fail()  # type: ignore[method-assign]
    end = world.send(numbers(95))
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert end.receipt.counts.unconfirmed == 10
    assert world.accepted() == numbers(95)
    world.execute = execute  # type: ignore[method-assign]
    assert world.send(numbers(95)).error is None
    assert world.accepted() == numbers(95)


def _fail() -> None:
    raise OmniServerError("down", status=503)


def test_other_content_under_the_same_key_is_refused_while_somebody_is_left(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(numbers(30))
    end = world.send(numbers(40), {"sms": {"text": "Other"}})
    assert isinstance(end.error, OmniContentChangedError)
    assert world.accepted() == numbers(30)
    assert world.send(numbers(30), {"sms": {"text": "Other"}}).error is None


def test_a_ledger_of_another_send_is_refused(tmp_path: Path) -> None:
    from airflow_provider_omni.delivery.messages.ids import Identity

    world = World(tmp_path)
    world.send(numbers(30))
    end = world.send(numbers(30), identity=Identity("run-2"))
    assert isinstance(end.error, OmniInputError)
    assert world.accepted() == numbers(30)


def test_more_people_than_allowed_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    world = World(tmp_path)
    with pytest.raises(OmniInputError, match="max_recipients"):
        world.send(numbers(30), max_recipients=29)
    assert not world.calls


def test_a_source_without_one_good_row_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    with pytest.raises(OmniInputError, match="not one row of 2 can"):
        world.send(["hello", {"telephone": "41793026727"}])


def test_a_dry_run_posts_nothing_and_writes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    end = world.send([*numbers(95), "bad"], {"sms": {"text": "x" * 161}}, policy={"dry_run": True})
    assert end.error is None
    assert not world.posts
    assert not world.folder.list("")
    assert not world.published
    data = end.receipt.to_json()
    assert (data["dry_run"], data["requests"], data["recipients"], data["sms_parts"]) == (True, 10, 95, 190)
    assert data["counts"]["quarantined"] == 1


@pytest.mark.parametrize(("on_rejected", "fails"), [("fail", True), ("ignore", False), (0.02, False), (0.01, True)])
def test_refusals_are_tolerated_as_the_user_says(tmp_path: Path, on_rejected: str | float, fails: bool) -> None:
    world = World(tmp_path)
    world.poison = frozenset(numbers(100)[7:9])
    end = world.send(numbers(100), policy={"on_rejected": on_rejected})
    assert (end.error is not None) is fails


def test_without_record_and_ledger_only_a_first_try_is_sent(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert isinstance(world.send(numbers(9), ledger=False, policy={"record_complete": False}).error, OmniInputError)
    assert world.send(numbers(9), ledger=False, policy={"record_complete": False, "is_first_try": True}).error is None


def test_nothing_that_is_logged_or_published_or_kept_in_memory_holds_a_number(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "throttle" if post == 3 else None
    world.poison = frozenset({numbers(95)[3]})
    end = world.send([*numbers(95), "4179"], ledger=False)
    told = [*world.lines, str(world.published), str(world.memory._entries), str(end), repr(end.error)]
    for number in numbers(95):
        assert not any(number in line for line in told)
    assert mask_number(numbers(1)[0])


def test_a_wrong_password_is_not_mended_by_a_retry_and_the_error_does_not_say_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    execute = world.execute

    def locked(call: Call[Any]) -> Any:
        if call.method == "POST":
            raise OmniAuthenticationError("The login was refused.", status=401)
        return execute(call)

    world.execute = locked  # type: ignore[method-assign]
    error = world.send(numbers(3)).error
    assert isinstance(error, OmniAuthenticationError)
    assert "Correct the connection, then clear the task" in str(error)
    assert "retry" not in str(error)
