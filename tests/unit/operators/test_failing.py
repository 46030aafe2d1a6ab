"""The exceptions of Airflow's that end a task: what their tracebacks in the task log tell, and how often."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_omni.omni import errors
from airflow_provider_omni.operators.failing import fail_without_retry
from airflow_provider_omni.sensors.omni import OmniDeliverySensor


def sensor(**arguments: Any) -> Any:
    return OmniDeliverySensor(task_id="wait", message_ids="m", **arguments)


@contextlib.contextmanager
def ended(by: str) -> Iterator[list[str]]:
    """Collects the traceback of what ends a task."""
    ends = {
        "operator": fail_without_retry,
        "sensor": lambda: sensor()._new_wait().airflow_errors({}),
        "skipped sensor": lambda: sensor(soft_fail=True)._new_wait().airflow_errors({}),
    }
    told: list[str] = []
    with pytest.raises((AirflowFailException, AirflowSkipException)) as caught, ends[by]():
        yield told
    told.append("".join(traceback.format_exception(caught.value)))


ENDS = ("operator", "sensor", "skipped sensor")
KINDS = (errors.OmniConfigurationError, errors.OmniInputError, errors.OmniRejectedError, errors.OmniStaleTryError)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by", ENDS)
def test_a_task_log_tells_an_error_of_ours_once(by: str, kind: type[errors.OmniError]) -> None:
    with ended(by) as told:
        raise kind("It cannot be.", problems=["one: missing"], retryable=False)
    assert told[0].count("one: missing") == 1
    assert told[0].count(kind.code) == 1


@pytest.mark.parametrize("by", ENDS)
def test_a_cause_that_is_not_ours_is_told_below(by: str) -> None:
    with ended(by) as told:
        try:
            raise OSError("disk on fire")
        except OSError as error:
            raise errors.OmniStorageError("The ledger could not be written.", retryable=False) from error
    assert told[0].count("OSError: disk on fire") == 1
    assert told[0].count("The ledger could not be written.") == 1


@pytest.mark.parametrize("status", ["failure", "timeout"])
@pytest.mark.parametrize("option", [{}, {"soft_fail": True}])
def test_a_verdict_is_told_once(status: str, option: Any) -> None:
    class TaskInstance:
        def xcom_push(self, key: str, value: Any) -> None: ...

    event = {"status": status, "message": "1 of 2 delivered", "summary": {"total": 2}}
    with pytest.raises(Exception, match="1 of 2 delivered") as caught:
        sensor(**option).execute_complete({"ti": TaskInstance()}, event)
    assert "".join(traceback.format_exception(caught.value)).count("1 of 2 delivered (OMNI") == 1
