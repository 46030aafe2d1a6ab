"""A record that is all that the earlier tries have written, and one that is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_omni.delivery.outbox.tries import KEY, OTHERS, Tries, begin_try, end_try, lost_tries
from airflow_provider_omni.omni.errors import OmniStaleTryError, OmniStorageError
from tests.unit.delivery.stage import START, Stage

RUN_BEGAN = START - 500.0


def begin(stage: Stage, number: int, first_try_at: float | None = RUN_BEGAN) -> Tries:
    tries: Tries = stage.play(begin_try(number, first_try_at, stage.clock.now))
    return tries


def end(stage: Stage, tries: Tries, writes: int | None = None) -> None:
    stage.play(end_try(tries, writes))


def test_before_the_first_try_nothing_was_sent() -> None:
    tries = begin(Stage(), 1)
    assert tries.record_complete
    assert (tries.not_before, tries.writes) == (START, 0)


def test_a_try_that_has_ended_tells_the_next_how_often_it_has_written_the_record() -> None:
    stage = Stage()
    end(stage, begin(stage, 1), 7)
    stage.clock.advance(60.0)
    tries = begin(stage, 2)
    assert (tries.record_complete, tries.writes, tries.not_before) == (True, 7, START)


def test_a_try_that_ended_before_it_came_to_send_changes_nothing() -> None:
    stage = Stage()
    end(stage, begin(stage, 1), 7)
    end(stage, begin(stage, 2), None)
    tries = begin(stage, 3)
    assert (tries.record_complete, tries.writes) == (True, 7)


def test_after_a_try_that_was_killed_the_record_may_be_older_than_what_was_sent() -> None:
    stage = Stage()
    end(stage, begin(stage, 1), 7)
    begin(stage, 2)
    tries = begin(stage, 3)
    assert (tries.record_complete, tries.unaccounted, tries.not_before) == (False, 1, START)


def test_what_one_try_could_not_clear_up_the_next_one_doubts_as_well() -> None:
    stage = Stage()
    begin(stage, 1)
    end(stage, begin(stage, 2), None)
    assert begin(stage, 3).unaccounted == 2


@pytest.mark.parametrize("gone", [None, {"v": 99}, "what is this", {"v": 1, "not_before": "x", "told": 1, "writes": 2}])
def test_an_entry_that_is_gone_or_cannot_be_read_tells_nothing(gone: Any) -> None:
    """Cleared on success or with a clear, another store, an Airflow below 3.3, another version of the provider."""
    stage = Stage(memory={KEY: gone})
    tries = begin(stage, 4)
    assert (tries.record_complete, tries.unaccounted, tries.not_before) == (False, 3, RUN_BEGAN)


def test_an_older_entry_that_was_restored_tells_nothing() -> None:
    stage = Stage()
    end(stage, begin(stage, 1), 3)
    older = dict(stage.memory)
    end(stage, begin(stage, 2), 9)
    stage.memory = older
    assert begin(stage, 3).unaccounted == 1


def test_an_entry_of_another_run_of_the_same_name_tells_nothing() -> None:
    stage = Stage()
    end(stage, begin(stage, 1), 3)
    assert not begin(stage, 1).record_complete
    end(stage, replace(begin(stage, 5), last_ended=4), 3)
    assert not begin(stage, 3).record_complete


def test_a_try_whose_beginning_cannot_be_written_down_does_not_begin() -> None:
    with pytest.raises(OmniStorageError):
        begin(Stage(saves=[OmniStorageError("down")]), 1)


@pytest.mark.parametrize("error", [OmniStaleTryError("replaced"), OmniStorageError("down")])
def test_an_end_that_cannot_be_written_down_makes_the_next_try_doubt(error: Any) -> None:
    stage = Stage()
    tries = begin(stage, 1)
    stage.saves = [error]
    end(stage, tries, 3)
    stage.saves = [None]
    assert not begin(stage, 2).record_complete


def test_how_many_tries_may_be_lost_the_missing_writes_of_a_record_tell_as_well() -> None:
    assert lost_tries(unaccounted=2, expected=3, written=3) == 2
    assert lost_tries(unaccounted=1, expected=5, written=3) == 3
    assert lost_tries(unaccounted=0, expected=1000, written=0) == OTHERS
    assert lost_tries(unaccounted=0, expected=0, written=4) == 0
