"""A single send with one rule taken out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast
from unittest.mock import patch

from airflow_provider_omni.delivery.effects import Steps
from airflow_provider_omni.delivery.messages import ids as identity
from airflow_provider_omni.delivery.messages import intent_log, states
from airflow_provider_omni.delivery.messages.states import Event, MessageState
from airflow_provider_omni.delivery.outbox import (
    attempts,
    dispatcher,
    engine,
    publishing,
    reconciler,
    requests,
    safety,
    task_state_store,
)
from airflow_provider_omni.delivery.outbox.policy import LookPolicy
from airflow_provider_omni.omni import failures, responses
from airflow_provider_omni.omni.bulk import BulkResponse
from airflow_provider_omni.omni.errors import (
    Effect,
    OmniError,
    OmniStaleTryError,
    OmniTransportError,
)
from airflow_provider_omni.omni.statuses import is_refusal
from airflow_provider_omni.storage import send_reports
from tests.crash import clocks, fake_stores, tasks
from tests.crash.clocks import Clocks
from tests.crash.elsewhere import HOME, OTHER
from tests.crash.mutating import (
    CALM,
    RETRIED,
    TRUSTED,
    A,
    B,
    Focus,
    Mutant,
    answer_lost,
    as_known,
    believed,
    focused,
    forgiven,
    registering,
    reports_that_must_be_written,
    spared,
    tried_again,
    unsettled,
)
from tests.crash.processes import CrashPoint, Phase
from tests.crash.schedule import Schedule
from tests.crash.upheavals import Upheavals
from tests.crash.world import NO_CREDIT

MUTANTS: dict[str, Mutant] = {}
_mutant = registering(MUTANTS)


@_mutant("twice", answer_lost("reset-after"))
def _no_reconcile() -> Iterator[None]:
    """Messages in doubt are posted again without asking the logs."""

    def resolve(self: reconciler.Reconciler, attempt: states.Attempt) -> Steps[bool]:
        for message_id in attempt.in_state(MessageState.IN_DOUBT):
            attempt.apply(message_id, Event.PROVEN_ABSENT)
        return True
        yield

    with patch.object(reconciler.Reconciler, "resolve", resolve):
        yield


@_mutant("twice", tried_again(CrashPoint("intent written", Phase.BEFORE, 20_000.0)))
def _no_fence() -> Iterator[None]:
    """A try that was given up may still write, and so still posts."""
    with patch.object(fake_stores.StateMemory, "stale", False):
        yield


def _woken_after_a_proof(*, posts: tuple[str, ...] = (), second: CrashPoint | None = None) -> Focus:
    """Frozen with its POST in hand. The next try proves that nothing was sent, and does not come to send. Then the
    first one wakes up, posts, and dies before it can write that down. Days later there is one more try.
    """
    first = CrashPoint("POST", Phase.BEFORE, 5000.0, then=CrashPoint("outcome written", Phase.BEFORE))
    return focused(
        **A,
        network=CALM | {"posts": posts},
        settings={"duplicates": "status-23", "refused_uses_id": False},
        send=RETRIED
        | {
            "people": (("41793020027",),),
            "texts": ("Hello",),
            "retries": 1,
            "clears": (60 * 3600.0,),
            "shared_key": False,
            "crash_points": (first, second),
        },
    )


@_mutant("twice", _woken_after_a_proof(second=CrashPoint("intent written", Phase.BEFORE)))
def _proofs_are_inherited() -> Iterator[None]:
    """Messages that an earlier try has found absent are posted without asking again."""
    with patch.object(intent_log.IntentLog, "doubt_old_proofs", lambda self: None), believed():
        yield


@_mutant("twice", tried_again(CrashPoint("POST", Phase.DURING)))
def _no_intent() -> Iterator[None]:
    """The POST comes first, and is written down when its answer is there."""
    with spared("intent written"), believed():
        yield


@_mutant(
    "wrong",
    focused(**B, network=CALM | {"posts": ()}, send=RETRIED | {"people": (("41793020027",),)}, publish_slowness=1.0),
)
def _intents_are_renewed_for_ever() -> Iterator[None]:
    """Every renewed intent waits for a receipt of its own, and nobody counts how often that is."""
    never = property(lambda self: False, lambda self, published: None)
    with (
        patch.object(requests.Request, "published", never),
        patch.object(dispatcher.Dispatcher, "_count_renewals", lambda self, window: None),
    ):
        yield


@_mutant(
    "wrong",
    focused(**B, network=CALM | {"posts": ()}, send=RETRIED | {"people": (("41793020027",),)}, publish_failures=0.7),
)
def _it_is_posted_though_no_receipt_tells_of_it() -> Iterator[None]:
    """That a receipt could not be published is passed over."""
    with forgiven("receipt published"):
        yield


@_mutant("wrong", focused(**B, network=CALM | {"posts": ()}, send=RETRIED | {"people": (("41793020027",),)}))
def _a_receipt_counts_what_was_posted_only() -> Iterator[None]:
    """A receipt lists what is about to be posted, and counts it as never sent."""

    def announce(self: dispatcher.Dispatcher, request: requests.Request) -> None:
        self.progress.follow(request.bulk_id, request.ids, bulk_id_conclusive=request.bulk_id_conclusive)

    with patch.object(dispatcher.Dispatcher, "announce", announce):
        yield


@_mutant(
    "wrong",
    tried_again(
        # The first one wakes up while the second, whose receipt stands, is about to post.
        CrashPoint("intent written", Phase.BEFORE, 155.0),
        CrashPoint("POST", Phase.BEFORE, 28.0),
    ),
)
def _a_try_that_was_given_up_has_the_last_word() -> Iterator[None]:
    """A try that has been told that a newer one has taken over publishes its receipt nevertheless."""
    original = engine.Outbox.run

    def run(self: engine.Outbox) -> Any:
        end = yield from original(self)
        if isinstance(end.error, OmniStaleTryError):
            yield from publishing.publish_at_last(end.receipt.to_json(), self.jitter)
        return end

    with patch.object(engine.Outbox, "run", run):
        yield


@_mutant("twice", tried_again(CrashPoint("intent written", Phase.DURING, 20_000.0)))
def _stale_fence() -> Iterator[None]:
    """An intent that took long to write is not written again."""
    with patch.object(safety, "is_fresh", lambda intent_at, now: True), believed():
        yield


@_mutant("twice", tried_again(CrashPoint("POST", Phase.DURING)))
def _ids_depend_on_the_try() -> Iterator[None]:
    """Each try makes ids of its own."""
    original = tasks.send_plan

    def send_plan(plan: Any, world: Any, number: int) -> Any:
        made = original(plan, world, number)
        return replace(made, identity=identity.Identity(f"{made.identity.key}|{number}"))

    with patch.object(tasks, "send_plan", send_plan):
        yield


@_mutant(
    "twice",
    focused(
        **B,
        network=CALM | {"posts": ()},
        send=RETRIED | {"people": (("41793020020", "41793020127"),), "texts": ("Hello",), "on_rejected": "fail"},
        settings={"answer_order": "reversed", "refused_in": "nothing"},
    ),
)
def _match_by_position() -> Iterator[None]:
    """The n-th entry of an answer is taken for the n-th recipient's."""
    original = requests.read_response

    def read(answer: BulkResponse, attempt: states.Attempt, **more: Any) -> Any:
        ids = iter(attempt.messages)
        said = tuple((status, tuple(next(ids, each) for each in named)) for status, named in answer.by_status)
        return original(BulkResponse(said), attempt, **more)

    with patch.object(dispatcher, "read_response", read):
        yield


@_mutant("twice", answer_lost("error-after"))
def _server_errors_mean_not_sent() -> Iterator[None]:
    """A 5xx is taken for "nothing happened"."""
    with patch.object(responses, "refuses", lambda status: status >= 400):
        yield


@_mutant("twice", answer_lost("reset-after"))
def _time_outs_mean_not_sent() -> Iterator[None]:
    """A connection that broke is taken for "nothing happened"."""
    from tests.crash import world
    from tests.harness import direct

    original = failures.failure_error

    def failure_error(call: Any, failure: Any) -> OmniError:
        made = original(call, failure)
        if isinstance(made, OmniTransportError):
            made.effect = Effect.NONE
        return made

    with patch.object(world, "failure_error", failure_error), patch.object(direct, "failure_error", failure_error):
        yield


def _by_its_intent(attempt: states.Attempt, look: LookPolicy, *_: float) -> float:
    """In place of `safety.provable_at`: by the time of the intent alone, whoever has written it down."""
    return attempt.intent_at + look.read_timeout + look.grace


@_mutant("twice", answer_lost("late", lag=27.0))
def _one_look_proves_absence() -> Iterator[None]:
    """Absence is concluded from one look, after the same time as the first of two."""
    with patch.object(safety, "proves_absence", lambda *_: True):
        yield


@_mutant("twice", answer_lost("late", lag=27.0))
def _looks_come_at_once() -> Iterator[None]:
    """Absence is concluded from looks right after the POST."""
    with patch.object(safety, "provable_at", lambda attempt, *_: attempt.intent_at):
        yield


@_mutant(
    "twice",
    focused(
        **B | {"airflow": "3.4"},
        network=CALM | {"posts": ()},
        send=RETRIED | {"clears": (60 * 3600.0,), "people": (("41793020027",),)},
    ),
)
def _old_logs_prove_absence() -> Iterator[None]:
    """Logs that have forgotten are taken for proof."""
    with patch.object(states, "HORIZON", float("inf")):
        yield


@_mutant(
    "twice",
    focused(
        **B,
        network=CALM | {"posts": ("reset-after",)},
        send=RETRIED | {"send_in": 600.0, "people": (("41793020027",),), "texts": ("Hello",)},
        settings={"scheduled_in_logs": False},
    ),
)
def _scheduled_is_absent() -> Iterator[None]:
    """A message with sendAt ahead, which no log shows yet, is taken for absent."""
    unchecked = patch.object(safety, "seconds_too_early", lambda *_: 0.0)
    with patch.object(safety, "provable_at", _by_its_intent), unchecked:
        yield


@_mutant(
    "twice",
    focused(
        **B,
        network=CALM | {"posts": ("reset-after",)},
        send=RETRIED | {"people": (("41793020027",),), "texts": ("Hello",)},
        settings={"single_bulk_id": "dropped"},
    ),
)
def _single_messages_by_bulk() -> Iterator[None]:
    """A message sent alone is looked for by its bulk id, which the vendor may not keep."""
    unchecked = patch.object(reconciler, "looks_by_id", lambda message_ids, **_: [])
    with patch.object(safety, "may_be_asked_by_bulk", lambda *_: True), unchecked:
        yield


def _killed_while_it_posts(clocks: Clocks) -> Focus:
    """The first try dies while the vendor takes its time with the POST, and the next comes soon."""
    return focused(
        **B,
        network=CALM | {"posts": ("late",)},
        settings={"log_lag_seconds": 27.0},
        send=RETRIED
        | {
            "people": (("41793020027",),),
            "texts": ("Hello",),
            "crash_points": (CrashPoint("POST", Phase.DURING),),
            "heartbeat": 1.0,
        },
        clocks=clocks,
    )


@_mutant("twice", _killed_while_it_posts(Clocks(by_turns=(-1800.0, 0.0))))
def _clocks_of_two_processes_are_compared() -> Iterator[None]:
    """That a POST is over is concluded from the time of its intent, which another process has written down."""
    with patch.object(safety, "provable_at", _by_its_intent):
        yield


@_mutant("twice", _killed_while_it_posts(Clocks(step=(0.6, 80.0))))
def _the_wall_clock_measures_the_waiting() -> Iterator[None]:
    """A step of the wall clock is taken for time that has passed."""
    with patch.object(clocks, "steady_clock", lambda wall, elapsed: wall):
        yield


@_mutant(
    "twice",
    focused(
        **B,
        network=CALM | {"posts": ("reset-after",)},
        send=RETRIED | {"send_in": 600.0, "people": (("41793020027",),), "texts": ("Hello",)},
        settings={"scheduled_in_logs": False},
        clocks=Clocks(by_turns=(300.0,)),
    ),
)
def _our_clock_says_that_it_is_time() -> Iterator[None]:
    """A message with sendAt must be in the logs as soon as our own clock says so."""
    with patch.object(safety, "seconds_too_early", lambda *_: 0.0):
        yield


_SEVERAL: dict[str, Any] = {"people": (("41793020027", "41793020127", "41793020227"),), "texts": ("Hello",)}


@_mutant(
    "twice",
    focused(
        **B,
        network=CALM | {"posts": ("reset-after",)},
        send=RETRIED | _SEVERAL,
        settings={"given_bulk_id": "dropped"},
    ),
)
def _bulk_ids_prove_absence() -> Iterator[None]:
    """That the bulk id of a request finds nothing is believed, though the vendor may not keep it."""
    with patch.object(reconciler, "looks_by_id", lambda message_ids, **_: []):
        yield


@_mutant(
    "twice",
    focused(
        **B,
        network=CALM | {"posts": ("reset-after",)},
        send=RETRIED
        | {
            "people": (tuple(f"41793020{place}{fate}" for place, fate in ((0, 18), (1, 82), (2, 20), (3, 20))),),
            "texts": ("Hello",),
        },
        settings={"given_bulk_id": "dropped", "id_lists": "first", "refused_in": "nothing"},
    ),
)
def _a_list_of_ids_proves_absence() -> Iterator[None]:
    """Three of a request are looked for alone, and all in a list, though the logs may read its first id only."""
    original = reconciler.looks_by_id

    def looks(message_ids: list[str], *, one_by_one: int, lists: int) -> list[tuple[str, ...]]:
        return original(message_ids, one_by_one=3, lists=lists)

    with patch.object(reconciler, "ALONE", 3), patch.object(reconciler, "looks_by_id", looks):
        yield


@_mutant(
    "twice",
    focused(
        **B,
        network=CALM | {"posts": (), "contradictions": 1.0},
        send=RETRIED | _SEVERAL | {"on_rejected": "fail"},
    ),
)
def _the_last_word_counts() -> Iterator[None]:
    """The last of two things that an answer says about a message is believed."""
    original = requests.read_response

    def read(answer: BulkResponse, *rest: Any, **more: Any) -> Any:
        last = {message_id: status for status, ids in answer.by_status for message_id in ids}
        said = tuple((status, (message_id,)) for message_id, status in last.items())
        return original(BulkResponse(said), *rest, **more)

    with (
        patch.object(dispatcher, "read_response", read),
        patch.object(requests, "may_succeed_later", lambda status: True),
    ):
        yield


@_mutant(
    "twice",
    focused(
        **A,
        network=CALM | {"posts": ("reset-after",), "logs_down": (0.0, 1200.0)},
        send=TRUSTED,
        settings={"duplicates": "status-23"},
    ),
)
def _seen_before_means_refused() -> Iterator[None]:
    """Status 23 is taken for a refusal, so that the next try uses a new id."""
    original = requests.read_response

    with (
        patch.object(requests, "is_duplicate", lambda status: False),
        patch.object(requests, "is_refusal", lambda status: is_refusal(status) or status.id == 23),
        patch.object(requests, "may_succeed_later", lambda status: True),
        patch.object(dispatcher, "read_response", lambda answer, attempt, **_: original(answer, attempt)),
    ):
        yield


@_mutant(
    "never",
    focused(
        **A,
        network=CALM | {"posts": ("reset-after",)},
        send=RETRIED | {"people": (("41793020018",),), "texts": ("Hello",), "on_rejected": "fail"},
        settings={"duplicates": "status-23", "refused_uses_id": True, "refused_in": "nothing"},
    ),
)
def _seen_before_means_accepted() -> Iterator[None]:
    """Status 23 is taken for "accepted", though the id may have been used up by a refusal."""

    with (
        patch.object(requests, "is_duplicate", lambda status: False),
        patch.object(requests, "is_refusal", lambda status: is_refusal(status) and status.id != 23),
    ):
        yield


@_mutant(
    "never",
    focused(
        **B,
        network=CALM | {"posts": ()},
        send=RETRIED | {"people": (("41793020018",),), "texts": ("Hello",), "on_rejected": "fail"},
        settings={"refused_in": "nothing"},
    ),
)
def _rejections_unseen() -> Iterator[None]:
    """HTTP 200 is taken for "everybody is accepted"."""
    with patch.object(requests, "is_refusal", lambda status: False):
        yield


@_mutant(
    "twice",
    focused(
        **A,
        network=CALM | {"posts": ("reset-after",) * 6, "logs_down": (0.0, 1e9)},
        send=TRUSTED | {"retries": 0, "clears": (40 * 3600.0,) * 2, "shared_key": False},
        settings={"duplicates": "status-23", "refused_uses_id": False},
    ),
)
def _trust_is_renewed() -> Iterator[None]:
    """A message that was posted again on trust counts as posted for the first time then."""
    with patch.object(states.Attempt, "oldest", property(lambda attempt: attempt.intent_at)):
        yield


@_mutant(
    "twice",
    focused(
        **A,
        network=CALM | {"posts": ("reset-after",), "logs_down": (0.0, 1e9)},
        settings={"duplicates": "status-23", "refused_uses_id": False},
        send=TRUSTED
        | {
            # The first dies when it has heard that the vendor knows the message, the second before it does anything.
            "crash_points": (
                CrashPoint("last receipt published", Phase.BEFORE),
                CrashPoint("logs asked", Phase.BEFORE),
            ),
            "shared_key": False,
        },
    ),
)
def _an_id_that_a_lost_try_may_have_made_is_posted_on_trust() -> Iterator[None]:
    """Trusted is whatever is in doubt, though the attempt before it may have been accepted."""
    with patch.object(safety, "may_be_trusted", lambda states, *_: states.count(MessageState.IN_DOUBT) == 1):
        yield


@_mutant("twice", unsettled(dropped_on_success=True))
def _a_record_that_was_dropped_is_believed() -> Iterator[None]:
    """That there is no record is taken for "nothing was posted", though Airflow drops it on success."""
    with believed():
        yield


@_mutant("twice", unsettled(old_until=1))
def _a_record_that_never_was_is_believed() -> Iterator[None]:
    """That there is no record is taken for "nothing was posted", though Airflow had none before its upgrade."""
    with believed():
        yield


@_mutant("twice", unsettled(losses=(None, "older")))
def _a_record_that_was_restored_is_believed() -> Iterator[None]:
    """A record is taken for all there is, though it was restored to an older state."""
    with believed():
        yield


@_mutant("twice", unsettled(losses=(None, "partly")))
def _a_record_that_went_alone_is_not_missed() -> Iterator[None]:
    """That a try has ended is believed, and not how often it has written the record."""
    original = tasks.end_try

    def end_try(tries: Any, writes: int | None) -> Any:
        return original(tries, None if writes is None else 0)

    with patch.object(tasks, "end_try", end_try):
        yield


@_mutant("twice", unsettled(losses=(None, "older"), cleared_running=0.8, killed_after=15.0))
def _a_clear_while_a_try_runs_is_an_end_of_it() -> Iterator[None]:
    """A try that was cleared while it ran counts as one that has said that it ended."""
    with believed():
        yield


@_mutant("twice", unsettled(accounts=(HOME, OTHER), crash_point=CrashPoint("POST", Phase.DURING)))
def _any_account_proves_absence() -> Iterator[None]:
    """Messages that may have been posted from one account are looked for in another one's logs."""
    with patch.object(states.Attempt, "is_from", lambda self, here: True):
        yield


def _kept_without(*names: str) -> contextlib.AbstractContextManager[Any]:
    """Records without these members of theirs, or of their intents."""
    original = task_state_store.TaskStateStore.to_json

    def to_json(self: task_state_store.TaskStateStore) -> Any:
        index: Any = original(self)
        for entry in index.get("entries", {}).values():
            for name in entry["intent"].keys() & set(names):
                entry["intent"][name] = None
        return index | {name: () if name == "origins" else None for name in index.keys() & set(names)}

    return patch.object(task_state_store.TaskStateStore, "to_json", to_json)


@_mutant("twice", unsettled(accounts=(HOME, OTHER), crash_point=CrashPoint("POST", Phase.DURING)))
def _records_know_no_account() -> Iterator[None]:
    """The account is not on the record."""
    with _kept_without("origin", "origins"), patch.object(states.Attempt, "is_from", as_known):
        yield


@_mutant(
    "wrong",
    focused(
        **B,
        network=CALM | {"posts": (), "logs_down": (300.0, 1e9)},
        send=RETRIED
        | {
            "people": (("41793020020", "41793020127"),),  # the first is refused
            "texts": ("Hello",),
            "on_rejected": "fail",
            "shared_key": True,
            "retry_delay": 300.0,
        },
        upheavals=Upheavals(accounts=(HOME, OTHER)),
    ),
)
def _a_receipt_names_the_account_of_the_try() -> Iterator[None]:
    """A receipt names the account that the last try had, though another one has accepted its messages."""
    with patch.object(engine, "account_of", lambda origins, account: account):
        yield


@_mutant("wrong", unsettled(scenarios=(0, 1)))
def _a_receipt_names_the_steps_of_the_try() -> Iterator[None]:
    """A receipt names the steps of the last try's scenario, though its messages were accepted with another one."""
    with _kept_without("steps"):
        yield


@_mutant(
    "wrong",
    focused(
        **B,
        flow=("LINE", "SMS"),
        network=CALM | {"posts": ("refused",) * 5},
        send=RETRIED | {"people": (("41793020027",),), "texts": ("Hello",), "flow_given": False, "shared_key": False},
        upheavals=Upheavals(scenarios=(0, 1)),
    ),
)
def _the_flow_of_the_scenario_before_is_believed() -> Iterator[None]:
    """The scenario is read once, though another one is named since, and nothing was sent with the first."""
    with _kept_without("flow_of"):
        yield


def _refused_twice_and_then_lost(plan: Schedule) -> Schedule:
    """Refused by two tries, accepted from the third under the third id; then the state is as it was once."""
    found: Schedule = unsettled(losses=(None, None, None, "older"))(plan)
    send = replace(found.send, clears=(600.0,) * 3, on_rejected="ignore")
    settings = found.settings.changed({"refused_in": "nothing"})
    network = replace(found.network, posts=(NO_CREDIT, NO_CREDIT))
    return replace(found, send=send, settings=settings, network=network)


@_mutant("twice", _refused_twice_and_then_lost)
def _lost_tries_have_made_one_further_id_at_the_most() -> Iterator[None]:
    """People are looked for under the next id only, though the record does not know of some tries."""
    with patch.object(engine, "lost_tries", lambda *_: 1):
        yield


@_mutant(
    "twice",
    focused(
        **B,
        network=CALM | {"posts": (NO_CREDIT,)},
        send=RETRIED
        | {
            "people": (("41793020027",),),
            "texts": ("Hello",),
            "on_rejected": "fail",
            "shared_key": True,
            "other_tasks": True,
            "clears": (600.0,),
        },
        settings={"refused_in": "nothing"},
    ),
)
def _other_tasks_have_made_the_first_ids_only() -> Iterator[None]:
    """Under a shared key people are looked for under the id that this task would use."""
    with patch.object(safety, "SHARED_ATTEMPTS", 0):
        yield


@_mutant(
    "twice",
    focused(
        **B,
        network=CALM | {"posts": ()},
        send=RETRIED
        | {
            "people": (("41793020027", "41793020127"),),
            "texts": ("Hello",),
            "shared_key": True,
            "other_tasks": True,
            "clears": (600.0,),
        },
        settings={"id_lists": "none"},
    ),
)
def _a_list_that_shows_nothing_was_read() -> Iterator[None]:
    """Messages that a list of ids does not show count as absent, though the logs were not seen to read lists."""
    with patch.object(reconciler, "proves_lists", lambda shown: True):
        yield


@_mutant(
    "twice",
    focused(
        **B,
        network=CALM | {"posts": (NO_CREDIT,)},
        send=RETRIED
        | {
            "people": (("41793020027",),),
            "texts": ("Hello",),
            "on_rejected": "fail",
            "shared_key": True,
            "other_tasks": True,
            "retries": 0,
            "clears": (600.0, 600.0),
        },
        settings={"refused_in": "nothing"},
    ),
)
def _what_this_task_saw_refused_nobody_has_sent_since() -> Iterator[None]:
    """Under a shared key a refusal on record is believed, though another task may have used the id since."""
    with patch.object(safety, "outdates_refusal", lambda status, reason: False):
        yield


_REFUSED_AND_SHOWN = focused(
    **B,
    network=CALM | {"posts": (NO_CREDIT,)},
    send=RETRIED
    | {
        "people": (("41793020027",),),
        "texts": ("Hello",),
        "on_rejected": "fail",
        "shared_key": True,
        "other_tasks": True,
        "clears": (600.0,),
    },
    settings={"refused_in": "logs", "id_lists": "first"},
)
"""Refused, then accepted under the next id. The logs show both to another task, first that of the refusal."""


@_mutant("wrong", _REFUSED_AND_SHOWN)
def _the_attempt_that_was_accepted_first_counts() -> Iterator[None]:
    """The first of several attempts that the logs show is followed."""

    def accepted(states: Mapping[str, MessageState], shown: Mapping[str, bool]) -> str | None:
        return next((each for each, state in states.items() if state is MessageState.ACCEPTED), None)

    with patch.object(attempts, "_accepted", accepted):
        yield


@_mutant("wrong", _REFUSED_AND_SHOWN)
def _whatever_the_logs_show_was_taken() -> Iterator[None]:
    """After a message that the logs show nothing was posted, though it may be a refused one."""
    with patch.object(safety, "shows_acceptance", lambda statuses: True):
        yield


@_mutant("wrong", answer_lost())
def _a_report_that_cannot_be_written_ends_its_send() -> Iterator[None]:
    """The writer of a delivery report lets Airflow's errors through."""
    with reports_that_must_be_written():
        yield


@_mutant("wrong", answer_lost())
def _a_report_tells_whom_it_was_sent_to() -> Iterator[None]:
    """The delivery report of a send lists the numbers beside the ids."""
    original, plan_of = send_reports.report_of_send, tasks.send_plan
    people: list[str] = []

    def send_plan(plan: Any, world: Any, number: int) -> Any:
        made = plan_of(plan, world, number)
        people[:] = [each.address.phone_number or "" for each in made.recipients.people]
        return made

    def report_of_send(*args: Any, **more: Any) -> dict[str, Any]:
        return original(*args, **more) | {"to": list(people)}

    with (
        patch.object(tasks, "send_plan", send_plan),
        patch.object(send_reports, "report_of_send", report_of_send),
    ):
        yield


@_mutant("wrong", answer_lost())
def _the_report_of_the_end_has_the_counts_of_the_receipt_before() -> Iterator[None]:
    """The last report of a send shows what was known before it was posted."""
    original = send_reports.report_of_send
    first: dict[str, Any] = {}

    def report_of_send(receipt: Mapping[str, Any], *rest: Any, **more: Any) -> dict[str, Any]:
        known = first.setdefault(receipt["bulks"][0]["bulk_id"] if receipt["bulks"] else "", dict(receipt))
        return original(known, *rest, **more)

    with patch.object(send_reports, "report_of_send", report_of_send):
        yield


@_mutant("wrong", answer_lost(people=(("41793020020", "41793020127"),), on_rejected="fail"))
def _whoever_fails_reports_that_it_was_sent() -> Iterator[None]:
    """The delivery report of a send that an error has ended says nothing of that."""
    original = send_reports.report_of_send

    def report_of_send(receipt: Mapping[str, Any], state: str, *rest: Any, **more: Any) -> dict[str, Any]:
        return original(receipt, "sent" if state == "failed" else cast("Any", state), *rest, **more | {"error": None})

    with patch.object(send_reports, "report_of_send", report_of_send):
        yield
