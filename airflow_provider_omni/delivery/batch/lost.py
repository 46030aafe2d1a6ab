"""An empty ledger in a later try: is it new, or is it not the one that the earlier tries have used?

Where Airflow keeps nothing from try to try (before 3.3, or after a clear that drops it), the ledger is all that is
known. It is empty when the earlier tries died before they sent anything: that must not stop a retry. It is empty, too,
when the path leads elsewhere (a worker's own disk, a time of now in it) or the folder was deleted: then everybody would
get the message again. So the logs are asked for some of the messages, by ids that do not depend on the ledger.

That finds what was sent; it cannot prove for a million people that nothing was. Up to `ALL` people everyone is asked
for. Above that: the first of each of the first requests, which is what an earlier try has posted if the source's order
has not changed, and as many others by chance, whatever the order is.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from airflow_provider_omni.delivery.asking import FENCE, HORIZON, PAGE, RETRY_PAUSE, evenly
from airflow_provider_omni.delivery.batch.plan import BatchPlan
from airflow_provider_omni.delivery.batch.rules import BatchRules
from airflow_provider_omni.delivery.effects import Ask, Clock, Note, Pause, Steps
from airflow_provider_omni.delivery.watch import IDS_PER_LOOK
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import OmniError, OmniInputError, OmniUnknownOutcomeError
from airflow_provider_omni.omni.models import LogRow
from airflow_provider_omni.omni.retries import backoff

ALL = 1000
"""People up to whom everyone is asked for: twenty calls a look. Above, half of them are first ones, half by chance."""
ALONE = 20
"""Messages that are asked for one by one besides: whether the logs read a list of ids in full is not published."""
ATTEMPTS = 5
"""Calls in a row that may fail, or be answered with what was not asked for."""


def refuse_a_lost_record(
    plan: BatchPlan, chunk: int, rules: BatchRules, clock: Clock, jitter: Callable[[], float]
) -> Steps[None]:
    """Look twice: at once, and when whatever an earlier try may still have had under way must stand in the logs.

    Raises OmniInputError where something was sent, and OmniUnknownOutcomeError where the logs cannot tell.
    """
    now, look = clock(), rules.look
    last_look_at = max(now, plan.scheduled_at or 0.0) + FENCE + look.read_timeout + 2 * look.grace
    if last_look_at - now > look.patience:
        raise _cannot_tell("they do not show messages before their send_at", retryable=True)
    if rules.first_try_at is None or last_look_at - rules.first_try_at >= HORIZON:
        raise _cannot_tell("the first try may have been two days ago, and they do not reach back any further")
    ids = _some_ids(plan, chunk)
    if not ids:
        return
    yield Note(
        f"This is not the first try, and the ledger knows of no message. The logs are asked for {len(ids):,} of "
        f"{plan.left():,} before anything is sent; this takes {last_look_at - now:.0f} seconds."
    )
    yield from _look(ids, rules, jitter)
    yield Pause(max(last_look_at - clock(), 0.0))
    yield from _look(ids, rules, jitter)


def _some_ids(plan: BatchPlan, chunk: int) -> list[str]:
    """Ids of messages. Those by chance are the smallest: ids are hashes."""
    by_chance = "SELECT id FROM person WHERE todo = 1 ORDER BY id LIMIT ?"
    if plan.left() <= ALL:
        return [message_id for (message_id,) in plan.scratch.all(by_chance, ALL)]
    first = [people.ids[0] for _, people in islice(plan.chunks(chunk), ALL // 2)]
    others = [message_id for (message_id,) in plan.scratch.all(by_chance, ALL // 2)]
    return list(dict.fromkeys(first + others))


def _look(ids: list[str], rules: BatchRules, jitter: Callable[[], float]) -> Steps[None]:
    lists = [ids[start : start + IDS_PER_LOOK] for start in range(0, len(ids), IDS_PER_LOOK)]
    for asked in (*lists, *([each] for each in evenly(ids, ALONE))):
        rows = yield from _rows_of(asked, rules, jitter)
        if found := {row.message_id for row in rows}:
            raise OmniInputError(
                f"Nothing was sent: the ledger knows of no message, and {len(found):,} of {len(asked):,} that were "
                "looked for stand in the vendor's logs",
                problems=(
                    "ledger_path: an earlier try has used another one, or its parts are gone; name one that all "
                    "workers see and that stays the same in all tries (no worker's own disk, no time of now and no "
                    "try number in it), and clear the task once the ledger is back; or, if everybody may be sent to "
                    "anew, use another idempotency_key and ledger_path",
                ),
            )


def _rows_of(asked: list[str], rules: BatchRules, jitter: Callable[[], float]) -> Steps[list[LogRow]]:
    for attempt in range(1, ATTEMPTS + 1):
        why, retry_after = "they answer with messages that were not asked for", None
        try:
            rows: list[LogRow] = yield Ask(api.get_logs(message_ids=asked, limit=PAGE), patience=rules.look.patience)
        except OmniError as error:
            why, retry_after = f"they cannot be read ({type(error).__name__})", error.retry_after
            if not error.retryable:
                raise _cannot_tell(why) from error
        else:
            if all(row.message_id in asked for row in rows):
                return rows
        if attempt < ATTEMPTS:
            yield Pause(max(RETRY_PAUSE, backoff(attempt, retry_after, jitter)))
    raise _cannot_tell(why, retryable=True)


def _cannot_tell(why: str, *, retryable: bool = False) -> OmniUnknownOutcomeError:
    return OmniUnknownOutcomeError(
        "Nothing was sent by this try, and whether an earlier one has sent is not known: the ledger knows of no "
        f"message, and the logs cannot tell, since {why}. If the earlier tries have used another ledger_path, restore "
        "it. If they have certainly sent nothing, use another idempotency_key and ledger_path.",
        retryable=retryable,
    )
