"""The engine of a send, to one person or to a million: prepare everything before the first POST, post windows of
requests, resolve doubts, post the rest.

Each death leaves something behind, and the next try takes it from there:

* before a window's intents are written: nothing of it was posted. Its people are sent to like all who are left.
* between that and the write of the outcomes: IN_DOUBT, the doubt. The logs are asked, by the bulk ids on record.
* after that: nothing is posted again. Messages that were found absent are asked about once more: a frozen try may have
  woken up.

So it does not matter whether the source has changed meanwhile. A message that was intended or accepted before keeps its
state, and only people without a state are sent to.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from airflow_provider_omni.delivery.effects import Clock, Log, Measure, Publish, Report, Steps, call_api
from airflow_provider_omni.delivery.flows import attempted, check_flow
from airflow_provider_omni.delivery.messages.ids import short_fingerprint
from airflow_provider_omni.delivery.messages.intent_log import IntentLog, outcome_line
from airflow_provider_omni.delivery.messages.receipt import Receipt
from airflow_provider_omni.delivery.messages.states import UNCERTAIN, UNRESOLVED, Attempt, MessageState
from airflow_provider_omni.delivery.messages.status import Flow
from airflow_provider_omni.delivery.metrics import Measurement
from airflow_provider_omni.delivery.outbox import safety
from airflow_provider_omni.delivery.outbox.attempts import Attempts
from airflow_provider_omni.delivery.outbox.budget import shown_amount
from airflow_provider_omni.delivery.outbox.cost import Estimate, estimate_cost, refuse_beyond, told_cost
from airflow_provider_omni.delivery.outbox.dispatcher import Dispatcher
from airflow_provider_omni.delivery.outbox.doubts import Doubts
from airflow_provider_omni.delivery.outbox.final_error import RESTORE, final_error_of
from airflow_provider_omni.delivery.outbox.manifest import write_manifest, write_tombstones
from airflow_provider_omni.delivery.outbox.missing_record import check_record_not_lost
from airflow_provider_omni.delivery.outbox.notes import ProgressNotes, not_asked_note
from airflow_provider_omni.delivery.outbox.places import in_order, names_of, people_of_receipt
from airflow_provider_omni.delivery.outbox.plan import (
    MAX_REQUESTS_WITHOUT_LEDGER,
    REASONS_SHOWN,
    SendPlan,
    quarantine_examples,
    quarantine_lines,
)
from airflow_provider_omni.delivery.outbox.policy import SendPolicy
from airflow_provider_omni.delivery.outbox.previous_receipt import previous_receipt
from airflow_provider_omni.delivery.outbox.progress import SendProgress
from airflow_provider_omni.delivery.outbox.publishing import publish, publish_at_last
from airflow_provider_omni.delivery.outbox.receipt_builder import account_of, build_receipt
from airflow_provider_omni.delivery.outbox.reconciler import LISTS, ONE_BY_ONE, looks_by_id
from airflow_provider_omni.delivery.outbox.send_metrics import SendMetrics
from airflow_provider_omni.delivery.outbox.send_report import report_of_send
from airflow_provider_omni.delivery.outbox.store_factory import LedgerTerms, make_store
from airflow_provider_omni.delivery.outbox.stores import AmendableStore, IntentStore, intent_line
from airflow_provider_omni.delivery.outbox.tries import lost_tries
from airflow_provider_omni.delivery.retrying import is_failed_write, retrying
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import (
    OmniAuthenticationError,
    OmniContentChangedError,
    OmniError,
    OmniInputError,
    OmniStaleTryError,
    OmniStorageError,
    OmniUnknownOutcomeError,
)
from airflow_provider_omni.omni.models import LogRow
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.reasons import refusal_in_words
from airflow_provider_omni.omni.retries import may_repeat
from airflow_provider_omni.omni.words import some, was

OUTCOME_ATTEMPTS = 3
"""Attempts to write down what was learned, at the end."""
MAX_ROUNDS = 3
"""Times that one try may find messages absent and post them again."""
_S = MessageState


@dataclass(frozen=True, slots=True)
class SendResult:
    """The end of a send: always a receipt, and the error that the task must fail with, if any.

    :param sent: accepted messages that this very try has posted.
    :param writes: the number of times that the record was written, once this try has taken over all that was not known
        of the earlier ones; None before. From then on the record is complete.
    :param measured: what this try adds to metrics.
    """

    receipt: Receipt
    error: OmniError | None = None
    sent: int = 0
    writes: int | None = None
    measured: tuple[Measurement, ...] = ()


class Outbox:
    """Sends a `SendPlan` once, however often it is run.

    :param policy: the policy of this try.
    :param jitter: random numbers from 0 to 1, for pauses.
    :param ledger: the place of the record. None keeps it in the task's state, for up to 100 requests.
    """

    def __init__(
        self,
        plan: SendPlan,
        policy: SendPolicy,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
        ledger: LedgerTerms | None = None,
    ) -> None:
        self.plan = plan
        self.policy = policy
        self.clock = clock
        self.jitter = jitter
        self.ledger = ledger
        self.flow = plan.spec.flow
        self.known = IntentLog(plan.workspace)
        self.store: IntentStore = make_store(
            plan.about() | {"account": policy.account},
            ledger,
            policy.record_writes if policy.record_complete else None,
            one_request=plan.spec.one_request,
        )
        self.here = self.store.here
        self._begun_at = clock()
        self.progress = SendProgress.listing(ledger=ledger is not None, each=plan.spec.one_request)
        self.attempts = Attempts(plan, self.known)
        self._entered = self._taken_over = False
        self._in_lists_only: set[str] = set()
        """Messages of other tasks that are too many to be asked for one by one."""
        self._unrecorded: set[str] = set()
        """Messages that another task, run or try may have posted, without this task's record knowing of it."""
        self._accepted_before: int | None = None
        self._doubts: Doubts | None = None
        self._metrics: SendMetrics | None = None
        self._is_new = False
        """True if there was no record, and none is missed: no earlier try has sent, or left anybody out."""
        self._loaded_at: float | None = None
        self._left = self._requests = self._parts = 0
        self._estimate: Estimate | None = None

    def run(self) -> Steps[SendResult]:
        """Run to the end. Errors come back in the `SendResult`, so that the receipt is never lost with them."""
        error: OmniError | None = None
        try:
            yield from self._open()
            if not self.policy.dry_run:
                if not self.plan.spec.one_request:
                    # Such a plan publishes right before its POST. Until then its record may list messages in doubt that
                    # nobody has ever posted.
                    yield from publish(self.receipt().to_json(), self.jitter)
                error = yield from self._send()
        except OmniError as caught:
            error = caught
            began = self._entered or self.plan.spec.one_request  # which reads its record first thing
            if not (began or self.policy.dry_run or isinstance(error, OmniStaleTryError)):
                account = self.policy.account
                recalled = yield from previous_receipt(
                    self.plan.spec, self.plan.workspace, self.ledger, self.jitter, account, error
                )
                return SendResult(self.receipt() if recalled is None else recalled, error)
        for reason, count in self.progress.refused.most_common(REASONS_SHOWN):
            yield Log(f"Refused: {count:,} × {refusal_in_words(reason)}", warning=True)
        receipt = self.receipt()
        if self._entered and not self.policy.dry_run and not isinstance(error, OmniStaleTryError):
            # A try that was replaced must not write over the receipt of the one that runs now. One that could not read
            # its record would say that nobody was sent to.
            yield from publish_at_last(receipt.to_json(), self.jitter)
        before, doubts = self._accepted_before, self._doubts
        earlier = 0 if doubts is None else doubts.accepted_earlier
        sent = 0 if before is None else self.progress.states[_S.ACCEPTED] - before - earlier
        writes = self.store.saved if self._taken_over else None
        # Of a try that was replaced, the one that runs now finds out what is in doubt.
        measured = self.measure(ended=not isinstance(error, OmniStaleTryError))
        return SendResult(receipt, error, sent, writes, tuple(measured))

    def receipt(self) -> Receipt:
        """Return the receipt of this moment."""
        extra: dict[str, Any] = {"sms_parts": self._parts} | self._reasons()
        if self.policy.dry_run:
            extra |= {"dry_run": True, "requests": self._requests, "recipients": self._left}
        if self.plan.spec.one_request:
            extra = {"dry_run": True} if self.policy.dry_run else {}
            extra |= people_of_receipt(self.plan.workspace, self.progress)
        if self.plan.spec.budget is not None and self._estimate is not None and not self._estimate.missing:
            extra["estimated_cost"] = {self.plan.spec.budget.currency: shown_amount(self._estimate.amount)}
        plan, progress = self.plan, self.progress
        # If this try has posted nothing, others may have, and it has not read of them (yet). A ledger will tell.
        own = self.policy.account if progress.posted or (self._entered and self.ledger is None) else ""
        account = account_of(progress.origins, own)
        receipt = build_receipt(
            plan.spec,
            plan.intake,
            progress,
            flow=self.flow or (),
            ledger=self.ledger,
            account=account,
            contents=plan.spec.content.by_channel(),
            send_at=plan.latest_schedule(self.clock()) if self.policy.dry_run else progress.scheduled_until,
            extra=extra,
        )
        if plan.spec.one_request:
            return replace(receipt, bulks=in_order(receipt.bulks, plan.workspace))
        return receipt

    def _reasons(self) -> dict[str, Any]:
        """Return the statuses of the refused and the reasons for quarantine, each with its count."""
        refused, quarantined = self.progress.refused, self.plan.intake.reasons
        shown = {"rejected_by_status": refused, "quarantined_by_reason": quarantined}
        return {name: dict(counts.most_common(REASONS_SHOWN)) for name, counts in shown.items() if counts}

    # -- before the first post -------------------------------------------------------------------------------------

    def _open(self) -> Steps[None]:
        """Refuse all that can be refused, before anything is posted. Replay the record, and mark the people who are
        left.
        """
        self.policy.check()
        plan, intake = self.plan, self.plan.intake
        if plan.spec.one_request:
            yield from self._read_record()
            self._is_new = self.policy.record_complete and self.known.empty()
        yield from self._know_the_flow()
        if problems := plan.spec.chunk_problems(self.flow):
            raise OmniInputError("Nothing was sent: it cannot be sent as it is.", problems=problems)
        chunk = plan.spec.chunk(self.flow)
        self._requests = plan.requests(chunk)
        plan.spread_over(self._requests)
        if plan.spec.one_request and self._requests > 1:
            raise OmniInputError(
                "Nothing was sent: too many recipients for one request",
                problems=(
                    unexpected(
                        "to", intake.people, f"up to {chunk} for this flow; OmniSendBatchOperator takes any number"
                    ),
                ),
            )
        if self.ledger is None and self._requests > MAX_REQUESTS_WITHOUT_LEDGER:
            raise OmniInputError(
                f"Nothing was sent: this batch takes {self._requests:,} requests",
                problems=(f"ledger_path: is needed for more than {MAX_REQUESTS_WITHOUT_LEDGER} requests",),
            )
        self.store.flow = self.flow
        if self.policy.asks and not self.policy.dry_run:
            self.store.steps = attempted(self.flow or (), plan.spec.content.channels())
            yield from self._doubt_what_is_not_on_record()
        yield from self.store.enter(self.known, dry_run=self.policy.dry_run)
        self._entered, self._loaded_at = True, self.clock()
        self._count_suppressed_who_were_sent_to()
        if not plan.spec.one_request:
            self._is_new = self.policy.record_complete and self.known.empty()
        self.flow = self.flow or self.store.flow
        # If the record is not complete, a lost try or another task may have posted these people in another request.
        self.progress.bulk_filter.sole = self.store.complete and not self.policy.shared_key
        self.progress.take_over(
            self.known, plan.fingerprint
        )  # from here on the receipt has what earlier tries have sent
        yield from check_flow(self.flow, plan.spec.content.channels())
        self.store.steps = attempted(self.flow or (), plan.spec.content.channels())
        yield from self._check_ledger(chunk)
        yield from self._estimate_cost()
        for line in quarantine_lines(plan):
            yield Log(f"Quarantined: {line}", warning=True)
        if self.ledger is None or self.policy.dry_run:  # else read_quarantine tells
            for line in quarantine_examples(plan):
                yield Log(f"Quarantined: {line}", warning=True)
        if (manifest := self.store.manifest) is not None and not self.policy.dry_run:
            yield from write_manifest(plan, manifest, self.policy.limits.part_rows)
            yield from write_tombstones(plan.workspace, manifest, self.policy.limits.part_rows)
        self._parts = plan.sms_parts()
        if not self.policy.dry_run:
            self.known.doubt_old_proofs()
        if self.policy.asks:
            self.attempts.conclude()
        self.known.mark_who_is_left(plan.ids)
        self.progress.take_over(self.known, plan.fingerprint)
        self._left, self._requests = plan.left(), plan.requests(chunk)
        if self.policy.dry_run:
            self._parts = plan.sms_parts()
        self.chunk = chunk
        self._check_content(self._left)
        yield from self._check_cost_so_far()
        yield from self._check_memory(chunk)
        self._taken_over = not self.policy.dry_run
        certain = frozenset({_S.ACCEPTED})
        if not self._left and (sent := self.known.other_fingerprints(plan.fingerprint, certain)):
            # If tasks are mapped over texts with one ledger for all, only the first text is ever sent.
            yield Log(
                f"Same idempotency_key, other content: {some(sent, 'message')} went out with the earlier content "
                f"({self._fingerprints()}), and nobody is left to send this one to. If both are meant, such as in "
                "tasks mapped over texts, give each an idempotency_key and a ledger_path of its own.",
                warning=True,
            )
        yield Log(
            f"{some(intake.requested, 'recipient' if plan.spec.one_request else 'row')}: "
            f"{some(intake.people, 'person', 'people')}, "
            f"{intake.quarantined:,} quarantined, "
            f"{'' if intake.suppressed is None else f'{intake.suppressed:,} on the suppression list, '}"
            f"{some(intake.duplicates, 'duplicate')}. {self._left:,} left to send, in "
            f"{some(self._requests, 'request')}{self._way()}."
        )

    def _way(self) -> str:
        """Return by which channels it goes, and how many SMS parts that may take; empty if nobody is left."""
        if not self._left:
            return ""
        by = f" by {' -> '.join(self.flow)}" if self.flow else ""
        parts = self.plan.sms_parts()
        return by + (f", up to {some(parts, 'SMS part')} if everybody gets the SMS" if parts else "")

    def _read_record(self) -> Steps[None]:
        """Read the record first thing: it knows the flow, and a receipt must list its messages whatever comes next."""
        yield from self._amendable.replay(self.known)
        self.progress.take_over(self.known, self.plan.fingerprint)
        self._entered, self._loaded_at = True, self.clock()
        self.flow = self.flow or self.store.flow

    def _count_suppressed_who_were_sent_to(self) -> int:
        """Count people on the suppression list whose message was accepted before among the people of the send. Return
        their number.
        """
        intake = self.plan.intake
        if not intake.suppressed:
            return 0
        people, rows = self.known.count_among_people_who_was_sent_to()
        intake.people += people
        intake.suppressed -= rows
        intake.duplicates += rows - people
        return people

    @property
    def _amendable(self) -> AmendableStore:
        """The record of a plan of one request: it can be amended by what it may not know of."""
        store = self.store.amendable
        assert store is not None
        return store

    def _doubt_what_is_not_on_record(self) -> Steps[None]:
        """Mark every message that the record may not know of as in doubt: another task, run or try may have posted it.

        It may have been in other requests, so no bulk id would surely find it. Earlier tries whose record is lost may
        have posted again to people whom the vendor had refused, under the ids of further attempts.
        """
        store, policy, doubted = self._amendable, self.policy, False
        self.known.doubt_old_proofs()
        if policy.shared_key:
            yield from self._forget_outdated_refusals(store)
        if policy.shared_key or not store.complete:
            for attempt in self.known.doubt_an_older_record():
                store.doubt(attempt, outcome_line(attempt))
                doubted = True
            # Of the lost tries the first may have used the current id, and each after it a further one.
            lost = 1 if store.complete else lost_tries(policy.unaccounted, policy.record_writes, store.saved)
            found = self.attempts.unrecorded(max(lost - 1, 0), shared_key=policy.shared_key)
            if store.complete and any(found):
                self._refuse_a_shared_key_ahead_of_time()
            for ids in filter(None, found):
                doubted = True
                self._unrecorded.update(ids)
                self._register(store, ids)
            if sum(map(len, found)) > ONE_BY_ONE:
                self._in_lists_only = set(found[1])
        if doubted:
            yield Log("These messages may have been sent before: the logs are asked first.")

    def _refuse_a_shared_key_ahead_of_time(self) -> None:
        """Raise OmniUnknownOutcomeError if the logs cannot show for long what another task may have posted under the
        user's own key: they have no message before its time.
        """
        now = self.clock()
        at = self.plan.latest_schedule_of_others(now)
        if at is None or at - now <= self.policy.look.patience:
            return
        when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        raise OmniUnknownOutcomeError(
            "Nothing was sent by this try. Under an idempotency_key of your own another task or run may have sent, and "
            f"the logs do not show messages before their time, which may be until {when}. Leave the key out, or send a "
            "batch with a ledger_path, which knows; or retry after that time.",
            retryable=True,
        )

    def _forget_outdated_refusals(self, store: AmendableStore) -> Steps[None]:
        """Take refusals off the record whose messages another task has sent since, under the very same ids. They are
        then in doubt like all that is not on record.

        Raises OmniError if the logs cannot be read.
        """
        refused, reasons = self.attempts.refused(), self.known.reasons()
        outdated: set[str] = set()
        for ids in looks_by_id(refused, one_by_one=ONE_BY_ONE, lists=LISTS):
            look = partial(
                call_api,
                api.get_logs(message_ids=ids, limit=api.MAX_LIMIT),
                patience=self.policy.look.patience,
                label="logs asked",
            )
            rows: list[LogRow] = yield from retrying(look, self.policy.attempts, self.jitter)
            outdated |= {
                row.message_id
                for row in rows
                if row.message_id in ids and safety.outdates_refusal(row.status, reasons.get(row.message_id))
            }
        if outdated:
            self.known.forget(outdated)
            store.forget(outdated)

    def _register(self, store: AmendableStore, ids: list[str]) -> None:
        attempt = Attempt(
            self.plan.ids.bulk_id(ids),
            self.clock(),
            self.plan.latest_schedule_of_others(self.clock()),
            self.policy.first_try_at or 0.0,
            bulk_id_conclusive=len(ids) == 1,
            messages=dict.fromkeys(ids, _S.IN_DOUBT),
            origin=store.unrecorded_from,
        )
        store.register(attempt)
        line, steps = intent_line(attempt, {}), list(store.steps)
        self.known.replay(line, self.plan.fingerprint, origin=list(store.unrecorded_from), steps=steps)

    def _check_ledger(self, chunk: int) -> Steps[None]:
        """Ask the logs if the ledger is empty though an earlier try may have sent: it may have used another ledger."""
        policy = self.policy
        nothing_posted = policy.is_first_try or (policy.record_complete and not policy.record_writes)
        if self.ledger is None or not self.known.empty() or nothing_posted or policy.dry_run:
            return
        try:
            yield from self._check_record_not_lost(chunk)
        except OmniInputError:
            # Another try may have sent it meanwhile, on this very ledger: one that had been frozen, for example.
            yield from self.store.check_current()
            raise

    def _check_memory(self, chunk: int) -> Steps[None]:
        """Ask the logs if the task's state may be incomplete: people without a record may have been sent to.

        Refuses the batch if Airflow keeps no state of the task.
        """
        policy = self.policy
        if self.store.complete or policy.is_first_try or policy.dry_run:
            return
        if policy.asks:
            return  # everybody is in doubt who is not on record
        if not policy.durable:
            raise OmniInputError(
                "Nothing was sent: an earlier try may have sent some, and there is no record of it",
                problems=("ledger_path: is needed to retry or clear a batch where Airflow keeps no state of the task "
                          "(before 3.3)",),
            )  # fmt: skip
        yield from self._check_record_not_lost(chunk)

    def _check_record_not_lost(self, chunk: int) -> Steps[None]:
        policy, has_ledger = self.policy, self.ledger is not None
        lost = lost_tries(policy.unaccounted, policy.record_writes, self.store.saved)
        yield from check_record_not_lost(
            self.plan, chunk, policy, self.clock, self.jitter, has_ledger=has_ledger, lost=lost
        )

    def _estimate_cost(self) -> Steps[None]:
        """Estimate the cost of everybody. Refuse a send of which nothing was posted yet if it could cost too much."""
        plan, budget = self.plan, self.plan.spec.budget
        if budget is None:
            return
        steps = self.store.steps or plan.spec.content.channels()
        everybody = self._estimate = estimate_cost(plan.workspace, budget, steps)
        if self.known.empty() and everybody.people:
            refuse_beyond(budget, everybody, everybody, {})
        if not everybody.missing:
            yield Log(
                f"Estimated cost, if every step is tried for everybody: up to {everybody.in_words(budget.currency)}; "
                f"max_cost is {shown_amount(budget.limit.amount)} {budget.currency}."
            )

    def _check_cost_so_far(self) -> Steps[None]:
        """Refuse to post more if the send could then cost too much, by what reports have told since it began."""
        plan, budget, everybody = self.plan, self.plan.spec.budget, self._estimate
        if budget is None or everybody is None or not self._left or self.known.empty():
            return
        told: dict[str, Decimal] = {}
        if self.ledger is not None:
            steps, _ = self.known.flows()
            told = yield from told_cost(plan.workspace, apart=Flow.of(steps or ()).kept_apart)
        left = estimate_cost(plan.workspace, budget, self.store.steps or plan.spec.content.channels(), left=True)
        refuse_beyond(budget, everybody, left, told)

    def _know_the_flow(self) -> Steps[None]:
        if self.flow is not None:
            return
        call = api.get_scenario(self.plan.spec.scenario_key)
        try:
            scenario = yield from retrying(
                lambda: call_api(call), self.policy.attempts, self.jitter, repeats=lambda error: may_repeat(call, error)
            )
        except OmniAuthenticationError as error:
            if error.status != 403:
                raise
            yield Log("The account may send but not read scenarios: the flow stays unknown.", warning=True)
        else:
            self.flow = tuple(step.channel for step in scenario.flow)

    def _check_content(self, left: int) -> None:
        """Refuse to mix two contents, accounts or scenarios under one key, before anything is posted.

        :param left: the number of messages that would be posted; nothing is refused for 0.
        """
        if not left:
            return
        changed, count = self.known.from_another_origin(self.here)
        if count:
            raise OmniContentChangedError(
                f"Same idempotency_key, other {changed}: {some(count, 'message')} {was(count)} or may "
                f"have been sent from another one; not sent: {left:,}. {RESTORE[changed]}, or use another "
                f"{self._name_of_a_send}."
            )
        sent = self.known.other_fingerprints(self.plan.fingerprint)
        if sent:
            raise OmniContentChangedError(
                f"Same idempotency_key, other content: {some(sent, 'message')} {was(sent)} or may have been "
                f"sent with the earlier content ({self._fingerprints()}); not sent: {left:,}.{self.store.changed()} "
                f"Restore the content, or use another {self._name_of_a_send}."
            )

    def _fingerprints(self) -> str:
        """Return words for the contents of earlier tries and of this one: hashes, no text."""
        own = self.plan.fingerprint
        others = ", ".join(short_fingerprint(each) for each in self.known.fingerprints() if each != own)
        return f"fingerprint {others or 'not known'}; this one's is {short_fingerprint(own)}"

    def _sent_by_others(self, count: int) -> Log:
        """Return the warning that another task has sent under this key. Its content stands on no record of this one."""
        return Log(
            f"Same idempotency_key: another task or run has sent {some(count, 'message')}, so this one did not send "
            f"{'it' if count == 1 else 'them'} again. With which content is not on record. If it was another than this "
            f"one's (fingerprint {short_fingerprint(self.plan.fingerprint)}), this one reaches nobody: give it an "
            "idempotency_key of its own.",
            warning=True,
        )

    @property
    def _name_of_a_send(self) -> str:
        return "idempotency_key" if self.plan.spec.one_request else "idempotency_key and ledger_path"

    # -- sending -----------------------------------------------------------------------------------------------------

    def _send(self) -> Steps[OmniError | None]:
        self._accepted_before = self.progress.states[_S.ACCEPTED]
        uncounted = sum(self.progress.states[state] for state in UNCERTAIN) if self.policy.unaccounted else 0
        self._metrics = SendMetrics(
            self.progress, self.plan.intake, is_new=self._is_new, doubted=uncounted or len(self._unrecorded)
        )
        self.plan.lay_out(self.chunk)
        notes = ProgressNotes(self._left, self.progress, self.clock)
        dispatcher = Dispatcher(
            self.plan,
            self.chunk,
            self.policy,
            self.store,
            self.progress,
            self.clock,
            self.jitter,
            lambda: self._notes(notes),
            None if self.ledger is not None else lambda: Publish(self.receipt().to_json(), label="receipt published"),
        )
        doubts = self._doubts = Doubts(
            self.plan,
            self.chunk,
            self.policy,
            self.store,
            self.known,
            self.progress,
            self.attempts,
            self.clock,
            self.jitter,
            loaded_at=self._loaded_at,
            in_lists_only=self._in_lists_only,
            write=self._write_outcomes,
        )
        doubtful = list(self.known.open_attempts())
        earlier = [attempt for attempt in doubtful if not attempt.is_from_another_origin(self.here)]
        for attempt in doubtful:
            if attempt.origin is not None and attempt.is_from_another_origin(self.here):
                yield not_asked_note(len(attempt.in_state(*UNCERTAIN)), attempt.origin, self.here)
        try:
            yield from self._post_all(dispatcher, doubts)
            if self.progress.stop is None:
                yield from self._resolve(dispatcher, doubts, earlier)
                found = self._count_suppressed_who_were_sent_to()  # the logs have shown it just now
                self.progress.states[_S.ACCEPTED] += found
                doubts.accepted_earlier += found
        except OmniStaleTryError:
            dispatcher.give_back()
            raise
        except OmniError as error:
            dispatcher.give_back()
            yield from self._write_outcomes()
            yield from self._write_end()
            return error
        dispatcher.give_back()
        yield from self._write_outcomes()
        yield from self._write_end()
        if self.policy.shared_key and (theirs := doubts.by_others & self._unrecorded):
            yield self._sent_by_others(len(theirs))
        final = final_error_of(
            self.plan,
            self.progress,
            self.policy,
            has_ledger=self.ledger is not None,
            strangers=doubts.strangers(earlier),
            at_another_origin=self.known.from_another_origin(
                self.here, UNRESOLVED if self.policy.trust_duplicate_rejection else UNCERTAIN
            ),
        )
        if final is not None and self.progress.stop is None and self.plan.spec.one_request:
            final.problems += names_of(self.plan.workspace, self.progress)
        return final

    def _notes(self, notes: ProgressNotes) -> Iterable[Log | Report | Measure]:
        """Return a line on how far the send has got, a delivery report and metrics, when it is time for them."""
        if (note := notes.note()) is None:
            return ()
        now, receipt = self.clock(), self.receipt().to_json()
        report = Report(report_of_send(receipt, "sending", now, begun_at=self._begun_at))
        return note, report, Measure(tuple(self.measure()))

    def _by_others(self) -> int:
        """Return the number of accepted messages that another task, run or try has sent, which has counted them."""
        if self._doubts is None or not self._unrecorded:
            return 0
        return len(self._doubts.by_others & self._unrecorded)

    def measure(self, *, ended: bool = False) -> list[Measurement]:
        """Return what this try adds to metrics, and was not returned before.

        :param ended: True if the try has ended by itself, so that what is in doubt stays so.
        """
        if self._metrics is None or self.policy.dry_run:
            return []
        if not ended:
            return self._metrics.news(self._by_others())
        return self._metrics.at_end(self._by_others(), trusted=self.policy.trust_duplicate_rejection)

    def _post_all(self, dispatcher: Dispatcher, doubts: Doubts) -> Steps[None]:
        """Post everything that waits. If many outcomes in a row are unknown, ask the logs first and then go on."""
        while True:
            accepted = self.progress.states[_S.ACCEPTED]
            yield from dispatcher.run()
            if dispatcher.broken is None:
                return
            broken = dispatcher.broken
            yield Log("Many outcomes in a row are unknown: the logs are asked before more is posted.", warning=True)
            yield from self._write_outcomes()
            absent = yield from doubts.ask(self.progress.open)
            self.progress.open = [attempt for attempt in self.progress.open if attempt.in_state(_S.IN_DOUBT)]
            if self.progress.states[_S.ACCEPTED] == accepted:
                # None of them arrived: the vendor's side is down. A later try goes on from here.
                self.progress.stop = broken
                return
            self._check_content(sum(len(request.ids) for request in absent))
            dispatcher.add(absent)

    def _resolve(self, dispatcher: Dispatcher, doubts: Doubts, earlier: list[Attempt]) -> Steps[None]:
        """Ask about messages in doubt, those of earlier tries too; post absent ones; and so on."""
        trusted = False
        for number in range(1, MAX_ROUNDS + 1):
            unknown = [*earlier, *self.progress.open]
            if not unknown:
                return
            yield from self._write_outcomes()
            again = yield from doubts.ask(unknown)
            self.progress.open, earlier = [], []
            if self.policy.trust_duplicate_rejection and not trusted:
                trusted = True
                again += doubts.on_trust(unknown)
            if not again or number == MAX_ROUNDS:
                return  # what was posted last has been asked about, too
            self._check_content(sum(len(request.ids) for request in again))
            dispatcher.add(again)
            yield from self._post_all(dispatcher, doubts)
            if self.progress.stop is not None:
                return

    def _write_end(self) -> Steps[None]:
        """Say in the ledger which parts stand in it. If that fails, a part that is gone later may not be missed."""
        end = self.store.ends()
        if end is None:
            return
        try:
            yield end
        except OmniStaleTryError:
            raise
        except OmniStorageError as error:
            yield Log(f"The end could not be written into the ledger ({type(error).__name__}).", warning=True)

    def _write_outcomes(self) -> Steps[None]:
        """Write the outcomes that were learned. If that fails, the record is still true: it says IN_DOUBT, and the logs
        know more.
        """
        if not self.progress.unwritten:
            return

        learned = self.progress.learned()

        def write() -> Steps[None]:
            yield from self.store.writes((), list(self.progress.unwritten.values()), ())
            self.store.written((), ())
            self.progress.unwritten = {}
            self.progress.on_record(learned)

        try:
            yield from retrying(write, OUTCOME_ATTEMPTS, self.jitter, repeats=is_failed_write)
        except OmniStaleTryError:
            raise
        except OmniStorageError:
            yield Log("What was learned could not be written down; a later try will ask the logs again.", warning=True)
