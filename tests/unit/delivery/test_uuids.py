"""Ids are made by hand, for speed. They are those that `uuid.uuid5` makes."""

from __future__ import annotations

import json
from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.delivery.messages.ids import Identity, recipient_key_of_number

plain = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


def judged(identity: Identity, *name: object) -> str:
    return str(uuid5(identity.namespace, json.dumps(name)))


@given(plain, st.none() | plain, plain, st.integers(min_value=0, max_value=50))
def test_message_ids_are_uuids_of_their_four_inputs(key: str, secret: str | None, recipient: str, attempt: int) -> None:
    identity = Identity(key, secret)
    assert identity.message_id(recipient, attempt) == judged(identity, "message", key, recipient, attempt)


@given(plain, st.integers(min_value=10, max_value=10**14))
def test_message_ids_of_numbers_are_those_of_their_recipient_keys(key: str, number: int) -> None:
    identity = Identity(key)
    expected = identity.message_id(recipient_key_of_number(str(number)))
    assert identity.message_id_of_number(str(number)) == expected


@given(plain, st.none() | plain, st.lists(st.uuids(), min_size=1, max_size=60))
def test_bulk_ids_are_uuids_of_their_messages(key: str, secret: str | None, ids: list[UUID]) -> None:
    identity = Identity(key, secret)
    texts = [str(each) for each in ids] * 3
    assert identity.bulk_id(texts) == judged(identity, "bulk", key, *sorted(texts))
