"""Machines that are played: every process of a stack belongs to the part that it came out of.

Airflow calls `name` in its own processes (`[core] hostname_callable`), so that job and task rows say where they run.
"""

from __future__ import annotations

import os
import socket

PART = "OMNI_DEV_PART"
"""Environment variable that carries the part's name, such as `worker-1`. Children inherit it."""


def name() -> str:
    """The name of the part that this process belongs to, else this machine's."""
    return os.environ.get(PART) or socket.gethostname()
