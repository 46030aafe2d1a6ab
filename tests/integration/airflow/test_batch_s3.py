"""Ledgers and files of recipients on an S3 of loopback: moto's server, s3fs, an Airflow connection in the URL."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath

from airflow_provider_omni.ledger import purge_plan, read_outcomes, read_quarantine, unreached
from airflow_provider_omni.omni.errors import OmniStaleTryError, OmniStorageError
from airflow_provider_omni.sensors.omni import OmniDeliverySensor
from airflow_provider_omni.simulator.running import RunningSimulator
from tests.integration.airflow.batchtask import BatchTask, numbers
from tests.integration.airflow.conftest import S3_CONNECTION as CONNECTION
from tests.integration.airflow.test_batch_operators import BOTH_FAIL, Posts, accepted, operator
from tests.integration.airflow.test_batch_operators import account as account
from tests.integration.airflow.test_batch_operators import posts as posts
from tests.integration.airflow.test_fates import Task
from tests.integration.airflow.test_fates import account as slow_account
from tests.integration.airflow.test_fates import clock as clock
from tests.integration.airflow.test_fates import task as task

__all__ = ["slow_account"]

HOME = f"s3://{CONNECTION}@people"


def keys(s3: Any) -> list[str]:
    return [found["Key"] for found in s3.list_objects_v2(Bucket="people").get("Contents", [])]


def put(s3: Any, key: str, data: bytes) -> str:
    s3.put_object(Bucket="people", Key=key, Body=data)
    return f"{HOME}/{key}"


@pytest.mark.parametrize("ending", ["csv", "jsonl.gz"])
def test_recipients_are_read_from_s3(account: RunningSimulator, batch_task: BatchTask, s3: Any, ending: str) -> None:
    if ending == "csv":
        text = "name,phone\n" + "".join(f"n,{number}\n" for number in numbers(30))
    else:
        text = "".join(json.dumps({"phone": number, "name": "n"}) + "\n" for number in numbers(30))
    path = put(s3, f"in/all.{ending}", gzip.compress(text.encode()) if ending.endswith("gz") else text.encode())
    operator(recipients=path).execute(batch_task.context())
    assert accepted(account) == numbers(30)


def test_a_file_or_bucket_that_is_not_there_may_be_there_at_the_next_try(
    account: RunningSimulator, batch_task: BatchTask, s3: Any
) -> None:
    for path in (f"{HOME}/nothing.csv", f"s3://{CONNECTION}@nowhere/people.csv"):
        with pytest.raises(OmniStorageError, match="is not there"):
            operator(recipients=path).execute(batch_task.context())


def test_a_retry_goes_on_from_the_ledger_on_s3_also_before_airflow_3_3(
    account: RunningSimulator, posts: Posts, s3: Any
) -> None:
    old = BatchTask(durable=False)
    send = operator(recipients=numbers(60), chunk_size=10, max_connections=2, ledger_path=f"{HOME}/run/1", retries=1)
    posts.before[4] = lambda: account.configure(password="changed")
    with pytest.raises(AirflowFailException, match="goes on with who is left"):
        send.execute(old.context())
    assert 0 < len(accepted(account)) < 60
    account.configure(password="demo-password")
    receipt = send.execute(old.context(try_number=2))
    assert accepted(account) == numbers(60)
    assert receipt["counts"]["accepted"] == 60
    assert receipt["ledger_path"] == f"{HOME}/run/1"


@pytest.mark.usefixtures("skipping")
def test_of_two_tries_on_one_ledger_the_older_stops_and_nobody_gets_two(
    account: RunningSimulator, posts: Posts, s3: Any
) -> None:
    send = {"recipients": numbers(80), "chunk_size": 5, "max_connections": 1, "ledger_path": f"{HOME}/run/1"}

    def newer_try() -> None:
        operator(**send).execute(BatchTask(durable=False).context(try_number=2))

    posts.before[2] = newer_try
    with pytest.raises((OmniStaleTryError, AirflowFailException), match="Another try of this send has begun"):
        operator(**send).execute(BatchTask(durable=False).context())
    assert set(accepted(account)) == set(numbers(80))
    # The request that was frozen on its way to the socket is what design.md calls B: only that one can come twice.
    assert sum(count - 1 for count in Counter(accepted(account)).values()) <= 5


def test_shards_keep_their_ledgers_side_by_side(account: RunningSimulator, s3: Any) -> None:
    for index in range(3):
        operator(recipients=numbers(90), shard=f"{index + 1}/3", ledger_path=ObjectStoragePath(f"{HOME}/all")).execute(
            BatchTask().context(map_index=index)
        )
    assert accepted(account) == numbers(90)
    assert {key.split("/")[1] for key in keys(s3)} == {f"shard-{number}-of-3" for number in (1, 2, 3)}
    assert len(list(read_outcomes(ObjectStoragePath(f"{HOME}/all")))) == 90


def test_a_ledger_in_a_bucket_that_is_not_there_is_an_error_and_no_bucket(
    account: RunningSimulator, batch_task: BatchTask, s3: Any
) -> None:
    with pytest.raises(OmniStorageError):
        operator(recipients=numbers(3), ledger_path=f"s3://{CONNECTION}@nowhere/run").execute(batch_task.context())
    assert not accepted(account)
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["people"]


def test_only_the_private_half_holds_numbers_and_it_can_be_removed(
    account: RunningSimulator, batch_task: BatchTask, s3: Any
) -> None:
    people = [{"phone": number, "id": f"c{index}"} for index, number in enumerate(numbers(20))]
    operator(recipients=[*people, {"phone": "12", "id": "c99"}], key_field="id", ledger_path=f"{HOME}/run").execute(
        batch_task.context()
    )
    with_numbers = {
        key.split("/")[1]
        for key in keys(s3)
        if any(
            number.encode() in gzip.decompress(s3.get_object(Bucket="people", Key=key)["Body"].read())
            for number in numbers(20)
        )
    }
    assert with_numbers == {"plan"}
    ledger = ObjectStoragePath(f"{HOME}/run")
    assert purge_plan(ledger) > 0
    assert not any("/plan/" in key for key in keys(s3))
    assert sorted(row.recipient for row in read_outcomes(ledger)) == sorted(f"c{index}" for index in range(20))
    assert [row.recipient for row in read_quarantine(ledger)] == ["c99"]


class TestWaiting:
    """The sensor on a ledger in S3, with a clock that it moves itself."""

    @pytest.fixture
    def account(self, slow_account: RunningSimulator) -> RunningSimulator:
        return slow_account

    @pytest.mark.parametrize("mode", ["poke", "deferrable"])
    def test_outcomes_go_to_s3_and_the_unreached_come_from_there(
        self, account: RunningSimulator, task: Task, s3: Any, mode: str
    ) -> None:
        people = [*numbers(40), *(number[:-2] + BOTH_FAIL for number in numbers(5, 900))]
        receipt = operator(recipients=people, ledger_path=f"{HOME}/{mode}").execute(BatchTask().context())
        kind: dict[str, Any] = {"deferrable": True} if mode == "deferrable" else {"mode": mode}
        sensor = OmniDeliverySensor(
            task_id="wait", receipt=receipt, poke_interval=2, success_when="finished", timeout=600, **kind
        )
        getattr(task, mode)(sensor)
        assert task.xcoms["return_value"]["delivered"] == 40
        outcomes = Counter(row.outcome for row in read_outcomes(ObjectStoragePath(receipt["ledger_path"])))
        assert outcomes == {"delivered": 40, "failed": 5}
        again = operator(
            task_id="again", recipients=unreached(receipt["ledger_path"]), ledger_path=f"{HOME}/{mode}-again"
        ).execute(BatchTask().context(run_id="again"))
        assert again["counts"]["accepted"] == 5
