"""The ledger of a batch: a folder of immutable parts that outlives tries, workers and Airflow's own database.

``plan/`` says who (private), ``sent/`` what was posted, ``outcomes/`` what became of it, ``quarantine/`` which rows
were
left out, ``tries/`` who may post. docs/batches.md has the columns. Knows no Airflow: where the folder lies is
``storage/object_storage.py``'s business.
"""

from airflow_provider_omni.delivery.ledger.folder import LocalFolder
from airflow_provider_omni.delivery.ledger.reading import (
    OutcomeRow,
    QuarantineRow,
    purge_plan,
    read_outcomes,
    read_quarantine,
)
from airflow_provider_omni.delivery.ledger.unreached import Unreached, unreached

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
