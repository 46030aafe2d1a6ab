"""Plain words for the vendor's names."""

from __future__ import annotations

import pytest

from airflow_provider_omni.omni.reasons import MAX_WORDS, STATUS_WORDS, reason_in_words, refusal_in_words
from airflow_provider_omni.omni.statuses import KNOWN_STATUSES, Group


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        ("UNDELIVERABLE_NOT_DELIVERED", "EC_ABSENT_SUBSCRIBER", "absent subscriber"),
        ("UNDELIVERABLE_NOT_DELIVERED", None, "the operator could not deliver it"),
        ("UNDELIVERABLE_NOT_DELIVERED", "EC_PROVIDER_TIMEOUT", "provider timeout"),
        ("REJECTED_SOMETHING_NEW", None, "rejected something new"),
    ],
)
def test_an_error_says_more_than_a_status_and_an_unknown_name_is_put_into_words(
    status: str, error: str | None, words: str
) -> None:
    assert reason_in_words(status, error).startswith(words)


def test_every_refusal_and_failure_of_line_and_sms_in_the_registry_has_words() -> None:
    voice = {"NO_ANSWER", "BUSY", "CANCELLED", "REJECTED"}
    failures = {each.name for each in KNOWN_STATUSES.values() if each.group not in (Group.PENDING, Group.DELIVERED)}
    assert failures - voice == set(STATUS_WORDS)


def test_words_made_of_a_long_name_are_short() -> None:
    assert len(reason_in_words("X_" * 500)) <= MAX_WORDS


def test_a_refusal_that_the_registry_has_is_named_with_its_meaning() -> None:
    assert refusal_in_words("REJECTED_DND") == "REJECTED_DND (the recipient is on a do-not-disturb list)"


def test_a_refusal_that_says_itself_what_it_is_stays_as_it_is() -> None:
    own = "BAD_REQUEST (scenarioKey: unknown scenario)"
    assert refusal_in_words(own) == own
