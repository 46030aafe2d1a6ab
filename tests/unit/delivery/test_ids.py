"""Ids depend on what design section 4 names, and on nothing else."""

from __future__ import annotations

import subprocess
import sys
import uuid
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.delivery.messages.ids import (
    Identity,
    fingerprint,
    recipient_key_of_address,
    recipient_key_of_field,
    recipient_key_of_number,
)

plain = st.text(max_size=30)
inputs = st.tuples(plain, st.none() | st.text(min_size=1, max_size=30), plain, st.integers(0, 50))


def test_ids_are_the_same_for_ever() -> None:
    # Whoever changes these sends everything again that is retried across the upgrade.
    assert Identity("key").message_id("number:41793026727") == "0da3f522-f326-5d27-bbf8-dc42104303c2"
    assert Identity("key", "secret").message_id("number:41793026727", 2) == "da95a3bd-e598-5269-88b4-47f8c0707e1c"
    assert Identity("key").bulk_id(["b", "a"]) == "c5bffec4-7308-5259-a125-42ad6dad335d"


@given(inputs, inputs)
def test_message_ids_are_equal_exactly_if_their_four_inputs_are(one: Any, other: Any) -> None:
    def made(of: Any) -> str:
        key, secret, recipient, attempt = of
        return Identity(key, secret).message_id(recipient, attempt)

    assert (made(one) == made(other)) == (one == other)


@given(plain, st.lists(plain, unique=True), st.randoms())
def test_a_bulk_id_does_not_depend_on_the_order_of_its_messages(key: str, ids: list[str], random: Any) -> None:
    shuffled = random.sample(ids, len(ids))
    assert Identity(key).bulk_id(ids) == Identity(key).bulk_id(shuffled)


def test_another_process_makes_the_same_ids() -> None:
    code = (
        "from airflow_provider_omni.delivery.messages.ids import Identity; print(Identity('k', 's').message_id('r', 1))"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert made == {Identity("k", "s").message_id("r", 1)}


def test_ids_are_uuids_and_message_and_bulk_ids_never_meet() -> None:
    identity = Identity("key")
    assert uuid.UUID(identity.message_id("a")).version == 5
    assert identity.message_id("a") != identity.bulk_id(["a"])


def test_a_key_of_the_users_own_never_meets_a_number() -> None:
    keys = {recipient_key_of_number("41793026727"), recipient_key_of_field("41793026727")}
    keys.add(recipient_key_of_address({"phoneNumber": "41793026727"}))
    assert len(keys) == 3


def test_the_secret_is_not_shown() -> None:
    assert "hidden" not in repr(Identity("key", "hidden"))


def test_a_fingerprint_does_not_depend_on_the_order_of_members_and_tells_contents_apart() -> None:
    assert fingerprint({"a": 1, "b": {"c": 2, "d": 3}}) == fingerprint({"b": {"d": 3, "c": 2}, "a": 1})
    assert fingerprint({"a": "1"}) != fingerprint({"a": 1})
    assert fingerprint({"a": "\ud800"}) != fingerprint({"a": "x"})
