"""A record that is lost, older than what was sent, or made from another account: nothing of it is believed too much."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_omni.contents import LineText
from airflow_provider_omni.delivery.outbox.engine import SendResult
from airflow_provider_omni.delivery.outbox.stores import INDEX
from airflow_provider_omni.omni.content import Content
from airflow_provider_omni.omni.errors import (
    Effect,
    OmniAuthenticationError,
    OmniContentChangedError,
    OmniTransportError,
    OmniUnknownOutcomeError,
)
from airflow_provider_omni.omni.models import Scenario
from tests.unit.delivery.stage import START, Stage, accepted, answered, row
from tests.unit.delivery.test_single_send import A, B, counts, message_id, on_record, plan, send

LOST = OmniTransportError("the answer never came")
NOT_SENT = OmniTransportError("refused", effect=Effect.NONE)
DOWN = OmniTransportError("down")


def lost(stage: Stage, made: Any = None, **policy: Any) -> SendResult:
    """A later try that nobody has told what the earlier ones have written."""
    return send(stage, made, **({"first_try_at": START, "ended": False, "unaccounted": 1} | policy))


# -- records that are gone, or older than what was sent ----------------------------------------------------------------


def test_a_green_send_whose_record_is_gone_is_found_in_the_logs_and_not_sent_again() -> None:
    stage = Stage()
    send(stage, plan([A, B]))
    stage.memory.clear()
    stage.logs = [[row(message_id(A))], [row(message_id(B))]]
    end = lost(stage, plan([A, B]))
    assert end.error is None
    assert len(stage.posted) == 1
    assert (counts(end)["accepted"], end.sent) == (2, 0)


def test_a_record_that_was_written_less_often_than_the_last_try_has_said_is_not_believed() -> None:
    stage = Stage(posts=[NOT_SENT])
    send(stage, attempts=1)
    older = dict(stage.memory)
    stage.posts = [accepted]
    end = send(stage)
    assert end.writes is not None
    stage.memory, stage.logs = older, [[row(message_id(A))]]
    end = send(stage, first_try_at=START, is_first_try=True, record_writes=end.writes)
    assert len(stage.posted) == 2
    assert counts(end) == {"requested": 1, "accepted": 1}


def test_a_record_that_alone_is_gone_is_missed() -> None:
    stage = Stage()
    writes = send(stage).writes
    del stage.memory[INDEX]
    stage.logs = [[row(message_id(A))]]
    assert writes is not None
    send(stage, first_try_at=START, is_first_try=True, record_writes=writes)
    assert len(stage.posted) == 1


def test_what_a_record_says_was_not_sent_may_have_been_after_it_was_written() -> None:
    stage = Stage(posts=[NOT_SENT])
    send(stage, attempts=1)
    stage.logs = [[row(message_id(A))]]
    end = lost(stage)
    assert len(stage.posted) == 1
    assert counts(end) == {"requested": 1, "accepted": 1}


def test_what_an_older_record_knows_of_is_looked_for_in_every_request() -> None:
    """A try that is not on record may have found it absent and have posted it again, in a request of another id."""
    stage = Stage(posts=[LOST], logs=[DOWN])
    send(stage, plan([A, B]))
    stage.posts, stage.logs = [accepted], [[]]
    asked = len(stage.looks)
    lost(stage, plan([A, B]))
    assert not any("bulkId" in look for look in stage.looks[asked:])


def test_whoever_was_refused_and_then_accepted_under_a_further_id_is_found_without_a_record() -> None:
    stage = Stage(posts=[answered(d27="no credit"), accepted])
    send(stage)
    send(stage, first_try_at=START)
    assert stage.posted == [[message_id(A)], [message_id(A, 1)]]
    stage.memory.clear()
    stage.logs = [lambda call: [row(message_id(A, 1))] if message_id(A, 1) in str(call.query) else []]
    end = lost(stage, unaccounted=2)
    assert len(stage.posted) == 2
    assert end.error is None
    assert counts(end) == {"requested": 1, "accepted": 1}
    assert on_record(stage)[message_id(A)] == "refused"


@pytest.mark.parametrize("told", [False, True])
def test_after_an_older_record_each_lost_try_may_have_made_a_further_id(told: bool) -> None:
    """On record is one refusal; since then there was another one, and then it was accepted."""
    stage = Stage(posts=[answered(d27="no credit"), answered(d27="no credit"), accepted])
    send(stage)
    older = dict(stage.memory)
    send(stage, first_try_at=START)
    writes = send(stage, first_try_at=START).writes
    assert stage.posted == [[message_id(A, attempt)] for attempt in range(3)]
    stage.memory = older
    stage.logs = [lambda call: [row(message_id(A, 2))] if message_id(A, 2) in str(call.query) else []]
    end = lost(stage, unaccounted=2) if not told else send(stage, first_try_at=START, record_writes=writes)
    assert len(stage.posted) == 3
    assert (end.error, counts(end)) == (None, {"requested": 1, "accepted": 1})


def test_ids_of_further_attempts_that_nobody_has_used_leave_nothing_behind() -> None:
    stage = Stage()
    assert lost(stage, unaccounted=3).error is None
    assert stage.posted == [[message_id(A)]]
    assert on_record(stage) == {message_id(A): "accepted"}


def test_while_one_attempt_is_in_doubt_no_other_is_posted_not_even_on_trust() -> None:
    stage = Stage(logs=[DOWN])
    end = lost(stage, unaccounted=2, trust_duplicate_rejection=True)
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert "1 message may or may not have been sent" in str(end.error)
    assert stage.posted == []


def test_a_further_attempt_that_a_lost_try_may_have_made_is_not_posted_on_trust() -> None:
    """The first is proven absent, so a try that was frozen may still post it: the vendor would take that, too."""

    def logs(call: Any) -> Any:
        return DOWN if message_id(A, 1) in str(call.query) else []

    stage = Stage(logs=[logs])
    end = lost(stage, unaccounted=2, trust_duplicate_rejection=True)
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert end.error.retryable
    assert stage.posted == []
    # When the logs can tell, it is sent under the first id.
    stage.logs = [[]]
    assert lost(stage, unaccounted=2, trust_duplicate_rejection=True).error is None
    assert stage.posted == [[message_id(A)]]


def test_what_the_vendor_has_seen_before_is_not_posted_under_a_further_id_on_trust() -> None:
    stage = Stage(posts=[LOST, answered(d27="seen"), accepted], logs=[DOWN])
    assert counts(send(stage, trust_duplicate_rejection=True)) == {"requested": 1, "unconfirmed": 1}
    assert isinstance(lost(stage, unaccounted=2, trust_duplicate_rejection=True).error, OmniUnknownOutcomeError)
    assert stage.posted == [[message_id(A)]] * 2


def test_a_further_attempt_is_posted_on_trust_where_all_before_it_were_refused() -> None:
    stage = Stage(posts=[answered(d27="no credit"), LOST, answered(d27="seen")], logs=[DOWN])
    send(stage)
    end = send(stage, first_try_at=START, trust_duplicate_rejection=True)
    assert end.error is None
    assert stage.posted == [[message_id(A)], [message_id(A, 1)], [message_id(A, 1)]]


def test_a_record_that_was_taken_over_counts_from_then_on() -> None:
    stage = Stage(logs=[DOWN])
    end = lost(stage)
    assert end.writes == stage.memory[INDEX]["writes"]
    stage.loads = [OmniUnknownOutcomeError("not even read")]
    assert lost(stage).writes is None


# -- another account ---------------------------------------------------------------------------------------------------


def in_doubt(**stage: Any) -> Stage:
    """A send from account a, whose answer was lost while the logs were down."""
    made = Stage(posts=[LOST], logs=[DOWN])
    send(made, account="a", **stage)
    made.posts, made.logs = [accepted], [[]]
    return made


def test_what_is_in_doubt_is_never_proven_absent_by_another_accounts_logs() -> None:
    stage = in_doubt()
    asked = len(stage.looks)
    end = send(stage, account="b", first_try_at=START)
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert not end.error.retryable
    assert "Restore the account" in str(end.error)
    assert len(stage.looks) == asked
    assert len(stage.posted) == 1
    # Back in the account that was posted to, its logs can prove it, and it is sent.
    end = send(stage, account="a", first_try_at=START)
    assert end.error is None
    assert len(stage.posted) == 2


def test_a_proof_of_the_account_before_is_not_inherited_by_another_one() -> None:
    stage = Stage(posts=[LOST, NOT_SENT])
    send(stage, account="a", attempts=1)
    stage.posts = [accepted]
    end = send(stage, account="b", first_try_at=START)
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert len(stage.posted) == 2


def test_another_account_is_not_trusted_to_refuse_what_it_has_never_seen() -> None:
    stage = in_doubt()
    end = send(stage, account="b", first_try_at=START, trust_duplicate_rejection=True)
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert len(stage.posted) == 1


def test_what_was_accepted_stays_and_nobody_is_added_from_another_account() -> None:
    stage = Stage()
    send(stage, plan(A), account="a")
    end = send(stage, plan(A), account="b", first_try_at=START)
    assert end.error is None
    assert (counts(end)["accepted"], end.receipt.account) == (1, "a")
    end = send(stage, plan([A, B]), account="b", first_try_at=START)
    assert isinstance(end.error, OmniContentChangedError)
    assert "other account: 1 message" in str(end.error)
    assert len(stage.posted) == 1


def test_a_connection_that_pointed_at_a_wrong_account_is_corrected_and_the_retry_sends() -> None:
    stage = Stage(posts=[OmniAuthenticationError("who?", status=401)])
    send(stage, account="wrong")
    stage.posts = [accepted]
    end = send(stage, account="right", first_try_at=START)
    assert end.error is None
    assert end.receipt.to_json()["account"] == "right"


def test_what_is_in_doubt_is_not_proven_absent_with_another_scenario() -> None:
    stage = in_doubt()
    end = send(stage, replace(plan(), scenario_key="OTHER"), account="a", first_try_at=START)
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert "Restore the scenario_key" in str(end.error)
    assert len(stage.posted) == 1


def test_what_a_killed_try_may_have_sent_from_another_account_stays_unknown() -> None:
    """It was killed before its intent, or the record was restored to that moment: nobody can say."""
    stage = Stage()
    send(stage, account="a", until=lambda effect: effect.__class__.__name__ == "Publish")
    record = stage.memory[INDEX]
    record["bulks"], record["entries"] = [], {}
    end = lost(stage, account="b")
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert stage.posted == []
    assert lost(stage, account="a").error is None


def written_by_an_older_version(stage: Stage) -> None:
    """The record of one that did not know of accounts."""
    for name in ("origins", "writes"):
        del stage.memory[INDEX][name]
    for entry in stage.memory[INDEX]["entries"].values():
        del entry["intent"]["origin"]


def test_what_an_older_version_has_left_in_doubt_is_found_where_the_logs_show_it() -> None:
    stage = Stage(posts=[LOST], logs=[DOWN])
    send(stage, account="a")
    written_by_an_older_version(stage)
    stage.logs = [[row(message_id(A))]]
    end = lost(stage, account="b")
    assert counts(end) == {"requested": 1, "accepted": 1}


@pytest.mark.parametrize("trust", [False, True])
def test_what_an_older_version_has_left_in_doubt_is_never_proven_absent(trust: bool) -> None:
    """It may have been posted from another account: nobody has written down from which."""
    stage = Stage(posts=[LOST], logs=[DOWN])
    send(stage, account="a")
    written_by_an_older_version(stage)
    stage.posts, stage.logs = [accepted], [[]]
    for _ in range(2):
        end = lost(stage, account="b", trust_duplicate_rejection=trust)
        assert isinstance(end.error, OmniUnknownOutcomeError)
    assert len(stage.posted) == 1
    assert any("is not on record" in line for line in stage.notes)


def test_what_an_older_version_certainly_did_not_send_is_sent() -> None:
    stage = Stage(posts=[NOT_SENT])
    send(stage, account="a", attempts=1)
    written_by_an_older_version(stage)
    stage.posts = [accepted]
    assert send(stage, account="b").error is None
    assert len(stage.posted) == 2


def test_where_one_was_sent_by_an_older_version_another_can_still_be_added() -> None:
    stage = Stage()
    send(stage, plan(A), account="a")
    written_by_an_older_version(stage)
    end = send(stage, plan([A, B]), account="b")
    assert end.error is None
    assert counts(end)["accepted"] == 2


def test_a_receipt_names_an_account_that_has_accepted_its_messages() -> None:
    """Not the one of this try, in whose logs others of them are being looked for: whoever waits would ask in vain."""
    stage = Stage(posts=[answered(d31="no credit")])
    send(stage, plan([A, B]), account="a")
    stage.logs = [[], DOWN]
    end = send(stage, plan([A, B]), account="b", first_try_at=START, shared_key=True)
    assert counts(end) == {"requested": 2, "accepted": 1, "unconfirmed": 1}
    assert end.receipt.account == "a"


@pytest.mark.parametrize(("account", "shown"), [("a", "a"), ("", None)])
def test_a_receipt_names_the_account_where_it_is_known(account: str, shown: str | None) -> None:
    assert send(Stage(), account=account).receipt.to_json().get("account") == shown


# -- what a receipt tells of earlier tries ---------------------------------------------------------------------------


def test_a_receipt_has_the_steps_of_what_was_accepted_though_the_content_has_changed() -> None:
    """Without the SMS in it, LINE's failure would be taken for the end, and then the SMS comes."""
    stage = Stage()
    send(stage, plan(A))
    changed = replace(plan(A), content=Content({"LINE": LineText(text="Hello")}))
    end = send(stage, changed, first_try_at=START)
    assert end.error is None
    assert end.receipt.flow == ("LINE", "SMS")


def test_a_receipt_has_the_steps_of_what_was_accepted_though_the_scenario_has_changed() -> None:
    stage = Stage()
    send(stage, plan(A))
    end = send(stage, replace(plan(A, flow=("SMS", "LINE")), scenario_key="OTHER"), first_try_at=START)
    assert end.error is None
    assert (end.receipt.scenario_key, end.receipt.flow) == ("SCENARIO", ("LINE", "SMS"))


def test_a_flow_that_was_given_wrongly_is_corrected_by_a_clear() -> None:
    stage = Stage()
    send(stage, plan(A, flow=("SMS", "LINE")))
    assert send(stage, plan(A, flow=("LINE", "SMS")), first_try_at=START).receipt.flow == ("LINE", "SMS")


def test_the_flow_of_another_scenario_is_read_where_nothing_was_sent_with_the_one_before() -> None:
    stage = Stage(posts=[NOT_SENT])
    send(stage, plan(A, flow=None), attempts=1)
    sms_first = Scenario(key="OTHER", flow=({"channel": "SMS"}, {"channel": "LINE"}))  # type: ignore[arg-type]
    stage.posts, stage.scenario = [accepted], [sms_first]
    end = send(stage, replace(plan(A, flow=None), scenario_key="OTHER"), first_try_at=START)
    assert end.error is None
    assert (end.receipt.scenario_key, end.receipt.flow) == ("OTHER", ("SMS", "LINE"))


def test_the_log_tells_apart_what_this_try_has_sent_and_what_earlier_ones_have() -> None:
    from airflow_provider_omni.operators.tries import counts_in_words

    stage = Stage(posts=[answered(d31="no credit"), accepted])
    assert send(stage, plan([A, B])).sent == 1
    end = send(stage, plan([A, B]), first_try_at=START)
    assert (counts(end)["accepted"], end.sent) == (2, 1)
    end = send(stage, plan([A, B]), first_try_at=START)
    assert (counts(end)["accepted"], end.sent) == (2, 0)
    told = counts_in_words(end.receipt.to_json()["counts"], end.sent, dry_run=False)
    assert told.endswith("Sent by this try: 0; accepted by earlier tries: 2.")
