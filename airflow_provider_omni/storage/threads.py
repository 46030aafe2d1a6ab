"""Blocking calls of a trigger, in threads from which Airflow finds its way back to the event loop.

On Airflow 3.0 and 3.1 every call to the triggerer's supervisor (for XComs, connections, the masker) is
`async_to_sync(asend)`. Called from a thread of asgiref's, it runs on the trigger's own loop. Called from any other
thread, such as `asyncio.to_thread`'s, it makes a second loop, whose use of the supervisor's channel ends the triggerer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

THREADS = 32
"""Calls that can run at one time. A call that is never answered keeps its thread until the process ends."""


async def in_thread(function: Callable[..., T], *args: Any, **names: Any) -> T:
    """Call `function` in a thread that may ask Airflow's supervisor.

    Uses its own threads. One hanging call must block neither asgiref's single thread nor the loop's resolver threads.
    """
    from asgiref.sync import sync_to_async

    bridged: Any = sync_to_async(function, thread_sensitive=False, executor=_executor())
    result: T = await bridged(*args, **names)
    return result


@functools.cache
def _executor() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="omni-trigger")
