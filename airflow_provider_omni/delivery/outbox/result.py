"""The receipt, the final error and the progress notes of a send. They contain no phone numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_omni.delivery.effects import Clock, Log
from airflow_provider_omni.delivery.flows import attempted
from airflow_provider_omni.delivery.messages.receipt import MAX_IDS, Counts, Receipt, SentBulk
from airflow_provider_omni.delivery.messages.states import (
    MAY_BE_POSTED,
    MAY_HAVE_ARRIVED,
    UNCERTAIN,
    UNRESOLVED,
    MessageState,
    Origin,
)
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.plan import BatchSpec, SendPlan
from airflow_provider_omni.delivery.outbox.policy import NOTE_EVERY, LedgerTerms, SendPolicy
from airflow_provider_omni.delivery.outbox.progress import SendProgress
from airflow_provider_omni.delivery.recipients.intake import IntakeCounts
from airflow_provider_omni.omni.errors import (
    Effect,
    OmniAuthenticationError,
    OmniError,
    OmniInputError,
    OmniRejectedError,
    OmniUnknownOutcomeError,
)
from airflow_provider_omni.omni.members import validity_seconds
from airflow_provider_omni.omni.words import some, was

_S = MessageState

RESTORE = {
    "account": "Restore the account that the connection named then (base URL, login; without a login the key or token)",
    "scenario": "Restore the scenario_key",
}
"""The remedy, by the noun for what has changed since messages were posted."""


def cannot_ask(count: int, origin: Origin, here: Origin) -> Log:
    """Return a note that the logs are not asked about messages in doubt that another account or scenario may have."""
    return Log(
        f"{some(count, 'message')} in doubt {was(count)} posted from another {origin.changed(here)}: the logs "
        "of this one cannot tell what became of them.",
        warning=True,
    )


def unknown_elsewhere(count: int, of: str, changed: str) -> OmniUnknownOutcomeError:
    """Return the error for messages in doubt that another account, or scenario, may have.

    :param of: the number of all messages, in words.
    :param changed: "account" or "scenario".
    """
    return OmniUnknownOutcomeError(
        f"{count:,} of {of} may or may not have been sent, from another {changed} than this try has: its logs cannot "
        f"tell. Nothing was sent again. {RESTORE[changed]}, then clear the task: it asks once more.",
        retryable=False,
    )


def never_arrived(lost: OmniError | None, how_many: str) -> OmniError:
    """Return the error for requests that failed again and again, and of which the logs have proven that nothing had
    arrived.

    It is the error of the last of them: the vendor's side, or the way there, is down.

    :param lost: the error of the last request; None if not known.
    :param how_many: the beginning of the message.
    """
    kind = OmniUnknownOutcomeError if lost is None else type(lost)
    # Only its first sentence: the others say that the outcome is not known, but by now it is.
    why = "" if lost is None else f" The last one ended like this: {lost.message.partition('. ')[0].rstrip('.')}."
    return kind(
        f"{how_many}: each request failed, and the logs have shown each time that it had not arrived. A retry, or a "
        f"clear, sends them.{why}",
        status=None if lost is None else lost.status,
        path=None if lost is None else lost.path,
        vendor_code=None if lost is None else lost.vendor_code,
        effect=Effect.NONE,
        retryable=True,
    )


def account_of(origins: Iterable[Origin], account: str) -> str | None:
    """Return the account that must be asked about a receipt's messages: the one on record, else this try's; None if not
    known.

    :param origins: where accepted messages were posted from; if none were accepted, those that may have been. The first
        posted comes first: after it nothing is posted from another account, though others may be looked for there.
    :param account: that of this try.
    """
    return next((each.account for each in origins), account) or None


def receipt_of(
    spec: BatchSpec,
    intake: IntakeCounts,
    progress: SendProgress,
    *,
    flow: Sequence[str],
    ledger: LedgerTerms | None,
    account: str | None = None,
    contents: Mapping[str, Any] | None = None,
    send_at: float | None = None,
    extra: dict[str, Any] | None = None,
) -> Receipt:
    """Return the receipt of this moment. It tells what was sent, however content and scenario have changed since.

    Requests are listed up to 100. If there are more, they stand in the ledger only.

    :param contents: the object for each channel, for the time in which all channels together may be tried.
    :param send_at: time at which the vendor is asked to send, in seconds since the epoch.
    """
    states = progress.states
    steps = progress.steps or attempted(flow, spec.content.channels())
    periods = [validity_seconds((contents or {}).get(channel)) for channel in steps]
    known = [period for period in periods if period is not None]
    return Receipt(
        scenario_key=progress.origins[0].scenario if progress.origins else spec.scenario_key,
        flow=steps,
        bulks=() if progress.too_many and ledger is not None else progress.bulks(),
        counts=Counts(
            requested=intake.requested,
            accepted=states[_S.ACCEPTED],
            unconfirmed=states[_S.IN_DOUBT] + states[_S.DUPLICATE_ID] + states[_S.UNCONFIRMED],
            rejected=states[_S.REFUSED],
            quarantined=intake.quarantined,
            duplicates=intake.duplicates,
        ),
        sent_at=progress.first_post_at,
        ledger_path=None if ledger is None else ledger.path,
        account=account,
        validity_seconds=sum(known) if periods and len(known) == len(periods) else None,
        send_at=send_at,
        extra=extra or {},
    )


def verdict_of(
    plan: SendPlan,
    progress: SendProgress,
    rules: SendPolicy,
    *,
    has_ledger: bool,
    strangers: int = 0,
    elsewhere: tuple[str, int] = ("", 0),
) -> OmniError | None:
    """Return the error that the task must fail with, or None.

    :param has_ledger: True if the send has a ledger, so that every request can be followed.
    :param strangers: the number of messages in doubt to people who have left the source.
    :param elsewhere: "account" or "scenario", whichever has changed since messages in doubt were posted, and their
        number.

    With `trust_duplicate_rejection` the vendor's word that it has seen an id is enough.
    """
    states = progress.states
    accepted, refused = states[_S.ACCEPTED], states[_S.REFUSED]
    unknown, trusted = states[_S.IN_DOUBT] + states[_S.DUPLICATE_ID], 0
    if rules.trust_duplicate_rejection:
        trusted = states[_S.UNCONFIRMED]
    else:
        unknown += states[_S.UNCONFIRMED]
    people = plan.intake.people
    sent = accepted + refused + unknown + trusted
    how_far = (
        f"{accepted:,} of {people:,} accepted, {refused:,} refused, {unknown:,} unknown, {people - sent:,} not sent"
    )
    if progress.stop is not None:
        return _stopped(progress.stop, how_far)
    if elsewhere[1]:
        return unknown_elsewhere(elsewhere[1], some(people, "message"), elsewhere[0])
    if unknown + strangers:
        return OmniUnknownOutcomeError(
            f"{some(unknown + strangers, 'message')} may or may not have been sent, and the logs did not tell; "
            f"{how_far}. "
            "Nothing was posted again. Clear the task to ask once more; docs/reliability.md says what else can be done."
        )
    if people > sent:
        return never_arrived(
            progress.lost, f"{some(people - sent, 'message')} {was(people - sent)} not sent ({how_far})"
        )
    if progress.too_many and not has_ledger:
        return OmniInputError(
            f"All was sent that could be, but in more than {progress.most:,} requests: a receipt does not list all of "
            f"them, so not all can be followed; {how_far}.",
            problems=("ledger_path: is needed where so many requests had to be halved, or were sent by earlier tries",),
        )
    if refused and not _tolerated(rules.on_rejected, refused, sent):
        names = ", ".join(f"{count:,} × {name}" for name, count in progress.refused.most_common(10))
        return OmniRejectedError(
            f"{refused:,} of {some(sent, 'message')} {was(refused)} refused: {names}.",
            retryable=progress.may_succeed_later,
        )
    return None


def _stopped(stop: OmniError, how_far: str) -> OmniError:
    """Return the error that stopped the send, with how far it got."""
    then = (
        "Correct the connection, then clear the task: it goes on with who is left."
        if isinstance(stop, OmniAuthenticationError)
        else "A retry or a clear goes on with who is left."
    )
    message = f"{stop.message} The send stopped there: {how_far}. {then}"
    return type(stop)(
        message,
        status=stop.status,
        vendor_code=stop.vendor_code,
        path=stop.path,
        effect=Effect.UNKNOWN if stop.effect is Effect.UNKNOWN else Effect.NONE,
        retry_after=stop.retry_after,
        problems=stop.problems,
        retryable=stop.retryable,
    )


def _tolerated(on_rejected: str | float, refused: int, sent: int) -> bool:
    if isinstance(on_rejected, str):
        return on_rejected == "ignore"
    return refused <= on_rejected * sent + 1e-9


class ProgressNotes:
    """Notes of how far a send has got: at most one every `NOTE_EVERY` seconds."""

    def __init__(self, left: int, progress: SendProgress, clock: Clock) -> None:
        self._left = left
        self._progress = progress
        self._clock = clock
        self._begun = self._noted = clock()

    def note(self) -> Log | None:
        """Return a note if it is time for one, else None."""
        now = self._clock()
        if now - self._noted < NOTE_EVERY:
            return None
        self._noted = now
        done = self._progress.posted
        rate = done / max(now - self._begun, 1e-9)
        seconds = round((self._left - done) / rate) if rate else 0
        rest = (
            f", {seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d} left"
            if rate and done < self._left
            else ""
        )
        unknown = sum(self._progress.states[state] for state in UNRESOLVED)
        # Messages that were in doubt and then found absent come on top of those that were left.
        total = max(self._left, done)
        return Log(f"{done:,} of {total:,} posted, {rate:,.0f}/s{rest}; {unknown:,} without answer yet.")


# -- who, in a send to a few: by the place in `to`, never by the number -----------------------------------------------

MOST_NAMED = 10
"""People that an error names."""


def people_of_receipt(workspace: Workspace, progress: SendProgress) -> dict[str, Any]:
    """Return the member `recipients` of a receipt: place in `to` and message id of everybody who was posted to.

    A refused one has the status as `rejected`; one in doubt has `unconfirmed`. Of more than 100 people, these two kinds
    come before the others.
    """
    rows: list[dict[str, Any]] = []
    for place, message_id, state in _people(workspace, progress):
        row: dict[str, Any] = {"to": place, "message_id": message_id}
        if state is MessageState.REFUSED:
            rows.append(row | {"rejected": _reason(progress, message_id)})
        elif state in UNCERTAIN:
            rows.append(row | {"unconfirmed": True})
        elif state in MAY_HAVE_ARRIVED:
            rows.append(row)
    if len(rows) > MAX_IDS:
        rows = sorted(sorted(rows, key=len, reverse=True)[:MAX_IDS], key=_place)
    return {"recipients": rows} if rows else {}


def in_order(bulks: Sequence[SentBulk], workspace: Workspace) -> list[SentBulk]:
    """Return the requests of a receipt with their messages in the order of `to`. Those to people who are not in it any
    more come last.
    """
    places = dict(workspace.all("SELECT id, seq FROM person"))
    last = max(places.values(), default=0) + 1

    def place(message_id: str) -> tuple[int, str]:
        return places.get(message_id, last), message_id

    return [SentBulk(each.bulk_id, tuple(sorted(each.message_ids, key=place))) for each in bulks]


def names_of(workspace: Workspace, progress: SendProgress) -> tuple[str, ...]:
    """Return lines such as `to[2]: REJECTED_DND` for an error.

    They name those in doubt, the refused, and those who were left out of a send that reached others.
    """
    doubtful, refused, left, everybody = [], [], [], 0
    for place, message_id, state in _people(workspace, progress):
        everybody += 1
        if state is MessageState.REFUSED:
            refused.append(f"to[{place}]: {_reason(progress, message_id)}")
        elif state in UNCERTAIN:
            doubtful.append(f"to[{place}]: may or may not have been sent")
        elif state in MAY_BE_POSTED:
            left.append(f"to[{place}]: not sent")
    lines = [*doubtful, *refused, *(left if len(left) < everybody else ())]
    return tuple(_first(lines))


def _people(workspace: Workspace, progress: SendProgress) -> Iterator[tuple[int, str, MessageState | None]]:
    """Yield place, current message id and its state of everybody."""
    states = progress.each or {}
    for place, message_id in workspace.all("SELECT seq, id FROM person ORDER BY seq"):
        yield place, message_id, states.get(message_id)


def _first(lines: Sequence[str]) -> Iterable[str]:
    yield from lines[:MOST_NAMED]
    if len(lines) > MOST_NAMED:
        yield f"and {len(lines) - MOST_NAMED:,} more"


def _place(row: dict[str, Any]) -> int:
    return int(row["to"])


def _reason(progress: SendProgress, message_id: str) -> str:
    return progress.reasons.get(message_id, "REJECTED")
