"""The fast ids are the ids."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.delivery.messages.fast_ids import BatchIds
from airflow_provider_omni.delivery.messages.ids import Identity, recipient_key_of_number

plain = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


@given(plain, st.none() | plain, plain, st.integers(min_value=0, max_value=50))
def test_message_ids_are_those_of_a_single_send(key: str, secret: str | None, recipient: str, attempt: int) -> None:
    identity = Identity(key, secret)
    assert BatchIds(identity).message_id(recipient, attempt) == identity.message_id(recipient, attempt)


@given(plain, st.integers(min_value=10, max_value=10**14))
def test_message_ids_of_numbers_are_those_of_a_single_send(key: str, number: int) -> None:
    identity = Identity(key)
    expected = identity.message_id(recipient_key_of_number(str(number)))
    assert BatchIds(identity).message_id_of_number(str(number)) == expected


@given(plain, st.none() | plain, st.lists(st.uuids(), min_size=1, max_size=60))
def test_bulk_ids_are_those_of_a_single_send(key: str, secret: str | None, ids: list[UUID]) -> None:
    identity = Identity(key, secret)
    texts = [str(each) for each in ids] * 3
    assert BatchIds(identity).bulk_id(texts) == identity.bulk_id(texts)
