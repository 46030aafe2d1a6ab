"""The task state store as memory, and above all as fence: a refused write must never pass for a success."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from airflow_provider_omni.omni.errors import OmniStaleTryError, OmniStorageError
from airflow_provider_omni.storage.task_state import TaskStateMemory


class Store:
    """The methods that the context's accessor offers, with an error on demand."""

    def __init__(self, error: Exception | None = None) -> None:
        self.entries: dict[str, Any] = {}
        self.retentions: list[timedelta] = []
        self.error = error

    def get(self, key: str, default: Any = None) -> Any:
        if self.error:
            raise self.error
        return self.entries.get(key, default)

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        if self.error:
            raise self.error
        self.entries[key] = value
        assert retention is not None
        self.retentions.append(retention)


def refusal(status: int | None) -> Exception:
    """An error as the task SDK raises it for the API server's answer."""
    error = RuntimeError("API_SERVER_ERROR")
    error.error = SimpleNamespace(detail={"status_code": status})  # type: ignore[attr-defined]
    return error


def test_what_was_saved_is_loaded_by_a_later_try() -> None:
    store = Store()
    TaskStateMemory(store).save("omni_send", {"v": 1})
    assert TaskStateMemory(store).load("omni_send") == {"v": 1}


def test_nothing_saved_is_none() -> None:
    assert TaskStateMemory(Store()).load("omni_send") is None


def test_entries_never_expire_since_a_task_may_be_cleared_after_airflows_thirty_days() -> None:
    from airflow.sdk import NEVER_EXPIRE

    store = Store()
    TaskStateMemory(store).save("omni_send", {})
    assert store.retentions[0] is NEVER_EXPIRE


def test_a_write_answered_with_404_tells_that_the_try_was_replaced() -> None:
    with pytest.raises(OmniStaleTryError, match="replaced by another"):
        TaskStateMemory(Store(refusal(404))).save("omni_send", {})


def test_in_a_dag_test_the_bare_answer_tells_the_same() -> None:
    error = RuntimeError("404")
    error.response = SimpleNamespace(status_code=404)  # type: ignore[attr-defined]
    with pytest.raises(OmniStaleTryError):
        TaskStateMemory(Store(error)).save("omni_send", {})


@pytest.mark.parametrize("error", [refusal(500), refusal(None), EOFError("supervisor gone"), ValueError("x")])
def test_any_other_failed_write_is_a_storage_error_and_not_a_stale_try(error: Exception) -> None:
    with pytest.raises(OmniStorageError) as caught:
        TaskStateMemory(Store(error)).save("omni_send", {})
    assert not isinstance(caught.value, OmniStaleTryError)
    assert caught.value.retryable


def test_a_failed_read_is_a_storage_error_and_never_nothing_saved() -> None:
    with pytest.raises(OmniStorageError):
        TaskStateMemory(Store(refusal(500))).load("omni_send")


@pytest.fixture
def refusing_supervisor(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The task's end of Airflow's own wire, and a supervisor that answers as the real one does after a 404."""
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import CommsDecoder, ToTask

    ours, theirs = socket.socketpair()

    def answer() -> None:
        length = int.from_bytes(ours.recv(4), "big")
        request = b""
        while len(request) < length:
            request += ours.recv(length - len(request))
        number = msgspec.msgpack.decode(request)[0]
        error = {"error": "API_SERVER_ERROR", "detail": {"status_code": 404, "message": "x"}, "type": "ErrorResponse"}
        body = msgspec.msgpack.encode([number, None, error])
        ours.sendall(len(body).to_bytes(4, "big") + body)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    comms: CommsDecoder[ToTask, Any] = CommsDecoder(socket=theirs)
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
    yield
    thread.join(5)
    ours.close()
    theirs.close()


def test_airflows_own_accessor_raises_when_the_write_was_refused(refusing_supervisor: None) -> None:
    from airflow.sdk.execution_time.context import TaskStateStoreAccessor

    store = TaskStateStoreAccessor(ti_id=uuid.uuid4(), scope=SimpleNamespace())  # type: ignore[arg-type]
    with pytest.raises(OmniStaleTryError):
        TaskStateMemory(store).save("omni_send", {"v": 1})
