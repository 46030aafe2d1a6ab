"""Unit tests are quick: a test that computes for more than two seconds on a quiet core belongs to tests/integration, or
can be made smaller; one that waits wants a clock (tests/harness/clock.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

CPU_SECONDS = 4.0
"""Twice what is meant, since computing takes longer while other processes use the same core's caches and threads."""
WALL_SECONDS = 60.0
"""Nothing that computes for two seconds takes a minute, on whatever machine: this catches real sleeps."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let no unit test wait for real."""
    for item in items:
        if item.nodeid.startswith("tests/unit/"):
            item.add_marker(pytest.mark.timeout(WALL_SECONDS))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Fail a test that takes too much time of the processor, in its own threads and in processes that it started."""
    before = _computed()
    yield
    took = _computed() - before
    assert took < CPU_SECONDS, f"computed for {took:.1f} s: no unit test takes more than two seconds on a quiet core"


def _computed() -> float:
    return sum(os.times()[:4])
