"""A batch, or its wait, with one rule taken out."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from airflow_provider_omni.delivery.effects import Save
from airflow_provider_omni.delivery.ledger import integrity
from airflow_provider_omni.delivery.messages import intent_log, states
from airflow_provider_omni.delivery.messages.delivery_report import DELIVERY_KEY
from airflow_provider_omni.delivery.messages.states import Attempt, MessageState
from airflow_provider_omni.delivery.outbox import (
    dispatcher,
    doubts,
    engine,
    ledger_store,
    missing_record,
    reconciler,
    requests,
    safety,
    task_state_store,
)
from airflow_provider_omni.delivery.outbox.progress import SendProgress
from airflow_provider_omni.delivery.outbox.send_window import SendWindow
from airflow_provider_omni.delivery.results import reader
from airflow_provider_omni.delivery.tracking import (
    id_set,
    single_messages,
    time_windows,
    wait_limits,
)
from airflow_provider_omni.delivery.tracking import safety as tracking_safety
from airflow_provider_omni.omni.errors import OmniStaleTryError
from tests.crash.batch_schedule import BatchSchedule, Rows, Sizes
from tests.crash.breaking_workspace import Break, Breaks
from tests.crash.elsewhere import HOME, OTHER
from tests.crash.mutating import (
    CALM,
    FAULTLESS,
    A,
    B,
    Focus,
    Mutant,
    as_known,
    believed,
    focused,
    forgiven,
    mode_of,
    registering,
    spared,
)
from tests.crash.processes import CrashPoint, Phase
from tests.crash.schedule import HOUR
from tests.crash.upheavals import GONE, Upheavals
from tests.crash.world import LATE_BEFORE_THE_FAILURE, NO_CREDIT

MUTANTS: dict[str, Mutant] = {}
_mutant = registering(MUTANTS)

_LEDGER: dict[str, Any] = {"ledger": True, "flow": ("LINE", "SMS"), "sizes": Sizes()}
_SEND: dict[str, Any] = FAULTLESS | {"tries": 3, "retry_delay": 1.0, "heartbeat": 30.0, "keyed": False}
_CLEAR: dict[str, Any] = {
    "reports": "per-step",
    "log_rows": "per-step",
    "filtered_read": "own",
    "refused_in": "nothing",
}
"""An account of which everything can be seen, so that the time is judged, too."""


def _people(*fates: str) -> tuple[Rows]:
    return (
        tuple(
            {"phone": f"4179{index:05d}{fate}", "name": f"Name{index}", "order": f"order-{index}"}
            for index, fate in enumerate(fates)
        ),
    )


def _followed(
    *fates: str,
    mode: str = "trigger",
    success_when: str = "all",
    send: dict[str, Any] | None = None,
    wait: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    second_reader_every: float | None = None,
    reports: tuple[str | None, ...] = (),
    **rest: Any,
) -> Focus:
    """A batch that is sent without any fault, and a wait of 20 s polls for these fates."""
    return focused(
        **B | _LEDGER | rest,
        network=CALM | {"posts": (), "reports": reports, "second_reader_every": second_reader_every},
        send=_SEND | {"sources": _people(*fates), "personal": False, "chunk": 2, "validity": (120, 300)} | (send or {}),
        wait=mode_of(mode, success_when, poll_interval=20.0, timeout=6000.0) | (wait or {}),
        settings=_CLEAR | {"beat_seconds": 20.0} | (settings or {}),
    )


def _personal(*fates: str, beat: float = 20.0, lag: float = 0.0, page: int = 1000) -> Focus:
    return _followed(
        *fates,
        send={"personal": True, "validity": (3000, 300)},
        settings={"beat_seconds": beat, "log_lag_seconds": lag},
        sizes=Sizes(many_single=3, page=page),
    )


def _frozen_on_the_way(plan: BatchSchedule) -> BatchSchedule:
    """The first try is frozen until long after the next, and the vendor takes whatever is sent."""
    crash_point = CrashPoint(4 + plan.seed % 40, Phase.DURING, 5000.0)
    return focused(guarantee="B", send={**_SEND, "crash_points": (crash_point,), "connections": 2, "chunk": 1})(plan)


_FROM_DAYS_AGO = _followed(
    "27", "27", "45", "45",
    success_when="finished",
    send={"validity": (108_000, 108_000)},
    wait={
        "poll_interval": 1800.0,
        "timeout": 300_000.0,
        "crash_points": (CrashPoint(1, Phase.BEFORE, after=54 * HOUR),),
    },
)  # fmt: skip


def _killed_and_moved(plan: BatchSchedule) -> BatchSchedule:
    """The first try is killed on the way; the second finds an empty ledger, and Airflow remembers nothing.

    The source stays as it is: who has left it nobody asks for, though they may come back.
    """
    crash_point = CrashPoint(8 + plan.seed % 24, Phase.DURING)
    send = _SEND | {"crash_points": (crash_point,), "moved_at": 2, "sources": plan.send.sources[:1]}
    # Where the logs do not read lists of ids, only some are asked for, and this is a net and no proof.
    lists = {"id_lists": "all"}
    return focused(**B | {"airflow": "3.2"}, network=CALM, ledger=True, send=send, settings=lists)(plan)


def _woken_after_a_proof(*, posts: tuple[str, ...] = (), second: CrashPoint | None = None) -> Focus:
    """Frozen with its POST in hand. The next try proves that nothing was sent, and does not come to send. Then the
    first one wakes up, posts, and dies before it can write that down. Days later there is one more try.
    """
    first = CrashPoint("POST", Phase.BEFORE, 5000.0, then=CrashPoint("outcome written", Phase.BEFORE))
    return focused(
        **A | _LEDGER,
        network=CALM | {"posts": posts},
        settings={"duplicates": "status-23", "refused_uses_id": False},
        send=_SEND
        | {
            "sources": _people("27", "27"),
            "personal": False,
            "chunk": 10,
            "connections": 1,
            "tries": 2,
            "clears": (60 * HOUR,),
            "crash_points": (first, second),
        },
    )


# -- the send ------------------------------------------------------------------------------------------------------


def _replayed_from_a_file_that_fails(plan: BatchSchedule) -> BatchSchedule:
    """The first try is killed on the way. The workspace of the second fails once, sooner or later."""
    return focused(
        **B | _LEDGER,
        network=CALM | {"posts": ()},
        send=_SEND
        | {
            "sources": _people(*("27",) * 6),
            "chunk": 1,
            "connections": 1,
            "flow_given": True,
            "crash_points": (CrashPoint("POST", Phase.DURING, nth=4),),
        },
        workspace_breaks=Breaks(tries=(None, Break(20 + 2 * plan.seed, lasts=False), None)),
    )(plan)


@_mutant("twice", _replayed_from_a_file_that_fails)
def _what_the_scratch_file_does_not_take_is_passed_over() -> Iterator[None]:
    """The record of earlier tries is read as far as it can be."""
    original = intent_log.IntentLog.replay

    def replay(self: intent_log.IntentLog, *line: Any, **origin: Any) -> None:
        with contextlib.suppress(sqlite3.Error):
            original(self, *line, **origin)

    with patch.object(intent_log.IntentLog, "replay", replay):
        yield


@_mutant(
    "wrong",
    focused(
        **B | _LEDGER | {"ledger": False},
        network=CALM | {"posts": ()},
        send=_SEND | {"sources": _people(*("27",) * 6), "connections": 1, "chunk": 1},
        publish_failures=0.3,
    ),
)
def _windows_are_posted_though_no_receipt_tells_of_them() -> Iterator[None]:
    """That a window's receipt could not be published is passed over."""
    with forgiven("receipt published"):
        yield


@_mutant(
    "wrong",
    focused(
        **B | _LEDGER | {"ledger": False},
        network=CALM | {"posts": ()},
        send=_SEND
        | {
            "sources": _people(*("27",) * 40),
            "connections": 1,
            "chunk": 1,
            "personal": False,
            # It wakes up while the next try sends one request after the other.
            "crash_points": (CrashPoint("intent written", Phase.BEFORE, 235.0),),
        },
    ),
)
def _a_try_that_was_given_up_has_the_last_word() -> Iterator[None]:
    """A try that has been told that a newer one has taken over publishes its receipt nevertheless."""
    original = engine.Outbox.run

    def run(self: engine.Outbox) -> Any:
        end = yield from original(self)
        if isinstance(end.error, OmniStaleTryError):
            yield from engine.publish_at_last(end.receipt.to_json(), self.jitter)
        return end

    with patch.object(engine.Outbox, "run", run):
        yield


@_mutant("twice", _frozen_on_the_way)
def _without_reconciling() -> Iterator[None]:
    """Unknown messages are taken for absent."""

    def reconcile(attempts: Any, *_: Any, **__: Any) -> Any:
        for attempt in attempts:
            for message_id in attempt.in_state(MessageState.IN_DOUBT):
                attempt.messages[message_id] = MessageState.ABSENT
        yield from ()
        return {}

    with patch.object(doubts, "reconcile", reconcile):
        yield


@_mutant("twice", _frozen_on_the_way)
def _without_fence() -> Iterator[None]:
    """Intents are written, but nobody looks whether another try has taken over."""
    with spared("fence checked"):
        yield


@_mutant("twice", _frozen_on_the_way)
def _without_intent() -> Iterator[None]:
    """Nothing is written before a POST."""
    in_ledger, in_memory = ledger_store.LedgerStore.writes, task_state_store.TaskStateStore.writes
    with (
        patch.object(
            ledger_store.LedgerStore, "writes", lambda self, _, outcomes, __: in_ledger(self, (), outcomes, ())
        ),
        patch.object(
            task_state_store.TaskStateStore, "writes", lambda self, _, outcomes, __: in_memory(self, (), outcomes, ())
        ),
    ):
        yield


@_mutant("twice", _frozen_on_the_way)
def _with_old_intents() -> Iterator[None]:
    """An intent may be as old as it likes."""
    with patch.object(safety, "is_fresh", lambda intent_at, now: True):
        yield


@_mutant(
    "twice",
    focused(
        **B | _LEDGER,
        network=CALM | {"posts": ("reset-after", None, "reset-after")},
        settings={"given_bulk_id": "dropped", "id_lists": "first"},
        send=_SEND | {"sources": _people(*("27",) * 12), "personal": False, "chunk": 4, "connections": 1},
    ),
)
def _bulk_ids_prove_absence() -> Iterator[None]:
    """That the bulk id of a request finds nothing is believed, though the vendor may not keep it."""
    with patch.object(reconciler, "looks_by_id", lambda message_ids, **_: []):
        yield


@_mutant(
    "twice",
    focused(
        **B | _LEDGER,
        network=CALM | {"posts": ("reset-after", None, None, "reset-after")},
        settings={"given_bulk_id": "replaced", "id_lists": "first"},
        send=_SEND
        | {
            "sources": (*_people(*("27",) * 12), *_people(*("27",) * 24)),
            "personal": False,
            "chunk": 4,
            "connections": 1,
            "clears": (600.0,),
        },
    ),
)
def _a_bulk_id_of_the_vendors_own_is_a_control() -> Iterator[None]:
    """That the logs find a request by the id that they have named themselves shows that they find those of ours."""
    with patch.object(intent_log, "is_control", lambda conclusive, found: bool(conclusive)):
        yield


@_mutant(
    "twice",
    focused(
        **B | _LEDGER,
        network=CALM | {"posts": (), "contradictions": 1.0},
        send=_SEND
        | {"sources": _people(*("27",) * 12), "personal": False, "chunk": 4, "clears": (600.0,), "trust": False},
    ),
)
def _a_contradiction_is_a_refusal() -> Iterator[None]:
    """A message that an answer names as taken and as refused counts as refused."""
    original = requests.read_response

    def read(answer: Any, attempt: Attempt, *, doubtful: bool = False) -> Any:
        refused = [message_id for status, ids in answer.by_status for message_id in ids if status.group_id == 5]
        left = [
            (status, tuple(each for each in ids if status.group_id == 5 or each not in refused))
            for status, ids in answer.by_status
        ]
        return original(answer._replace(by_status=tuple(left)), attempt, doubtful=doubtful)

    with patch.object(dispatcher, "read_response", read):
        yield


@_mutant("twice", _woken_after_a_proof(second=CrashPoint("intent written", Phase.BEFORE)))
def _proofs_are_inherited() -> Iterator[None]:
    """Messages that an earlier try has found absent are posted without asking again."""
    with patch.object(intent_log.IntentLog, "doubt_old_proofs", lambda self: None):
        yield


@_mutant("twice", _woken_after_a_proof(posts=("refused",) * 8))
def _no_effect_is_inherited_after_a_proof() -> Iterator[None]:
    """A POST without effect, after a proof of absence, lets a later try post without asking."""
    with patch.object(requests.Request, "unposted", MessageState.NOT_SENT):
        yield


@_mutant("twice", _killed_and_moved)
def _an_empty_ledger_is_believed() -> Iterator[None]:
    """A later try sends although the ledger is empty, and does not ask the logs first."""
    with patch.object(engine, "check_record_not_lost", lambda *_, **__: iter(())):
        yield


@_mutant(
    "twice",
    focused(
        **B | _LEDGER | {"airflow": "3.2"},
        network=CALM | {"posts": ()},
        send=_SEND
        | {
            "sources": _people(*("27",) * 12),
            "personal": False,
            "chunk": 2,
            "connections": 1,
            "clears": (6000.0,),
            "spoilt": "gone",
        },
    ),
)
def _parts_that_are_gone_are_not_missed() -> Iterator[None]:
    """Nobody checks whether all parts of the ledger are there of which others say that they were."""
    with patch.object(integrity.Inventory, "missing", lambda self: []):
        yield


@_mutant(
    "twice",
    focused(
        **B | _LEDGER | {"airflow": "3.2"},
        network=CALM | {"posts": ()},
        send=_SEND
        | {
            "sources": _people(*("27",) * 6),
            "personal": False,
            "flow_given": True,
            "crash_points": (CrashPoint("taken over", Phase.BEFORE, 400.0),),
        },
        upheavals=Upheavals(secrets=(None, "pepper")),
    ),
)
def _whose_the_ledger_is_is_asked_once() -> Iterator[None]:
    """A send that has found a ledger empty does not look again, once it has begun, whether another one has, too."""
    with patch.object(safety, "is_of_another_send", lambda owner, send: False):
        yield


@_mutant(
    "twice",
    focused(
        **B | _LEDGER,
        network=CALM | {"posts": (NO_CREDIT,)},
        send=_SEND
        | {
            "sources": _people("27"),
            "personal": False,
            "chunk": 1,
            "connections": 1,
            "flow_given": True,
            "crash_points": (
                CrashPoint("POST", Phase.DURING, 60.0),
                CrashPoint("outcome written", Phase.BEFORE, 400.0),
            ),
            "clears": (2000.0,),
        },
        settings={"refused_in": "nothing"},
    ),
)
def _an_overtaken_intent_is_asked_for_and_posted() -> Iterator[None]:
    """A person who was sent to under the next id is sent to under the first one, too: a try that had not read of the
    refusal wrote it down once more, and then saw that it was overtaken.
    """
    with patch.object(intent_log.IntentLog, "keep_one_attempt", lambda self, **_: None):
        yield


def _overtaken_from_another_account(plan: BatchSchedule) -> BatchSchedule:
    """Frozen before its file is there. The next try, from another account, looks for a lost record and then writes down
    what it is about to post, to somebody new. Meanwhile the first one has woken up, and sent to all others.
    """
    focus = focused(
        **B | _LEDGER | {"airflow": "3.2"},
        network=CALM | {"posts": ()},
        send=_SEND
        | {
            "sources": (*_people(*("27",) * 6), *_people(*("27",) * 12)),
            "personal": False,
            "chunk": 1,
            "connections": 1,
            "flow_given": True,
            "crash_points": (CrashPoint("taken over", Phase.BEFORE, 60.0),),
        },
        wait=mode_of("poke", poll_interval=30.0, timeout=3000.0),
        upheavals=Upheavals(accounts=(OTHER, HOME)),
    )
    found: BatchSchedule = focus(plan)
    first, second = found.send.sources
    return replace(found, send=replace(found.send, sources=(first, (*second[6:], *first))))


@_mutant("wrong", _overtaken_from_another_account)
def _a_try_that_was_overtaken_names_its_own_account() -> Iterator[None]:
    """A receipt names its try's account, whichever of two has accepted the messages on record."""
    original = engine.Outbox.receipt

    def receipt(self: engine.Outbox) -> Any:
        return replace(original(self), account=self.policy.account)

    with patch.object(engine.Outbox, "receipt", receipt):
        yield


def _cleared_from_a_file_that_fails(plan: BatchSchedule) -> BatchSchedule:
    """Sent, and then cleared with another account. The workspace fails while the ledger is read."""
    return focused(
        **B | _LEDGER,
        network=CALM | {"posts": ()},
        send=_SEND
        | {
            "sources": _people(*("27",) * 6),
            "chunk": 1,
            "connections": 1,
            "flow_given": True,
            "tries": 1,
            "clears": (600.0,),
        },
        wait=mode_of("poke", poll_interval=30.0, timeout=3000.0, after_clears=True),
        workspace_breaks=Breaks(tries=(None, Break(4 + 2 * plan.seed, lasts=True))),
        upheavals=Upheavals(accounts=(HOME, OTHER)),
    )(plan)


@_mutant("wrong", _cleared_from_a_file_that_fails)
def _a_try_that_could_not_read_the_ledger_names_its_own_account() -> Iterator[None]:
    """A receipt that knows of nothing that was sent names the account of its try, though the ledger knows of more."""
    original = engine.Outbox.receipt

    def receipt(self: engine.Outbox) -> Any:
        found = original(self)
        return replace(found, account=found.account or self.policy.account)

    with patch.object(engine.Outbox, "receipt", receipt):
        yield


def _cleared_with_another_scenario(plan: BatchSchedule) -> BatchSchedule:
    """A second scenario tries the channels in another order. Whoever fails on LINE gets an SMS."""
    found = _cleared_from_a_file_that_fails(plan)
    return replace(
        found,
        send=replace(found.send, sources=_people(*("61",) * 6), flow_given=False, validity=(120, 300)),
        wait=replace(found.wait, timeout=6000.0),
        settings=found.settings.changed(_CLEAR | {"beat_seconds": 20.0}),
        upheavals=Upheavals(scenarios=(0, 1)),
    )


@_mutant("wrong", _cleared_with_another_scenario)
def _a_ledger_is_judged_by_the_receipts_steps() -> Iterator[None]:
    """A wait takes the flow from the receipt, though it may be of a try that had not read the ledger."""
    with patch.object(intent_log.IntentLog, "flows", lambda _: (None, {})):
        yield


def _trusted(clears: tuple[float, ...]) -> Focus:
    """An account that is trusted to refuse repeated ids, whose answers get lost and whose logs are never there."""
    return focused(
        **A | _LEDGER,
        network=CALM | {"posts": ("reset-after",) * 6, "logs_down": (0.0, 1e9)},
        settings={"duplicates": "status-23", "refused_uses_id": False},
        send=_SEND
        | {"sources": _people("27", "27"), "personal": False, "chunk": 10, "tries": 1, "trust": True, "clears": clears},
    )


@_mutant("twice", _trusted(clears=(60 * HOUR,)))
def _trust_for_ever() -> Iterator[None]:
    """The account is trusted to remember an id, however long ago it may have seen it."""
    with patch.object(states, "HORIZON", float("inf")):
        yield


@_mutant("twice", _trusted(clears=(40 * HOUR,) * 2))
def _trust_is_renewed() -> Iterator[None]:
    """A message that was posted again on trust counts as posted for the first time then."""

    def attempt(bulk: str, at: float, scheduled: float | None, _: Any, *rest: Any) -> Attempt:
        return Attempt(bulk, at, scheduled, None, *rest)

    with patch.object(requests, "Attempt", attempt):
        yield


def _unsettled(*, crash_point: CrashPoint | None = None, ledger: bool = False, **upheavals: Any) -> Focus:
    """A calm batch of twelve, cleared once, with these upheavals. `crash_point`: of the first try."""
    return focused(
        **B | _LEDGER | {"ledger": ledger},
        network=CALM | {"posts": ()},
        send=_SEND
        | {
            "sources": _people(*("27",) * 12),
            "personal": False,
            "chunk": 2,
            "connections": 1,
            "clears": (600.0,),
            "crash_points": (crash_point,),
        },
        settings={"id_lists": "none", "refused_in": "nothing"},
        upheavals=Upheavals(**upheavals),
    )


def _killed_at_the_first_request(plan: BatchSchedule) -> BatchSchedule:
    """Killed with one request of many sent, and then the task's state is gone."""
    focus = _unsettled(crash_point=CrashPoint("POST", Phase.DURING), losses=(None, "gone"))
    found: BatchSchedule = focus(plan)
    return replace(found, send=replace(found.send, sources=_people(*("27",) * 36)))


@_mutant("twice", _unsettled(dropped_on_success=True))
def _a_record_that_was_dropped_is_believed() -> Iterator[None]:
    """That there is no record is taken for "nothing was posted", though Airflow drops it on success."""
    with believed():
        yield


@_mutant("twice", _unsettled(losses=(None, "older")))
def _a_record_that_was_restored_is_believed() -> Iterator[None]:
    """A record is taken for all there is, though it was restored to an older state."""
    with believed():
        yield


def _refused_and_then_lost(plan: BatchSchedule) -> BatchSchedule:
    """Refused by the first try, accepted from the second under the next id; then the task's state is as it was once."""
    found: BatchSchedule = _unsettled(losses=(None, None, "older"))(plan)
    send = replace(found.send, sources=_people("27"), chunk=1, clears=(600.0, 600.0))
    return replace(found, send=send, network=replace(found.network, posts=(NO_CREDIT,)))


@_mutant("twice", _refused_and_then_lost)
def _a_lost_try_has_made_no_further_ids() -> Iterator[None]:
    """Nobody is looked for under a further id, though the record does not know of some tries."""
    with patch.object(engine, "lost_tries", lambda *_: 0):
        yield


@_mutant("twice", _refused_and_then_lost)
def _who_is_in_doubt_has_got_no_further_id() -> Iterator[None]:
    """A person in doubt is looked for under that id only, though the record does not know of some tries."""
    original = missing_record.later_attempts

    def later(plan: Any, tries: int, most: int) -> Any:
        return original(plan, tries, most) if plan.left() else []

    with patch.object(missing_record, "later_attempts", later):
        yield


@_mutant("twice", _unsettled(accounts=(HOME, OTHER), crash_point=CrashPoint("POST", Phase.DURING)))
def _any_account_proves_absence() -> Iterator[None]:
    """Messages that may have been posted from one account are looked for in another one's logs."""
    with (
        patch.object(Attempt, "is_from", lambda self, here: True),
        patch.object(intent_log.IntentLog, "from_another_origin", lambda *_: ("", 0)),
    ):
        yield


@_mutant("twice", _unsettled(accounts=(HOME, OTHER), crash_point=CrashPoint("POST", Phase.DURING), ledger=True))
def _ledgers_know_no_account() -> Iterator[None]:
    """The account is not in the ledger."""
    original = intent_log.IntentLog.replay

    def replay(
        self: Any, line: Any, fingerprint: Any, writer: Any = None, origin: Any = None, steps: Any = None
    ) -> None:
        original(self, line, fingerprint, writer, steps=steps)

    with patch.object(intent_log.IntentLog, "replay", replay), patch.object(Attempt, "is_from", as_known):
        yield


@_mutant("wrong", _unsettled(scenarios=(0, 1), ledger=True))
def _a_receipt_names_the_steps_of_the_try() -> Iterator[None]:
    """A receipt names the steps of the last try's scenario, though its messages were accepted with another one."""
    with patch.object(intent_log.IntentLog, "steps", lambda *_: None):
        yield


@_mutant("twice", _killed_at_the_first_request)
def _lists_of_ids_prove_absence() -> Iterator[None]:
    """Some are asked for alone after the record was lost, though the logs may not read lists of ids."""
    with patch.object(missing_record, "ONE_BY_ONE", 0), patch.object(missing_record, "ALONE", 3):
        yield


# -- the wait ------------------------------------------------------------------------------------------------------


@_mutant("wrong", _FROM_DAYS_AGO)
def _outcomes_are_not_written() -> Iterator[None]:
    """Reports that were read are written into no ledger."""
    with spared("journal written"):
        yield


@_mutant("wrong", _FROM_DAYS_AGO)
def _outcomes_are_not_read_back() -> Iterator[None]:
    """A wait that begins again does not read what stands in the ledger."""
    with spared("journal read", reply=[]):
        yield


@_mutant("wrong", _followed("27", "27", "27", store_failures=0.15, send={"tries": 40}))
def _decided_before_it_is_written() -> Iterator[None]:
    """The wait ends although what it ends with could not be written."""
    with patch.object(
        tracking_safety, "is_written_down", lambda subscription, *, closing: subscription.journal_loaded or closing
    ):
        yield


@_mutant("wrong", _followed("27", "27", "27", mode="reschedule", second_reader_every=7.0))
def _no_look_at_the_start() -> Iterator[None]:
    """A wait asks the logs after some polls without progress only; in reschedule mode each is a wait of its own."""

    def due(subscription: Any, last_round: float, *, closing: bool) -> bool:
        return (
            subscription.idle_polls >= wait_limits.IDLE_POLLS
            or subscription.report_read_failed
            or closing
            or subscription.looked_at < last_round
        )

    with patch.object(tracking_safety, "is_due", due):
        yield


@_mutant("wrong", _followed("27", "49", "27", "49"))
def _evicted_too_early() -> Iterator[None]:
    """A request is forgotten as soon as one of its messages is delivered."""
    with patch.object(
        tracking_safety,
        "may_be_forgotten",
        lambda subscription, **_: not subscription.open or subscription.counts.delivered > 0,
    ):
        yield


@_mutant("wrong", _followed("27", "27", "27", "27", reports=("foreign-ids",) * 6))
def _any_row_of_a_request_counts() -> Iterator[None]:
    """A stranger's messages that show up under a request's id are counted."""
    with patch.object(id_set.IdSet, "__contains__", lambda self, message_id: True):
        yield


@_mutant("wrong", _personal(*("49",) * 5, beat=200.0))
def _slices_close_while_rows_are_pending() -> Iterator[None]:
    """A window of the logs is done after some minutes, whatever is still under way in it, and nothing is looked for by
    its id.
    """
    original = time_windows.is_done

    def look(self: Any, *, closing: bool) -> Iterator[Any]:
        yield from ()

    done = patch.object(time_windows, "is_done", lambda window, now, *, pending: original(window, now, pending=False))
    unmerged = patch.object(time_windows, "may_be_merged", lambda rows, page: False)
    unlooked = patch.object(single_messages.SingleMessageFollower, "look_by_id", look)
    with done, unlooked, unmerged:
        yield


@_mutant("wrong", _personal(*("27",) * 5, lag=25.0))
def _slices_close_at_once() -> Iterator[None]:
    """A window of the logs is done once it was read, as if the logs never lagged behind."""
    with patch.object(time_windows, "LAG", 0.0):
        yield


@_mutant("wrong", _personal(*("27", "40") * 10, page=12))
def _full_pages_are_taken_for_whole() -> Iterator[None]:
    """Rows that do not fit on a page of the logs are not asked for."""
    with patch.object(time_windows.TimeWindows, "full", lambda self, window: ()):
        yield


# LINE is delivered before the SMS fails, and the logs show the last step only.
_TOLD_BY_REPORTS_ONLY = {"reports": "final", "log_rows": "last-step", "log_lag_seconds": 0.0}


_HEARD_LATE = _followed(
    *(LATE_BEFORE_THE_FAILURE,) * 5,
    reports=("refused",) * 3,
    wait={"reports_kept": True},
    send={"personal": True},
    settings=_TOLD_BY_REPORTS_ONLY,
    sizes=Sizes(many_single=3),
)


@_mutant("wrong", _HEARD_LATE)
def _whoever_was_asked_about_was_heard() -> Iterator[None]:
    """A read of reports counts, though it has failed."""
    with patch.object(tracking_safety, "is_heard", lambda page, limit: True):
        yield


_BETWEEN_REPORTS_AND_LOGS = _followed(
    *(LATE_BEFORE_THE_FAILURE,) * 2, *("45",) * 6,
    mode="reschedule",
    reports=(None, *("no-connection",) * 3) * 200,
    wait={"reports_kept": True, "poll_interval": 5.0},
    settings=_TOLD_BY_REPORTS_ONLY | {"beat_seconds": 2.0},
)  # fmt: skip
"""The delivery and the failure after it come while a poll reads the reports of other requests, half a minute long."""


@_mutant("wrong", _BETWEEN_REPORTS_AND_LOGS)
def _reports_that_were_read_before_the_failure_confirm_it() -> Iterator[None]:
    """The logs show a failure, and reports that were read before that are taken for all there are."""
    with patch.object(tracking_safety, "are_reports_outdated", lambda *, news: False):
        yield


_READ_BY_ANOTHER_COPY = _followed(
    *(LATE_BEFORE_THE_FAILURE,) * 2, *("45",) * 2,
    wait={"reports_kept": True, "second_copy_after": 10.0},
    settings=_TOLD_BY_REPORTS_ONLY | {"beat_seconds": 5.0},
)  # fmt: skip


@_mutant("wrong", _READ_BY_ANOTHER_COPY)
def _what_another_copy_has_read_is_not_looked_for() -> Iterator[None]:
    """A failure counts though the parts that another copy has written since may tell of a delivery."""
    with patch.object(tracking_safety, "may_others_know_better", lambda *, doubtful_failures: False):
        yield


_NEVER_HEARD = _followed(
    *(LATE_BEFORE_THE_FAILURE,) * 3,
    success_when="finished",
    reports=("refused",) * 1000,
    wait={"timeout": 600.0},
    settings=_TOLD_BY_REPORTS_ONLY,
)


@_mutant("wrong", _NEVER_HEARD)
def _what_nobody_could_confirm_counts_as_failed() -> Iterator[None]:
    """A reader of the ledger passes over the mark of failures that unread reports may contradict."""
    with patch.object(reader, "UNCONFIRMED", ""):
        yield


def _unsaved_when_it_begins_anew(plan: BatchSchedule) -> BatchSchedule:
    """The report of a message alone in its request was read, and cannot be written for some polls. Then the logs come
    back, and show that the bulk ids of the others find nothing.
    """
    found = _followed(
        "27", "27", LATE_BEFORE_THE_FAILURE,
        wait={"failing": (("journal written", 14),), "reports_kept": True},
        settings=_TOLD_BY_REPORTS_ONLY | {"given_bulk_id": "dropped"},
    )(plan)  # fmt: skip
    return replace(found, network=replace(found.network, logs_down=(0.0, 230.0)))


@_mutant("wrong", _unsaved_when_it_begins_anew)
def _what_is_not_written_down_is_forgotten() -> Iterator[None]:
    """A wait begins anew although it has read what stands nowhere."""
    with patch.object(tracking_safety, "may_begin_anew", lambda subscriptions: True):
        yield


@_mutant("wrong", _followed("27", "27", "27", settings={"given_bulk_id": "dropped"}))
def _bulk_ids_that_find_nothing_are_believed() -> Iterator[None]:
    """A request whose bulk id finds nothing is not looked for by its messages' own ids."""
    with patch.object(tracking_safety, "is_bulk_id_doubted", lambda subscription: False):
        yield


@_mutant("wrong", _followed("27", "27", "43", "43", ledger=False, wait={"in_parts": True}, settings=_CLEAR))
def _each_part_is_judged_alone() -> Iterator[None]:
    """The first send that is over decides over all that are waited for together."""
    with patch.object(tracking_safety, "are_over", lambda ended, parts: ended > 0):
        yield


def _in_doubt_at_another_account(plan: BatchSchedule) -> BatchSchedule:
    """Killed with its answer on the way, and never cleared up, since the connection has changed: two were refused."""
    crash_point = CrashPoint("POST", Phase.DURING)
    return _followed(
        *("27" if number == plan.seed % 3 else "52" for number in range(3)),
        mode="poke",
        wait={"poll_interval": 20.0},
        settings={"given_bulk_id": "dropped"},
        send={"chunk": 3, "connections": 1, "crash_points": (crash_point,), "tries": 2, "flow_given": True},
        upheavals=Upheavals(accounts=(OTHER, HOME)),
    )(plan)


@_mutant("wrong", _in_doubt_at_another_account)
def _one_message_stands_for_all_of_a_request() -> Iterator[None]:
    """One message is looked for each time that a bulk id finds nothing, though it may have been refused."""
    with patch.object(tracking_safety, "samples_from", lambda turn, samples: [samples[0]]):
        yield


def _one_of_late(plan: BatchSchedule) -> BatchSchedule:
    """Eighteen messages that the vendor has forgotten, and one of this hour, whose report the first read hands out."""
    early, late = _people(*("27",) * 18)[0], _people(*("27",) * 19)[0]
    return _followed(
        send={"sources": (early, late), "chunk": 1, "clears": (54 * HOUR,), "moved_at": None, "spoilt": None},
        wait={"poll_interval": 20.0, "timeout": 600.0, "after_clears": True},
        settings={"id_lists": "none", "filtered_read": "all", "beat_seconds": 1.0, "log_lag_seconds": 0.0},
    )(plan)


@_mutant("wrong", _one_of_late)
def _a_list_that_shows_nothing_is_believed() -> Iterator[None]:
    """Of a list of ids that shows nothing, a few are asked for alone, and their absence speaks for all."""
    with patch.object(tracking_safety, "answered_by_list", lambda found, asked_alone, *, lists_read: list(found)):
        yield


def _written_down_late(plan: BatchSchedule) -> BatchSchedule:
    """Four more are in doubt than were sent to: a try of another scenario was given up before it wrote them down."""
    people = _people(*("40",) * 7)[0]
    crash_point = CrashPoint("intent written", Phase.BEFORE, 100.0)
    return _followed(
        wait={"poll_interval": 20.0, "success_when": 0.7, "timeout": 1500.0},
        settings={"beat_seconds": 40.0, "log_lag_seconds": 0.0},
        send={
            "sources": (people, people[:3]),
            "chunk": 1,
            "connections": 8,
            "tries": 2,
            "crash_points": (crash_point,),
            "flow_given": True,
        },
        flow=("SMS", "LINE"),
        upheavals=Upheavals(scenarios=(0, 1)),
    )(plan)


@_mutant("wrong", _written_down_late)
def _all_messages_of_a_ledger_go_through_one_flow() -> Iterator[None]:
    """All messages are judged by the steps of most."""
    original = intent_log.IntentLog.flows
    with patch.object(intent_log.IntentLog, "flows", lambda self: (original(self)[0], {})):
        yield


def _forgotten_but_for_one_in_doubt(plan: BatchSchedule) -> BatchSchedule:
    """Two of three were delivered at once, and the third was refused, of which nobody has heard. Bulk ids are not kept.

    Days later, when the logs have forgotten all of it, another copy of the trigger goes on. That its messages are
    followed singly could not be written down at first.
    """
    days_later = CrashPoint(1, Phase.BEFORE, after=54 * HOUR)
    return _followed(
        "27", "27", "52",
        wait={
            "poll_interval": 1800.0,
            "timeout": 300_000.0,
            "crash_points": (days_later,),
            "failing": (("singles marked", 1 + plan.seed % 3),),
        },
        settings={"given_bulk_id": "dropped"},
        send={
            "chunk": 3,
            "connections": 1,
            "crash_points": (CrashPoint("POST", Phase.DURING),),
            "tries": 2,
            "flow_given": True,
        },
        ledger=plan.seed % 2 == 0,
        upheavals=Upheavals(accounts=(OTHER, HOME)),
    )(plan)  # fmt: skip


@_mutant("wrong", _forgotten_but_for_one_in_doubt)
def _later_copies_are_not_told_what_is_followed_singly() -> Iterator[None]:
    """Messages are followed by their own ids without a mark for later copies, which look for them by their bulk id."""
    with spared("singles marked"):
        yield


@_mutant("wrong", _forgotten_but_for_one_in_doubt)
def _messages_are_followed_singly_though_later_copies_cannot_know() -> Iterator[None]:
    """Messages are followed by their own ids, though the mark for later copies could not be written."""
    with patch.object(tracking_safety, "may_be_followed_singly", lambda *, marked: True):
        yield


def _told_by_the_copy_beside(plan: BatchSchedule) -> BatchSchedule:
    """Two copies run. The first cannot write down at once that the bulk ids find nothing; the second can. Then the logs
    are away until they have forgotten all, and the second copy reads the reports. Of one message nothing is heard.
    """
    found = _followed(
        "27", "27", "52",
        wait={
            "poll_interval": 1800.0,
            "timeout": 450_000.0,
            "failing": (("singles marked", 1),),
            "second_copy_after": 15.0,
        },
        settings={"given_bulk_id": "dropped", "log_lag_seconds": 0.0},
        send={
            "chunk": 3,
            "connections": 1,
            "crash_points": (CrashPoint("POST", Phase.DURING),),
            "tries": 2,
            "flow_given": True,
        },
        upheavals=Upheavals(accounts=(OTHER, HOME)),
    )(plan)  # fmt: skip
    return replace(found, network=replace(found.network, logs_down=(200.0, 50 * HOUR)))


@_mutant("wrong", _told_by_the_copy_beside)
def _what_the_copy_beside_has_seen_is_not_heeded() -> Iterator[None]:
    """A copy that runs goes on to follow requests, though another one has written that messages are followed singly."""
    with patch.object(tracking_safety, "must_be_followed_singly", lambda *, overlooked, marked: overlooked):
        yield


def _slowly(plan: BatchSchedule) -> BatchSchedule:
    """Each request takes so long that the batch tells on the way how far it has got."""
    made = _followed(*["27"] * 6, send={"connections": 1, "chunk": 1})(plan)
    return replace(made, network=replace(made.network, posts=("slow",) * 4))


@_mutant("wrong", _slowly)
def _a_report_is_written_before_the_batch_goes_on() -> Iterator[None]:
    """The delivery report of a batch that is under way is saved like a part of its record."""
    with patch.object(engine, "Report", lambda value: Save(DELIVERY_KEY, value)):
        yield


@_mutant("wrong", _slowly)
def _a_report_on_the_way_tells_whom_it_was_sent_to() -> Iterator[None]:
    """The delivery report of a batch that is under way lists numbers."""
    original = engine.report_of_send

    def report_of_send(*args: Any, **more: Any) -> dict[str, Any]:
        return original(*args, **more) | {"to": [row["phone"] for row in _people(*["27"] * 6)[0]]}

    with patch.object(engine, "report_of_send", report_of_send):
        yield


@_mutant("wrong", focused(**A, network=CALM | {"posts": ()}, send=FAULTLESS | {"shut": (-100.0, 600.0)}))
def _nobody_waits_for_the_hours() -> Iterator[None]:
    """A message goes out at once, whatever the hour."""
    with patch.object(SendWindow, "opening", lambda *_: None):
        yield


def _over_the_end_of_the_hours(plan: BatchSchedule) -> BatchSchedule:
    """A batch begins well within the hours, and is not through at their end."""
    rows = tuple(_people(*["27"] * 12)[0])
    send = FAULTLESS | {"sources": (rows,), "chunk": 1, "connections": 1, "shut": (150.0, 900.0)}
    made = focused(**A, network=CALM, send=send)(plan)
    return replace(made, network=replace(made.network, posts=("slow",) * 12))


@_mutant("wrong", _over_the_end_of_the_hours)
def _the_hour_of_the_beginning_counts() -> Iterator[None]:
    """The hour at which the batch begins decides for all of its messages."""
    original, began = SendWindow.opening, {}

    def opening(window: SendWindow, now: float, zone: str | None = None) -> float | None:
        return original(window, began.setdefault(id(window), now), zone)

    with patch.object(SendWindow, "opening", opening):
        yield


@_mutant(
    "twice",
    focused(
        **B,
        ledger=False,
        network=CALM | {"posts": ()},
        settings={"scheduled_in_logs": False},
        send=FAULTLESS
        | {
            "shut": (-100.0, 900.0),
            "tries": 2,
            "retry_delay": 1.0,
            "heartbeat": 30.0,
            "crash_points": (CrashPoint("POST", Phase.DURING),),
        },
        upheavals=Upheavals(losses=(None, GONE)),
    ),
)
def _what_others_have_asked_for_later_is_absent() -> Iterator[None]:
    """The record is lost, and the logs do not show yet what it told of: that is taken for never sent."""
    with patch.object(SendWindow, "latest_of_others", lambda *_: None):
        yield


_OPTED_OUT = _people("27", "27", "27", "27")


@_mutant(
    "wrong",
    focused(
        **B | _LEDGER,
        network=CALM | {"posts": ()},
        send=_SEND
        | {
            "sources": _OPTED_OUT,
            "suppressed": (frozenset(), frozenset(row["phone"] for row in _OPTED_OUT[0])),
            "crash_points": (CrashPoint("POST", Phase.BEFORE),),
            "shut": None,
        },
    ),
)
def _who_may_have_been_sent_to_before_is_sent_to_whatever_the_list_says() -> Iterator[None]:
    """People on the suppression list who are in doubt stand among the people of the send."""

    def count(self: intent_log.IntentLog) -> tuple[int, int]:
        workspace = self._workspace
        people = workspace.execute(
            "INSERT INTO person (seq, id, address, key, content, todo) SELECT seq, id, address, key, 1, 0 "
            "FROM suppressed WHERE id IN (SELECT id FROM known) AND id NOT IN (SELECT id FROM person)"
        )
        workspace.execute("DELETE FROM suppressed WHERE id IN (SELECT id FROM person)")
        return people, people

    with patch.object(intent_log.IntentLog, "count_among_people_who_was_sent_to", count):
        yield


@_mutant(
    "wrong",
    _followed(
        "42",
        "42",
        "27",
        success_when="finished",
        send={
            "suppressed": (frozenset(), frozenset(row["phone"] for row in _people("42")[0])),
            "clears": (20.0,),
            "shut": None,
        },
    ),
)
def _an_earlier_message_makes_up_for_the_list() -> Iterator[None]:
    """A second send goes to people on the suppression list too, if an earlier message to them was accepted."""
    with patch.object(reader.Outcomes, "is_suppressed", lambda *_: False):
        yield


def _killed_before_it_writes(plan: BatchSchedule) -> BatchSchedule:
    """A slow batch tells on the way how far it has got, and dies before it has written down its last answers."""
    made = _slowly(plan)
    return replace(made, send=replace(made.send, crash_points=(CrashPoint("outcome written", Phase.BEFORE),), tries=2))


@_mutant("wrong", _killed_before_it_writes)
def _metrics_count_what_is_not_on_record() -> Iterator[None]:
    """An answer is counted when it comes. The next try finds its message in doubt, and counts it once more."""
    with patch.object(SendProgress, "recorded", property(lambda self: self.states, lambda self, _: None)):
        yield
