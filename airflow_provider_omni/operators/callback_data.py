"""The words of a request about the task that it comes from, if the user gives no `callback_data`.

The vendor repeats it in its portal and in pushed reports, so that both can be searched by DAG. It is no part of ids and
fingerprints: a retry after an upgrade, or with the switch turned, is the same send.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_omni.omni.masking import mask_numbers_in

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d[:.]\d\d[:.]\d\d(?:\.\d{1,6})?(?:[+-]\d\d[:.]\d\d|Z)?)")
"""A time in a run id: its digits are nobody's number."""


def callback_data_of(dag_id: object, run_id: object, task_id: object = None) -> str | None:
    """Return the callback data of a task as JSON: `{"dag": …, "run": …, "task": …}`. What is not known is left out.

    It is equal in every try. Phone numbers and e-mail addresses in the ids are masked. None if `[omni] callback_data`
    is off, if nothing is known, or if the vendor would not take it.
    """
    ids = {"dag": dag_id, "run": run_id, "task": task_id}
    known = {name: _without_numbers(str(value)) for name, value in ids.items() if value}
    if not known or not callback_data_is_on():
        return None
    from airflow_provider_omni.omni.json_check import foreign_to_json
    from airflow_provider_omni.omni.options import MAX_CALLBACK_DATA

    data = json.dumps(known, ensure_ascii=False)
    return None if len(data) > MAX_CALLBACK_DATA or any(foreign_to_json(data, "")) else data


def callback_data_of_task(context: Mapping[str, Any]) -> str | None:
    """Return the callback data of the running task."""
    ti = context["ti"]
    return callback_data_of(ti.dag_id, ti.run_id, ti.task_id)


def callback_data_is_on() -> bool:
    """Return True unless the configuration wants none. A setting that is no flag counts as off, and fails no task."""
    from airflow.providers.common.compat.sdk import conf

    try:
        return bool(conf.getboolean("omni", "callback_data", fallback=True))
    except Exception:  # noqa: BLE001  whatever Airflow raises for what is no flag
        return False


def _without_numbers(text: str) -> str:
    return "".join(each if _TIME.fullmatch(each) else mask_numbers_in(each) for each in _TIME.split(text))
