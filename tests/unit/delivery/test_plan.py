"""From what a user typed to recipients and a request."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_omni.contents import LineText, Sms
from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.plan import MessageSpec, SendPlan, chunk_limit, plan_message
from airflow_provider_omni.delivery.recipients.addresses import Recipients, read_recipients
from airflow_provider_omni.omni.content import Content
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.options import Options

NUMBER, OTHER = "41793026727", "41793026731"


def numbers(recipients: Recipients) -> list[str | None]:
    return [person.address.phone_number for person in recipients.people]


def plan(text: str = "Hello", scenario_key: str = "S", to: Any = NUMBER, **options: Any) -> MessageSpec:
    content = Content({"LINE": LineText(text=text), "SMS": Sms(text=text)}, Options(**options))
    return MessageSpec(Identity("key"), scenario_key, content, read_recipients(to), ("LINE", "SMS"))


def planned(**order: Any) -> SendPlan:
    with Workspace(in_memory=True) as workspace:
        return plan_message(plan(**order), workspace)


@pytest.mark.parametrize(
    "to",
    [
        [NUMBER, OTHER],
        (NUMBER, OTHER),
        iter([NUMBER, OTHER]),
        [int(NUMBER), "+" + OTHER],
        f"['{NUMBER}', '{OTHER}']",
        f" [{NUMBER}, '+{OTHER}'] ",
        f"('{NUMBER}', '{OTHER}')",
        [{"to": {"phoneNumber": NUMBER}}, OTHER],
        str([{"to": {"phoneNumber": NUMBER}}, {"to": {"phoneNumber": OTHER}}]),
    ],
)
def test_recipients_are_read_from_lists_destinations_and_what_templates_make_of_them(to: Any) -> None:
    assert numbers(read_recipients(to)) == [NUMBER, OTHER]


def test_one_number_is_one_recipient() -> None:
    for to in (NUMBER, int(NUMBER), {"to": {"phoneNumber": "+" + NUMBER}}, f"{{'to': {{'phoneNumber': '{NUMBER}'}}}}"):
        assert numbers(read_recipients(to)) == [NUMBER]


def test_the_same_person_is_sent_to_once_however_the_number_is_written() -> None:
    found = read_recipients([NUMBER, "+" + NUMBER, {"to": {"phoneNumber": "00" + NUMBER}}, OTHER])
    assert numbers(found) == [NUMBER, OTHER]
    assert (found.requested, found.duplicates, found.quarantined) == (4, 2, 0)


def test_only_allowed_recipients_are_sent_to_the_others_are_quarantined() -> None:
    found = read_recipients([NUMBER, OTHER, {"to": {"emailAddress": "a@example.org"}}], allowed=["+" + NUMBER])
    assert numbers(found) == [NUMBER]
    assert (found.requested, found.quarantined) == (3, 2)


def test_an_allowed_number_takes_no_other_address_past_the_guard_with_it() -> None:
    both = {"to": {"phoneNumber": "41793026727", "emailAddress": "stranger@example.com"}}
    found = read_recipients([both, "41793026727"], allowed=["41793026727"])
    assert (found.quarantined, [person.address.email_address for person in found.people]) == (1, [None])


def test_an_empty_list_of_allowed_recipients_allows_nobody() -> None:
    assert read_recipients(NUMBER, allowed=[]).quarantined == 1


@pytest.mark.parametrize(
    ("to", "problem"),
    [
        ([], "to: got nobody"),
        (None, "to: got nothing"),
        ("None", "to: got 'None' (a template that found nothing?)"),
        ("", "to: got an empty text"),
        (3.5, "to[0]: got a float that is no whole number"),
        (b"41793026727", "to: got a value of type bytes"),
        ("[41793026727", "does not end with ']'"),
        ("[__import__('os')]", "neither JSON nor Python's notation"),
        (["12"], "to[0]: got …"),
        ([NUMBER, "x", OTHER], "to[1]: "),
        (
            [{"phoneNumber": NUMBER}],
            'to[0]: got a dict of another shape, expected one such as {"to": {"phoneNumber": …}}',
        ),
        ([{"to": {"phoneNumber": NUMBER}, "messageId": "mine"}], "to[0].messageId: is made by the provider"),
        ([{"to": {}}], "to[0].to: got an address of another shape, expected one or more of phoneNumber"),
        (
            [{"to": {"phone": NUMBER}}],
            "to[0].to: got an address of another shape, expected one or more of phoneNumber",
        ),
        ([{"to": {"emailAddress": 5}}], "to[0].to.emailAddress: got int"),
    ],
)
def test_what_cannot_be_sent_to_is_refused_with_its_place(to: Any, problem: str) -> None:
    with pytest.raises(OmniInputError) as raised:
        read_recipients(to)
    assert any(each.startswith(problem) or problem in each for each in raised.value.problems), raised.value.problems


def test_every_bad_entry_is_named_at_once_and_no_number_is_shown() -> None:
    bad = "417930267271234"
    with pytest.raises(OmniInputError) as raised:
        read_recipients([bad, OTHER, "y"], allowed=["z"])
    assert [each.split(":")[0] for each in raised.value.problems] == [
        "connection extra allowed_recipients",
        "to[0]",
        "to[2]",
    ]
    assert bad not in str(raised.value)
    assert OTHER not in str(raised.value)


def test_recipients_do_not_show_their_numbers() -> None:
    assert NUMBER not in repr(read_recipients(NUMBER))
    assert NUMBER not in repr(plan())


@pytest.mark.parametrize(
    ("flow", "most"), [(("SMS",), 999), (("LINE", "SMS"), 499), (("A",) * 10, 99), (None, 99), ((), 99)]
)
def test_all_log_rows_of_a_request_fit_on_a_page_that_is_not_full(flow: Any, most: int) -> None:
    assert chunk_limit(flow) == most
    assert most * len(flow or ("?",) * 10) < 1000


def test_the_fingerprint_tells_scenario_content_and_options_apart_but_not_recipients() -> None:
    same = {planned().fingerprint, planned(to=[OTHER]).fingerprint}
    others = {planned(text="Bye").fingerprint, planned(scenario_key="T").fingerprint, planned(notify=False).fingerprint}
    assert len(same) == 1
    assert len(same | others) == 4


def test_send_at_is_when_it_is_scheduled() -> None:
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    assert planned(send_at=moment).scheduled_at(1, 0.0) == moment.timestamp()
    assert planned().scheduled_at(1, 0.0) is None
