"""The ledger of a batch: a folder of immutable parts that outlives tries, workers and Airflow's own database.

``plan/`` says who (private), ``sent/`` what was posted, ``outcomes/`` what became of it, ``quarantine/`` which rows
were left out, ``tries/`` who may post. docs/batches.md has the columns. Knows no Airflow: where the folder lies is
``storage/object_storage.py``'s business.

Only `unreached` is imported at once: it stands in DAG files, which are read often.
"""

import importlib
from typing import TYPE_CHECKING, Any

from airflow_provider_omni.delivery.ledger.unreached import Unreached, unreached

if TYPE_CHECKING:
    from airflow_provider_omni.delivery.ledger.folder import LocalFolder
    from airflow_provider_omni.delivery.ledger.reading import (
        OutcomeRow,
        QuarantineRow,
        purge_plan,
        read_outcomes,
        read_quarantine,
    )

__all__ = [
    "LocalFolder",
    "OutcomeRow",
    "QuarantineRow",
    "Unreached",
    "purge_plan",
    "read_outcomes",
    "read_quarantine",
    "unreached",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "folder" if name == "LocalFolder" else "reading"
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
