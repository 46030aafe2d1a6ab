"""The two loops that do what a machine of `delivery/` asks for: one for workers, one for the triggerer.

They decide nothing. Everything that they touch (client, memory, clock, log) is handed in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from airflow_provider_omni.delivery.effects import (
    AsyncMemory,
    CallApi,
    Done,
    Effect,
    Folder,
    Gather,
    ListParts,
    Load,
    Log,
    Measure,
    Memory,
    Offload,
    Publish,
    ReadPart,
    Report,
    Save,
    Sleep,
    Steps,
    Submit,
    WritePart,
)
from airflow_provider_omni.delivery.metrics import LOG_BUDGET_WAIT, Measurement, Recorder
from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.errors import OmniBusyError, OmniError, OmniRateLimitError
from airflow_provider_omni.omni.models import skipped_in
from airflow_provider_omni.omni.rate_limits import WindowLimiter

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Executes(Protocol):
    """A sync client: `omni.client.OmniClient` or that of the crash harness."""

    def execute(self, call: Call[Any]) -> Any:
        """Execute the call, or raise one of the errors of `omni/errors.py`."""
        ...


class ExecutesAsync(Protocol):
    """An async client: `omni.aio.AsyncOmniClient`."""

    async def execute(self, call: Call[Any]) -> Any:
        """Execute the call, or raise one of the errors of `omni/errors.py`."""
        ...


def run(
    steps: Steps[T],
    *,
    client: Executes,
    memory: Memory,
    budget: WindowLimiter | None = None,
    publish: Callable[[dict[str, Any]], None] | None = None,
    report: Callable[[dict[str, Any]], None] | None = None,
    log: logging.Logger = _log,
    sleep: Callable[[float], None] = time.sleep,
    folder: Folder | None = None,
    metrics: Recorder | None = None,
    connections: int = 1,
) -> T:
    """Carry out a machine to its end in a worker and return its result.

    Errors of `omni/errors.py` go into the machine. Anything else (the exception of a SIGTERM, a bug) ends it.

    :param budget: the account's log calls, which `CallApi` waits for; None: no limit.
    :param publish: makes a receipt visible; None: receipts are dropped.
    :param report: shows a delivery report, and never raises; None: reports are dropped.
    :param sleep: waits so many seconds.
    :param folder: the ledger's folder; None if there is no ledger.
    :param metrics: records measurements; None: they are dropped.
    :param connections: the number of API calls that a batch makes at a time.
    """
    pool = _Pool(connections)
    warned: set[str] = set()

    def perform(effect: Effect) -> Any:
        match effect:
            case CallApi(call, patience):
                if patience is not None and budget is not None:
                    waited = 0.0
                    while wait := _place(budget, patience, waited, metrics):
                        patience -= wait
                        waited += wait
                        sleep(wait)
                    with _report_429s(budget):
                        return _whole(client.execute(call), call, warned, log)
                return _whole(client.execute(call), call, warned, log)
            case Load(key):
                return memory.load(key)
            case Save(key, value):
                return memory.save(key, value)
            case Publish(receipt):
                return publish(receipt) if publish else None
            case Sleep(seconds):
                return sleep(seconds)
            case Log():
                return _write(log, effect)
            case Report(value):
                return report(value) if report else None
            case Measure(measurements):
                return metrics.record(measurements) if metrics else None
            case WritePart() | ReadPart() | ListParts():
                return _in_folder(folder, effect)
            case Offload(function):
                return function()
            case Submit(tag, effects):
                return pool.start(tag, lambda: tuple([perform(each) for each in effects]))
            case Gather():
                return pool.finished()

    reply: Any = None
    error: OmniError | None = None
    try:
        while True:
            try:
                effect = steps.send(reply) if error is None else steps.throw(error)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            reply, error = None, None
            try:
                reply = perform(effect)
            except OmniError as caught:
                error = caught
    finally:
        steps.close()
        pool.abandon()


async def arun(
    steps: Steps[T],
    *,
    client: ExecutesAsync,
    memory: AsyncMemory,
    budget: WindowLimiter | None = None,
    publish: Callable[[dict[str, Any]], Awaitable[None]] | None = None,
    report: Callable[[dict[str, Any]], None] | None = None,
    log: logging.Logger = _log,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    folder: Folder | None = None,
    metrics: Recorder | None = None,
    in_thread: Callable[..., Awaitable[Any]] = asyncio.to_thread,
) -> T:
    """Carry out a machine to its end in a triggerer's event loop and return its result.

    What is submitted runs as tasks of the loop. If this coroutine is cancelled, so are they.

    :param budget: the account's log calls, which `CallApi` waits for; None: no limit.
    :param publish: makes a receipt visible; None: receipts are dropped.
    :param report: shows a delivery report, and never raises; None: reports are dropped.
    :param sleep: waits so many seconds.
    :param folder: the ledger's folder, which is reached in threads; None if there is no ledger.
    :param metrics: records measurements; None: they are dropped.
    :param in_thread: runs a blocking call of the folder in a thread. A folder that reads Airflow's connections needs
        one that leads back to the loop.
    """
    warned: set[str] = set()
    tasks = _Tasks()

    async def perform(effect: Effect) -> Any:
        match effect:
            case CallApi(call, patience):
                if patience is not None and budget is not None:
                    waited = 0.0
                    while wait := _place(budget, patience, waited, metrics):
                        patience -= wait
                        waited += wait
                        await sleep(wait)
                    with _report_429s(budget):
                        return _whole(await client.execute(call), call, warned, log)
                return _whole(await client.execute(call), call, warned, log)
            case Load(key):
                return await memory.load(key)
            case Save(key, value):
                return await memory.save(key, value)
            case Sleep(seconds):
                return await sleep(seconds)
            case Log():
                return _write(log, effect)
            case Report(value):
                return report(value) if report else None
            case Measure(measurements):
                return metrics.record(measurements) if metrics else None
            case WritePart() | ReadPart() | ListParts():
                return await in_thread(_in_folder, folder, effect)
            case Offload(function):
                return await asyncio.to_thread(function)
            case Publish(receipt):
                return await publish(receipt) if publish else None
            case Submit(tag, effects):
                return tasks.start(tag, lambda: _one_by_one(perform, effects))
            case Gather():
                return await tasks.finished()

    reply: Any = None
    error: OmniError | None = None
    try:
        while True:
            try:
                effect = steps.send(reply) if error is None else steps.throw(error)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            reply, error = None, None
            try:
                reply = await perform(effect)
            except OmniError as caught:
                error = caught
    finally:
        steps.close()
        await tasks.abandon()


async def _one_by_one(perform: Callable[[Any], Awaitable[Any]], effects: Iterable[Effect]) -> tuple[Any, ...]:
    return tuple([await perform(each) for each in effects])


class _Pool:
    """Carries out submitted effects in threads. The threads are made with the first effect."""

    WRITERS = 3
    """Threads besides those of the API calls, so that a write does not wait for a call to end."""

    def __init__(self, connections: int) -> None:
        self._size = connections + self.WRITERS
        self._threads: ThreadPoolExecutor | None = None
        self._ended: queue.SimpleQueue[Done | BaseException] = queue.SimpleQueue()

    def start(self, tag: int, work: Callable[[], tuple[Any, ...]]) -> None:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._size, thread_name_prefix="omni-send")
        self._threads.submit(self._carry_out, tag, work)

    def _carry_out(self, tag: int, work: Callable[[], tuple[Any, ...]]) -> None:
        try:
            self._ended.put(Done(tag, work()))
        except OmniError as error:
            self._ended.put(Done(tag, (), error))
        except BaseException as error:  # noqa: BLE001  a bug ends the machine, in the thread that runs it
            self._ended.put(error)

    def finished(self) -> list[Done]:
        """Return all that has ended. Wait for the first."""
        ended = [self._ended.get()]
        while not self._ended.empty():
            ended.append(self._ended.get())
        for each in ended:
            if not isinstance(each, Done):
                raise each
        return [each for each in ended if isinstance(each, Done)]

    def abandon(self) -> None:
        """Start nothing more. Effects that are under way end on their own; nobody waits for them."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)


class _Tasks:
    """Carries out submitted effects in tasks of the event loop."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Queue[Done | BaseException] = asyncio.Queue()

    def start(self, tag: int, work: Callable[[], Awaitable[tuple[Any, ...]]]) -> None:
        task = asyncio.create_task(self._carry_out(tag, work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _carry_out(self, tag: int, work: Callable[[], Awaitable[tuple[Any, ...]]]) -> None:
        try:
            self._ended.put_nowait(Done(tag, await work()))
        except OmniError as error:
            self._ended.put_nowait(Done(tag, (), error))
        except Exception as error:  # noqa: BLE001  a bug ends the machine, in the coroutine that runs it
            self._ended.put_nowait(error)
        except asyncio.CancelledError as error:
            # It may come from what it waits for, such as a connection that others share: nobody else would hear of it.
            self._ended.put_nowait(error)
            raise

    async def finished(self) -> list[Done]:
        """Return all that has ended. Wait for the first."""
        ended = [await self._ended.get()]
        while not self._ended.empty():
            ended.append(self._ended.get_nowait())
        for each in ended:
            if not isinstance(each, Done):
                raise each
        return [each for each in ended if isinstance(each, Done)]

    async def abandon(self) -> None:
        """End all that is under way."""
        under_way = list(self._running)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


def _in_folder(folder: Folder | None, effect: WritePart | ReadPart | ListParts) -> Any:
    if folder is None:
        raise TypeError("there is no ledger")
    match effect:
        case WritePart(name, data):
            return folder.write(name, data())
        case ReadPart(name):
            return folder.read(name)
        case ListParts(prefix):
            return folder.list(prefix)


def _place(budget: WindowLimiter, patience: float, waited: float, metrics: Recorder | None) -> float:
    """Take a place in the budget. Return 0.0 if it was taken, else the seconds to wait for one.

    Raises OmniBusyError if that is longer than `patience`.

    :param waited: seconds that this call has waited so far.
    :param metrics: records the whole wait, also that for a place which would come too late.
    """
    wait = budget.try_take()
    too_long = wait > patience
    if metrics is not None and (too_long or not wait) and waited + wait:
        metrics.record((Measurement(LOG_BUDGET_WAIT, (waited + wait,), {}),))
    if too_long:
        raise OmniBusyError("the account's budget of log calls is used up for now")
    return wait


@contextlib.contextmanager
def _report_429s(budget: WindowLimiter) -> Iterator[None]:
    """Hold everybody back if the vendor says that the account's calls are used up."""
    try:
        yield
    except OmniRateLimitError as error:
        budget.hold_back(error.retry_after)
        raise


def _whole(answer: Any, call: Call[Any], warned: set[str], logger: logging.Logger) -> Any:
    """Return the answer. Warn once for each kind of call that rows could not be read: one such row may come for
    hours.
    """
    if call.method == "GET" and call.name not in warned and (skipped := skipped_in(answer)):
        warned.add(call.name)
        logger.warning(
            "%s row(s) of an answer to %s could not be read and were passed over; nothing is concluded from what is "
            "not among the others. Further ones are not mentioned.",
            skipped,
            call.name,
        )
    return answer


def _write(logger: logging.Logger, effect: Log) -> None:
    logger.log(logging.WARNING if effect.warning else logging.INFO, "%s", effect.text)
