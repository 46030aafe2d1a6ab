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
from dataclasses import dataclass
from typing import Any

from airflow_provider_omni.delivery.asking import Asker, LookRules
from airflow_provider_omni.delivery.effects import Ask, Clock, Load, Note, Pause, Publish, Save, Steps
from airflow_provider_omni.delivery.plan import Recipient, SendPlan, chunk_limit
from airflow_provider_omni.delivery.receipt import Counts, Receipt, SentBulk
from airflow_provider_omni.delivery.record import (
    FOLLOWED,
    KEY,
    MAY_BE_POSTED,
    OPEN,
    Event,
    MessageState,
    Posting,
    SendRecord,
)
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import (
    Effect,
    OmniAuthenticationError,
    OmniContentChangedError,
    OmniError,
    OmniInputError,
    OmniProtocolError,
    OmniRejectedError,
    OmniStaleTryError,
    OmniStorageError,
    OmniUnknownOutcomeError,
)
from airflow_provider_omni.omni.models import Scenario, SendResponse
from airflow_provider_omni.omni.retries import backoff, may_repeat
from airflow_provider_omni.omni.statuses import is_duplicate, is_refusal, mendable

ROUNDS = 3
"""How often one try may find messages absent and post them again."""


@dataclass(frozen=True, slots=True)
class SendRules:
    """How a send behaves where the API leaves it open.

    ``look``: when absence may be concluded. ``trust_duplicate_rejection``: post again, same ids, what stays unknown.
    ``attempts``: posts of one request that certainly had no effect before giving up. ``on_rejected``: ``fail`` or
    ``ignore``.
    ``surely_first``: this is known to be the first try ever of this send (try 1, never cleared), so an empty record
    means that nothing was posted.
    """

    look: LookRules
    trust_duplicate_rejection: bool = False
    attempts: int = 5
    on_rejected: str = "fail"
    surely_first: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class SendEnd:
    """How a send ended: always a receipt, and the error that the task must fail with, if any."""

    receipt: Receipt
    error: OmniError | None = None


class Send:
    """Sends a :class:`SendPlan` once, however often it is run."""

    def __init__(
        self, plan: SendPlan, rules: SendRules, clock: Clock, jitter: Callable[[], float] = random.random
    ) -> None:
        self.plan = plan
        self.rules = rules
        self.clock = clock
        self.jitter = jitter
        self.flow = plan.flow
        self.record = SendRecord(plan.fingerprint)
        self._mendable = False
        self._refused_now: set[str] = set()
        self._sent_at: float | None = None

    def run(self) -> Steps[SendEnd]:
        """Run to the end. Errors come back in the :class:`SendEnd`, so that the receipt is never lost with them."""
        error: OmniError | None = None
        try:
            yield from self._open()
            if not self.rules.dry_run:
                error = yield from self._send()
        except OmniError as caught:
            error = caught
        receipt = self.receipt()
        if not self.rules.dry_run:
            yield Publish(receipt.to_json())
        return SendEnd(receipt, error)

    # -- before the first post -------------------------------------------------------------------------------------

    def _open(self) -> Steps[None]:
        known = SendRecord.from_json((yield Load(KEY)))
        if known is not None:
            self.record = known
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
        if known is None and not self.rules.dry_run:
            if not self.rules.surely_first:
                yield from self._look_for_earlier_tries()
            # From here on an empty record means: nothing was posted.
            yield from self._write()

    def _know_the_flow(self) -> Steps[None]:
        self.flow = self.flow or self.record.flow
        if self.flow is None:
            try:
                scenario: Scenario = yield from self._patiently(api.get_scenario(self.plan.scenario_key))
                self.flow = tuple(step.channel for step in scenario.flow)
            except OmniAuthenticationError as error:
                if error.status != 403:
                    raise
                yield Note("The account may send but not read scenarios: the flow stays unknown.", warning=True)
        self.record.flow = self.flow

    def _patiently(self, call: api.Call[Any]) -> Steps[Any]:
        for attempt in range(1, self.rules.attempts + 1):
            try:
                return (yield Ask(call))
            except OmniError as error:
                if not may_repeat(call, error) or attempt == self.rules.attempts:
                    raise
                yield Pause(backoff(attempt, error.retry_after, self.jitter))
        raise AssertionError("unreachable")

    def _look_for_earlier_tries(self) -> Steps[None]:
        """No record, but an earlier try may have posted: ask for each id, as if the intent were of this moment."""
        ids = [self._id(person) for person in self.plan.recipients.people]
        posting = Posting(self.plan.identity.bulk_id(ids), self.clock(), self.plan.scheduled_at)
        posting.messages = dict.fromkeys(ids, MessageState.INTENT)
        yield Note(f"An earlier try may have sent these {len(ids)} messages: the logs are asked first.")
        yield from Asker(self.rules.look, self.clock).settle(posting, by_bulk=False)
        self.record.postings.append(posting)

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
            if isinstance(error, OmniProtocolError) and MessageState.UNCONFIRMED in self.record.states():
                return self._verdict() or error
        return self._verdict()

    def _rest(self) -> list[tuple[str, Recipient]]:
        """Who is left to be posted: absent, never tried, or refused in an earlier try (with the next attempt's id)."""
        rest = []
        for person in self.plan.recipients.people:
            message_id = self._id(person)
            state = self.record.state(message_id)
            unknown_but_trusted = state is MessageState.INTENT and self.rules.trust_duplicate_rejection
            if message_id not in self._refused_now and (state in MAY_BE_POSTED or unknown_but_trusted):
                rest.append((message_id, person))
        return rest

    def _id(self, person: Recipient) -> str:
        """The id of the current attempt: the first that was not refused in an earlier try."""
        attempt = 0
        while True:
            message_id = self.plan.identity.message_id(person.key, attempt)
            if self.record.state(message_id) is not MessageState.REFUSED or message_id in self._refused_now:
                return message_id
            attempt += 1

    def _check_content(self) -> None:
        """Refuse to mix two contents under one key. Where nobody can have been reached, the new one replaces it."""
        if self.record.fingerprint == self.plan.fingerprint:
            return
        sent = sum(state in FOLLOWED for state in self.record.states())
        if sent:
            raise OmniContentChangedError(
                f"Same idempotency_key, other content: {sent} messages were or may have been sent with the earlier "
                f"content, {len(self._rest())} are left and were not sent. Restore the content, or use another "
                "idempotency_key."
            )
        self.record.fingerprint = self.plan.fingerprint

    def _post(self, rest: list[tuple[str, Recipient]]) -> Steps[OmniError | None]:
        """Post one request: the intent is written anew before every POST, as close to it as can be."""
        ids = [message_id for message_id, _ in rest]
        bulk_id = self.plan.identity.bulk_id(ids)
        call = api.send_advanced(self.plan.request(bulk_id, rest))
        for attempt in range(1, self.rules.attempts + 1):
            posting = self.record.begin(bulk_id, ids, self.clock(), self.plan.scheduled_at)
            self._sent_at = self._sent_at or posting.intent_at
            if attempt == 1:
                yield Publish(self.receipt().to_json())
            yield from self._write()
            try:
                answer: SendResponse = yield Ask(call)
            except OmniError as error:
                if error.effect is Effect.UNKNOWN:
                    yield Note(
                        f"The outcome of a POST is unknown ({type(error).__name__}): the logs will be asked.",
                        warning=True,
                    )
                    return error
                for message_id in ids:
                    posting.learn(message_id, Event.NO_EFFECT)
                if not may_repeat(call, error) or attempt == self.rules.attempts:
                    yield from self._write_outcome()
                    return error
                pause = backoff(attempt, error.retry_after, self.jitter)
                yield Note(f"Nothing was sent ({type(error).__name__}); the next attempt comes in {pause:.1f} s.")
                yield Pause(pause)
                continue
            return (yield from self._read(answer, posting))
        raise AssertionError("unreachable")

    def _read(self, answer: SendResponse, posting: Posting) -> Steps[OmniError | None]:
        """Match the answer's entries by message id, never by position."""
        entries = {entry.message_id: entry for entry in answer.messages if entry.message_id in posting.messages}
        error: OmniError | None = None
        if answer.messages and not entries:
            error = OmniProtocolError(
                "The answer to a send names only messages that are not ours; it is never posted again",
                path="/omni/1/advanced",
                effect=Effect.UNKNOWN,
            )
            for message_id in posting.messages:
                posting.learn(message_id, Event.FOREIGN_ANSWER)
        for message_id, entry in entries.items():
            if is_duplicate(entry.status):
                posting.learn(message_id, Event.DUPLICATE)
            elif is_refusal(entry.status):
                posting.learn(message_id, Event.REFUSED)
                posting.reasons[message_id] = entry.status.name or "REJECTED"
                self._refused_now.add(message_id)
                self._mendable = self._mendable or mendable(entry.status)
            else:
                posting.learn(message_id, Event.TAKEN)
        yield from self._write_outcome()
        return error

    def _settle_open(self) -> Steps[None]:
        """Ask the logs about everything that is unknown, then write down what they said."""
        changed = False
        for posting in self.record.postings:
            if posting.having(*OPEN, MessageState.UNCONFIRMED):
                changed = (yield from Asker(self.rules.look, self.clock).settle(posting)) or changed
        if changed:
            yield from self._write_outcome()

    # -- writing ---------------------------------------------------------------------------------------------------

    def _write(self) -> Steps[None]:
        """The fence: raises when this try may not write any more, or when it cannot be known."""
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

    def _verdict(self) -> OmniError | None:
        states = [self.record.state(self._id(person)) for person in self.plan.recipients.people]
        unknown = sum(state in OPEN for state in states) + len(self._strangers(OPEN))
        if unknown:
            return OmniUnknownOutcomeError(
                f"{unknown} messages may or may not have been sent, and the logs did not tell. Nothing was posted "
                "again. Clear the task to ask once more; docs/reliability.md says what else can be done."
            )
        left = sum(state in MAY_BE_POSTED for state in states)
        if left:
            return OmniUnknownOutcomeError(
                f"{left} messages were found absent again and again and are not sent.", retryable=True
            )
        refused = self._reasons()
        if refused and self.rules.on_rejected == "fail":
            names = ", ".join(f"{count} × {name}" for name, count in sorted(refused.items()))
            return OmniRejectedError(
                f"{sum(refused.values())} of {len(states)} messages were refused: {names}.", retryable=self._mendable
            )
        return None

    def _reasons(self) -> dict[str, int]:
        reasons: dict[str, int] = {}
        for person in self.plan.recipients.people:
            message_id = self._id(person)
            for posting in self.record.postings:
                if posting.messages.get(message_id) is MessageState.REFUSED:
                    name = posting.reasons.get(message_id, "REJECTED")
                    reasons[name] = reasons.get(name, 0) + 1
        return reasons

    def _strangers(self, states: Iterable[MessageState]) -> list[str]:
        """Ids in the record whose people are not in ``to`` any more."""
        ours = {self._id(person) for person in self.plan.recipients.people}
        return [each for posting in self.record.postings for each in posting.having(*states) if each not in ours]

    def receipt(self) -> Receipt:
        """The receipt of this moment."""
        people = self.plan.recipients
        states = [self.record.state(self._id(person)) for person in people.people]
        if self._sent_at is None:
            self._sent_at = min((posting.intent_at for posting in self.record.postings), default=None)
        return Receipt(
            scenario_key=self.plan.scenario_key,
            flow=self.flow or (),
            bulks=[SentBulk(posting.bulk_id, tuple(posting.having(*FOLLOWED))) for posting in self.record.postings],
            counts=Counts(
                requested=people.requested,
                accepted=states.count(MessageState.ACCEPTED),
                unconfirmed=sum(
                    state in (MessageState.INTENT, MessageState.SEEN, MessageState.UNCONFIRMED) for state in states
                ),
                rejected=states.count(MessageState.REFUSED),
                quarantined=people.quarantined,
                duplicates=people.duplicates,
            ),
            sent_at=self._sent_at,
            extra={"dry_run": True} if self.rules.dry_run else {},
        )
