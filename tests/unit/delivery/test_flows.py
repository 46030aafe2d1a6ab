"""A scenario's flow, and what a message has to say on its channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.delivery.flows import attempted, mismatches
from airflow_provider_omni.omni.errors import OmniInputError
from tests.unit.delivery.batch.batchworld import World, numbers

VIBER = {"viber": {"text": "Hello"}}
LINE = {"type": "TEXT", "text": "Hello", "validityPeriod": 5}


def test_steps_without_content_are_not_attempted() -> None:
    assert attempted(("LINE", "SMS"), ("LINE",)) == ("LINE",)
    assert attempted(("line", "SMS"), ("LINE", "VIBER")) == ("line",)
    assert attempted(("LINE", "SMS"), ()) == ("LINE", "SMS")


@pytest.mark.parametrize(
    ("flow", "channels", "said"),
    [
        (("LINE", "SMS"), ("LINE", "SMS"), []),
        (("LINE", "SMS"), ("LINE",), ["The scenario tries SMS too"]),
        (("LINE", "SMS"), ("LINE", "SMS", "VIBER"), ["content for VIBER, which nobody gets"]),
        (("LINE", "SMS"), ("SMS", "VIBER", "WHATSAPP"), ["tries LINE too", "content for VIBER, WHATSAPP"]),
        (("LINE", "SMS", "SMS"), ("LINE", "SMS"), []),
    ],
)
def test_what_does_not_fit_is_said(flow: Any, channels: Any, said: list[str]) -> None:
    lines = list(mismatches(flow, channels))
    assert len(lines) == len(said)
    assert all(words in line for words, line in zip(said, lines, strict=True))


def test_a_batch_says_which_content_nobody_gets_and_which_step_has_none(tmp_path: Path) -> None:
    world = World(tmp_path)
    end = world.send(numbers(3), {"line": LINE, "other_channels": VIBER})
    said = "\n".join(world.lines)
    assert "content for VIBER, which nobody gets: the scenario tries LINE, SMS only" in said
    assert "tries SMS too, but the message has no content for it" in said
    assert end.receipt.counts.accepted == 3


def test_a_batchs_receipt_names_the_steps_that_are_attempted_so_that_no_wait_goes_on_for_others(tmp_path: Path) -> None:
    """End as a single send's flow does: the failure of the last of them is the end of a message."""
    assert World(tmp_path / "a").send(numbers(3), {"line": LINE}).receipt.flow == ("LINE",)
    assert World(tmp_path / "b").send(numbers(3), {"line": LINE, "sms": {"text": "x"}}).receipt.flow == ("LINE", "SMS")


def test_a_batch_for_channels_that_the_scenario_does_not_try_is_not_sent(tmp_path: Path) -> None:
    world = World(tmp_path)
    error = world.send(numbers(3), {"other_channels": VIBER}).error
    assert isinstance(error, OmniInputError)
    assert error.problems == ("flow: tries LINE, SMS, but there is content for VIBER only: nobody would get anything",)
    assert world.posts == 0
