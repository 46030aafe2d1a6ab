"""Several receipts for one sensor: what is read as a list of them, what is followed together, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_omni.delivery.tracking.criterion import SuccessCriterion
from airflow_provider_omni.delivery.tracking.watch import Bulk, Watch, distinct
from airflow_provider_omni.omni.errors import OmniConfigurationError, OmniInputError
from airflow_provider_omni.sensors.arguments import read_watch

NOW = 1_800_000_000.0
HOUR = 3600.0
LAZY = type("LazyXComSequence", (list,), {"__module__": "airflow.sdk.execution_time.lazy_sequence"})


def receipt(name: str, messages: int = 2, **changes: Any) -> dict[str, Any]:
    counts = {"requested": messages, "accepted": messages}
    bulks = [{"bulk_id": name, "messages": messages}]
    made = {"scenario_key": "K", "flow": ["LINE", "SMS"], "bulks": bulks, "counts": counts, "ledger_path": None}
    return made | changes


def ledger(path: str, **changes: Any) -> dict[str, Any]:
    return receipt("in the ledger", **{"ledger_path": path} | changes)


def watch(receipts: Any, **arguments: Any) -> Watch:
    return read_watch(**{"started_at": NOW, "timeout": None, "receipt": receipts} | arguments)


def problems(receipts: Any, **arguments: Any) -> str:
    with pytest.raises(OmniInputError) as caught:
        watch(receipts, **arguments)
    return "\n".join(caught.value.problems)


TWO = [receipt("a"), receipt("b")]


@pytest.mark.parametrize(
    "written",
    [
        TWO,
        tuple(TWO),
        iter(TWO),
        LAZY(TWO),
        LAZY([TWO]),
        [LAZY(TWO[:1]), TWO[1]],
        [json.dumps(each) for each in TWO],
        json.dumps(TWO),
        str(TWO),
        "\n".join(json.dumps(each) for each in TWO),
    ],
    ids=[
        "list",
        "tuple",
        "iterator",
        "mapped",
        "lists of mapped",
        "mapped and one",
        "texts",
        "JSON",
        "Python",
        "lines",
    ],
)
def test_a_list_of_receipts_is_read_however_it_comes(written: Any) -> None:
    assert [bulk.bulk_id for bulk in watch(written).bulks] == ["a", "b"]


def test_a_list_of_one_is_that_one() -> None:
    assert watch([ledger("/ledger")]) == watch(ledger("/ledger"))


def test_what_has_no_ledger_is_one_wait_and_each_ledger_is_a_part_of_its_own() -> None:
    made = watch([receipt("a"), ledger("/one"), receipt("b"), ledger("/two")], success_when=0.5)
    assert [[bulk.bulk_id for bulk in each.bulks] for each in made.parts] == [["a", "b"], [], []]
    assert made.ledger_paths == ("/one", "/two")
    assert [each.accepted for each in made.parts] == [4, 2, 2]
    assert made.criterion.success_when == 0.5
    assert {each.criterion for each in made.parts} == {SuccessCriterion("finished", settle=True)}


def test_sends_with_other_flows_are_followed_apart() -> None:
    made = watch([receipt("a"), receipt("b", flow=["SMS"]), receipt("c")])
    assert [(each.flow, len(each.bulks)) for each in made.parts] == [(("LINE", "SMS"), 2), (("SMS",), 1)]


def test_the_arguments_of_a_trigger_are_plain_json_and_back() -> None:
    made = watch([receipt("a", account="ours"), ledger("/one"), None], settle=True, account="ours")
    data = json.loads(json.dumps(made.to_json()))
    assert Watch.from_json(data) == made
    assert made.missing == 1


def test_a_version_that_knows_of_no_parts_does_not_take_them_for_nothing_to_wait_for() -> None:
    data = watch([receipt("a"), ledger("/one")]).to_json()
    del data["parts"]
    with pytest.raises(OmniInputError, match="watch: got another object"):
        Watch.from_json(data)


def test_the_same_receipt_twice_is_one_send() -> None:
    assert watch([receipt("a"), receipt("a")]) == watch([receipt("a")])
    assert watch([ledger("/one"), ledger("/one")]) == watch([ledger("/one")])


@pytest.mark.parametrize("other", ["/data/ledger/", "/data//ledger", "file:///data/ledger"])
def test_one_ledger_is_followed_once_however_its_path_is_written(other: str) -> None:
    later = ledger(other, counts={"requested": 5, "accepted": 3, "rejected": 2})
    made = watch([ledger("/data/ledger"), later])
    assert made.ledger_path == "/data/ledger"
    assert (made.accepted, made.unsent) == (3, 2)


def test_object_stores_are_not_mixed_up() -> None:
    made = watch([ledger("s3://a@bucket/one"), ledger("s3://b@bucket/one"), ledger("/bucket/one")])
    assert len(made.parts) == 3


def test_an_earlier_and_a_later_receipt_of_one_send_are_joined() -> None:
    early, late = (
        Bulk("b", 2, ("x", "y")),
        Bulk("b", 2, ("y", "z")),
    )
    assert distinct([early, late]) == (Bulk("b", 3, ("x", "y", "z")),)
    assert distinct([Bulk("b", 2), Bulk("b", 3)]) == (Bulk("b", 3),)
    assert distinct([early, Bulk("b", 1, ("x",)), Bulk("c", 1, ("w",))]) == (early, Bulk("c", 1, ("w",)))


def test_people_of_several_sends_to_nobody_are_all_counted() -> None:
    refused = receipt("a", bulks=[], counts={"requested": 3, "rejected": 3})
    assert watch([refused, refused]).unsent == 6
    assert watch([refused, receipt("b")]).unsent == 3


def test_an_empty_list_is_nothing_to_wait_for() -> None:
    made = watch(LAZY([]))
    assert (made.bulks, made.parts, made.unsent) == ((), (), 0)


def test_receipts_that_are_none_are_left_out_and_counted() -> None:
    made = watch([receipt("a"), None, "None", receipt("b")])
    assert [bulk.bulk_id for bulk in made.bulks] == ["a", "b"]
    assert made.missing == 2
    assert Watch.from_json(made.to_json()).missing == 2


def test_a_list_of_nothing_but_none_is_refused() -> None:
    assert "receipt: got a list of 2 that are all empty" in problems([None, None])


def test_every_entry_that_is_no_receipt_is_named_by_its_place_and_not_by_its_value() -> None:
    said = problems([receipt("a"), "41793026727", {"phone": "41793026727"}, receipt("d", bulks=[{"messages": 0}]), 7])
    for place in ("receipt[1]: got a string", "receipt[2]: got an object", "receipt[3].bulks[0]: ", "receipt[4]: got"):
        assert place in said
    assert "41793026727" not in said


def test_of_many_entries_that_are_no_receipts_some_are_named() -> None:
    said = problems(["x"] * 300)
    assert "receipt[9]: " in said
    assert "receipt[10]: " not in said
    assert "receipt: 290 more problems" in said


def test_receipts_of_two_accounts_are_refused_whichever_is_asked() -> None:
    both = [receipt("a", account="ours"), ledger("/one", account="other")]
    assert "receipts from 2 accounts" in problems(both, account="ours")


def test_receipts_of_another_account_are_refused_with_their_place() -> None:
    with pytest.raises(OmniConfigurationError, match=r"receipt\[1\] is from"):
        watch([receipt("a"), ledger("/one", account="other")], account="ours")


def test_the_default_time_is_that_of_the_send_that_needs_most() -> None:
    short, long = receipt("a", validity_seconds=60), receipt("b", validity_seconds=600)
    assert watch([long, short]).deadline == NOW + 600 + HOUR
    assert watch([long, short, receipt("c")]).deadline == NOW + 47 * HOUR
    later = short | {"send_at": "2027-01-15T10:00:00+00:00"}  # two hours after NOW
    assert watch([long, later]).deadline == NOW + 2 * HOUR + 60 + HOUR


def test_more_than_a_trigger_can_be_given_is_refused_with_the_way_out() -> None:
    many = [receipt(str(number)) for number in range(1001)]
    assert len(watch(many[:1000]).bulks) == 1000
    assert "1,001 requests" in problems(many)
    listed = [receipt(str(n), 100, message_ids=[f"{n}-{each}" for each in range(100)]) for n in range(51)]
    assert "5,100 message ids" in problems(listed)
    assert "expand(receipt=" in problems([ledger(f"/{number}") for number in range(101)])


def test_requests_of_all_receipts_count_where_only_the_logs_may_be_read() -> None:
    many = [receipt(str(number)) for number in range(61)]
    with pytest.raises(OmniInputError, match="mode: got 'reschedule' for 61 requests"):
        watch(many, logs_only=True)
    assert len(watch([*many[:60], ledger("/one")], logs_only=True).parts) == 2


# -- an argument that came out empty ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["receipt", "message_ids", "bulk_ids"])
def test_an_argument_that_was_given_and_came_out_empty_is_named_with_the_likely_cause(name: str) -> None:
    said = problems(None, emptied=[name])
    assert said.startswith(f"{name}: got nothing, though it was given")
    assert "returned None" in said
    assert "found none of them" not in said


@pytest.mark.parametrize("empty", ["None", "", "null", "nan"])
@pytest.mark.parametrize("name", ["receipt", "message_ids", "bulk_ids"])
def test_a_template_that_found_nothing_is_named_with_the_likely_cause(name: str, empty: str) -> None:
    said = problems(None, **{name: empty})
    assert said.startswith(f"{name}: got ")
    assert "a template that found nothing?" in said
    assert "returned None" in said


@pytest.mark.parametrize(
    "changes",
    [
        {"bulks": [{"bulk_id": "41793026727", "messages": 1}]},
        {"bulks": [{"bulk_id": "a", "messages": 1, "message_id": "41793026727"}]},
        {"bulks": [{"bulk_id": "a", "messages": 2}], "message_ids": ["m", "41793026727"]},
    ],
    ids=["bulk id", "message id", "listed"],
)
def test_a_number_in_a_receipt_is_no_id_and_is_not_told(changes: Any) -> None:
    told = problems(receipt("a", **changes))
    assert "receipt.bulks[0]: got 1 text that can be no id, expected" in told
    assert "302" not in told
