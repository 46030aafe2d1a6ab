"""The API's dates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.omni.models import Report
from airflow_provider_omni.omni.timestamps import format_body_time, format_query_time, parse_time

MOMENT = datetime(2019, 1, 10, 16, 27, 20, 98000, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2019-01-10T16:27:20.098+0000",
        "2019-01-10T16:27:20.098+00:00",
        "2019-01-10T16:27:20.098Z",
        "2019-01-10T17:27:20.098+01:00",
        "2019-01-10T17:27:20.098+0100",
        "2019-01-10T13:27:20.098-0300",
        " 2019-01-10T16:27:20.098000Z ",
    ],
)
def test_every_way_of_writing_the_offset_is_read(text: str) -> None:
    assert parse_time(text) == MOMENT


def test_fractions_of_a_second_may_be_missing() -> None:
    assert parse_time("2019-01-10T16:27:20+0000") == MOMENT.replace(microsecond=0)


@pytest.mark.parametrize("text", ["", "yesterday", "2019-01-10T16:27:20", "1547137640", "2019-13-10T16:27:20Z"])
def test_a_time_without_an_offset_or_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)


def test_bodies_get_an_offset_without_a_colon() -> None:
    assert format_body_time(MOMENT.astimezone(timezone(timedelta(hours=1)))) == "2019-01-10T16:27:20.098+0000"


def test_queries_get_an_offset_with_a_colon() -> None:
    assert format_query_time(MOMENT.astimezone(timezone(timedelta(hours=-3)))) == "2019-01-10T16:27:20.098+00:00"


@pytest.mark.parametrize("write", [format_body_time, format_query_time])
def test_a_time_without_an_offset_is_not_written(write: object) -> None:
    with pytest.raises(ValueError):
        write(datetime(2019, 1, 10))  # type: ignore[operator]


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_what_is_written_is_read_back_to_the_millisecond(moment: datetime) -> None:
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert parse_time(format_body_time(moment)) == parse_time(format_query_time(moment)) == whole


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60), st.booleans())
def test_models_read_times_as_the_function_does(moment: datetime, minutes: int, colon: bool) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    text = aware.isoformat(timespec="milliseconds")
    text = text if colon else text[:-3] + text[-2:]
    report = Report.model_validate_json(f'{{"messageId": "m", "status": {{}}, "doneAt": "{text}"}}')
    assert report.done_at == parse_time(text)
