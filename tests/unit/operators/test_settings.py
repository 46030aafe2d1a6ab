"""Settings of sends: which values each may have."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_omni.omni.arguments import read_arguments
from airflow_provider_omni.operators.settings import BatchSettings, SendSettings
from airflow_provider_omni.operators.slips import DEFAULTS

NAN = float("nan")


def problems(model: type[SendSettings] = BatchSettings, **given: Any) -> list[str]:
    found: list[str] = []
    read_arguments(model, given, found)
    return found


@pytest.mark.parametrize("name", ["placeholders", "dry_run"])
@pytest.mark.parametrize("value", ["true", "{{ params.dry }}", 0, 1, None])
def test_a_flag_is_true_or_false_since_any_text_would_mean_yes(name: str, value: Any) -> None:
    (line,) = problems(**{name: value})
    assert line.startswith(f"{name}: got ")
    assert line.endswith("expected True or False; it is no template")
    assert str(value) not in line


@pytest.mark.parametrize("value", [True, -1, -0.1, 1.5, "0.1", None, NAN])
def test_a_limit_of_quarantined_rows_is_a_count_or_a_share(value: Any) -> None:
    (line,) = problems(max_quarantined=value)
    assert line.startswith("max_quarantined: got ")


@pytest.mark.parametrize("value", [0, 1, 20, 0.0, 0.1, 1.0])
def test_a_count_stays_a_count_and_a_share_a_share(value: float) -> None:
    kept = BatchSettings(max_quarantined=value).max_quarantined
    assert (kept, type(kept)) == (value, type(value))


@pytest.mark.parametrize("name", ["chunk_size", "max_connections", "max_recipients"])
@pytest.mark.parametrize(
    ("value", "good"), [(1, True), (None, True), (0, False), (True, False), ("5", False), (2.0, False)]
)
def test_a_number_of_things_is_a_whole_number_from_1(name: str, value: Any, good: bool) -> None:
    assert problems(**{name: value}) == [] if good else problems(**{name: value})[0].startswith(f"{name}: got ")


@pytest.mark.parametrize("value", [-1, 300.5, "30", None, True, NAN])
def test_a_grace_of_the_logs_is_0_to_300_seconds(value: Any) -> None:
    assert problems(log_grace=value)[0].startswith("log_grace: got ")
    assert problems(log_grace=300) == problems(log_grace=0.5) == []


def test_a_share_of_refused_recipients_may_be_given_to_a_batch_only() -> None:
    assert problems(on_rejected=0.02) == problems(on_rejected=1) == []
    for wrong in (1.5, True, "0.02", NAN):
        assert len(problems(on_rejected=wrong)) == 1
    assert problems(SendSettings, on_rejected=0.02) == ["on_rejected: got 0.02, expected 'fail' or 'ignore'"]


def test_every_setting_that_is_wrong_is_named_and_the_others_are_read() -> None:
    found: list[str] = []
    told = read_arguments(BatchSettings, {"chunk_size": 0, "log_grace": -1, "shard": "2/3", "key_field": ""}, found)
    assert [line.partition(":")[0] for line in found] == ["log_grace", "chunk_size"]
    assert (told.log_grace, told.chunk_size, told.key_field) == (30.0, None, None)
    assert told.shard is not None
    assert told.shard.count == 3


def test_countries_and_checks_of_numbers_that_are_none_are_each_named() -> None:
    found = problems(region="UK", allowed_countries=["Thailand"], number_check="none")
    assert [line.partition(":")[0] for line in found] == ["region", "allowed_countries", "number_check"]
    assert "the United Kingdom is GB" in found[0]


def test_the_defaults_that_the_reading_of_a_dag_knows_are_those_of_the_models() -> None:
    assert {name: field.default for name, field in BatchSettings.model_fields.items()} == DEFAULTS
