"""The budget of logs calls and the limiter of a connection, with a clock of our own."""

from __future__ import annotations

import random
import threading
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.omni.rate_limits import RateLimiter, WindowLimiter, logs_budget, rate_limiter_of


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_window_has_so_many_calls_and_then_a_wait() -> None:
    clock = Clock()
    budget = WindowLimiter(3, clock, lambda: 0.0)
    assert [budget.try_take() for _ in range(4)] == [0.0, 0.0, 0.0, 60.0]
    clock.now += 59.9
    assert budget.try_take() == pytest.approx(0.1)
    clock.now += 0.1
    assert [budget.try_take() for _ in range(3)] == [0.0, 0.0, 0.0]


@given(st.lists(st.floats(0, 30), min_size=1, max_size=200), st.integers(1, 20))
def test_no_window_of_a_minute_has_more_calls_than_allowed(pauses: list[float], per_minute: int) -> None:
    clock, taken = Clock(), deque[float]()
    budget = WindowLimiter(per_minute, clock)
    for pause in pauses:
        clock.now += pause
        if budget.try_take() == 0.0:
            taken.append(clock.now)
            assert sum(1 for moment in taken if moment > clock.now - 60.0) <= per_minute


def test_a_thousand_who_wait_as_they_are_told_all_get_their_turn() -> None:
    clock, dice = Clock(), random.Random(7)
    budget = WindowLimiter(100, clock, dice.random)
    due = [(clock.now, waiter) for waiter in range(1000)]
    asked = 0
    while due:
        due.sort()
        clock.now, waiter = due.pop(0)
        asked += 1
        if wait := budget.try_take():
            due.append((clock.now + wait, waiter))
    assert clock.now - 1000.0 < 2 * 10 * 60
    assert asked < 20 * 1000


def test_after_a_429_nobody_calls_for_a_while_and_longer_each_time() -> None:
    clock = Clock()
    budget = WindowLimiter(100, clock, lambda: 0.0)
    held = []
    for _ in range(6):
        budget.hold_back()
        held.append(budget.try_take())
        clock.now += held[-1]
        assert budget.try_take() == 0.0
    assert held == [10.0, 20.0, 40.0, 60.0, 60.0, 60.0]


def test_a_429_after_a_quiet_minute_is_a_first_one_again() -> None:
    clock = Clock()
    budget = WindowLimiter(100, clock, lambda: 0.0)
    budget.hold_back()
    clock.now += 10.0 + 60.0
    budget.hold_back()
    assert budget.try_take() == 10.0


def test_many_429s_of_calls_that_were_on_their_way_count_as_one() -> None:
    clock = Clock()
    budget = WindowLimiter(100, clock, lambda: 0.0)
    for _ in range(25):
        budget.hold_back()
        clock.now += 0.01
    assert budget.try_take() == pytest.approx(9.75)


@pytest.mark.parametrize(("asked", "held"), [(3.0, 10.0), (45.0, 45.0), (86_400.0, 300.0), (-1.0, 10.0)])
def test_the_vendors_own_word_counts_within_five_minutes(asked: float, held: float) -> None:
    budget = WindowLimiter(100, Clock(), lambda: 0.0)
    budget.hold_back(asked)
    assert budget.try_take() == held


def test_who_was_held_back_does_not_come_back_all_at_once() -> None:
    budget = WindowLimiter(100, Clock(), random.Random(7).random)
    budget.hold_back()
    waits = [budget.try_take() for _ in range(100)]
    assert min(waits) >= 10.0
    assert max(waits) - min(waits) > 20.0


def test_a_budget_is_shared_by_threads() -> None:
    budget, granted = WindowLimiter(50, Clock()), []
    threads = [
        threading.Thread(target=lambda: granted.extend(not budget.try_take() for _ in range(20))) for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 50


def test_an_account_has_one_budget_in_the_process() -> None:
    assert logs_budget("a") is logs_budget("a")
    assert logs_budget("a") is not logs_budget("b")


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="per_minute"):
        WindowLimiter(0)


def test_slots_of_a_pace_are_evenly_spaced() -> None:
    clock = Clock()
    limiter = RateLimiter(4.0, clock)
    assert [limiter.reserve() for _ in range(3)] == [0.0, 0.25, 0.5]
    clock.now += 10
    assert [limiter.reserve() for _ in range(2)] == [0.0, 0.25]


def test_no_pace_is_no_wait() -> None:
    limiter = RateLimiter(None, Clock())
    assert [limiter.reserve() for _ in range(3)] == [0.0, 0.0, 0.0]


def test_an_account_has_one_pace_in_the_process() -> None:
    assert rate_limiter_of("a", 1.0) is rate_limiter_of("a", 1.0)
    assert rate_limiter_of("a", 1.0) is not rate_limiter_of("b", 1.0)
