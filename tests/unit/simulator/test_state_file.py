"""`--state FILE`: what was there before the end is there after the next start."""

from __future__ import annotations

import base64
import json
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.simulator import demo, inbox_views
from airflow_provider_omni.simulator.accounts import Accounts
from airflow_provider_omni.simulator.clock import Clock, ManualClock, RealClock
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.queries import MessageQuery
from airflow_provider_omni.simulator.settings import Settings
from airflow_provider_omni.simulator.state_file import StateFile
from airflow_provider_omni.simulator.wire import WireRequest


class Run:
    """One run of the program on a file."""

    def __init__(self, file: Path, clock: Clock | None = None, **settings: Any) -> None:
        self.accounts = Accounts(Simulator(Settings(**settings), clock or ManualClock()))
        self.state = StateFile(file)
        self.state.restore(self.accounts)
        self.simulator = self.accounts.first

    def call(
        self, method: str, path: str, query: str = "", body: Any = None, simulator: Simulator | None = None
    ) -> Any:
        asked = simulator or self.simulator
        login = f"{asked.settings.login}:{asked.settings.password}"
        headers = {"authorization": "Basic " + base64.b64encode(login.encode()).decode()}
        raw = b"" if body is None else json.dumps(body).encode()
        reply = asked.handle(WireRequest(method, path, query, headers, raw))
        try:
            return json.loads(reply.body)
        except ValueError:
            return None

    def send(self, *numbers: str, simulator: Simulator | None = None, **members: Any) -> Any:
        destinations = [{"to": {"phoneNumber": number}} for number in numbers]
        body = {"destinations": destinations, "line": {"text": "by LINE"}, "sms": {"text": "by SMS"}, **members}
        return self.call("POST", "/omni/1/advanced", "", body, simulator)

    def end(self) -> None:
        self.state.close()

    def look(self, simulator: Simulator | None = None) -> Any:
        """Everything that can be seen of an account, without changing it."""
        looked = simulator or self.simulator
        messages = looked.messages.find()
        with looked.looking() as account:
            unread = [account.store.unread_of(m, looked.now(), looked.settings) for m in account.index.oldest_first()]
        record = looked.record
        return {
            "messages": messages,
            "details": [inbox_views.detail(looked, message.number) for message in messages],
            "unread": [[(entry.number, entry.available_at) for entry in entries] for entries in unread],
            "record": (record.acceptances, record.refusals, record.deliveries, record.reports_read),
            "page": inbox_views.page(looked, MessageQuery(), None, 200) | {"version": None},
            "faults": [armed.to_json() | {"number": 0} for armed in looked.faults.planned()],
            "time": looked.now(),
        }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def test_what_was_there_is_there_again(file):
    run = Run(file, reports="per-step")
    run.simulator.add_scenario()
    run.send("41793026727", "41793026740", "41793026710", "41793026745", bulkId="bulk-a")
    run.simulator.advance(1)
    run.call("GET", "/omni/1/reports", "limit=1")
    run.simulator.messages.decide("failed", to="41793026745")
    run.simulator.faults.add("error-after", call="send", times=3)
    run.send("41793026731")
    run.simulator.messages.delete(to="41793026740")
    before = run.look()
    run.end()

    again = Run(file, reports="per-step")

    assert again.look() == before
    assert len(before["messages"]) == 4
    again.end()


@pytest.mark.parametrize("seed", range(12))
def test_any_story_can_be_told_again(file, seed):
    chance = random.Random(seed)
    settings = {
        "reports": chance.choice(["final", "per-step"]),
        "report_order": chance.choice(["newest", "random"]),
        "report_consumption": chance.choice(["read", "written"]),
        "answer_order": "random",
        "duplicates": chance.choice(["status-23", "report"]),
        "seed": seed,
    }
    run = Run(file, **settings)
    run.simulator.add_scenario()
    kinds = ["reset-after", "hold-before", "hold-after", "second-reader", "missing-entries", "error-before"]

    def deed() -> None:
        number = f"4179302{chance.randrange(100):02d}{chance.choice(['27', '40', '42', '44', '45', '10', '62', '74'])}"
        chance.choice(
            [
                lambda: run.send(number, f"{number[:-2]}31"),
                lambda: run.send(number, destinations=[{"to": {"phoneNumber": number}, "messageId": "same"}]),
                lambda: run.simulator.advance(chance.choice([0.5, 1, 60, 5000])),
                lambda: run.call("GET", "/omni/1/reports", chance.choice(["", "limit=2", "bulkId=nothing"])),
                lambda: run.call("GET", "/omni/1/logs"),
                lambda: run.simulator.faults.add(
                    chance.choice(kinds), probability=chance.choice([1, 0.5]), seed=seed, times=chance.choice([1, None])
                ),
                run.simulator.faults.clear,
                run.simulator.release,
                run.simulator.drop_held,
                lambda: run.simulator.messages.decide(chance.choice(["failed", "delivered", "all-failed"]), to=number),
                lambda: run.simulator.messages.delete(query=f"to:{number[7:9]}"),
                lambda: run.simulator.configure(fates=chance.choice(["by-hand", "by-number"])),
                lambda: chance.random() < 0.1 and run.simulator.reset(),
            ]
        )()

    for _ in range(4):
        for _ in range(25):
            deed()
        run.simulator.drop_held()
        switches = run.simulator.settings.switches() | {"seed": seed}
        before = run.look()
        run.end()
        run = Run(file, **switches)
        assert run.look() == before
    run.end()


def test_a_report_is_still_read_once(file):
    run = Run(file)
    run.simulator.add_scenario()
    run.send("41793026727", "41793026731")
    run.simulator.advance(5)
    assert len(run.call("GET", "/omni/1/reports", "limit=1")["results"]) == 1
    run.end()

    again = Run(file)

    assert len(again.call("GET", "/omni/1/reports")["results"]) == 1
    assert again.call("GET", "/omni/1/reports")["results"] == []
    again.end()


def test_accounts_are_kept_apart(file):
    run = Run(file)
    ann = run.accounts.add("ann", "secret")
    ann.add_scenario()
    run.send("41793026727", simulator=ann)
    before = run.look(ann)
    run.end()

    again = Run(file)

    assert again.accounts.logins() == ["demo", "ann"]
    assert again.look(again.accounts.get("ann")) == before
    assert again.look()["messages"] == []
    assert again.accounts.add("ann", "another").settings.password == "another"
    with pytest.raises(ValueError, match="has an account already"):
        again.accounts.add("ann", "another")
    again.end()


def test_time_goes_on_where_it_was_moved_to(file):
    run = Run(file, RealClock())
    run.simulator.advance(5000)
    run.simulator.reset()
    run.simulator.advance(5000)
    run.end()

    again = Run(file, clock := RealClock())

    assert 9_999 < clock.now() - RealClock().now() < 10_001
    again.end()


def test_the_flags_of_a_start_hold(file):
    Run(file, reports="per-step").end()
    again = Run(file, reports="final")
    assert again.simulator.settings.reports == "final"
    again.end()


def test_a_reset_makes_the_file_small(file):
    run = Run(file)
    run.simulator.add_scenario()
    for _ in range(50):
        run.send("41793026727")
    run.simulator.reset()
    run.end()
    with sqlite3.connect(file) as database:
        assert database.execute("SELECT count(*) FROM deeds").fetchone() == (1,)


def test_no_secret_is_in_the_file(file):
    run = Run(file, password="s3cret-word", app_key="s3cret-key")
    run.simulator.add_scenario()
    run.send("41793026727")
    run.accounts.add("ann", "s3cret-too")
    run.simulator.handle(WireRequest("POST", "/omni/1/advanced", "", {"authorization": "App s3cret-key"}, b"{}"))
    run.end()
    held = file.read_bytes()
    assert b"bulkId" not in held or b"s3cret" not in held
    assert b"s3cret" not in held
    assert base64.b64encode(b"demo:s3cret-word") not in held


def test_the_login_may_change(file):
    run = Run(file)
    run.simulator.add_scenario()
    run.send("41793026727")
    run.end()
    again = Run(file, login="other", password="other")
    assert len(again.simulator.messages) == 1
    again.end()


def test_the_demo_is_kept_too(file):
    run = Run(file)
    demo.fill(run.simulator)
    before = run.look()
    run.end()
    again = Run(file)
    assert again.look() == before
    again.end()


def test_a_file_of_something_else_is_refused(tmp_path):
    text, other, newer = tmp_path / "text", tmp_path / "other.db", tmp_path / "newer.db"
    text.write_text("not a database, and longer than the header of one would be: " * 20)
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE mine (x)")
    StateFile(newer).close()
    with sqlite3.connect(newer) as database:
        database.execute("PRAGMA user_version = 99")
    for path, complaint in [(text, "not a database"), (other, "something else"), (newer, "format 99")]:
        with pytest.raises(ValueError, match=complaint):
            StateFile(path)
    with pytest.raises(ValueError, match="unable to open"):
        StateFile(tmp_path / "nowhere" / "state.db")


def test_a_file_has_one_server_at_a_time(file):
    first = StateFile(file)
    with pytest.raises(ValueError, match="locked"):
        StateFile(file)
    first.close()
    StateFile(file).close()
