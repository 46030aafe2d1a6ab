"""Points at which a process can die, by their names: each has a line in the table, and each is met."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest

import tests.crash
from airflow_provider_omni.delivery.effects import Label
from tests.crash import batch_running, running
from tests.crash.batch_mutants import _LEDGER, _SEND, _people
from tests.crash.mutating import CALM, RETRIED, B, focused, mode_of
from tests.crash.processes import CrashPoint, Phase

LABELS = [each for each in get_args(Label) if each]
OF_WAITS = ("journal read", "reports read", "journal written", "singles marked")
OF_LEDGERS = ("plan written", "fence checked", "end written")
SINGLE_ONLY = ("record read",)


def _single(label: Any, phase: Phase) -> tuple[str, ...]:
    """The trace of a send whose POST is lost, and of its wait."""
    crash_points = (CrashPoint(label, phase),)
    focus = focused(
        **B,
        network=CALM | {"posts": ("reset-before",)},
        send=RETRIED
        | {"people": (("41793020027", "41793020127"),), "crash_points": () if label in OF_WAITS else crash_points},
        wait=mode_of("trigger", crash_points=crash_points if label in OF_WAITS else ()),
        settings={"given_bulk_id": "dropped"},
    )
    return running.run(0, trace=True, focus=focus).trace


def _batch(label: Any, phase: Phase) -> tuple[str, ...]:
    """Points of a batch with a ledger."""
    crash_points = (CrashPoint(label, phase),)
    focus = focused(
        **B | _LEDGER,
        network=CALM | {"posts": ("reset-before",)},
        send=_SEND
        | {"sources": _people("27", "27"), "personal": False, "chunk": 2}
        | {"crash_points": () if label in OF_WAITS else crash_points},
        wait=mode_of("trigger", crash_points=crash_points if label in OF_WAITS else ()),
        settings={"given_bulk_id": "dropped"},
    )
    return batch_running.run(0, trace=True, focus=focus).trace


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("label", [each for each in LABELS if each not in OF_LEDGERS])
def test_a_single_send_or_its_wait_can_die_at_each_point(label: str, phase: Phase) -> None:
    assert any(f"killed {phase.value} “{label}” no. 1" in line for line in _single(label, phase))


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("label", [each for each in LABELS if each not in SINGLE_ONLY])
def test_a_batch_or_its_wait_can_die_at_each_point_also_in_what_it_submits(label: str, phase: Phase) -> None:
    assert any(f"killed {phase.value} “{label}” no. 1" in line for line in _batch(label, phase))


def test_a_batch_that_dies_before_its_post_has_posted_nothing_and_one_that_dies_during_it_has() -> None:
    before, during = (
        [line for line in _batch("POST", phase) if "POST /omni" in line or "killed" in line] for phase in Phase
    )
    assert "killed" in before[0]
    assert "POST" in during[0]
    assert "killed" in during[1]


def test_the_nth_time_that_a_label_comes_can_be_meant() -> None:
    focus = focused(
        **B | _LEDGER,
        network=CALM | {"posts": ()},
        send=_SEND
        | {"sources": _people(*("27",) * 6), "personal": False, "connections": 1, "chunk": 1}
        | {"crash_points": (CrashPoint("POST", Phase.BEFORE, nth=4),)},
    )
    trace = batch_running.run(0, trace=True, focus=focus).trace
    killed = next(index for index, line in enumerate(trace) if "killed" in line)
    assert sum("POST /omni" in line for line in trace[:killed]) == 3


def test_every_label_has_a_line_in_the_table_in_the_order_of_a_life() -> None:
    table = re.findall(r"^    ([A-Za-z]+(?: [a-z]+)*) {2,}\S", tests.crash.__doc__ or "", re.M)
    assert [each for each in table if each in LABELS] == LABELS


def test_a_point_that_no_effect_names_is_refused() -> None:
    label: Any = "intent writen"
    with pytest.raises(AssertionError, match="intent writen"):
        CrashPoint(label, Phase.BEFORE)
