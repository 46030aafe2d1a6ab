"""The engine around the calls: record, time, held answers, waiting, reset, and that it is fast."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_omni.simulator.clock import ManualClock, RealClock
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.wire import Ending, WireRequest


class TestRecord:
    def test_an_acceptance_says_who_what_and_when(self, driven):
        account = driven()
        account.send_id("m1", bulkId="b1")
        acceptance = account.record.acceptances[0]
        assert (acceptance.message_id, acceptance.bulk_id, acceptance.to) == ("m1", "b1", "41793026727")
        assert (acceptance.scenario_key, acceptance.at) == (account.scenario_key, account.clock.now())

    def test_equal_contents_have_equal_hashes(self, driven):
        account = driven()
        account.send()
        account.send()
        account.send(sms={"text": "other"})
        first, second, third = (one.content_hash for one in account.record.acceptances)
        assert first == second != third

    def test_the_same_text_twice_to_one_person_is_a_duplicate(self, driven):
        account = driven()
        account.send("41793026701", "41793026702")
        assert account.record.duplicates() == []
        account.send("41793026701")
        assert [(one.to, len(one.acceptances)) for one in account.record.duplicates()] == [("41793026701", 2)]

    def test_another_text_to_one_person_is_not(self, driven):
        account = driven()
        account.send()
        account.send(sms={"text": "other"})
        assert account.record.duplicates() == []

    def test_one_id_accepted_twice_is_a_duplicate_whatever_the_text(self, driven):
        account = driven(duplicates="accept")
        account.send_id("m1")
        account.send_id("m1", sms={"text": "other"})
        assert len(account.record.duplicates()) == 1

    def test_deliveries_come_with_time(self, driven):
        account = driven()
        account.send()
        assert account.record.deliveries == []
        account.advance(1)
        assert [(one.to, one.channel) for one in account.record.deliveries] == [("41793026727", "LINE")]

    def test_calls_are_counted_by_name(self, driven):
        account = driven()
        account.send("41793026701", "41793026702")
        account.logs(messageId="m1")
        account.call("GET", "/nowhere")
        send, logs, unknown = account.record.calls
        assert (send.name, send.method, send.path, send.status, send.entries, send.effect) == (
            "send",
            "POST",
            "/omni/1/advanced",
            200,
            2,
            True,
        )
        assert (logs.name, logs.query, logs.entries) == ("logs", "messageId=m1", 0)
        assert (unknown.name, unknown.status, unknown.effect) == ("unknown", 404, False)
        assert account.record.calls_of("send") == [send]

    def test_reports_read_are_noted(self, driven):
        account = driven()
        account.send_id("m1")
        account.advance(1)
        account.reports()
        read = account.record.reports_read[0]
        assert (read.message_id, read.channel, read.status_id, read.by, read.lost) == ("m1", "LINE", 5, "caller", False)


class TestReset:
    def test_it_forgets_what_happened_and_keeps_switches_and_time(self, driven):
        account = driven(reports="per-step")
        account.send()
        account.simulator.faults.add("forbid", times=None)
        now = account.clock.now()
        account.simulator.reset()
        assert (account.record.acceptances, account.logs(), account.clock.now()) == ([], [], now)
        assert account.simulator.settings.reports == "per-step"
        assert account.send().status == 400

    def test_held_answers_end_in_a_reset(self, driven):
        account = driven()
        account.simulator.faults.add("hold-after")
        held = account.send().wire
        account.simulator.reset()
        assert held.released.result().ending is Ending.RESET


class TestTime:
    def test_a_manual_clock_moves_by_command_only(self):
        clock = ManualClock(5.0)
        clock.advance(2)
        assert clock.now() == 7.0

    def test_a_real_clock_can_jump_ahead(self):
        clock = RealClock()
        before = clock.now()
        clock.advance(3600)
        assert clock.now() >= before + 3600

    @pytest.mark.parametrize("clock", [ManualClock(), RealClock()])
    def test_time_does_not_go_back(self, clock):
        with pytest.raises(ValueError, match="only moves ahead"):
            clock.advance(-1)


class TestWaiting:
    def test_wait_until_returns_when_a_call_makes_it_true(self, driven):
        account = driven()
        sender = threading.Timer(0.01, account.send)
        sender.start()
        account.simulator.wait_until(lambda simulator: simulator.record.acceptances, timeout=10)
        sender.join()

    def test_wait_until_gives_up(self, driven):
        with pytest.raises(TimeoutError):
            driven().simulator.wait_until(lambda simulator: False, timeout=0)

    def test_time_alone_can_make_it_true(self):
        simulator = Simulator()
        due = simulator.clock.now() + 0.05
        simulator.wait_until(lambda one: one.clock.now() >= due, timeout=10)


class TestHolding:
    def test_one_of_several_can_be_released(self, driven):
        account = driven()
        account.simulator.faults.add("hold-after", times=2)
        first, second = account.send().wire, account.send().wire
        account.simulator.release(second.held_id)
        assert (first.released.done(), second.released.done()) == (False, True)

    def test_what_was_held_before_its_effect_is_recorded_when_released(self, driven):
        account = driven()
        account.simulator.faults.add("hold-before")
        account.send()
        account.advance(5)
        account.simulator.release()
        assert [(call.name, call.effect) for call in account.record.calls] == [("send", False), ("send", True)]
        assert account.record.acceptances[0].at == account.clock.now()

    def test_drop_held_takes_no_further_effect(self, driven):
        account = driven()
        account.simulator.faults.add("hold-before")
        account.send()
        account.simulator.drop_held()
        assert account.simulator.release() == []
        assert account.record.acceptances == []


def test_equal_seeds_and_calls_give_equal_answers(driven):
    def answers():
        account = driven(report_order="random", answer_order="random", seed=7)
        sent = account.send(*[f"417930267{ending}" for ending in ("00", "01", "02", "03")]).json
        account.advance(2)
        return sent, account.reports()

    assert answers() == answers()


def test_calls_from_many_threads_are_all_counted(driven):
    account = driven(duplicates="status-23")
    with ThreadPoolExecutor(8) as pool:
        statuses = [
            answer.json["messages"][0]["status"]["id"]
            for answer in pool.map(lambda number: account.send_id(f"m{number % 50}"), range(200))
        ]
    assert (statuses.count(7), statuses.count(23)) == (50, 150)
    assert len(account.record.calls) == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "BREW"])
@pytest.mark.parametrize("path", ["/omni/1/scenarios/%ff", "/omni/1/logs", "*", "", "/omni/1/reports"])
def test_whatever_is_asked_gets_an_answer(driven, method, path):
    account = driven()
    request = WireRequest(method, path, "limit=%ff&limit=&&=x", {"authorization": "App demo"}, b"\x00")
    assert 200 <= account.simulator.handle(request).status < 500


def test_a_schedule_of_ten_calls_takes_a_few_milliseconds(driven):
    def schedule():
        account = driven()
        account.send_id("m1", "41793026740")
        for _ in range(4):
            account.advance(1)
            account.reports(messageId="m1", limit=1000)
            account.logs(messageId="m1")

    schedule()
    began = time.process_time()
    for _ in range(50):
        schedule()
    assert (time.process_time() - began) / 50 < 0.05


def test_a_filtered_read_costs_what_it_returns_in_a_large_account(driven):
    account = driven()
    for start in range(0, 10_000, 1000):
        account.send(*[f"4179{start + number:07d}" for number in range(1000)], bulkId=f"b{start}")
    account.send_id("m1", bulkId="mine")
    account.advance(5)
    account.reports(messageId="m1", limit=1)
    began = time.process_time()
    for _ in range(100):
        assert account.reports(messageId="m1") == []
        assert len(account.logs(messageId="m1")) == 1
        account.advance(1)
    assert (time.process_time() - began) / 100 < 0.02
