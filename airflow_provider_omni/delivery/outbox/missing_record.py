"""The check on an empty record in a later try, which may be new or may not be the one that the earlier tries have used.

If Airflow keeps nothing from try to try (before 3.3, or after a clear that drops it), the ledger is the only record. It
is empty when the earlier tries died before they sent anything: that must not stop a retry. It is also empty when the
path leads elsewhere (a worker's own disk, a time of now in it) or the folder was deleted: then everybody would get the
message again. So the logs are asked for some of the messages, by ids that do not depend on the ledger.

That finds messages that were sent. It cannot prove for a million people that nothing was. Up to a thousand people
(`SendLimits.all_asked`) everyone is queried. Above that, two samples are queried: the first person of each early
request, which an earlier try has posted if the source's order has not changed; and an equal number of random people,
whatever the order is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from airflow_provider_omni.delivery.effects import Clock, Log, Sleep, Steps, call_api
from airflow_provider_omni.delivery.messages.ids import recipient_key_of
from airflow_provider_omni.delivery.messages.states import HORIZON, MessageState
from airflow_provider_omni.delivery.outbox.plan import SendPlan
from airflow_provider_omni.delivery.outbox.policy import SendPolicy
from airflow_provider_omni.delivery.outbox.reconciler import ALONE, ONE_BY_ONE, RETRY_PAUSE, evenly
from airflow_provider_omni.delivery.outbox.send_limits import INTENT_TTL
from airflow_provider_omni.delivery.retrying import retrying
from airflow_provider_omni.delivery.tracking.watch import IDS_PER_LOOK
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import OmniError, OmniInputError, OmniUnknownOutcomeError
from airflow_provider_omni.omni.models import LogRow, skipped_in
from airflow_provider_omni.omni.words import are, some

LATER = 5
"""Further ids of a person that are asked for, at most, if there are more people than `SendLimits.all_asked`."""
ATTEMPTS_IN_A_ROW = 5
"""Failed calls in a row, after which the check gives up. An answer with messages that were not asked for counts as
failed.
"""


def check_record_not_lost(
    plan: SendPlan,
    chunk: int,
    policy: SendPolicy,
    clock: Clock,
    jitter: Callable[[], float],
    *,
    has_ledger: bool = True,
    lost: int = 0,
) -> Steps[None]:
    """Look twice: at once, and again when all that an earlier try may still have under way must stand in the logs.

    :param chunk: messages in one request.
    :param has_ledger: True if the record that may be lost is in a ledger; False if it is in Airflow's state of the
        task.
    :param lost: the number of earlier tries that may have sent something of which the record does not know.

    Raises OmniInputError if something was sent, and OmniUnknownOutcomeError if the logs cannot tell.
    """
    record = _LEDGER if has_ledger else _STATE
    now, look = clock(), policy.look
    scheduled_at = plan.latest_schedule_of_others(now) or 0.0
    last_look_at = max(now, scheduled_at) + INTENT_TTL + look.read_timeout + 2 * look.grace
    most = policy.limits.all_asked
    ids, later = _some_ids(plan, chunk, most), later_attempts(plan, lost, most)
    if not ids and not later:
        return
    if last_look_at - now > look.patience:
        raise record.cannot_tell("they do not show messages before their send_at", retryable=True)
    if policy.first_try_at is None or last_look_at - policy.first_try_at >= HORIZON:
        raise record.cannot_tell("the first try may have been two days ago, and they do not reach back any further")
    asked = some(len(ids) + sum(map(len, later)), "message id")
    yield Log(
        f"This is not the first try, and {record.knows}. The logs are asked for {asked}, of "
        f"{some(plan.left(), 'person', 'people')} who {are(plan.left())} left, before anything is sent; this "
        f"takes {some(round(last_look_at - now), 'second')}."
    )
    yield from _look(ids, later, record, policy, jitter)
    yield Sleep(max(last_look_at - clock(), 0.0))
    yield from _look(ids, later, record, policy, jitter)


@dataclass(frozen=True)
class _Record:
    """Words for the record that may be lost."""

    knows: str
    lost: str
    restore: str

    def cannot_tell(
        self, why: str, *, retryable: bool = False, retry_after: float | None = None
    ) -> OmniUnknownOutcomeError:
        return OmniUnknownOutcomeError(
            f"Nothing was sent by this try, and whether an earlier one has sent is not known: {self.knows}, and the "
            f"logs cannot tell, since {why}. {self.restore}If the earlier tries have certainly sent nothing, use "
            "another idempotency_key and ledger_path.",
            retryable=retryable,
            retry_after=retry_after,
        )


_LEDGER = _Record(
    "the ledger knows of no message",
    "an earlier try has used another one, or its parts are gone; name one that all workers see and that stays the "
    "same in all tries (no worker's own disk, no time of now and no try number in it), and clear the task once the "
    "ledger is back; or, if everybody may be sent to anew, use another idempotency_key and ledger_path",
    "If the earlier tries have used another ledger_path, restore it. ",
)
_STATE = _Record(
    "Airflow's state of the task does not tell what the earlier tries have sent",
    "is needed where Airflow does not keep the state of a task: it drops it on success ([state_store] "
    "clear_on_success), with a clear (from 3.4 on), and has none before 3.3. If everybody may be sent to anew, use "
    "another idempotency_key and a ledger_path",
    "",
)


def _some_ids(plan: SendPlan, chunk: int, most: int) -> list[str]:
    """Return ids of first attempts. Those by chance are the smallest, since ids are hashes."""
    by_chance = "SELECT id FROM person WHERE todo = 1 ORDER BY id LIMIT ?"
    if plan.left() <= most:
        return [message_id for (message_id,) in plan.workspace.all(by_chance, most)]
    first = [people.ids[0] for _, people in islice(plan.chunks(chunk), most // 2)]
    others = [message_id for (message_id,) in plan.workspace.all(by_chance, most // 2)]
    return list(dict.fromkeys(first + others))


def later_attempts(plan: SendPlan, lost: int, most: int) -> list[list[str]]:
    """Return ids of further attempts, those of the next one first.

    An earlier try may have seen a person refused (no credit, for example), and the next have sent to that person under
    another id. The record of the latter may be lost. So this includes people in doubt on record.

    Of more than `most` people some are taken by chance. If an earlier try was refused many, some of these are among
    them. If it was refused few, the others have kept their first ids.

    :param lost: the number of tries whose record may be lost.
    :param most: ids that are asked for, at most.
    """
    people = plan.workspace.all(_MAY_BE_POSTED_TO, MessageState.IN_DOUBT.value, most + 1)
    if many := len(people) > most:
        people = people[:IDS_PER_LOOK]
    levels: list[list[str]] = []
    for further in range(1, min(lost, LATER + 1) if many else lost):
        if sum(map(len, levels)) + len(people) > most:
            break
        levels.append([_id_after(plan, further, *person) for person in people])
    return levels


_MAY_BE_POSTED_TO = (
    "SELECT person.id, address, key FROM person LEFT JOIN known ON known.id = person.id "
    "LEFT JOIN attempt ON attempt.no = known.attempt "
    "WHERE todo = 1 OR coalesce(known.state, attempt.state) = ? ORDER BY person.id LIMIT ?"
)


def _id_after(plan: SendPlan, further: int, current: str, address: int | str, key: str | None) -> str:
    """Return the id of a person's attempt that comes `further` attempts after the current one.

    The current one is the first that was not refused.
    """
    recipient = recipient_key_of(address, key)
    attempt = 0
    while plan.ids.message_id(recipient, attempt) != current:
        attempt += 1
    return plan.ids.message_id(recipient, attempt + further)


def _look(
    ids: list[str], later: list[list[str]], record: _Record, policy: SendPolicy, jitter: Callable[[], float]
) -> Steps[None]:
    groups = [ids, *later]
    lists = [each[start : start + IDS_PER_LOOK] for each in groups for start in range(0, len(each), IDS_PER_LOOK)]
    # The next ids are as probable as the first ones. Those after them need two refusals and two lost tries more.
    most = (ONE_BY_ONE, ONE_BY_ONE, *(ALONE for _ in later[1:]))
    alone = [
        one
        for each, limit in zip(groups, most, strict=False)
        for one in (each if len(each) <= limit else evenly(each, ALONE))
    ]
    for asked in (*lists, *([one] for one in alone)):
        rows = yield from _rows_of(asked, record, policy, jitter)
        if found := {row.message_id for row in rows}:
            raise OmniInputError(
                f"Nothing was sent: {record.knows}, and {len(found):,} of {len(asked):,} that were looked for stand in "
                "the vendor's logs",
                problems=(f"ledger_path: {record.lost}",),
            )


def _rows_of(asked: list[str], record: _Record, policy: SendPolicy, jitter: Callable[[], float]) -> Steps[list[LogRow]]:
    def ask() -> Steps[list[LogRow]]:
        try:
            rows = yield from call_api(
                api.get_logs(message_ids=asked, limit=api.MAX_LIMIT), patience=policy.look.patience, label="logs asked"
            )
        except OmniError as error:
            why = f"they cannot be read ({type(error).__name__})"
            raise record.cannot_tell(why, retryable=error.retryable, retry_after=error.retry_after) from error
        if not all(row.message_id in asked for row in rows):
            raise record.cannot_tell("they answer with messages that were not asked for", retryable=True)
        if not rows and skipped_in(rows):
            # They may be about these very messages.
            raise record.cannot_tell("they answer with rows that cannot be read", retryable=True)
        return rows

    return (yield from retrying(ask, ATTEMPTS_IN_A_ROW, jitter, least=RETRY_PAUSE))
