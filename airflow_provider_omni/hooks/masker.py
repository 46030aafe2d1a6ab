"""Airflow's masker of secrets, which each release line keeps in another place."""

from __future__ import annotations

import importlib
from typing import Any

PLACES = (
    "airflow.providers.common.compat.sdk",  # from 1.22 on
    "airflow.sdk.log",  # Airflow 3.1
    "airflow.sdk.execution_time.secrets_masker",  # Airflow 3.0
    "airflow.utils.log.secrets_masker",  # Airflow 2.11
)
"""Modules that may have `mask_secret`, the first that has it counts. Airflow's own constraints keep many people on a
common-compat that has not.
"""


def mask_secret(secret: Any) -> None:
    """Have Airflow hide a secret in logs from now on. In a worker of Airflow 3 this is a call to its supervisor."""
    for place in PLACES:
        try:
            found = getattr(importlib.import_module(place), "mask_secret", None)
        except ImportError:
            continue
        if found is not None:
            found(secret)
            return
    raise ImportError("This Airflow has no mask_secret in any place that this provider knows.")
