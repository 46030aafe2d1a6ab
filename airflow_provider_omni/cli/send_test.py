"""`send-test`: one message, posted exactly once."""

from __future__ import annotations

import argparse
import sys
import uuid

from airflow_provider_omni.cli.asking import ask
from airflow_provider_omni.cli.exit_codes import DONE, NO
from airflow_provider_omni.cli.one_message import OneMessage, prepare, status_of
from airflow_provider_omni.cli.output import Answer, Table, command
from airflow_provider_omni.delivery.messages.status import status_label
from airflow_provider_omni.hooks.omni import OmniHook
from airflow_provider_omni.omni.errors import Effect, OmniError
from airflow_provider_omni.omni.models import Status
from airflow_provider_omni.omni.reasons import refusal_in_words
from airflow_provider_omni.omni.statuses import is_refusal


def question_of(message: OneMessage, whole: bool) -> str:
    """Return what to ask before it is sent."""
    return f"Send one message to {message.shown_number(whole)} by scenario {message.shown_scenario}? It costs money."


def answer_of(message: OneMessage, bulk_id: str, status: Status, conn_id: str, whole: bool) -> Answer:
    """Return the answer: what the vendor says to the send, and how to go on."""
    refused = is_refusal(status)
    label = status_label(status)
    data = {
        "to": message.shown_number(whole),
        "scenario_key": message.scenario_key,
        "flow": list(message.flow),
        "message_id": message.message_id,
        "bulk_id": bulk_id,
        "accepted": not refused,
        "status": label,
    }
    row = {"to": data["to"], "message id": message.message_id, "accepted": not refused, "status": label}
    words = (
        f"Refused: {refusal_in_words(label)}."
        if refused
        else f"What becomes of it: status {conn_id} --message-id {message.message_id}"
    )
    return Answer(data, (Table([row]),), (words,), NO if refused else DONE)


@command
def send_test(arguments: argparse.Namespace) -> Answer:
    """Send one message."""
    with OmniHook(arguments.conn_id) as hook:
        message = prepare(hook, arguments.to, arguments.text, arguments.scenario)
        ask(question_of(message, arguments.show_numbers), yes=arguments.yes)
        bulk_id = str(uuid.uuid4())
        print(f"Posting message {message.message_id} …", file=sys.stderr)
        try:
            answer = hook.send_advanced(message.body(bulk_id))
        except OmniError as error:
            if error.effect is Effect.UNKNOWN:
                print(f"It may have been sent, as message {message.message_id}.", file=sys.stderr)
            raise
    status = status_of(answer, message.message_id)
    return answer_of(message, bulk_id, status, arguments.conn_id, arguments.show_numbers)
