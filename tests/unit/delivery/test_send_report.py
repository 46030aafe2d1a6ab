"""The delivery report of a send, from its receipt."""

from __future__ import annotations

from typing import Any

from airflow_provider_omni.delivery.messages.receipt import Counts, Receipt, SentBulk
from airflow_provider_omni.delivery.outbox.send_report import report_of_error, report_of_send
from airflow_provider_omni.omni.errors import OmniRejectedError
from tests.unit.delivery.stage import START


def receipt(**more: Any) -> dict[str, Any]:
    made = Receipt("K", ("LINE", "SMS"), (SentBulk("b", ("m1", "m2")),), Counts(3, 2, 0, 1), sent_at=START)
    return made.to_json() | more


def made(state: Any = "sent", **more: Any) -> dict[str, Any]:
    return report_of_send(receipt(**more), state, START + 5, begun_at=START)


def test_a_report_has_the_ids_and_counts_of_the_receipt() -> None:
    told = made()
    assert (told["kind"], told["state"], told["at"]) == ("send", "sent", "2027-01-15T08:00:05+00:00")
    assert (told["counts"]["accepted"], told["message_ids"], told["bulk_ids"]) == (2, ["m1", "m2"], ["b"])
    assert told["requests"] == 1


def test_the_refused_are_counted_by_status_for_few_and_for_many() -> None:
    people = [{"to": 0, "message_id": "m"}, {"to": 1, "message_id": "n", "rejected": "REJECTED_DND"}]
    assert made(recipients=people)["refused"] == {"REJECTED_DND": 1}
    assert made(rejected_by_status={"REJECTED_DND": 7})["refused"] == {"REJECTED_DND": 7}
    assert "refused" not in made()


def test_a_rehearsal_is_no_send() -> None:
    rehearsal = {"dry_run": True, "requests": 4, "recipients": 999}
    assert (made(**rehearsal)["state"], made(**rehearsal)["requests"]) == ("dry_run", 4)


def test_how_many_requests_there_were_is_not_said_where_a_receipt_does_not_list_all() -> None:
    bulks = [{"bulk_id": str(number), "messages": 1} for number in range(100)]
    assert "requests" not in made(bulks=bulks, ledger_path="/ledger")


def test_a_failure_has_the_code_of_its_error() -> None:
    error = OmniRejectedError("1 of 3 messages was refused")
    told = report_of_send(receipt(), "failed", START, begun_at=START, error=error)
    assert told["error"] == {"code": OmniRejectedError.code, "message": error.text}
    assert report_of_error(error, START, begun_at=START)["error"] == told["error"]
    assert "error" not in report_of_error(None, START, begun_at=START)
