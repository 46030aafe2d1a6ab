"""A send of many says the same bytes as a single send, and reads the same answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_core import to_json

from airflow_provider_omni.omni import api, bulk, parsing
from airflow_provider_omni.omni.content import AdvancedRequest
from airflow_provider_omni.omni.models import Address, Destination
from airflow_provider_omni.omni.parsing import UnreadableResponseError
from airflow_provider_omni.omni.validation import check_content

STATUS = {"groupId": 1, "groupName": "PENDING", "id": 7, "name": "PENDING_ENROUTE", "description": "sent"}


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20), st.integers(1, 5))
def test_the_body_is_that_of_a_single_send(text: str, count: int) -> None:
    # One letter that can be seen, since a text of marks that nobody sees is refused.
    text = f"x{text}"
    content = check_content(sms={"text": text}, callback_data=text)
    ids = [f"00000000-0000-5000-8000-{index:012x}" for index in range(count)]
    destinations = tuple(
        Destination(to=Address(phone_number=str(41790000000 + index)), message_id=each)
        for index, each in enumerate(ids)
    )
    single = api.send_advanced(AdvancedRequest(content, destinations, text, "b"))
    tail = to_json(content.to_wire() | content.options.to_wire()).decode()[1:-1]
    many = bulk.send_bulk(
        text, "b", bulk.destinations((each, 41790000000 + index) for index, each in enumerate(ids)), tail
    )
    assert json.loads(many.body or b"") == json.loads(single.body or b"")
    assert (many.method, many.path, many.repeatable) == (single.method, single.path, single.repeatable)


def outcome(read: Any, body: bytes) -> Any:
    try:
        answer = read(body)
    except UnreadableResponseError:
        return "unreadable"
    if isinstance(answer, bulk.BulkResponse):
        return sorted((each, str(status)) for status, ids in answer.by_status for each in ids)
    return sorted((message.message_id, str(message.status)) for message in answer.messages)


odd = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 30), st.text(max_size=3), st.floats(0, 3), st.lists(st.integers())
)
status = st.one_of(
    st.just(STATUS),
    odd,
    st.fixed_dictionaries(
        {}, optional={name: st.one_of(st.just(STATUS[name]), odd) for name in STATUS} | {"action": odd}
    ),
)
to = st.one_of(st.none(), odd, st.fixed_dictionaries({}, optional={"phoneNumber": odd, "emailAddress": odd, "x": odd}))
entry = st.one_of(
    odd,
    st.fixed_dictionaries(
        {"messageId": st.one_of(st.sampled_from(["a", "b", "c"]), odd), "status": status}, optional={"to": to, "x": odd}
    ),
    st.fixed_dictionaries({"messageId": st.sampled_from(["a", "b"]), "status": st.just(STATUS)}),
)
document = st.one_of(
    odd, st.fixed_dictionaries({"messages": st.one_of(odd, st.lists(entry, max_size=5))}, optional={"bulkId": odd})
)


@given(document)
@example({"messages": ""})
@example({"messages": {}})
def test_any_answer_is_read_as_the_models_read_it(answer: Any) -> None:
    body = json.dumps(answer).encode()
    assert outcome(bulk.read_bulk, body) == outcome(parsing.send_response, body)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_as_the_models_read_them(body: bytes) -> None:
    assert outcome(bulk.read_bulk, body) == outcome(parsing.send_response, body)


@pytest.mark.parametrize("count", [1, 3])
def test_a_usual_answer_is_one_group(count: int) -> None:
    body = json.dumps({"messages": [{"messageId": str(each), "status": STATUS} for each in range(count)]}).encode()
    answer = bulk.read_bulk(body)
    assert [ids for _, ids in answer.by_status] == [tuple(str(each) for each in range(count))]
