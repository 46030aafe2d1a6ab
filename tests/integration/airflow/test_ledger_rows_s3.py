"""The rows of a ledger on S3, as the page of deliveries asks for them: with the connection that stands in the path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.pages.ledger_rows import LedgerError, csv_of, page_of
from tests.integration.airflow.test_batch_s3 import CONNECTION, HOME
from tests.unit.delivery.batch.batchworld import World
from tests.unit.delivery.batch.test_ledger_wait import wait

FATES = ("00", "40", "41", "42", "43")


@pytest.fixture
def ledger(s3: Any, tmp_path: Path) -> str:
    """The ledger of 50 people, 20 of whom were not reached."""
    world = World(tmp_path)
    people = [{"phone": f"4179{place:05d}{FATES[place % 5]}", "order": f"order-{place}"} for place in range(50)]
    world.send(people, key_field="order")
    assert wait(world).summary["failed"] == 20
    folder = Path(world.folder.path)
    for file in folder.rglob("*"):
        if file.is_file():
            s3.put_object(Bucket="people", Key=f"run/1/{file.relative_to(folder)}", Body=file.read_bytes())
    return f"{HOME}/run/1"


def test_a_ledger_on_s3_is_read_with_the_connection_of_its_path(ledger: str) -> None:
    page = page_of(ledger, "unreached", 100, 0)
    assert len(page["rows"]) == 20
    assert {row["outcome"] for row in page["rows"]} == {"failed"}
    assert "".join(csv_of(ledger, "all")).count("\n") == 51


def test_a_bucket_or_a_connection_that_is_not_there_is_told_without_a_secret(s3: Any) -> None:
    for path in (f"{HOME}/nothing", f"s3://{CONNECTION}@nowhere/ledger", "s3://no_such_connection@people/run/1"):
        with pytest.raises(LedgerError) as told:
            page_of(path, "all", 100, 0)
        assert told.value.status in (404, 502)
        assert "a-secret" not in str(told.value)
