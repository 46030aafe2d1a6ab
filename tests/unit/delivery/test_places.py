"""Places of the refused and of those in doubt: errors and receipts say the place in `to`, never a number."""

from __future__ import annotations

from airflow_provider_omni.delivery.outbox.plan import MAX_LOG_ROWS
from airflow_provider_omni.delivery.recipients.addresses import read_recipients
from airflow_provider_omni.omni.errors import OmniRejectedError, OmniUnknownOutcomeError
from tests.unit.delivery.stage import Stage, answered
from tests.unit.delivery.test_single_send import LOST, A, B, C, message_id, plan, row, send


def test_the_error_and_the_receipt_say_which_of_to_was_refused() -> None:
    stage = Stage(posts=[answered(d40="refused", d31="no credit")])
    end = send(stage, plan([A, C, A, B]))
    assert isinstance(end.error, OmniRejectedError)
    assert end.error.problems == ("to[1]: REJECTED_NETWORK", "to[3]: REJECTED_NOT_ENOUGH_CREDITS")
    assert "\n - to[1]: REJECTED_NETWORK" in str(end.error)
    assert end.receipt.to_json()["recipients"] == [
        {"to": 0, "message_id": message_id(A)},
        {"to": 1, "message_id": message_id(C), "rejected": "REJECTED_NETWORK"},
        {"to": 3, "message_id": message_id(B), "rejected": "REJECTED_NOT_ENOUGH_CREDITS"},
    ]


def test_refusals_that_are_ignored_stand_in_the_receipt() -> None:
    end = send(Stage(posts=[answered(d40="refused")]), plan([A, C]), on_rejected="ignore")
    assert end.error is None
    assert end.receipt.to_json()["recipients"][1]["rejected"] == "REJECTED_NETWORK"


def test_the_error_and_the_receipt_say_which_of_to_is_in_doubt() -> None:
    logs = [[row(message_id(A))], *[[]] * 3, OmniUnknownOutcomeError("the logs are down")]
    end = send(Stage(posts=[LOST], logs=logs), plan([A, B]))
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert "to[1]: may or may not have been sent" in end.error.problems
    rows = {each["to"]: each for each in end.receipt.to_json()["recipients"]}
    assert rows[1] == {"to": 1, "message_id": message_id(B), "unconfirmed": True}


def test_the_receipt_before_the_post_says_that_nothing_is_sure_and_that_of_a_dry_run_names_nobody() -> None:
    stage = Stage()
    send(stage, plan([A, B]))
    assert [each.get("unconfirmed") for each in stage.published[0]["recipients"]] == [True, True]
    assert "recipients" not in send(Stage(), plan([A, B]), dry_run=True).receipt.to_json()


def test_who_is_left_out_of_to_by_a_guard_or_stands_in_it_twice_moves_nobody() -> None:
    people = read_recipients([B, A, A, C], allowed=[A, C]).people
    assert [person.place for person in people] == [1, 3]


def test_an_error_names_ten_and_a_receipt_a_hundred_the_refused_among_them() -> None:
    numbers = [f"41793{index:04d}{40 if index % 9 == 8 else 27}" for index in range(MAX_LOG_ROWS // 2)]
    end = send(Stage(posts=[answered(d40="refused")]), plan(numbers))
    assert end.error is not None
    assert end.error.problems == (*(f"to[{9 * index + 8}]: REJECTED_NETWORK" for index in range(10)), "and 45 more")
    rows = end.receipt.to_json()["recipients"]
    assert len(rows) == 100
    assert [row["to"] for row in rows] == sorted(row["to"] for row in rows)
    assert sum("rejected" in row for row in rows) == 55
