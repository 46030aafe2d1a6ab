"""What Airflow is told about this provider: a plain dict, made without importing Airflow."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Entry point `apache_airflow_provider`; Airflow calls it in every process."""
    return {
        "package-name": "airflow-provider-omni",
        "name": "Infobip OMNI",
        "description": "LINE messages with SMS failover through Infobip's OMNI API.",
    }
