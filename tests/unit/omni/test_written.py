"""Lists and objects that arrive as text: read as what they are, or refused with their place; never one strange item."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.written import looks_written, read_ids, read_list, read_object, read_written

IDS = ["d13ff816-6a1c-50d9-b262-34cf10d2a8ea", "bdf6383a-d605-5651-a3d5-180ab9ffe37b"]
NUMBERS = ["+41 79 302 67 27", "41793026731"]

LAZY = type(
    "LazyXComSequence", (tuple,), {"__module__": "airflow.sdk.execution_time.lazy_sequence"}
)  # as Airflow gives the output of a mapped task


def numbers(to: Any) -> list[Any]:
    return read_list("to", to, "numbers")


@pytest.mark.parametrize(
    "given",
    [
        IDS,
        tuple(IDS),
        dict.fromkeys(IDS).keys(),
        LAZY(IDS),
        LAZY([[IDS[0]], [IDS[1]]]),
        LAZY([json.dumps([IDS[0]]), IDS[1]]),
        str(IDS),
        f"\n  {IDS}\n",
        str(tuple(IDS)),
        json.dumps(IDS),
        "\ufeff" + json.dumps(IDS, indent=2),
        [json.dumps(IDS)],
        ",".join(IDS),
        ", ".join(IDS) + ",",
        ";".join(IDS),
        "\n".join(IDS),
        ",\r\n".join(IDS) + ",\r\n\r\n",
        " ".join(IDS),
        ", ".join(f'"{each}"' for each in IDS),
        [*IDS, IDS[0]],
    ],
    ids=repr,
)
def test_a_list_of_ids_is_read_however_it_was_written(given: Any) -> None:
    assert read_ids("message_ids", given) == tuple(IDS)


def test_an_iterator_of_ids_is_a_list_of_them() -> None:
    assert read_ids("message_ids", iter(IDS)) == tuple(IDS)


@pytest.mark.parametrize("given", [IDS[0], f" {IDS[0]}\n", f'"{IDS[0]}"', f"'{IDS[0]}'", f"['{IDS[0]}']", [IDS[0]]])
def test_one_id_is_a_list_of_one(given: Any) -> None:
    assert read_ids("message_ids", given) == (IDS[0],)


@pytest.mark.parametrize(
    "given", [2034072219640523072, [2034072219640523072], "[2034072219640523072]", "2034072219640523072"]
)
def test_ids_that_are_whole_numbers_are_ids(given: Any) -> None:
    assert read_ids("bulk_ids", given) == ("2034072219640523072",)


def test_the_order_of_a_set_is_the_same_in_every_process() -> None:
    assert read_ids("bulk_ids", {"b", "c", "a"}) == read_ids("bulk_ids", "{'c', 'a', 'b'}") == ("a", "b", "c")


@pytest.mark.parametrize("given", [None, "", "  \n", "None", "null", "nan", "undefined", [], "[]", (), "()"])
def test_no_ids_at_all_are_an_error_at_once(given: Any) -> None:
    with pytest.raises(OmniInputError, match="message_ids: got "):
        read_ids("message_ids", given)


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (["a", None], "[1]: got nothing"),
        (["a", ""], "[1]: got an empty text"),
        ("a,,b", "[1]: got an empty text"),
        ("['a', None]", "[1]: got nothing"),
        ("a, None", "[1]: got 'None'"),
        (["a", 1.5, True], "[1]: got a value of type float"),
        ([IDS], "[0]: got a value of type list"),
        (str([IDS]), "[0]: got a value of type list"),
        ({"id": 1}, "[0]: got a value of type dict"),
        ({"bulks": []}, "[0]: got a receipt, which is given as receipt="),
        (str({"bulks": []}), "[0]: got a receipt, which is given as receipt="),
        (["a", "+41793026727"], "[1]: got a text of 12 characters"),
        (["a", "41793026727"], "[1]: got a text of 11 characters"),
        ("0041793026727", "[0]: got a text of 13 characters"),
        ("a, 41-79-302-67-27", "[1]: got a text of 15 characters"),
        ("['a', '41793026727']", "[1]: got a text of 11 characters"),
        (41793026727, "[0]: got a value of type int"),
        (5, "[0]: got a value of type int"),
        ("['a', 'b'", ": got a text that begins like a list or an object, but does not end with ']'"),
        ("[a, b]", ": got a text that begins like a list or an object, but is neither"),
        ("['a' 'b']", ": got texts side by side without commas"),
        ("['a'\n 'b']", ": got texts side by side without commas"),
        ("LazyXComSequence([2 items])", "[0]: got a text of"),
        ("<generator object x at 0x7f>", "[0]: got a text of"),
        ("dict_keys(['a'])", "[0]: got a text of 16 characters"),
        ("{{ ti.xcom_pull('send') }}", ": got a template that was not rendered"),
        (1.5, ": got a value of type float"),
        (b"a", ": got a value of type bytes"),
        (True, ": got a value of type bool"),
    ],
    ids=repr,
)
def test_what_cannot_be_an_id_is_refused_with_its_place(given: Any, place: str) -> None:
    with pytest.raises(OmniInputError) as raised:
        read_ids("message_ids", given)
    assert f"message_ids{place}" in str(raised.value)


def test_mistakes_are_named_up_to_ten_places() -> None:
    with pytest.raises(OmniInputError) as raised:
        read_ids("message_ids", ["a b"] * 1000)
    assert len(raised.value.problems) == 11
    assert "990 more" in raised.value.problems[-1]


@pytest.mark.parametrize(
    "given",
    [
        NUMBERS,
        str(NUMBERS),
        json.dumps(NUMBERS),
        ",".join(NUMBERS),
        " ; ".join(NUMBERS),
        "\n".join(NUMBERS) + "\n",
        LAZY(NUMBERS),
        LAZY([NUMBERS[:1], NUMBERS[1:]]),
    ],
    ids=repr,
)
def test_numbers_may_have_spaces_so_texts_of_them_are_cut_at_commas_and_lines_only(given: Any) -> None:
    assert numbers(given) == NUMBERS


def test_a_number_that_begins_with_a_bracket_is_no_list() -> None:
    assert numbers("(41) 79 302 67 27") == ["(41) 79 302 67 27"]
    assert not looks_written("(41)")
    assert looks_written("('41793026727',)")


def test_a_row_of_a_query_is_not_taken_apart_since_another_cell_may_look_like_a_number() -> None:
    assert numbers([["41793026727", 4930123400]]) == [["41793026727", 4930123400]]
    assert numbers("[['41793026727', 4930123400]]") == [["41793026727", 4930123400]]


def test_one_destination_is_a_list_of_one_as_an_object_and_as_text() -> None:
    destination = {"to": {"phoneNumber": "41793026727"}}
    assert numbers(destination) == numbers(str(destination)) == numbers(json.dumps(destination)) == [destination]


def test_an_empty_list_is_a_list() -> None:
    assert numbers([]) == numbers("[]") == numbers(()) == []


@pytest.mark.parametrize("row", [{"a": None, "b": True}, {"a": "it's", "b": [1, {"c": 'say "x"'}]}, {"a": "\\ \n é"}])
def test_objects_are_read_from_json_and_from_pythons_notation(row: Any) -> None:
    assert read_written(json.dumps(row)) == read_written(str(row)) == row
    assert read_object("sms", json.dumps(row), "an object") == read_object("sms", row, "an object") == row


def test_json_lines_are_a_list_of_rows() -> None:
    assert read_written('{"phone": "1"}\n{"phone": null}\n') == [{"phone": "1"}, {"phone": None}]


def test_a_text_that_is_no_object_stays_a_text() -> None:
    assert read_object("scenario_key", "CC9F01", "a key") == "CC9F01"


@pytest.mark.parametrize("secret", ["{'text': datetime(2026, 1, 1), 'to': 41793026727", "['41793026727', x]"])
def test_no_error_shows_the_text(secret: str) -> None:
    with pytest.raises(OmniInputError) as raised:
        read_object("sms", secret, "an object")
    assert "302" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    "id_",
    [
        "2034072219640523072",
        "12345678-1234-5678-9012-123456789012",
        "run-4179302",
        "123456",
    ],
)
def test_what_is_longer_than_a_number_or_has_a_letter_is_an_id(id_: str) -> None:
    assert read_ids("message_ids", id_) == (id_,)
