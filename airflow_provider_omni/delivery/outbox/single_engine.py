"""The send: intent first, then one POST; what is unknown is resolved by asking the logs, never by posting again.

One machine for one request with one or a few recipients. What each death leaves behind, and what the next try does:

* before the intent is written: nothing was posted; it starts anew;
* between the intent and the POST, during it, or before its answer was written: INTENT, the unknown; it asks the logs;
* after the answer was written: it posts nothing.

The write of the intent is also the fence: a try that has been superseded cannot write any more (Airflow ≥ 3.3), so
it posts nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_omni.delivery.effects import Ask, Clock, Load, Note, Pause, Save, Steps
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
from airflow_provider_omni.delivery.outbox import publishing
from airflow_provider_omni.delivery.outbox.people_labels import names_of, people_of_receipt
from airflow_provider_omni.delivery.outbox.reconciler import FENCE, LookPolicy, Reconciler
from airflow_provider_omni.delivery.outbox.single_plan import Recipient, SendPlan, chunk_limit
from airflow_provider_omni.delivery.outbox.single_result import RESTORE, cannot_ask, receipt_of_send, verdict_of_send
from airflow_provider_omni.delivery.outbox.tries import lost_tries
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
from airflow_provider_omni.omni.models import Scenario, SendResponse
from airflow_provider_omni.omni.retries import backoff, may_repeat
from airflow_provider_omni.omni.statuses import is_duplicate, is_refusal, mendable
from airflow_provider_omni.omni.words import are, some, was

ROUNDS = 3
"""How often one try may find messages absent and post them again."""
FENCE_SECONDS = FENCE
"""An intent that took longer to write is written again: a newer try may have begun while this one was held up."""
FENCES = 5
"""How often, before the try gives up."""


@dataclass(frozen=True, slots=True)
class SendRules:
    """How a send behaves where the API leaves it open.

    `look`: when absence may be concluded. `trust_duplicate_rejection`: post again, same ids, what stays unknown
    and is younger than 47 h.
    `attempts`: posts of one request that certainly had no effect before giving up. `on_rejected`: `fail` or
    `ignore`.
    `surely_first`: an empty record means that nothing was posted: this is the first try ever of this send, or the one
    before has said that it ended without one (`tries.Tries.told`).
    `told`: likewise a record is all there is. Else the logs are asked for whatever it does not know of, too.
    `record_writes`: how often the record was written when the try before ended; an older one is not all there is.
    `untold`: how many earlier tries may have sent something that is not on record.
    `account`: `OmniConfig.account_mark`, which tells accounts apart.
    `shared_key`: other tasks or runs may send under this key, so what is not on this task's record is asked for too.
    `first_try_at`: for the others, seconds since the epoch before which no try of this send can have begun. None (not
    known), or longer ago than the logs reach: where there is no record, absence cannot be proven, and what the logs do
    not show stays unknown.
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
    """How a send ended: always a receipt, and the error that the task must fail with, if any.

    `sent`: accepted messages that this very try has posted. `writes`: how often the record was written, from when
    on it is all that there is; None before.
    """

    receipt: Receipt
    error: OmniError | None = None
    sent: int = 0
    writes: int | None = None


class SingleSend:
    """Sends a `SendPlan` once, however often it is run."""

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
        """Else nobody who reads the log knows why so few were sent to."""
        if count := self.plan.recipients.quarantined:
            yield Note(
                f"{some(count, 'recipient')} of {self.plan.recipients.requested:,} {are(count)} left out: "
                "allowed_recipients or allowed_countries does not let a message to them through.",
                warning=not self.plan.recipients.people,
            )

    def _open(self) -> Steps[None]:
        known = SendRecord.from_json((yield Load(KEY)))
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
                    f"to: found {found}, allowed: {limit} for this flow; OmniSendBatchOperator takes any number",
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
            # From here on an empty record means: nothing was posted.
            self.record.origins = origins
            yield from self._write()
        self._opened = True

    def _doubt_old_proofs(self) -> None:
        """What an earlier try has found absent may have been posted since, by a try that was frozen and woke up."""
        for posting in self.record.postings:
            for message_id in posting.having(MessageState.ABSENT):
                posting.learn(message_id, Event.PROOF_OUTDATED)

    def _doubt_an_older_record(self) -> bool:
        """What certainly was not sent may have been since, by a try of which the record does not know (any more); and
        what is in doubt, in another request.
        """
        doubted = False
        for posting in self.record.postings:
            for message_id in posting.having(MessageState.NOT_SENT):
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
        """Somebody else may have posted what is not on record: it is unknown, as if the intent were of this moment.

        It may have been in other requests, so no bulk id would surely find it. Earlier tries whose record is lost may
        have posted again whom the vendor had refused, under the ids of further attempts.
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
            # What is lost of the record may have been posted from there; where nothing is known, from here.
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
        """Who is left to be posted: absent, never tried, or refused in an earlier try (with the next attempt's id)."""
        rest = []
        for person in self.plan.recipients.people:
            message_id = self._id(person)
            may_be_posted = self.record.state(message_id) in MAY_BE_POSTED or self._trusted(person)
            if message_id not in self._refused_now and may_be_posted:
                rest.append((message_id, person))
        return rest

    def _trusted(self, person: Recipient) -> bool:
        """Whether the vendor is trusted to refuse this unknown message if it has it: the account that may have it.

        Only under the id that every try would post it with now: all attempts before it were refused. Where a lost try
        may have come to a further one, a try that was frozen may still post the first, which the vendor then takes.
        """
        attempts = self._attempts(person)
        if not (self.rules.trust_duplicate_rejection and attempts):
            return False
        *before, last = [self.record.state(each) for each in attempts]
        if last is not MessageState.INTENT or any(state is not MessageState.REFUSED for state in before):
            return False
        posting = self.record.posting_of(attempts[-1])
        return posting is not None and posting.is_from(self.here) and posting.is_remembered(self.clock())

    def _attempts(self, person: Recipient) -> list[str]:
        """The ids of the attempts that are on record, the first one first."""
        ids: list[str] = []
        while True:
            message_id = self.plan.identity.message_id(person.key, len(ids))
            if self.record.state(message_id) is None:
                return ids
            ids.append(message_id)

    def _id(self, person: Recipient) -> str:
        """The id of the current attempt: the last that may have arrived, else the first that was not refused in an
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
        """Refuse to mix two contents, or two accounts, under one key. Where nobody can have been reached, the new one
        replaces the old.
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
        """What has changed since they were posted (account or scenario), and how many messages in these states were
        posted from another one.
        """
        found = [each for each in self.record.postings if each.is_elsewhere(self.here) and each.having(*states)]
        changed = {each.origin.changed(self.here) for each in found if each.origin is not None}
        return min(changed, default=""), sum(len(each.having(*states)) for each in found)

    def _bulk_id(self, message_ids: Iterable[str]) -> str:
        return self.plan.identity.bulk_id(message_ids)

    def _post(self, rest: list[tuple[str, Recipient]]) -> Steps[OmniError | None]:
        """Post one request. Returns what went wrong with it as a whole."""
        ids = [message_id for message_id, _ in rest]
        bulk_id = self._bulk_id(ids)
        call = api.send_advanced(self.plan.request(bulk_id, rest))
        doubtful = {each for each in ids if self.record.state(each) is MessageState.INTENT}
        absent = {each for each in ids if self.record.state(each) is MessageState.ABSENT}
        for attempt in range(1, self.rules.attempts + 1):
            posting = yield from self._fence(bulk_id, ids, publish=attempt == 1)
            self._posted.update(ids)
            try:
                answer: SendResponse = yield Ask(call)
            except OmniError as error:
                if error.effect is Effect.UNKNOWN:
                    yield Note(
                        f"The outcome of a POST is unknown ({error.label}): the logs will be asked.", warning=True
                    )
                    self._lost = error
                    return error
                for message_id in ids:
                    if message_id not in doubtful:
                        # Absent as before, so that a later try asks again: a frozen one may wake up until then.
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
        """Write the intent, as close to the POST as can be. Raises where that fails; then nothing may be posted."""
        for _ in range(FENCES):
            before = self.record.to_json()
            posting = self.record.begin(bulk_id, ids, self.clock(), self.plan.scheduled_at, self.here)
            self.record.steps = attempted(self.flow or (), self.plan.content.channels()) or None
            try:
                yield from self._write()
            except OmniStorageError:
                # Nothing is posted, whatever the store holds now: the receipt must not say that it may have been.
                self.record = SendRecord.from_json(before) or self.record
                raise
            if publish:
                # After a write: a try that was replaced must not put its receipt over the newer one's. Then the
                # intent is written once more, so that nothing stands between the fence and the POST.
                try:
                    yield from publishing.publish(self.receipt().to_json(), self.jitter)
                except OmniError:
                    # Nobody could follow it if this process died: nothing is posted, and the record says so.
                    self.record = SendRecord.from_json(before) or self.record
                    yield from self._write_outcome()
                    raise
                publish = False
                continue
            if self.clock() - posting.intent_at <= FENCE_SECONDS:
                return posting
        raise OmniStorageError(
            f"Writing the task's state took more than {FENCE_SECONDS:.0f} s, {FENCES} times. Nothing was posted after "
            "that: a newer try may have taken over in the meantime.",
            retryable=True,
        )

    def _read(self, answer: SendResponse, posting: Attempt, doubtful: set[str]) -> None:
        """Match the answer's entries by message id, never by position. What it does not name stays unknown.

        Nor does it answer what it names twice with different statuses.

        `doubtful`: messages whose earlier POST is still unknown: that this one was refused says nothing about that.
        """
        entries = {entry.message_id: entry for entry in answer.messages if entry.message_id in posting.messages}
        contradicted = {
            entry.message_id
            for entry in answer.messages
            if entry.message_id in entries and entry.status != entries[entry.message_id].status
        }
        if answer.messages and not entries:
            for message_id in posting.messages:
                posting.learn(message_id, Event.FOREIGN_ANSWER)
        for message_id, entry in entries.items():
            if message_id in contradicted:
                continue
            if is_duplicate(entry.status):
                posting.learn(message_id, Event.DUPLICATE)
            elif not is_refusal(entry.status):
                posting.learn(message_id, Event.TAKEN)
            elif message_id not in doubtful:
                posting.learn(message_id, Event.REFUSED)
                posting.reasons[message_id] = status_label(entry.status)
                self._refused_now.add(message_id)
                self._mendable = self._mendable or mendable(entry.status)

    def _settle_open(self) -> Steps[None]:
        """Ask the logs about everything that is unknown, then write down what they said."""
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
        """Draw conclusions from one attempt for another: an attempt is made after the one before was refused."""
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

    def _write(self) -> Steps[None]:
        """The fence: raises when this try may not write any more, or when it cannot be known."""
        self.record.writes += 1
        yield Save(KEY, self.record.to_json())

    def _write_outcome(self) -> Steps[None]:
        """Write what was learned. If that fails it is still true: the record says "unknown", and the logs know."""
        for attempt in range(1, 4):
            try:
                yield from self._write()
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
        """The receipt of this moment."""
        receipt = receipt_of_send(
            self.plan, self.record, self._ids(), self.flow, account=self.rules.account, dry_run=self.rules.dry_run
        )
        people = people_of_receipt(self.plan.recipients.people, self._ids(), self.record)
        return replace(receipt, extra=receipt.extra | people)
