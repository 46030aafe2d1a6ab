"""The suppression list: whoever is on it gets nothing, and nobody else is kept out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.delivery.ledger.shards import Shard
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.recipients.numbers import NumberRules
from airflow_provider_omni.delivery.recipients.sources import Row, rows_of_entries, rows_of_table
from airflow_provider_omni.delivery.recipients.suppression import SUPPRESSED, read_suppression
from airflow_provider_omni.ledger import read_quarantine, unreached
from airflow_provider_omni.omni.errors import OmniInputError
from tests.harness.driver import KilledError
from tests.unit.delivery.batch.batchworld import World, numbers
from tests.unit.delivery.batch.waits import saying, wait

OUT = numbers(1, 500)[0]
FAILING = "41793000042"
"""A number whose LINE message and whose SMS both fail."""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as database:
        yield database


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def counts(result: Any) -> dict[str, int]:
    return {name: count for name, count in result.receipt.to_json()["counts"].items() if count}


def sent_to(world: World) -> set[str]:
    return {each["to"] for each in world.accepted()} if world.accepted() else set()


@pytest.mark.parametrize(
    "entry",
    [
        OUT,
        f"+{OUT}",
        f"00{OUT}",
        int(OUT),
        f"+{OUT[:2]} {OUT[2:4]} {OUT[4:7]} {OUT[7:]}",
        hashed(OUT),
        hashed(f"+{OUT}"),
        hashed(OUT).upper(),
        hashlib.sha256(OUT.encode()).digest(),
        {"phone": OUT},
        {"whatever": OUT},
    ],
)
def test_whoever_is_on_the_list_gets_nothing_however_the_entry_is_written(world: World, entry: Any) -> None:
    end = world.send([*numbers(3), OUT], suppress=[numbers(1, 900)[0], entry])
    assert end.error is None
    assert counts(end) == {"requested": 4, "accepted": 3, "suppressed": 1}
    assert len(world.accepted()) == 3


def test_without_a_list_the_receipt_has_no_such_count_and_with_one_it_has_even_if_nobody_is_found(world: World) -> None:
    assert "suppressed" not in world.send(numbers(2), ledger=False).receipt.to_json()["counts"]
    found = world.send(numbers(2, 50), suppress=[OUT], ledger=False).receipt.to_json()["counts"]
    assert found["suppressed"] == 0


def test_ids_and_fingerprint_are_the_same_with_and_without_a_list(world: World) -> None:
    with Workspace() as one, Workspace() as other:
        plain, listed = world.plan(numbers(3), one), world.plan([*numbers(3), OUT], other, suppress=[OUT])
        assert plain.fingerprint == listed.fingerprint
        assert one.all("SELECT id FROM person ORDER BY seq") == other.all("SELECT id FROM person ORDER BY seq")


def test_every_row_of_somebody_on_the_list_counts_once_as_suppressed_and_never_as_quarantined(world: World) -> None:
    rows = [
        {"phone": OUT, "name": "A"},
        {"phone": f"+{OUT}", "name": "B"},  # another text
        {"phone": OUT, "name": "A"},  # a duplicate
        {"phone": OUT},  # a text that cannot be filled
        {"phone": numbers(1)[0], "name": "C"},
    ]
    end = world.send(rows, {"sms": {"text": "Hi {name}"}}, suppress=[OUT], max_quarantined=0)
    assert counts(end) == {"requested": 5, "accepted": 1, "suppressed": 4}
    assert end.error is None


def test_the_ledger_lists_them_by_key_with_the_reason_and_the_log_names_nobody(world: World) -> None:
    rows = [{"phone": number, "customer": f"c{place}"} for place, number in enumerate([*numbers(2), OUT, "12"])]
    world.send(rows, suppress=[OUT], key_field="customer")
    listed = {row.recipient: row.reason for row in read_quarantine(str(world.folder.path))}
    assert listed["c2"] == SUPPRESSED
    assert listed["c3"].startswith("phone number: ")
    assert len(listed) == 2
    assert any("1 on the suppression list" in line for line in world.lines)
    assert not any(part in line for line in world.lines for part in (OUT, "c2", SUPPRESSED.upper()))


def test_a_key_whose_first_number_is_on_the_list_is_not_sent_to_under_another_number(world: World) -> None:
    rows = [{"phone": OUT, "customer": "7"}, {"phone": numbers(1)[0], "customer": "7"}]
    end = world.send(rows, suppress=[OUT], key_field="customer")
    assert counts(end) == {"requested": 2, "quarantined": 1, "suppressed": 1}
    assert world.accepted() == []


def test_those_who_are_left_out_do_not_count_against_the_limit_of_recipients(world: World) -> None:
    shard = Shard(1, 2)
    people = numbers(40)
    with Workspace() as workspace:
        plan = world.plan(people, workspace, suppress=people[:20], shard=shard, max_recipients=20)
        assert plan.intake.people + plan.intake.other_shards == 20


def test_a_list_that_names_everybody_sends_to_nobody(world: World) -> None:
    end = world.send(numbers(3), suppress=numbers(3))
    assert (end.error, counts(end)) == (None, {"requested": 3, "suppressed": 3})
    assert end.receipt.unsent == 0


# -- later tries -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ledger", [True, False])
def test_who_was_sent_to_before_stays_sent_and_counts_as_accepted(world: World, ledger: bool) -> None:
    world.send([*numbers(3), OUT], ledger=ledger)
    end = world.send([*numbers(4), OUT, OUT], suppress=[OUT], ledger=ledger)
    assert end.error is None
    assert counts(end) == {"requested": 6, "accepted": 5, "duplicates": 1}
    assert len(world.accepted()) == 5
    if ledger:
        assert list(read_quarantine(str(world.folder.path))) == []


def test_who_was_not_sent_to_before_the_list_names_them_gets_nothing_of_the_retry(world: World) -> None:
    world.fault = lambda post: "kill" if post == 2 else None
    people = numbers(30)
    with pytest.raises(KilledError):
        world.send(people)
    world.fault = lambda post: None
    world.clock.advance(600)
    sent = len(world.accepted())
    end = world.send(people, suppress=people)
    assert end.error is None
    assert len(world.accepted()) == sent
    assert counts(end)["accepted"] == sent
    assert counts(end)["suppressed"] == 30 - sent


@pytest.mark.parametrize("fault", ["kill", "kill-after"])
def test_who_is_in_doubt_and_on_the_list_now_is_asked_about_and_never_posted_again(world: World, fault: str) -> None:
    world.fault = lambda post: fault
    people = numbers(5)
    with pytest.raises(KilledError):
        world.send(people)
    world.fault = lambda post: None
    world.clock.advance(600)
    before = len(world.accepted())
    for _ in range(2):
        end = world.send(people, suppress=people)
        assert end.error is None
        assert counts(end) == {"requested": 5} | ({"accepted": 5} if before else {"suppressed": 5})
        assert len(world.accepted()) == before


def test_who_was_refused_and_is_on_the_list_now_is_not_posted_again(world: World) -> None:
    refused = numbers(1)[0][:-2] + "06"
    world.send([*numbers(2, 1), refused])
    end = world.send([*numbers(2, 1), refused], suppress=[refused])
    assert end.error is None
    assert counts(end) == {"requested": 3, "accepted": 2, "suppressed": 1}


def test_who_is_off_the_list_again_is_sent_to(world: World) -> None:
    world.send([*numbers(2), OUT], suppress=[OUT])
    assert counts(world.send([*numbers(2), OUT], suppress=[numbers(1, 700)[0]])) == {"requested": 3, "accepted": 3}


# -- a second send -----------------------------------------------------------------------------------------------------


def chosen(world: World) -> list[str]:
    return [row.number for row in unreached(str(world.folder.path), include_unknown=True).rows()]


def test_the_unreached_are_without_those_who_were_on_the_list_from_the_first_try_on(world: World) -> None:
    world.send([*numbers(2), OUT], saying("Hello"), suppress=[OUT])
    wait(world, success_when="finished")
    assert chosen(world) == []


def test_somebody_whose_message_failed_and_who_has_opted_out_before_the_last_try_is_not_chosen(world: World) -> None:
    people = [*numbers(2), FAILING, "41793000142"]
    world.send(people, saying("Hello"))
    wait(world, success_when="finished")
    assert sorted(chosen(world)) == sorted(people[2:])
    world.send(people, saying("Hello"), suppress=[FAILING])
    assert chosen(world) == people[3:]


def test_somebody_who_has_left_the_source_and_opted_out_is_not_chosen(world: World) -> None:
    people = [*numbers(2), FAILING, "41793000142"]
    world.send(people, saying("Hello"))
    wait(world, success_when="finished")
    world.send(people[:2], saying("Hello"), suppress=[hashed(FAILING)])
    assert chosen(world) == people[3:]


def test_the_last_try_has_the_last_word_on_who_is_on_the_list(world: World) -> None:
    people = [*numbers(2), FAILING]
    world.send(people, saying("Hello"))
    wait(world, success_when="finished")
    world.send(people, saying("Hello"), suppress=[FAILING])
    world.send(people, saying("Hello"), suppress=[OUT])
    assert chosen(world) == [FAILING]


def test_somebody_who_was_planned_and_never_posted_and_is_on_the_list_now_is_not_chosen(world: World) -> None:
    world.fault = lambda post: "kill"
    people = numbers(20)
    with pytest.raises(KilledError):
        world.send(people)
    world.fault = lambda post: None
    world.clock.advance(600)
    world.send(people, suppress=people[:7])
    wait(world, success_when="finished")
    assert chosen(world) == []
    assert len(world.accepted()) == 13


# -- reading the list --------------------------------------------------------------------------------------------------


def problems(workspace: Workspace, entries: list[Any], rules: NumberRules | None = None) -> tuple[str, ...]:
    with pytest.raises(OmniInputError) as caught:
        read_suppression(rows_of_entries(entries, "phone"), workspace, rules or NumberRules())
    return caught.value.problems


def test_an_entry_that_is_neither_refuses_the_send_without_its_value(workspace: Workspace) -> None:
    told = problems(workspace, [OUT, "ann@example.com", "0793026727", hashed(OUT)[:40], {"a": 1, "b": 2}, b"12", *"ab"])
    assert told[0] == (
        "suppress: got 7 entries that cannot be read, expected a phone number, or the SHA-256 of one in hexadecimal "
        "digits in each. Each may be somebody who must not be sent to; the first follow"
    )
    assert [line.partition(":")[0] for line in told] == ["suppress"] * 6
    assert [line.split(":")[1] for line in told[1:]] == [f" entry {place}" for place in (1, 2, 3, 4, 5)]
    assert "ann@" not in str(told)
    assert "0793026727" not in str(told)


def test_blank_entries_are_nobody(workspace: Workspace) -> None:
    found = read_suppression(
        rows_of_table(["phone", "note"], [(OUT, ""), ("", "x"), (None, "y"), ("NULL", "")], "phone"),
        workspace,
        NumberRules(),
    )
    assert (found.numbers, found.hashes) == (1, 0)


def test_numbers_without_a_country_are_read_as_of_the_region_of_the_send(workspace: Workspace) -> None:
    rules = NumberRules("CH")
    found = read_suppression(rows_of_entries(["0793026727", "+66812345678"], "phone"), workspace, rules)
    assert found.holds("41793026727")
    assert found.holds("66812345678")
    assert not found.holds("793026727")


def test_a_number_of_a_range_that_is_not_known_is_kept_out_all_the_same(workspace: Workspace) -> None:
    found = read_suppression(rows_of_entries(["+41123456789"], "phone"), workspace, NumberRules())
    assert found.holds("41123456789")


def test_the_list_is_read_as_a_stream(workspace: Workspace) -> None:
    alive: list[int] = []

    class Entry(str):
        """A text that says when it is gone."""

        __slots__ = ()

        def __del__(self) -> None:
            alive[0] -= 1

    alive.append(0)
    most = 0

    def entries() -> Iterator[Row]:
        nonlocal most
        for place in range(10_000):
            alive[0] += 1
            most = max(most, alive[0])
            yield Row(place, Entry(f"4179{place:05d}00"))

    found = read_suppression(entries(), workspace, NumberRules())
    assert found.numbers == 10_000
    assert most < 10
