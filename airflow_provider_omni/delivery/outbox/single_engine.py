"""The engine for one request with one or a few recipients: intent first, then one POST.

An unknown outcome is resolved by asking the logs, never by posting again. Each death leaves something behind, and the
next try takes it from there:

* before the intent is written: nothing was posted; it starts anew.
* between the intent and the POST, during it, or before its answer was written: INTENT, the doubt; it asks the logs.
* after the answer was written: it posts nothing.

The write of the intent is also the fence: a try that has been superseded cannot write any more (Airflow ≥ 3.3), so it
posts nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_omni.delivery.effects import Ask, Clock, Label, Load, Note, Pause, Save, Steps
from airflow_provider_omni.delivery.flows import attempted, check_flow
from airflow_provider_omni.delivery.messages.receipt import Receipt
from airflow_provider_omni.delivery.messages.states import (
    KEY,
    MAY_BE_POSTED,
    MAY_HAVE_ARRIVED,
    UNRESOLVED,
    Attempt,
    Event,
    MessageState,
    Origin,
    SendRecord,
)
from airflow_provider_omni.delivery.messages.status import status_label
from airflow_provider_omni.delivery.outbox import policy, publishing
from airflow_provider_omni.delivery.outbox.plan import chunk_limit
from airflow_provider_omni.delivery.outbox.policy import INTENT_TTL, LookPolicy
from airflow_provider_omni.delivery.outbox.reconciler import Reconciler
from airflow_provider_omni.delivery.outbox.result import RESTORE, cannot_ask
from airflow_provider_omni.delivery.outbox.single_labels import names_of, people_of_receipt
from airflow_provider_omni.delivery.outbox.single_plan import SendPlan
from airflow_provider_omni.delivery.outbox.single_result import receipt_of_send, verdict_of_send
from airflow_provider_omni.delivery.outbox.tries import lost_tries
from airflow_provider_omni.delivery.recipients.addresses import Recipient
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import (
    Effect,
    OmniAuthenticationError,
    OmniContentChangedError,
    OmniError,
    OmniInputError,
    OmniStaleTryError,
    OmniStorageError,
)
from airflow_provider_omni.omni.models import Scenario, SendResponse, SentMessage, Status
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.retries import backoff, may_repeat
from airflow_provider_omni.omni.statuses import is_duplicate, is_refusal, mendable
from airflow_provider_omni.omni.words import are, some, was

ROUNDS = 3
"""Times that one try may find messages absent and post them again."""
FENCES = 5
"""Writes of one intent before the try gives up. One that took longer than `INTENT_TTL` is written again."""


@dataclass(frozen=True, slots=True)
class SendRules:
    """The rules by which a single send goes where the API leaves it open.

    :param look: the conditions under which absence may be concluded.
    :param trust_duplicate_rejection: post messages that stay unknown, and are younger than 47 h, again with their ids.
    :param attempts: POSTs of one request that certainly had no effect, after which the try gives up.
    :param on_rejected: `fail` or `ignore`.
    :param surely_first: True if an empty record means that nothing was posted: this is the first try ever of this send,
        or the one before has said that it ended without a record (`tries.Tries.told`).
    :param told: True if a record is complete. Otherwise the logs are asked about messages that it does not know of,
        too.
    :param record_writes: the number of times that the record was written when the try before ended. A record that was
        written less often is not complete.
    :param untold: the number of earlier tries that may have sent something that is not on record.
    :param account: `OmniConfig.account_mark`, which tells accounts apart.
    :param shared_key: True if other tasks or runs may send under this key. Messages that are not on this task's record
        are then asked about, too.
    :param first_try_at: for a later try, seconds since the epoch before which no try of this send can have begun. If it
        is None (not known), or longer ago than the logs reach, absence cannot be proven where there is no record.
        Messages that the logs do not show then stay unknown.
    :param dry_run: do everything but the POST, and write nothing.
    """

    look: LookPolicy
    trust_duplicate_rejection: bool = False
    attempts: int = 5
    on_rejected: str = "fail"
    surely_first: bool = False
    told: bool = True
    record_writes: int = 0
    untold: int = 0
    account: str = ""
    shared_key: bool = False
    first_try_at: float | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class SendEnd:
    """The end of a send: always a receipt, and the error that the task must fail with, if any.

    :param sent: accepted messages that this very try has posted.
    :param writes: the number of times that the record was written, once this try has opened it; None before. From then
        on the record is complete.
    """

    receipt: Receipt
    error: OmniError | None = None
    sent: int = 0
    writes: int | None = None


class SingleSend:
    """Sends a `SendPlan` once, however often it is run.

    :param rules: the rules for this try.
    :param jitter: random numbers from 0 to 1, for pauses.
    """

    def __init__(
        self, plan: SendPlan, rules: SendRules, clock: Clock, jitter: Callable[[], float] = random.random
    ) -> None:
        self.plan = plan
        self.rules = rules
        self.clock = clock
        self.jitter = jitter
        self.flow = plan.flow
        self.here = Origin(rules.account, plan.scenario_key)
        self.record = SendRecord(plan.fingerprint)
        self._opened = False
        self._posted: set[str] = set()
        self._mendable = False
        self._lost: OmniError | None = None
        self._loaded_at: float | None = None
        self._refused_now: set[str] = set()

    def run(self) -> Steps[SendEnd]:
        """Run to the end. Errors come back in the `SendEnd`, so that the receipt is never lost with them."""
        error: OmniError | None = None
        try:
            yield from self._open()
            if not self.rules.dry_run:
                error = yield from self._send()
        except OmniError as caught:
            error = caught
        receipt = self.receipt()
        if not self.rules.dry_run and not isinstance(error, OmniStaleTryError):
            # A try that was replaced must not write over the receipt of the one that runs now.
            yield from publishing.publish_at_last(receipt.to_json(), self.jitter)
        sent = sum(each in self._posted and self.record.state(each) is MessageState.ACCEPTED for each in self._ids())
        return SendEnd(receipt, error, sent, self.record.writes if self._opened else None)

    # -- before the first post -------------------------------------------------------------------------------------

    def _say_who_is_left_out(self) -> Steps[None]:
        """Note how many recipients are left out. Without it nobody who reads the log knows why so few were sent to."""
        if count := self.plan.recipients.quarantined:
            yield Note(
                f"{some(count, 'recipient')} of {self.plan.recipients.requested:,} {are(count)} left out: "
                "allowed_recipients or allowed_countries does not let a message to them through.",
                warning=not self.plan.recipients.people,
            )

    def _open(self) -> Steps[None]:
        known = SendRecord.from_json((yield Load(KEY, label="record read")))
        self._loaded_at = self.clock()
        if known is not None:
            self.record = known
            self._doubt_old_proofs()
        told = self.record.writes >= self.rules.record_writes
        told = told and (self.rules.surely_first if known is None else self.rules.told)
        yield from self._know_the_flow()
        limit = chunk_limit(self.flow)
        if len(self.plan.recipients.people) > limit:
            found = len(self.plan.recipients.people)
            raise OmniInputError(
                "Nothing was sent: too many recipients for one request",
                problems=(
                    unexpected("to", found, f"up to {limit} for this flow; OmniSendBatchOperator takes any number"),
                ),
            )
        if self.rules.dry_run:
            return
        yield from self._say_who_is_left_out()
        doubted = False
        if not told:
            doubted = self._doubt_an_older_record()
        if self.rules.shared_key or not told:
            doubted = self._doubt_what_is_not_on_record(told=told) or doubted
        if doubted:
            yield Note("These messages may have been sent before: the logs are asked first.")
        origins = self.record.origins
        if not self._elsewhere(*MAY_HAVE_ARRIVED)[1]:  # else this try posts nothing
            origins = [self.here] if told else list(dict.fromkeys((*origins, self.here)))
        if doubted or known is None or origins != self.record.origins:
            # From here on an empty record means that nothing was posted.
            self.record.origins = origins
            yield from self._write("taken over")
        self._opened = True

    def _doubt_old_proofs(self) -> None:
        """Turn ABSENT back into INTENT: a frozen try may have posted it after its absence was proven."""
        for posting in self.record.postings:
            for message_id in posting.having(*policy.outdated(whole=True)):
                posting.learn(message_id, Event.PROOF_OUTDATED)

    def _doubt_an_older_record(self) -> bool:
        """Turn NOT_SENT back into INTENT: a try of which the record does not know (any more) may have posted it since.

        Messages in doubt may have been posted in another request, too, so their bulk id is not relied on. Returns True
        if a state has changed.
        """
        doubted = False
        for posting in self.record.postings:
            for message_id in posting.having(*policy.outdated(whole=False)):
                posting.learn(message_id, Event.PROOF_OUTDATED)
                doubted = True
            if posting.having(*UNRESOLVED):
                posting.by_bulk = False
        return doubted

    def _know_the_flow(self) -> Steps[None]:
        elsewhere = self._elsewhere(*MAY_HAVE_ARRIVED)[1]
        if elsewhere or self.record.flow_of in (None, self.plan.scenario_key):
            self.flow = self.flow or self.record.flow
        if self.flow is None:
            try:
                scenario: Scenario = yield from self._patiently(api.get_scenario(self.plan.scenario_key))
                self.flow = tuple(step.channel for step in scenario.flow)
            except OmniAuthenticationError as error:
                if error.status != 403:
                    raise
                yield Note("The account may send but not read scenarios: the flow stays unknown.", warning=True)
        yield from check_flow(self.flow, self.plan.content.channels())
        if not elsewhere:
            self.record.flow, self.record.flow_of = self.flow, self.plan.scenario_key

    def _patiently(self, call: api.Call[Any]) -> Steps[Any]:
        for attempt in range(1, self.rules.attempts + 1):
            try:
                return (yield Ask(call))
            except OmniError as error:
                if not may_repeat(call, error) or attempt == self.rules.attempts:
                    raise
                yield Pause(backoff(attempt, error.retry_after, self.jitter))
        raise AssertionError("unreachable")

    def _doubt_what_is_not_on_record(self, *, told: bool) -> bool:
        """Mark every message without a record as in doubt, with an intent of now: another task, run or try may have
        posted it.

        It may have been in other requests, so no bulk id would surely find it. Earlier tries whose record is lost may
        have posted again to people whom the vendor had refused, under the ids of further attempts. Returns True if
        there were any messages to mark.

        :param told: True if this task's own record is complete. Then no further attempts are marked.
        """
        ids: list[str] = []
        lost = lost_tries(self.rules.untold, self.rules.record_writes, self.record.writes)
        for person in self.plan.recipients.people:
            known = self._attempts(person)
            current = self._id(person)
            if self.record.state(current) is MessageState.ACCEPTED:
                continue
            next_ones = len(known) + (current not in known)
            # Of the lost tries the first may have used the current id, and each after it a further one.
            further = 0 if told else max(lost - 1, 0)
            ids += [
                self.plan.identity.message_id(person.key, attempt) for attempt in range(len(known), next_ones + further)
            ]
        if ids:
            since = self.rules.first_try_at or 0.0
            posting = Attempt(self._bulk_id(ids), self.clock(), self.plan.scheduled_at, since, by_bulk=len(ids) == 1)
            posting.messages = dict.fromkeys(ids, MessageState.INTENT)
            elsewhere = [each for each in self.record.origins if each != self.here]
            # Lost parts of the record may have been posted from there. If nothing is known, it was posted from here.
            posting.origin = elsewhere[-1] if elsewhere and not told else self.here
            self.record.postings.append(posting)
        return bool(ids)

    # -- sending ---------------------------------------------------------------------------------------------------

    def _send(self) -> Steps[OmniError | None]:
        yield from self._settle_open()
        for _ in range(ROUNDS):
            rest = self._rest()
            if not rest:
                break
            self._check_content()
            error = yield from self._post(rest)
            yield from self._settle_open()
            if error is not None and error.effect is Effect.NONE:
                return error
        return self._verdict()

    def _rest(self) -> list[tuple[str, Recipient]]:
        """Return the messages that are left to be posted, with their people.

        They are absent, certainly not sent, never tried, or refused in an earlier try (under the next attempt's id);
        and those in doubt that are posted again on trust.
        """
        rest = []
        for person in self.plan.recipients.people:
            message_id = self._id(person)
            may_be_posted = self.record.state(message_id) in MAY_BE_POSTED or self._trusted(person)
            if message_id not in self._refused_now and may_be_posted:
                rest.append((message_id, person))
        return rest

    def _trusted(self, person: Recipient) -> bool:
        attempts = self._attempts(person)
        if not (self.rules.trust_duplicate_rejection and attempts):
            return False
        states = [self.record.state(each) for each in attempts]
        return policy.may_be_trusted(states, self.record.posting_of(attempts[-1]), self.here, self.clock())

    def _attempts(self, person: Recipient) -> list[str]:
        """Return the ids of the attempts that are on record, the first attempt first."""
        ids: list[str] = []
        while True:
            message_id = self.plan.identity.message_id(person.key, len(ids))
            if self.record.state(message_id) is None:
                return ids
            ids.append(message_id)

    def _id(self, person: Recipient) -> str:
        """Return the id of the current attempt.

        That is the last attempt that may have arrived. If there is none, it is the first that was not refused in an
        earlier try.
        """
        attempts = self._attempts(person)
        for message_id in reversed(attempts):
            if self.record.state(message_id) in MAY_HAVE_ARRIVED:
                return message_id
        for message_id in attempts:
            if self.record.state(message_id) is not MessageState.REFUSED or message_id in self._refused_now:
                return message_id
        return self.plan.identity.message_id(person.key, len(attempts))

    def _check_content(self) -> None:
        """Refuse to mix two contents, accounts or scenarios under one key.

        If nobody can have been reached with the earlier content, this try's replaces it.
        """
        changed, elsewhere = self._elsewhere(*MAY_HAVE_ARRIVED)
        if elsewhere:
            raise OmniContentChangedError(
                f"Same idempotency_key, other {changed}: {some(elsewhere, 'message')} {was(elsewhere)} or may "
                f"have been sent from another one; not sent: {len(self._rest())}. {RESTORE[changed]}, or use another "
                "idempotency_key."
            )
        if self.record.fingerprint == self.plan.fingerprint:
            return
        sent = sum(state in MAY_HAVE_ARRIVED for state in self.record.states())
        if sent:
            raise OmniContentChangedError(
                f"Same idempotency_key, other content: {some(sent, 'message')} {was(sent)} or may have been "
                f"sent with the earlier content; not sent: {len(self._rest())}. Restore the content, or use another "
                "idempotency_key."
            )
        self.record.fingerprint = self.plan.fingerprint

    def _elsewhere(self, *states: MessageState) -> tuple[str, int]:
        """Return the noun for another origin ("account" or "scenario"; '' if there is none) and the number of its
        messages.

        :param states: the states that count.
        """
        found = [each for each in self.record.postings if each.is_elsewhere(self.here) and each.having(*states)]
        changed = {each.origin.changed(self.here) for each in found if each.origin is not None}
        return min(changed, default=""), sum(len(each.having(*states)) for each in found)

    def _bulk_id(self, message_ids: Iterable[str]) -> str:
        return self.plan.identity.bulk_id(message_ids)

    def _post(self, rest: list[tuple[str, Recipient]]) -> Steps[OmniError | None]:
        """Post one request. Return the error that it failed with as a whole, or None."""
        ids = [message_id for message_id, _ in rest]
        bulk_id = self._bulk_id(ids)
        call = api.send_advanced(self.plan.request(bulk_id, rest))
        doubtful = {each for each in ids if self.record.state(each) is MessageState.INTENT}
        absent = {each for each in ids if self.record.state(each) is MessageState.ABSENT}
        for attempt in range(1, self.rules.attempts + 1):
            posting = yield from self._fence(bulk_id, ids, publish=attempt == 1)
            self._posted.update(ids)
            try:
                answer: SendResponse = yield Ask(call, label="POST")
            except OmniError as error:
                if error.effect is Effect.UNKNOWN:
                    yield Note(
                        f"The outcome of a POST is unknown ({error.label}): the logs will be asked.", warning=True
                    )
                    self._lost = error
                    return error
                for message_id in ids:
                    if message_id not in doubtful:
                        # ABSENT stays, so that a later try asks again: a frozen try may wake up until then.
                        posting.learn(message_id, Event.PROVEN_ABSENT if message_id in absent else Event.NO_EFFECT)
                if not may_repeat(call, error) or attempt == self.rules.attempts:
                    yield from self._write_outcome()
                    return error
                pause = backoff(attempt, error.retry_after, self.jitter)
                yield Note(f"Nothing was sent ({error.label}); the next attempt comes in {pause:.1f} s.")
                yield Pause(pause)
                continue
            self._read(answer, posting, doubtful)
            yield from self._write_outcome()
            return None
        raise AssertionError("unreachable")

    def _fence(self, bulk_id: str, ids: list[str], *, publish: bool) -> Steps[Attempt]:
        """Write the intent, as close to the POST as can be. Return the attempt.

        Raises OmniError if that fails; then nothing may be posted.

        :param publish: publish the receipt between two writes of the intent.
        """
        for _ in range(FENCES):
            before = self.record.to_json()
            posting = self.record.begin(bulk_id, ids, self.clock(), self.plan.scheduled_at, self.here)
            self.record.steps = attempted(self.flow or (), self.plan.content.channels()) or None
            try:
                yield from self._write("intent written" if publish else "intent renewed")
            except OmniStorageError:
                # Nothing is posted, whatever the store holds now. So the receipt must not say that it may have been.
                self.record = SendRecord.from_json(before) or self.record
                raise
            if publish:
                # The receipt follows a write: a try that was replaced must not put its own over the newer one's. Then
                # the intent is written once more, so that nothing stands between the fence and the POST.
                try:
                    yield from publishing.publish(self.receipt().to_json(), self.jitter)
                except OmniError:
                    # Nobody could follow the message if this process died: nothing is posted, and the record says so.
                    self.record = SendRecord.from_json(before) or self.record
                    yield from self._write_outcome()
                    raise
                publish = False
                continue
            if policy.is_fresh(posting.intent_at, self.clock()):
                return posting
        raise OmniStorageError(
            f"Writing the task's state took more than {INTENT_TTL:.0f} s, {FENCES} times. Nothing was posted after "
            "that: a newer try may have taken over in the meantime.",
            retryable=True,
        )

    def _read(self, answer: SendResponse, posting: Attempt, doubtful: set[str]) -> None:
        for message_id, event, status in answered(answer.messages, list(posting.messages), doubtful):
            posting.learn(message_id, event)
            if event is Event.REFUSED:
                posting.reasons[message_id] = status_label(status)
                self._refused_now.add(message_id)
                self._mendable = self._mendable or mendable(status)

    def _settle_open(self) -> Steps[None]:
        """Ask the logs about everything that is unknown, then write down the result."""
        changed = False
        for posting in list(self.record.postings):
            if not posting.having(*UNRESOLVED, MessageState.UNCONFIRMED):
                continue
            if posting.is_elsewhere(self.here):
                assert posting.origin is not None
                yield cannot_ask(len(posting.having(*UNRESOLVED, MessageState.UNCONFIRMED)), posting.origin, self.here)
                continue
            changed = (yield from self._ask_about(posting)) or changed
        self._tidy()
        if changed:
            yield from self._write_outcome()

    def _tidy(self) -> None:
        """Draw conclusions from one attempt for another: an attempt is made only after the one before was refused."""
        for person in self.plan.recipients.people:
            attempts = self._attempts(person)
            states = [self.record.state(each) for each in attempts]
            if MessageState.ACCEPTED in states:
                last = states.index(MessageState.ACCEPTED)
                for message_id, state in zip(attempts[:last], states, strict=False):
                    if state is not MessageState.REFUSED:
                        self.record.set_aside(message_id)
                gone = attempts[last + 1 :]
            else:
                gone = []
                while len(states) > 1 and states[-1] is MessageState.ABSENT and states[-2] is not MessageState.REFUSED:
                    states.pop()
                    gone.append(attempts[len(states)])
            for message_id in gone:
                self.record.forget(message_id)

    def _ask_about(self, posting: Attempt) -> Steps[bool]:
        asker = Reconciler(self.rules.look, self.clock, self.jitter, loaded_at=self._loaded_at, here=self.here)
        changed = yield from asker.settle(posting)
        self.record.relocate(asker.found_in)
        return changed

    # -- writing ---------------------------------------------------------------------------------------------------

    def _write(self, label: Label) -> Steps[None]:
        """Write the record: the fence. Raises if this try may not write any more, or if that cannot be known."""
        self.record.writes += 1
        yield Save(KEY, self.record.to_json(), label=label)

    def _write_outcome(self) -> Steps[None]:
        """Write the outcomes that were learned. If that fails, the record is still true: it says INTENT, and the logs
        know more.
        """
        for attempt in range(1, 4):
            try:
                yield from self._write("outcome written")
                return
            except OmniStaleTryError:
                raise
            except OmniStorageError:
                if attempt < 3:
                    yield Pause(backoff(attempt, None, self.jitter))
        yield Note("What was learned could not be written down; a later try will ask the logs again.", warning=True)

    # -- reporting -------------------------------------------------------------------------------------------------

    def _ids(self) -> list[str]:
        return [self._id(person) for person in self.plan.recipients.people]

    def _verdict(self) -> OmniError | None:
        error = verdict_of_send(
            self.record,
            self._ids(),
            here=self.here,
            others={each for person in self.plan.recipients.people for each in self._attempts(person)},
            trust_duplicate_rejection=self.rules.trust_duplicate_rejection,
            rejected_is_failure=self.rules.on_rejected == "fail",
            mendable=self._mendable,
            lost=self._lost,
        )
        if error is not None:
            error.problems += names_of(self.plan.recipients.people, self._ids(), self.record)
        return error

    def receipt(self) -> Receipt:
        """Return the receipt of this moment."""
        receipt = receipt_of_send(
            self.plan, self.record, self._ids(), self.flow, account=self.rules.account, dry_run=self.rules.dry_run
        )
        people = people_of_receipt(self.plan.recipients.people, self._ids(), self.record)
        return replace(receipt, extra=receipt.extra | people)


def answered(
    entries: Sequence[SentMessage], message_ids: list[str], doubtful: set[str]
) -> list[tuple[str, Event, Status]]:
    """Match the entries of an answer by message id, never by position. Returns what each message has to learn.

    A message stays unknown if the answer does not name it, or names it twice with different statuses.

    :param message_ids: the messages that were posted.
    :param doubtful: messages whose earlier POST is still unknown. A refusal of this POST says nothing about the
        earlier one and changes no state.
    """
    ours = {entry.message_id: entry for entry in entries if entry.message_id in message_ids}
    contradicted = {
        entry.message_id
        for entry in entries
        if entry.message_id in ours and entry.status != ours[entry.message_id].status
    }
    if entries and not ours:
        return [(message_id, Event.FOREIGN_ANSWER, entries[0].status) for message_id in message_ids]
    said = []
    for message_id, entry in ours.items():
        if message_id in contradicted:
            continue
        if is_duplicate(entry.status):
            said.append((message_id, Event.DUPLICATE, entry.status))
        elif not is_refusal(entry.status):
            said.append((message_id, Event.TAKEN, entry.status))
        elif message_id not in doubtful:
            said.append((message_id, Event.REFUSED, entry.status))
    return said
