"""Arguments as they are when a task runs. No test lives here."""

from __future__ import annotations

from typing import Any


def with_values(operator: Any, **values: Any) -> Any:
    """The operator as if templates had been rendered to these values, or a class of the user's had set them. What is
    written so in a DAG file, Airflow already refuses there.
    """
    for name, value in values.items():
        setattr(operator, {"dry_run": "post_nothing"}.get(name, name), value)
    return operator
