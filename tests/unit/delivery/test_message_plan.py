"""The plan of a send in one request: the very ids and the very bytes that every version of it has made."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from airflow_provider_omni.contents import LineText, Sms
from airflow_provider_omni.delivery.messages.ids import Identity, recipient_key_of
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.plan import BatchSpec, MessageSpec, SendPlan, plan_batch, plan_message
from airflow_provider_omni.delivery.recipients.addresses import read_recipients
from airflow_provider_omni.delivery.recipients.contents import MessageTemplate
from airflow_provider_omni.delivery.recipients.sources import rows_of_entries
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.bulk import send_bulk
from airflow_provider_omni.omni.content import AdvancedRequest, Content
from airflow_provider_omni.omni.models import Destination
from airflow_provider_omni.omni.options import Options

A, B = "41793026727", "41793026731"
CONTENT = Content(
    {"LINE": LineText(text="Hello {name}"), "SMS": Sms(text="Hello {name}")}, Options(callback_data="load 7")
)
OTHERS = [
    A,
    {"to": {"phoneNumber": B, "emailAddress": "a@example.org"}},
    {"to": {"emailAddress": 'b"\n,@example.org'}},
    {"to": {"pushRegistrationId": "π-1"}},
    {"to": {"whatsAppUserId": "w-1"}},
]


def planned(to: Any, workspace: Workspace, key: str = "key", **more: Any) -> SendPlan:
    return plan_message(MessageSpec(Identity(key, "secret"), "S", CONTENT, read_recipients(to), **more), workspace)


def body_of(plan: SendPlan) -> dict[str, Any]:
    plan.lay_out(499)
    (request,) = plan.laid_out()
    call = send_bulk("S", request.bulk_id, request.people.destinations, plan.tail(request.content))
    made: dict[str, Any] = json.loads(call.body or b"")
    return made


def test_ids_of_a_send_to_these_people_are_the_same_for_ever() -> None:
    # Whoever changes these sends everything again that is retried across the upgrade.
    with Workspace(in_memory=True) as workspace:
        body = body_of(planned(OTHERS, workspace))
    assert body["bulkId"] == GOLDEN_BULK
    assert [each["messageId"] for each in body["destinations"]] == GOLDEN_MESSAGES


def test_a_batch_to_the_same_people_under_the_same_key_has_the_same_ids() -> None:
    with Workspace(in_memory=True) as one, Workspace(in_memory=True) as many:
        template = MessageTemplate({"sms": {"text": "Hello"}})
        spec = BatchSpec(Identity("key", "secret"), "S", template, ("SMS",))
        batch = plan_batch(spec, rows_of_entries([A, B], "phone"), many, datetime(2027, 1, 1, tzinfo=UTC))
        single, batched = body_of(planned([A, B], one)), body_of(batch)
    for name in ("bulkId", "destinations"):
        assert single[name] == batched[name]
    assert single["bulkId"] == GOLDEN_PAIR


def test_the_body_is_that_of_the_models_whatever_the_addresses_are() -> None:
    people = read_recipients(OTHERS).people
    with Workspace(in_memory=True) as workspace:
        body = body_of(planned(OTHERS, workspace))
    ids = [each["messageId"] for each in body["destinations"]]
    destinations = tuple(
        Destination(to=each.address, message_id=message_id) for each, message_id in zip(people, ids, strict=True)
    )
    request = AdvancedRequest(CONTENT, destinations, "S", body["bulkId"])
    assert body == json.loads(api.send_advanced(request).body or b"")


def test_a_person_keeps_the_same_key_in_the_workspace() -> None:
    people = read_recipients(OTHERS).people
    with Workspace(in_memory=True) as workspace:
        planned(OTHERS, workspace)
        kept = workspace.all("SELECT address, key FROM person ORDER BY seq")
    assert [recipient_key_of(*each) for each in kept] == [person.key for person in people]


def test_who_is_left_out_and_who_is_named_twice_is_counted() -> None:
    to = read_recipients([A, A, B], allowed=[A])
    with Workspace(in_memory=True) as workspace:
        plan = plan_message(MessageSpec(Identity("key"), "S", CONTENT, to), workspace)
        intake = plan.intake
        assert (intake.requested, intake.people, intake.quarantined, intake.duplicates) == (3, 1, 1, 1)
        assert workspace.all("SELECT seq FROM person") == [(0,)]


def test_a_fingerprint_tells_contents_scenarios_options_and_secrets_apart_and_not_keys() -> None:
    def fingerprint(key: str = "key", secret: str | None = None, scenario: str = "S", text: str = "x", **o: Any) -> str:
        content = Content({"SMS": Sms(text=text)}, Options(**o))
        with Workspace(in_memory=True) as workspace:
            order = MessageSpec(Identity(key, secret), scenario, content, read_recipients(A))
            return plan_message(order, workspace).fingerprint

    others = [fingerprint(secret="s"), fingerprint(scenario="T"), fingerprint(text="y"), fingerprint(notify=False)]
    assert len({fingerprint(), *others}) == 5
    assert fingerprint() == fingerprint(key="another")


def test_callback_data_of_the_task_is_in_the_body_and_in_no_id_and_no_fingerprint() -> None:
    # An upgrade, or a turn of the switch, would be "same key, other content" for every retry across it.
    content, to = Content({"SMS": Sms(text="Hello")}), read_recipients([A, B])
    bodies, fingerprints = [], set()
    for data in (None, '{"dag": "a", "run": "ก\\""}', "other"):
        with Workspace(in_memory=True) as workspace:
            plan = plan_message(MessageSpec(Identity("key", "secret"), "S", content, to, callback_data=data), workspace)
            fingerprints.add(plan.fingerprint)
            bodies.append(body_of(plan))
        assert bodies[-1].pop("callbackData", None) == data
    assert fingerprints == {GOLDEN_FINGERPRINT}
    assert bodies[0] == bodies[1] == bodies[2]
    assert bodies[0]["bulkId"] == GOLDEN_PAIR


def test_callback_data_of_the_task_is_in_every_request_of_a_batch_and_not_in_its_fingerprint() -> None:
    fingerprints = set()
    for data in (None, "task"):
        with Workspace(in_memory=True) as workspace:
            template = MessageTemplate({"sms": {"text": "Hello {n}"}})
            spec = BatchSpec(Identity("key", "secret"), "S", template, ("SMS",), callback_data=data)
            rows = rows_of_entries([{"phone": A, "n": "Ada"}, {"phone": B, "n": "Bob"}], "phone")
            plan = plan_batch(spec, rows, workspace, datetime(2027, 1, 1, tzinfo=UTC))
            fingerprints.add(plan.fingerprint)
            plan.lay_out(100)
            tails = [json.loads(f"{{{plan.tail(request.content)}}}") for request in plan.laid_out()]
            assert [each.get("callbackData") for each in tails] == [data, data]
    assert fingerprints == {GOLDEN_BATCH_FINGERPRINT}


def test_the_users_own_callback_data_stands_and_an_empty_text_is_none() -> None:
    for own, sent in (("load 7", "load 7"), ("", None)):
        content = Content({"SMS": Sms(text="Hello")}, Options(callback_data=own))
        order = MessageSpec(Identity("key"), "S", content, read_recipients(A), callback_data="task")
        with Workspace(in_memory=True) as workspace:
            assert body_of(plan_message(order, workspace)).get("callbackData") == sent


GOLDEN_BULK = "2954bd61-496c-51fa-98c4-825320c92408"
GOLDEN_MESSAGES = [
    "db245ce7-29dc-5ec3-ad0e-cc11d1cba34f",
    "d0638ffc-8a9e-5f7b-a86d-67bae310fd89",
    "767d506a-bea9-5cf1-b329-8fca50bde81e",
    "f68d0964-4fd1-5b57-8619-e3fd1faae7f5",
    "5a7f6ea6-16bf-5033-989a-3ef942776bff",
]
GOLDEN_PAIR = "3c2e2abe-2a39-5f87-bf31-45c6e0814374"
GOLDEN_FINGERPRINT = "f4406f12fdaf06cc66bc0b343ae21047"
GOLDEN_BATCH_FINGERPRINT = "5796b7d198ea2d2d36f725bc100151aa"
