"""People who are sent to, who is left out and why; who shares a request with whom."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_omni.delivery.ledger.shards import Shard
from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.messages.workspace import RecipientChunk, Workspace
from airflow_provider_omni.omni.errors import OmniInputError
from tests.unit.delivery.batch.batchworld import World, numbers

NAMED = {"line": {"type": "TEXT", "text": "Dear {name}"}}


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as database:
        yield database


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def numbers_of(group: RecipientChunk) -> list[int]:
    return [int(each["to"]["phoneNumber"]) for each in json.loads(f"[{group.destinations}]")]


def people(plan: Any, size: int = 10) -> list[list[int]]:
    return [numbers_of(group) for _, group in plan.chunks(size)]


def test_all_ways_to_write_a_number_are_one_person(world: World, workspace: Workspace) -> None:
    plan = world.plan(["+41 79 302 67 27", "0041793026727", "41793026727", 41793026727], workspace)
    assert (plan.intake.people, plan.intake.duplicates, plan.intake.requested) == (1, 3, 4)


def test_bad_rows_are_quarantined_with_place_and_reason_and_the_rest_is_sent(
    world: World, workspace: Workspace
) -> None:
    plan = world.plan(["41793026727", "nobody", {"x": 1}, 4.17e10, "4179", True, "41793026728"], workspace)
    assert people(plan) == [[41793026727, 41793026728]]
    assert [(place, reason.split(":")[0]) for place, reason, _ in plan.quarantined()] == [
        (1, "phone number"),
        (2, "the field phone is missing"),
        (3, "phone number"),
        (4, "phone number"),
        (5, "phone number"),
    ]
    assert plan.intake.quarantined == 5
    assert sum(plan.intake.reasons.values()) == 5


def test_reasons_show_no_number(world: World, workspace: Workspace) -> None:
    plan = world.plan([*numbers(1), "417915553331234567", "+4179155533a"], workspace)
    told = str(list(plan.quarantined())) + str(plan.intake)
    assert "4179155533" not in told


def test_whoever_is_not_among_the_allowed_is_quarantined(world: World, workspace: Workspace) -> None:
    allowed = frozenset({"+41 79 302 67 27"})
    plan = world.plan(["41793026727", "41793026728"], workspace, allowed_recipients=allowed)
    assert people(plan) == [[41793026727]]
    assert [reason for _, reason, _ in plan.quarantined()] == ["not among the connection's allowed_recipients"]


def test_nobody_allowed_is_not_an_error(world: World, workspace: Workspace) -> None:
    assert world.plan(numbers(3), workspace, allowed_recipients=frozenset({"41793026727"})).left() == 0


def test_the_same_number_with_another_text_is_quarantined_where_no_key_tells_them_apart(
    world: World, workspace: Workspace
) -> None:
    rows = [{"phone": "41793026727", "name": name} for name in ("Ada", "Bob", "Ada")]
    plan = world.plan(rows, workspace, NAMED)
    assert (plan.intake.people, plan.intake.duplicates, plan.intake.quarantined) == (1, 1, 1)
    assert [(place, "another text" in reason) for place, reason, _ in plan.quarantined()] == [(1, True)]


def test_a_key_field_tells_people_apart_and_names_duplicates(world: World, workspace: Workspace) -> None:
    rows = [
        {"phone": "41793026727", "name": name, "id": key}
        for name, key in (("Ada", 1), ("Bob", 2), ("Eve", "1"), ("Mia", None))
    ]
    plan = world.plan(rows, workspace, NAMED, key_field="id")
    assert (plan.intake.people, plan.intake.duplicates, plan.intake.quarantined) == (2, 1, 1)
    ids = {each for _, group in plan.chunks(10) for each in group.ids}
    assert ids == {Identity("run-1").message_id(f"key:{key}") for key in (1, 2)}


@pytest.mark.parametrize(
    ("row", "missing"),
    [
        ({"tel": "41793026727"}, "'phone', 'id', 'name'"),
        ({"phone": "41793026727"}, "'id', 'name'"),
        ({"id": "7"}, "'phone', 'name'"),
        ({"name": "Ada"}, "'phone', 'id'"),
    ],
)
def test_a_row_that_lacks_fields_is_told_all_of_them_at_once(
    row: dict[str, Any], missing: str, world: World, workspace: Workspace
) -> None:
    good = {"phone": "41793026728", "id": "8", "name": "Bob"}
    plan = world.plan([row, good], workspace, NAMED, key_field="id", max_quarantined=1)
    [(place, reason, _)] = list(plan.quarantined())
    assert (place, reason) == (0, f"the fields {missing} are missing; there are: {next(iter(row))}")
    assert dict(plan.intake.reasons) == {f"the fields {missing} are missing": 1}


def test_the_same_texts_share_requests(world: World, workspace: Workspace) -> None:
    rows = [{"phone": number, "name": "Ada" if index % 2 else "Bob"} for index, number in enumerate(numbers(50))]
    plan = world.plan(rows, workspace, NAMED)
    sizes = [len(group) for group in people(plan)]
    assert sizes == [10, 10, 5, 10, 10, 5]
    assert plan.requests(10) == 6


def test_personal_texts_have_a_request_each_in_the_order_of_the_source(world: World, workspace: Workspace) -> None:
    rows = [{"phone": number, "name": f"N{index}"} for index, number in enumerate(numbers(5))]
    plan = world.plan(rows, workspace, NAMED)
    assert people(plan) == [[int(number)] for number in numbers(5)]


@pytest.mark.parametrize("row", [{"name": ""}, {}, {"name": "x" * 5001}, {"name": None}])
def test_a_row_whose_text_cannot_be_sent_is_quarantined(
    world: World, workspace: Workspace, row: dict[str, Any]
) -> None:
    plan = world.plan([{"phone": numbers(1)[0], "name": "Ada"}, {"phone": "41793026727"} | row], workspace, NAMED)
    assert (plan.intake.people, plan.intake.quarantined) == (1, 1)


def test_a_bare_number_has_no_fields(world: World, workspace: Workspace) -> None:
    plan = world.plan(["41793026727", {"phone": numbers(1)[0], "name": "Ada"}], workspace, NAMED)
    reasons = [reason for _, reason, _ in plan.quarantined()]
    assert reasons == ["the field 'name' is missing; bare numbers have no fields"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"line": {"type": "TEXT", "text": "{name} {"}}, "line.text"),
        ({"line": {"type": "IMAGE", "url": "{name}"}}, "line.thumbnailUrl: missing"),
        ({"line": {"type": "TEXT", "text": "{name}", "txt": 1}}, "line.txt"),
        ({"line": {"type": "TEXT", "text": "{name}"}, "sms": {"text": ""}}, "sms.text"),
        ({}, "no content"),
        ({"sms": {"text": "x"}, "options": {"callback_data": "x" * 5000}}, "callback_data"),
    ],
)
def test_mistakes_that_do_not_depend_on_a_row_are_one_error(
    world: World, workspace: Workspace, content: dict[str, Any], problem: str
) -> None:
    with pytest.raises(OmniInputError, match=problem):
        world.plan(numbers(3), workspace, content or {"line": None})


def test_a_url_may_be_a_placeholder(world: World, workspace: Workspace) -> None:
    content = {"line": {"type": "IMAGE", "url": "{url}", "thumbnailUrl": "https://example.com/{id}.png"}}
    rows = [{"phone": number, "url": "https://example.com/a", "id": 1} for number in numbers(2)]
    plan = world.plan([*rows, {"phone": "41793026727", "url": "ftp://x", "id": 2}], workspace, content)
    assert (plan.intake.people, plan.intake.quarantined) == (2, 1)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a": b"\xff"}, ".a: got a value of type bytes, expected what JSON has"),
        ({"a": [{1, 2}]}, ".a[0]: got a value of type set"),
        ({"a": {"b": datetime(2026, 1, 1, tzinfo=UTC)}}, ".a.b: got a value of type datetime"),
        ({"a": Decimal("1.5")}, ".a: got a value of type Decimal"),
        ({1: "x"}, ": got a name of type int, which is no text"),
        ({"a": "\ud800"}, ".a: got a text with half of a surrogate pair"),
        ({"a": math.nan}, ".a: got a number that is not finite"),
        pytest.param({"a": 10**5000}, ".a: got a huge number", id="huge"),
    ],
)
def test_what_json_does_not_have_is_a_problem_that_names_its_place(
    world: World, workspace: Workspace, value: dict[Any, Any], problem: str
) -> None:
    content = {
        "other_channels": {"email": {"text": "{name}"} | value},
        "line": {"type": "FLEX", "altText": "x", "contents": value},
    }
    with pytest.raises(OmniInputError) as caught:
        world.plan(numbers(1), workspace, content)
    assert [line.partition(problem)[0] for line in caught.value.problems] == ["line.contents", "other_channels.email"]


@pytest.mark.parametrize("content", [{"sms": {"text": b"x"}}, {"sms": {"text": "x", "validityPeriod": Decimal(5)}}])
def test_a_text_or_a_period_of_a_foreign_type_is_a_problem(
    world: World, workspace: Workspace, content: dict[str, Any]
) -> None:
    with pytest.raises(OmniInputError, match=r"sms\.\w+: got a value of type"):
        world.plan(numbers(1), workspace, content)


@pytest.mark.parametrize(
    ("content", "allowed"),
    [
        ({"sms": {"text": "x", "validityPeriod": "{v}"}}, "sms.validityPeriod: … "),
        ({"line": {"type": "{v}", "text": "x"}}, "line.type: … one of TEXT, "),
        ({"sms": {"text": "x", "validityPeriod": 417, "validityPeriodTimeUnit": "{v}"}}, "'SECONDS', "),
        ({"sms": {"text": "x", "transliteration": "{v}"}}, "sms.transliteration: … 'NONE', "),
        ({"sms": {"text": "x", "language": {"languageCode": "{v}"}}}, "sms.language.languageCode: … 'NONE', "),
    ],
)
@pytest.mark.parametrize("value", ["Secret words", "417930267", "a, expected b"])
def test_a_reason_never_shows_what_the_row_says(
    world: World, workspace: Workspace, content: dict[str, Any], allowed: str, value: str
) -> None:
    # Not one row can be used, so that the error tells the reasons as well.
    with pytest.raises(OmniInputError, match="not one row of 1 can") as caught:
        world.plan([{"phone": "41793026727", "v": value}], workspace, content)
    told = str(caught.value)
    assert allowed.replace("…", "got something else in the row, expected") in told
    assert not any(each in told for each in ("Secret", "417", "a, expected"))


@pytest.mark.parametrize("key_field", [None, "id"])
def test_every_recipient_is_in_exactly_one_shard_whatever_the_order(world: World, key_field: str | None) -> None:
    rows = [{"phone": number, "id": index} for index, number in enumerate(numbers(300))]
    found: list[int] = []
    sizes = []
    requested = 0
    for part in range(1, 8):
        with Workspace() as workspace:
            source = [*rows, "bad", {"phone": "x"}] if part % 2 else [{"phone": "x"}, "bad", *reversed(rows)]
            plan = world.plan(source, workspace, shard=Shard(part, 7), key_field=key_field)
            found += [number for group in people(plan) for number in group]
            sizes.append(plan.intake.people)
            requested += plan.intake.requested
    assert sorted(found) == sorted(int(number) for number in numbers(300))
    assert min(sizes) > 20
    assert requested == 302


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", "-1/4", "1/4/2"])
def test_a_shard_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(OmniInputError, match="shard"):
        Shard.parse(text)


def test_a_shard_is_read() -> None:
    assert Shard.parse(" 3/16 ") == Shard(3, 16)
    assert Shard.parse(None) is None
    assert Shard(3, 16).folder == "shard-03-of-16"


def test_a_chunk_size_must_leave_room_for_the_log_rows_of_every_step(world: World, workspace: Workspace) -> None:
    spec = world.plan(numbers(1), workspace, chunk_size=500).spec
    assert any("got 500, expected up to 499" in problem for problem in spec.chunk_problems(("LINE", "SMS")))
    assert spec.chunk_problems(("LINE",)) == []


@pytest.mark.parametrize("key_field", [None, "id"])
def test_a_row_that_is_left_out_is_counted_in_one_shard(world: World, key_field: str | None) -> None:
    rows: list[dict[str, Any]] = [{"phone": number, "id": f"c{index}"} for index, number in enumerate(numbers(40))]
    rows += [{"phone": f"1{index}", "id": f"d{index}"} for index in range(10)]
    left_out: list[int] = []
    for number in range(1, 5):
        with Workspace() as workspace:
            plan = world.plan(rows, workspace, NAMED, key_field=key_field, shard=Shard(number, 4))
            assert plan.intake.requested == plan.intake.quarantined
            left_out += [place for place, _, _ in plan.quarantined()]
    assert sorted(left_out) == list(range(50))


def test_a_shard_of_bad_rows_only_is_an_error_once_there_are_many(world: World, workspace: Workspace) -> None:
    with pytest.raises(OmniInputError, match="not one row of"):
        world.plan([f"1{index}" for index in range(100)], workspace, shard=Shard(1, 2))


def test_a_bad_number_is_left_out_under_the_users_own_key(world: World, workspace: Workspace) -> None:
    rows = [{"phone": "12", "id": "c1"}, {"phone": "41793026727", "id": "c2"}]
    plan = world.plan(rows, workspace, key_field="id")
    assert [key for _, _, key in plan.quarantined()] == ["c1"]


def test_requests_are_laid_out_for_those_who_are_left_as_they_are_posted(world: World, workspace: Workspace) -> None:
    rows = [{"phone": f"4179302672{each}", "name": "AB"[each % 2], "id": f"c{each}"} for each in range(7)]
    plan = world.plan(rows, workspace, content=NAMED, key_field="id")
    workspace.execute("UPDATE person SET todo = 0 WHERE seq = 2")
    plan.lay_out(2)
    laid_out = list(plan.laid_out())
    assert [(each.content, each.people) for each in laid_out] == list(plan.chunks(2))
    assert [each.bulk_id for each in laid_out] == [plan.ids.bulk_id(each.ids) for each in laid_out]
    assert [label for each in laid_out for label in each.people.labels] == [f"c{each}" for each in (0, 4, 6, 1, 3, 5)]


def test_half_of_a_request_is_posted_to_half_of_its_people(world: World, workspace: Workspace) -> None:
    plan = world.plan([f"4179302672{each}" for each in range(5)], workspace)
    ((_, group),) = plan.chunks(5)
    assert (numbers_of(group.part(0, 3)), numbers_of(group.part(3, 5))) == (
        [41793026720, 41793026721, 41793026722],
        [41793026723, 41793026724],
    )
    assert group.part(3, 5).ids == group.ids[3:]


def test_one_number_written_in_three_ways_is_one_person(world: World, workspace: Workspace) -> None:
    rows = [{"phone": number} for number in ("+41793026700", "0041793026700", "41793026700")]
    assert world.plan(rows, workspace).intake.people == 1


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (memoryview(b"\x01\x02"), ": got a memoryview, expected text"),
        (b"\x01", ": got a bytes, expected text"),
        (math.nan, ": got a float, expected text"),
        (1.0, ": got a float, expected text"),
        (True, ": got a bool, expected text"),
        (["a"], ": got a list, expected text"),
        (object(), ": got a object, expected text"),
        (Decimal("NaN"), " is empty"),
        ("", " is empty"),
        pytest.param(10**5000, " is too long to be written down", id="huge"),
        ("\ud800", " has half of a surrogate pair in it"),
    ],
)
def test_a_key_that_may_read_differently_on_the_next_try_is_left_out(
    world: World, workspace: Workspace, key: object, reason: str
) -> None:
    rows = [{"phone": "41793026727", "id": key}, {"phone": numbers(1)[0], "id": "x"}]
    plan = world.plan(rows, workspace, key_field="id")
    assert people(plan) == [[int(numbers(1)[0])]]
    assert next(found for _, found, _ in plan.quarantined()).startswith(f"the key_field id{reason}")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("ä b", "ä b"),
        (7, "7"),
        (Decimal("7.50"), "7.50"),
        (date(2026, 11, 20), "2026-11-20"),
        (datetime(2026, 11, 20, tzinfo=UTC), "2026-11-20 00:00:00+00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_a_key_is_text_a_whole_number_a_decimal_a_date_or_a_uuid(
    world: World, workspace: Workspace, key: object, text: str
) -> None:
    plan = world.plan([{"phone": "41793026727", "id": key}], workspace, key_field="id")
    assert [group.labels for _, group in plan.chunks(10)] == [(text,)]


@pytest.mark.parametrize("number", ["\u00a041793026727", "\x1c41793026727", "\u200341793026727"])
def test_a_number_after_a_space_of_another_kind_does_not_end_the_batch(
    world: World, workspace: Workspace, number: str
) -> None:
    assert people(world.plan([number, numbers(1)[0]], workspace)) == [[41793026727, int(numbers(1)[0])]]


@pytest.mark.parametrize(
    "number", ["4179\ud8003026727", pytest.param(10**5000, id="huge"), math.nan, "4915112345678.0"]
)
def test_a_number_that_cannot_be_read_does_not_end_the_batch(
    world: World, workspace: Workspace, number: object
) -> None:
    plan = world.plan([{"phone": number}, numbers(1)[0]], workspace)
    assert (people(plan), plan.intake.quarantined) == ([[int(numbers(1)[0])]], 1)


class NotATime(datetime):
    """A stand-in for pandas' NaT: a date that is none."""

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True


class Ambiguous:
    """A stand-in for pandas' NA: whether it is equal to anything cannot be said."""

    def __eq__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise TypeError("ambiguous")


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        Decimal("NaN"),
        Decimal("sNaN"),
        NotATime(2026, 1, 1),
        Ambiguous(),
        pytest.param(10**5000, id="huge"),
    ],
)
def test_nobody_reads_dear_nan(world: World, workspace: Workspace, value: object) -> None:
    rows = [{"phone": "41793026727", "name": value}, {"phone": numbers(1)[0], "name": 1.5}]
    plan = world.plan(rows, workspace, NAMED)
    assert (people(plan), plan.intake.quarantined) == ([[int(numbers(1)[0])]], 1)


@pytest.mark.parametrize("key_field", [None, "id"])
def test_max_recipients_means_the_batch_and_not_the_shard(world: World, key_field: str | None) -> None:
    rows = [{"phone": number, "id": f"c{index}"} for index, number in enumerate(numbers(100))]
    rows += [*rows[:50], {"phone": "12", "id": "c200"}, {"phone": "41793026727", "id": "c201"}]
    allowed = frozenset(numbers(100))  # not the last one
    for number in range(1, 5):
        common = {"shard": Shard(number, 4), "key_field": key_field, "allowed_recipients": allowed}
        with Workspace() as workspace:
            assert world.plan(rows, workspace, max_recipients=100, **common).intake.people < 40
        with (
            Workspace() as workspace,
            pytest.raises(OmniInputError, match=r"got 100 people in all shards together \(4\), expected up to 99"),
        ):
            world.plan(rows, workspace, max_recipients=99, **common)


def test_a_row_that_is_hard_to_name_is_counted_in_one_shard(world: World) -> None:
    left_out = 0
    for number in range(1, 5):
        with Workspace() as workspace:
            rows = [10**5000, memoryview(b"1"), None, object(), 1.5, "\ud800"]
            left_out += world.plan(rows, workspace, shard=Shard(number, 4)).intake.quarantined
    assert left_out == 6


def test_a_key_that_several_people_share_leaves_the_others_out_with_a_reason_and_never_as_duplicates(
    world: World, workspace: Workspace
) -> None:
    first, second = numbers(2)
    rows = [{"phone": number, "city": "Bern", "name": name} for number, name in ((first, "A"), (second, "B"))]
    # The same key and number with another text is one person, as before.
    rows.append({"phone": f"+{first}", "city": "Bern", "name": "C"})
    plan = world.plan(rows, workspace, NAMED, key_field="city")
    assert people(plan) == [[int(first)]]
    assert list(plan.quarantined()) == [(1, "this key came before with another number", "Bern")]
    assert dict(plan.intake.reasons) == {"this key came before with another number": 1}
    assert (plan.intake.people, plan.intake.duplicates, plan.intake.quarantined) == (1, 1, 1)


def test_reasons_tell_why_something_is_no_number(world: World, workspace: Workspace) -> None:
    rows = [*numbers(1), 4.1e10, "41793026727.0", "0793026727", None, "", "4179302672a", "4179"]
    assert set(world.plan(rows, workspace).intake.reasons) == {
        "not a phone number (not valid in CH (+41), which it was taken for)",
        "not a phone number (a decimal fraction such as .0: a spreadsheet has made one of it)",
        "not a phone number (it does not start with a country code)",
        "not a phone number (empty)",
        "not a phone number (a blank text)",
        "not a phone number (the letter 'a')",
        "not a phone number (too short for CH (+41))",
    }


def test_all_fields_that_a_row_lacks_are_named_with_those_that_it_has(world: World, workspace: Workspace) -> None:
    content = {"sms": {"text": "{name} {order} {city}"}}
    row = {"phone": "41793026727", "Name": "Ada", "NAME": "Ada", "city": None}
    with pytest.raises(OmniInputError) as caught:
        world.plan([row], workspace, content)
    assert caught.value.problems == (
        "1 × the fields 'name', 'order' are missing; the field 'city' is empty",
        "row 0: the fields 'name', 'order' are missing; the field 'city' is empty; there are: phone, Name, NAME, city; "
        "upper and lower case count: Name, NAME",
    )


def test_without_a_ledger_the_log_has_the_first_rows_that_were_left_out(world: World) -> None:
    rows = [*numbers(1), *["417930267x"] * 9]
    world.send(rows, ledger=False)
    assert len([line for line in world.lines if line.startswith("Quarantined: row ")]) == 5
    assert "Quarantined: 9 × not a phone number (the letter 'x')" in world.lines
    world.lines.clear()
    world.send(rows, identity=Identity("other"), policy={"is_first_try": True})
    assert not any("row 1" in line for line in world.lines)
