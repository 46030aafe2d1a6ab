"""The ledger of a batch, as users see it: who was sent what, what became of it, and who is to be sent to again.

Import from here; what lies under `delivery/` may move. docs/batches.md describes the columns.

* `unreached` stands in a DAG file: the recipients of another batch, those whom an earlier one did not reach.
* `read_outcomes` and `read_quarantine` read a ledger in a task or a script, as `OutcomeRow` and `QuarantineRow`.
* `purge_plan` removes the private half of a ledger: phone numbers and the rows' fields.

Only `unreached` is loaded at once, since DAG files are read often. The rest comes when it is asked for by name: import
it inside the task.
"""

import importlib
from typing import TYPE_CHECKING, Any

from airflow_provider_omni.delivery.results.unreached import Unreached, unreached

if TYPE_CHECKING:
    from airflow_provider_omni.delivery.results.reader import (
        OutcomeRow,
        QuarantineRow,
        purge_plan,
        read_outcomes,
        read_quarantine,
    )

__all__ = [
    "OutcomeRow",
    "QuarantineRow",
    "Unreached",
    "purge_plan",
    "read_outcomes",
    "read_quarantine",
    "unreached",
]

_READING = "airflow_provider_omni.delivery.results.reader"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_READING), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
