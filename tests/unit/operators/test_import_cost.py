"""What a DAG file makes Airflow import by using this provider: nothing heavy, since DAG files are read often."""

from __future__ import annotations

import subprocess
import sys

IMPORTS = """
import sys
import airflow.providers.standard.operators.bash
before = set(sys.modules)
import airflow_provider_omni.hooks.omni
import airflow_provider_omni.notifications.omni
import airflow_provider_omni.operators.omni
import airflow_provider_omni.sensors.omni
import airflow_provider_omni.transfers.sql_to_omni
import airflow_provider_omni.triggers.omni
from airflow_provider_omni.ledger import unreached
print("\\n".join(sorted(set(sys.modules) - before)))
"""
HEAVY = ("aiohttp", "phonenumbers", "requests", "tenacity", "urllib3", "yarl")


def test_a_dag_file_imports_neither_http_clients_nor_models_nor_number_tables() -> None:
    run = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    modules = run.stdout.split()
    assert [name for name in modules if name.partition(".")[0] in HEAVY] == []
    light = {f"airflow_provider_omni.omni.{name}" for name in ("channels", "masking", "problems", "words")}
    assert {name for name in modules if name.startswith("airflow_provider_omni.omni.")} <= light
