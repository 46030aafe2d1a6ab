"""The reconciler for many requests: those in doubt are asked about side by side, so that pauses overlap.

The rules are those of `reconciler.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from airflow_provider_omni.delivery.effects import Clock, Effect, Log, Sleep, Steps, call_api
from airflow_provider_omni.delivery.messages.states import UNCERTAIN, UNRESOLVED, Attempt, Event, MessageState, Origin
from airflow_provider_omni.delivery.outbox.policy import LookPolicy
from airflow_provider_omni.delivery.outbox.reconciler import (
    ALONE,
    LISTS,
    ONE_BY_ONE,
    PAGE,
    BulkFilter,
    Reconciler,
)
from airflow_provider_omni.delivery.tracking.watch import IDS_PER_LOOK
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import OmniError

T = TypeVar("T")

AT_ONCE = 200
"""Requests that are asked about side by side."""
MOST_LISTS = 200
"""Log queries by lists of message ids, for all requests together, if the logs are not known to find bulk ids.

They take some two minutes of the account's budget.
"""
MOST_ALONE = 400
"""Log queries for messages one by one, for all requests together; but no request gets fewer than `ALONE`."""
MANY_SEEN = 50
"""Messages that the vendor has seen before, up to which they are looked for one by one. More are looked for
together.
"""


def together(machines: Sequence[Steps[T]], clock: Clock) -> Steps[list[T]]:
    """Run machines side by side: while one pauses, the others go on. Return their results in order."""
    results: dict[int, T] = {}
    wake_at = dict.fromkeys(range(len(machines)), clock())
    replies: dict[int, tuple[Any, OmniError | None]] = {}
    try:
        while wake_at:
            index = min(wake_at, key=lambda each: (wake_at[each], each))
            if (wait := wake_at[index] - clock()) > 0:
                yield Sleep(wait)
                continue
            reply, error = replies.pop(index, (None, None))
            try:
                machine = machines[index]
                effect: Effect = machine.send(reply) if error is None else machine.throw(error)
            except StopIteration as stop:
                results[index] = stop.value
                del wake_at[index]
                continue
            if isinstance(effect, Sleep):
                wake_at[index] = clock() + effect.seconds
                continue
            try:
                replies[index] = ((yield effect), None)
            except OmniError as caught:
                replies[index] = (None, caught)
    finally:
        for machine in machines:
            machine.close()
    return [results[index] for index in range(len(machines))]


def settle(
    attempts: Sequence[Attempt],
    rules: LookPolicy,
    clock: Clock,
    jitter: Any,
    bulk_filter: BulkFilter | None = None,
    loaded_at: float | None = None,
    here: Origin | None = None,
    conclude: Callable[[Sequence[Attempt]], None] | None = None,
) -> Steps[dict[str, str]]:
    """Ask about all messages in doubt of these requests, and change their states by the logs.

    Returns the requests in which messages were found, by message id.

    :param bulk_filter: the knowledge about the logs' filters; by default nothing is known.
    :param loaded_at: the time at which this try has read the record of earlier ones; now by default.
    :param here: account and scenario of this try: absence can be proven only for messages that were posted from there.
    :param conclude: draws conclusions from some messages for others: after a first look for many at once, and at the
        end.
    """
    found_in: dict[str, str] = {}
    shared = BulkFilter() if bulk_filter is None else bulk_filter
    yield from _presence(attempts, found_in, shared)
    if conclude is not None:
        # What was found tells something of others, which then need not be asked about one by one.
        conclude(attempts)
    in_doubt = [attempt for attempt in attempts if attempt.in_state(*UNCERTAIN)]
    count = max(len(in_doubt), 1)
    one_by_one, lists = max(ALONE, min(ONE_BY_ONE, MOST_ALONE // count)), max(1, min(LISTS, MOST_LISTS // count))
    askers = [Reconciler(rules, clock, jitter, shared, one_by_one, lists, loaded_at, here) for _ in in_doubt]
    for asker in askers[1:]:
        asker.tells = False
    machines = [asker.settle(attempt) for asker, attempt in zip(askers, in_doubt, strict=True)]
    yield from together(machines, clock)
    for asker in askers:
        found_in |= asker.found_in
    if conclude is not None:
        conclude(attempts)
    return found_in


def _presence(attempts: Sequence[Attempt], found_in: dict[str, str], bulk_filter: BulkFilter) -> Steps[None]:
    """Look for many messages in one call. That may prove presence, never absence.

    It is for messages that would be asked for one by one: lone ones, and those that the vendor has seen before. A whole
    batch may have been seen before. If there are many, those that are not found are left unconfirmed, which is the
    state they would end in.
    """
    wanted: dict[str, Attempt] = {}
    seen: list[str] = []
    for attempt in attempts:
        ids = attempt.in_state(MessageState.DUPLICATE_ID)
        seen += ids
        if len(attempt.messages) == 1 or not attempt.bulk_id_conclusive:
            ids = attempt.in_state(*UNRESOLVED)
        wanted |= dict.fromkeys(ids, attempt)
    ids = list(wanted)
    if len(ids) < 3:
        return
    failures = 0
    bulk_filter.lists_answered = False
    for start in range(0, len(ids), IDS_PER_LOOK):
        try:
            rows = yield from call_api(
                api.get_logs(message_ids=ids[start : start + IDS_PER_LOOK], limit=PAGE),
                patience=120.0,
                label="logs asked",
            )
        except OmniError as error:
            failures += 1
            if failures == 3 or not error.retryable:
                yield Log(f"A look for many messages failed ({error.why}).", warning=True)
                break
            continue
        bulk_filter.have_shown(ids[start : start + IDS_PER_LOOK], rows)
        for row in rows:
            owner = wanted.get(row.message_id)
            if owner is not None and owner.messages[row.message_id] in UNRESOLVED:
                owner.apply(row.message_id, Event.LOG_ROW)
                if row.bulk_id:
                    found_in[row.message_id] = row.bulk_id
    bulk_filter.lists_answered = not failures
    if len(seen) > MANY_SEEN:
        for message_id in seen:
            if wanted[message_id].messages[message_id] is MessageState.DUPLICATE_ID:
                wanted[message_id].apply(message_id, Event.NO_LOG_ROW)
