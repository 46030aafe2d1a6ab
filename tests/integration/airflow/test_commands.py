"""Every command in this process, against the simulator: what it says, what it does, and what it costs."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.cli import status, verify_duplicates
from airflow_provider_omni.omni.client import OmniClient
from airflow_provider_omni.simulator.faults import Fault
from airflow_provider_omni.simulator.running import RunningSimulator
from tests.harness.clock import SkippingClock
from tests.integration.airflow.commands import Said, Shell
from tests.integration.airflow.test_batch_s3 import HOME
from tests.unit.delivery.batch.batchworld import World
from tests.unit.delivery.batch.test_ledger_wait import wait

KEY = "CC9F01A5DC7BEE2C2B829D203482A654"
NUMBER = "41793026727"
FAILOVER = "+41 79 302 67 41"


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], account: RunningSimulator) -> Shell:
    return Shell(capsys)


@pytest.fixture
def clock(account: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> SkippingClock:
    clock = SkippingClock.from_now(account.advance)
    clock.rule(monkeypatch, verify_duplicates, status)
    return clock


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls of the API that are made."""
    made: list[str] = []
    execute = OmniClient.execute

    def noting(self: OmniClient, call: Any) -> Any:
        made.append(call.name)
        return execute(self, call)

    monkeypatch.setattr(OmniClient, "execute", noting)
    return made


def result(said: Said, what: str) -> str:
    return next(line["result"] for line in said.data["lines"] if line["what"] == what)


# -- check ------------------------------------------------------------------------------------------------------------


def test_check_says_ok_for_every_stage_and_costs_nothing(shell: Shell, account: RunningSimulator) -> None:
    said = shell.json("check")
    assert said.code == 0
    assert said.data["connection"] == "omni_default"
    assert {line["result"] for line in said.data["lines"]} == {"ok", "note"}
    assert account.record.acceptances == []
    assert "This connection can be used." in shell("check", "omni_default").out


@pytest.mark.parametrize(
    ("fault", "stage", "found", "code"),
    [
        ("refuse-auth", "sign-in", "failed", 3),
        ("forbid", "scenarios", "warning", 0),
        ("unreadable", "answers", "failed", 3),
        ("reset-before", "answers", "failed", 3),
        ("error-before", "answers", "failed", 3),
    ],
)
def test_check_names_the_stage_that_fails(
    fault: str, stage: str, found: str, code: int, shell: Shell, account: RunningSimulator
) -> None:
    account.faults.add(Fault(fault))
    said = shell.json("check")
    assert said.code == code
    assert result(said, stage) == found
    assert result(said, "name") == "ok"


def test_check_names_the_stage_that_a_wrong_host_or_scheme_fails_at(
    shell: Shell, account: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = json.loads(account.airflow_connection_json)
    for host, stage in ((account.url.replace("http:", "https:"), "TLS"), ("https://no-such-host.invalid", "name")):
        monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(fields | {"host": host}))
        said = shell.json("check", "other")
        assert (said.code, result(said, stage), result(said, "sign-in")) == (3, "failed", "skipped")


def test_check_tells_a_clock_that_is_wrong(shell: Shell, account: RunningSimulator, monkeypatch: Any) -> None:
    from airflow_provider_omni.cli import check

    monkeypatch.setattr(check, "time", SkippingClock.from_now())
    check.time.advance(100.0)  # type: ignore[attr-defined]
    said = shell.json("check")
    assert said.code == 0
    assert result(said, "clock") == "warning"


def test_check_of_nobody_who_listens_and_of_no_connection(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_NOBODY", json.dumps({"conn_type": "omni", "host": "http://127.0.0.1:9"}))
    assert "password: missing" in shell("check", "nobody").out
    fields = {"conn_type": "omni", "host": "http://127.0.0.1:9", "login": "me", "password": "secret-word"}
    monkeypatch.setenv("AIRFLOW_CONN_NOBODY", json.dumps(fields))
    said = shell.json("check", "nobody")
    assert (said.code, result(said, "connects"), result(said, "sign-in")) == (3, "failed", "skipped")
    assert "secret-word" not in said.out + said.err
    assert shell("check", "no_such_connection").code == 3


# -- scenarios --------------------------------------------------------------------------------------------------------


def test_scenarios_are_created_once_listed_and_shown(shell: Shell) -> None:
    words = ("scenarios", "create", "--name", "alerts", "--step", "LINE:me", "--step", "SMS:Me")
    made = shell.json(*words)
    assert made.code == 0
    assert shell.json(*words).data == made.data
    assert len(shell.json("scenarios", "list").data) == 2
    assert shell.json("scenarios", "show", made.data["key"]).data["name"] == "alerts"
    assert "LINE from me → SMS from Me" in shell("scenarios", "list").out


def test_a_flow_is_replaced_only_after_a_yes(shell: Shell) -> None:
    words = ("scenarios", "create", "--name", "alerts", "--step")
    shell(*words, "LINE:me")
    assert shell(*words, "SMS:Me").code == 1
    refused = shell(*words, "SMS:Me", "--if-exists", "update")
    assert (refused.code, "Replace scenario" in refused.err) == (1, True)
    assert shell.json(*words, "SMS:Me", "--if-exists", "update", "--yes").data["flow"][0]["channel"] == "SMS"


def test_a_scenario_that_is_not_there_is_an_error_with_its_code(shell: Shell) -> None:
    said = shell("scenarios", "show", "nothing")
    assert (said.code, said.out) == (1, "")
    assert "OMNI-122" in said.err


# -- send-test and status ---------------------------------------------------------------------------------------------


def send(shell: Shell, *more: str) -> Said:
    return shell.json("send-test", "omni_default", "--to", FAILOVER, "--text", "Hello", "--scenario", KEY, *more)


def test_a_test_is_sent_once_after_a_yes_and_followed_in_the_logs_alone(
    shell: Shell, account: RunningSimulator, calls: list[str]
) -> None:
    assert send(shell).code == 1
    assert account.record.acceptances == []
    sent = send(shell, "--yes")
    assert (sent.code, sent.data["to"], sent.data["flow"]) == (0, "4179…741", ["LINE", "SMS"])
    (acceptance,) = account.record.acceptances
    assert (acceptance.message_id, acceptance.to) == (sent.data["message_id"], "41793026741")
    account.advance(60)

    for words in (("--message-id", sent.data["message_id"]), ("--bulk-id", sent.data["bulk_id"])):
        told = shell.json("status", *words)
        assert told.code == 0
        (message,) = told.data["messages"]
        assert (message["outcome"], message["channel"], message["to"]) == ("delivered", "SMS", "4179…741")
    shown = shell("status", "omni_default", "--message-id", sent.data["message_id"], "--show-numbers").out
    assert "41793026741" in shown
    assert "LINE UNDELIVERABLE_NOT_DELIVERED → SMS DELIVERED_TO_HANDSET" in shown
    assert "GET /omni/1/reports" not in calls


def test_a_test_without_a_scenario_goes_by_the_accounts_default(shell: Shell, account: RunningSimulator) -> None:
    words = ("send-test", "omni_default", "--to", NUMBER, "--text", "Hello", "--yes")
    shell("scenarios", "create", "--name", "mine", "--step", "SMS:Me", "--default", "--yes")
    assert shell.json(*words).data["flow"] == ["SMS"]


def test_a_test_keeps_to_the_guards_and_shows_no_number(
    shell: Shell, account: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded = json.loads(account.airflow_connection_json) | {"extra": {"allowed_recipients": ["41793026799"]}}
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", json.dumps(guarded))
    said = send(shell, "--yes")
    assert (said.code, account.record.acceptances) == (1, [])
    assert "allowed_recipients" in said.err
    assert "41793026741" not in said.out + said.err


@pytest.mark.parametrize("number", ["12", "079 302 67 41", "nobody"])
def test_a_number_that_is_none_is_refused_before_anything_is_asked(
    number: str, shell: Shell, account: RunningSimulator
) -> None:
    said = shell("send-test", "omni_default", "--to", number, "--text", "Hello", "--scenario", KEY, "--yes")
    assert (said.code, account.record.acceptances) == (1, [])
    assert "--to" in said.err


def test_a_refusal_in_the_answer_is_an_exit_code_of_its_own(shell: Shell) -> None:
    said = shell("send-test", "omni_default", "--to", "41793026752", "--text", "Hello", "--scenario", KEY, "--yes")
    assert said.code == 3
    assert "the recipient's number is not valid" in said.out


def test_a_lost_answer_says_that_it_may_have_been_sent_and_as_which_message(
    shell: Shell, account: RunningSimulator
) -> None:
    account.faults.add(Fault("reset-after", call="send"))
    said = send(shell, "--yes")
    (acceptance,) = account.record.acceptances
    assert said.code == 1
    assert f"It may have been sent, as message {acceptance.message_id}." in said.err


def test_a_receipt_is_followed_and_one_of_another_account_refused(
    shell: Shell, account: RunningSimulator, tmp_path: Path
) -> None:
    sent = send(shell, "--yes").data
    account.advance(60)
    receipt = {
        "scenario_key": KEY,
        "flow": ["LINE", "SMS"],
        "bulks": [{"bulk_id": sent["bulk_id"], "messages": 1, "message_id": sent["message_id"]}],
        "message_ids": [sent["message_id"]],
        "counts": {"requested": 1, "accepted": 1},
    }
    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(receipt))
    assert shell.json("status", "--receipt", str(file)).data["counts"]["delivered"] == 1
    file.write_text(json.dumps(receipt | {"account": "another"}))
    assert "another account" in shell("status", "--receipt", str(file)).err
    assert "FileNotFoundError" in shell("status", "--receipt", str(tmp_path / "none")).err


def test_what_the_logs_do_not_know_is_told_as_not_known(shell: Shell) -> None:
    said = shell.json("status", "--message-id", "unheard-of")
    assert (said.code, said.data["not_in_logs"]) == (4, ["unheard-of"])


# -- verify-duplicates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["account", "bulk"])
@pytest.mark.parametrize(
    ("duplicates", "finding"),
    [("status-23", "refused"), ("accept", "sent"), ("ignore", "ignored"), ("report", "reported")],
)
@pytest.mark.parametrize("bulk_ids", ["accept", "400"])
def test_every_way_of_an_account_with_repeated_ids_is_told_apart(
    duplicates: str, finding: str, scope: str, bulk_ids: str, shell: Shell, account: RunningSimulator, clock: Any
) -> None:
    account.configure(duplicates=duplicates, duplicate_scope=scope, repeated_bulk_id=bulk_ids)
    said = shell.json("verify-duplicates", "omni_default", "--to", NUMBER, "--scenario", KEY, "--yes", "--wait", "60")

    within = "request_refused" if bulk_ids == "400" else finding
    expected = (finding, None) if scope == "account" and finding != "sent" else ("sent", within)
    assert (said.data["in_another_request"], said.data["in_the_same_request"]) == expected
    refuses = expected == ("refused", None)
    assert said.data["trust_duplicate_rejection"] is refuses
    assert said.code == (0 if refuses else 3)
    assert len(account.record.acceptances) == {None: 1, "sent": 3}.get(expected[1], 2)
    assert len({each.message_id for each in account.record.acceptances}) == 1


@pytest.mark.parametrize("switches", [
    {"single_bulk_id": "dropped"}, {"report_bulk_id": "absent"}, {"reports": "per-step"}, {"log_lag_seconds": 20.0},
    {"answer_order": "reversed", "echo_bulk_id": "always"}, {"log_rows": "last-step"}, {"id_lists": "first"},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("duplicates", ["accept", "ignore", "report"])
def test_other_habits_of_an_account_do_not_mislead_it(
    duplicates: str, switches: dict[str, Any], shell: Shell, account: RunningSimulator, clock: Any
) -> None:
    account.configure(duplicates=duplicates, **switches)
    said = shell.json("verify-duplicates", "omni_default", "--to", FAILOVER, "--scenario", KEY, "--yes", "--wait", "60")
    verdicts = {"accept": "sends_twice", "ignore": "ignores", "report": "reports"}
    assert said.data["verdict"] == verdicts[duplicates]


def test_a_report_that_comes_twice_is_no_second_message(shell: Shell, account: RunningSimulator, clock: Any) -> None:
    account.configure(duplicates="ignore")
    said = shell.json(
        "verify-duplicates", "omni_default", "--to", "41793026774", "--scenario", KEY, "--yes", "--wait", "60"
    )
    assert said.data["verdict"] == "ignores"


def test_logs_that_say_nothing_in_time_are_no_verdict(shell: Shell, account: RunningSimulator, clock: Any) -> None:
    account.configure(duplicates="ignore", log_lag_seconds=3600.0)
    words = ("verify-duplicates", "omni_default", "--to", "41793026773", "--scenario", KEY, "--yes", "--wait", "60")
    said = shell.json(*words)
    assert (said.code, said.data["verdict"]) == (4, "not_known")


def test_nothing_is_spent_without_a_yes(shell: Shell, account: RunningSimulator) -> None:
    said = shell("verify-duplicates", "omni_default", "--to", NUMBER, "--scenario", KEY)
    assert (said.code, account.record.acceptances) == (1, [])
    assert "up to three" in said.err
    assert NUMBER not in said.err


# -- ledger -----------------------------------------------------------------------------------------------------------

FATES = ("00", "40", "41", "42", "43")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """The ledger of 50 people, of whom 10 can be sent to again, 10 have failed for good, and one row was none."""
    world = World(tmp_path)
    people = [{"phone": f"4179{place:05d}{FATES[place % 5]}", "order": f"order-{place}"} for place in range(50)]
    world.send([*people, {"phone": "none", "order": "x"}], key_field="order")
    assert wait(world).summary["failed"] == 20
    return Path(str(world.folder))


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, ledger: Path) -> Iterator[str]:
    """That ledger on a local disk, and in an object store."""
    if request.param == "local":
        yield str(ledger)
        return
    client = request.getfixturevalue("s3")
    for file in ledger.rglob("*"):
        if file.is_file():
            client.put_object(Bucket="people", Key=f"run/1/{file.relative_to(ledger)}", Body=file.read_bytes())
    yield f"{HOME}/run/1"


def test_a_ledger_is_shown_exported_and_checked_wherever_it_is(place: str, shell: Shell, tmp_path: Path) -> None:
    shown = shell.json("ledger", "show", place)
    assert shown.code == 0
    assert shown.data["outcomes"] == {"delivered": 30, "failed": 20}
    assert shown.data["by_channel"]["delivered"] == {"SMS": 20, "LINE": 10}
    assert shown.data["quarantined"] == 1
    assert "absent subscriber" in shell("ledger", "show", place).out

    file = tmp_path / "out.csv"
    assert shell.json("ledger", "export", place, "--to", str(file)).data["rows"] == 50
    assert len(file.read_text().splitlines()) == 51
    assert "order-7" in file.read_text()
    assert shell("ledger", "export", place, "--to", str(file)).code == 1

    whole = shell.json("ledger", "check", place)
    assert (whole.code, whole.data["whole"]) == (0, True)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_other_forms_of_an_export(ending: str, ledger: Path, shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / f"out.{ending}"
    assert shell("ledger", "export", str(ledger), "--to", str(file)).code == 0
    assert file.stat().st_size > 500


def test_an_export_goes_to_an_object_store_too(ledger: Path, s3: Any, shell: Shell) -> None:
    assert shell("ledger", "export", str(ledger), "--to", f"{HOME}/out.jsonl").code == 0
    lines = s3.get_object(Bucket="people", Key="out.jsonl")["Body"].read().splitlines()
    assert len(lines) == 50
    assert shell("ledger", "export", str(ledger), "--to", f"{HOME}/out.jsonl").code == 1


def test_a_store_that_cannot_be_reached_is_an_error_without_a_traceback(
    ledger: Path, s3: Any, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url in ("nothing://bucket/key", "s3://no_such_connection@people/key"):
        assert shell("ledger", "show", url).code == 1
    for url in ("nothing://bucket/key.csv", f"{HOME.replace('people', 'nowhere')}/key.csv"):
        said = shell("ledger", "export", str(ledger), "--to", url)
        assert (said.code, "OMNI-142" in said.err) == (1, True)
        assert "a-secret" not in said.err


def test_the_unreached_are_listed_masked_or_written_whole(place: str, shell: Shell, tmp_path: Path) -> None:
    listed = shell.json("ledger", "unreached", place)
    assert listed.data["count"] == 10
    assert all("…" in each["phone"] and len(each) == 1 for each in listed.data["recipients"])
    assert "of whom 7 are not listed" in shell("ledger", "unreached", place, "--limit", "3").out

    file = tmp_path / "again.csv"
    assert shell.json("ledger", "unreached", place, "--to", str(file), "--show-numbers").data["rows"] == 10
    header, first, *_ = file.read_text().splitlines()
    assert header == "phone,order"
    assert first.startswith("4179")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_purge_asks_and_leaves_what_became_of_messages(place: str, shell: Shell) -> None:
    assert shell("ledger", "purge", place).code == 1
    assert shell.json("ledger", "unreached", place).data["count"] == 10
    assert shell.json("ledger", "purge", place, "--yes").data["removed_parts"] >= 1
    assert "purge_plan" in shell("ledger", "unreached", place).err
    assert shell.json("ledger", "show", place).data["outcomes"]["delivered"] == 30
    assert shell("ledger", "check", place).code == 0


def test_a_ledger_that_is_not_whole_is_an_exit_code_of_its_own(ledger: Path, shell: Shell) -> None:
    next((ledger / "sent").iterdir()).unlink()
    said = shell.json("ledger", "check", str(ledger))
    assert (said.code, said.data["whole"]) == (3, False)
    assert "missing" in shell("ledger", "check", str(ledger)).out
    assert shell("ledger", "show", str(ledger)).code == 1


def test_a_relative_path_is_below_this_folder(ledger: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ledger.parent)
    assert shell("ledger", "check", ledger.name).code == 0
    assert "no batch has used" in shell("ledger", "check", "elsewhere").err
