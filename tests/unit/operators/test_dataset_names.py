"""Files and ledgers are named as OpenLineage names them, and no name holds a login or a person."""

from __future__ import annotations

import pytest
from airflow.providers.amazon.aws.assets.s3 import convert_asset_to_openlineage as s3_name
from airflow.providers.common.compat.assets import Asset
from airflow.providers.common.io.assets.file import convert_asset_to_openlineage as local_name

from airflow_provider_omni.delivery.ledger.shards import Shard
from airflow_provider_omni.operators.dataset_names import file_name, ledger_name


@pytest.mark.parametrize(
    ("place", "namespace", "name"),
    [
        ("/data/people.csv", "file", "/data/people.csv"),
        ("file:///data/people.csv", "file", "/data/people.csv"),
        ("s3://bucket/in/people.csv", "s3://bucket", "in/people.csv"),
        ("s3://aws_default@bucket/in/people.csv", "s3://bucket", "in/people.csv"),
        ("s3a://bucket/people.csv", "s3://bucket", "people.csv"),
        ("gcs://bucket/people.csv", "gs://bucket", "people.csv"),
        ("gs://bucket", "gs://bucket", "/"),
        ("hdfs://namenode:8020/in/people.csv", "hdfs://namenode:8020", "/in/people.csv"),
    ],
)
def test_a_file_has_the_name_that_other_systems_know_it_by(place: str, namespace: str, name: str) -> None:
    assert file_name(place) == (namespace, name)


@pytest.mark.parametrize(
    ("place", "convert"), [("s3://bucket/in/people.csv", s3_name), ("file:///in/people.csv", local_name)]
)
def test_a_file_has_the_name_that_airflow_gives_an_asset_of_the_same_address(place: str, convert: object) -> None:
    dataset = convert(Asset(uri=place), None)  # type: ignore[operator]
    assert file_name(place) == (dataset.namespace, dataset.name)


@pytest.mark.parametrize(
    "place",
    [
        "s3://AKIAEXAMPLE:zaphod@bucket/people.csv",
        "https://user:zaphod@example.com/people.csv?X-Amz-Signature=zaphod",
        "/data/zaphod@example.com/people.csv",
        "/data/41793026727/people.csv",
        "s3://bucket/customers/+41793026727.csv",
    ],
)
def test_no_name_holds_a_login_a_signature_or_a_person(place: str) -> None:
    named = " ".join(file_name(place))
    assert "zaphod" not in named
    assert "AKIA" not in named
    assert "3026" not in named


@pytest.mark.parametrize(
    "path",
    ["/l/2026-11-28", "/l/20261128", "/l/20261128T193000", "/l/20261128193000", "/l/manual__2026-11-28T19:30:00+00:00"],
)
def test_dates_and_times_stay_in_names(path: str) -> None:
    assert file_name(path).name == path


def test_all_shards_of_a_ledger_are_one_dataset() -> None:
    parts = [ledger_name(f"s3://conn@bucket/ledgers/run/{Shard(number, 16).folder}") for number in (1, 9, 16)]
    assert set(parts) == {ledger_name("s3://bucket/ledgers/run/")} == {("s3://bucket", "ledgers/run")}
