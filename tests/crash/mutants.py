"""The machines with one rule taken out. The harness must find schedules in which each of them breaks a promise.

Patches of the harness, not switches of the product.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from airflow_provider_omni.delivery import asking, identity, record, sending, tracking, waiting
from airflow_provider_omni.delivery.effects import Save, Steps
from airflow_provider_omni.delivery.record import Event, MessageState
from airflow_provider_omni.omni import answers, failures
from airflow_provider_omni.omni.errors import Effect, OmniError, OmniServerError, OmniTransportError
from airflow_provider_omni.omni.statuses import is_refusal
from tests.crash import keeping, tasks
from tests.crash.processes import Mishap, Phase
from tests.crash.schedule import Schedule
from tests.crash.world import LATEST

Patches = Callable[[], contextlib.AbstractContextManager[Any]]
Focus = Callable[[Schedule], Schedule]


@dataclass(frozen=True)
class Mutant:
    """A rule that is taken out, and what must then go wrong: ``twice``, ``never`` or ``wrong``.

    ``focus``: leads any schedule to where the rule matters; everything else in it stays random.
    """

    name: str
    what: str
    breaks: str
    focus: Focus
    patches: Patches


MUTANTS: dict[str, Mutant] = {}


def _mutant(breaks: str, focus: Focus) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def register(function: Callable[[], Any]) -> Callable[[], Any]:
        name = function.__name__.strip("_").replace("_", "-")
        assert function.__doc__
        MUTANTS[name] = Mutant(name, function.__doc__, breaks, focus, contextlib.contextmanager(function))
        return function

    return register


def _focused(
    *,
    send: dict[str, Any] | None = None,
    wait: dict[str, Any] | None = None,
    weather: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    **rest: Any,
) -> Focus:
    """Change some fields of a schedule. Nothing lies outside of the promise in a focused one."""

    def focus(plan: Schedule) -> Schedule:
        switches = {"log_lag_seconds": min(plan.settings.log_lag_seconds, LATEST), **(settings or {})}
        if rest.get("guarantee") == "B":
            switches |= {"duplicates": "accept", "refused_uses_id": False}
        return replace(
            plan,
            send=replace(plan.send, **(send or {})),
            wait=replace(plan.wait, **(wait or {})),
            weather=replace(plan.weather, **(weather or {})),
            settings=plan.settings.changed(switches),
            outside=(),
            **rest,
        )

    return focus


_CALM: dict[str, Any] = {"rate": 0.0, "logs_down": (0.0, 0.0)}
_B: dict[str, Any] = {"guarantee": "B", "airflow": "3.3", "store_failures": 0.0, "store_slowness": 0.0}
_A: dict[str, Any] = _B | {"guarantee": "A"}
_QUIET: dict[str, Any] = {
    "mishaps": (None,) * 6,
    "presumed_dead_after": None,
    "clears": (),
    "trust": False,
    "send_in": None,
}
_RETRIED: dict[str, Any] = _QUIET | {"retries": 3, "retry_delay": 1.0, "heartbeat": 30.0, "flow_given": True}
_TRUSTED: dict[str, Any] = _RETRIED | {"trust": True, "people": (("41793020027",),), "texts": ("Hello",)}


def _answer_lost(*faults: str, lag: float | None = None, **send: Any) -> Focus:
    return _focused(
        **_B,
        weather=_CALM | {"posts": faults},
        send=_RETRIED | {"people": (("41793020027",),), "texts": ("Hello",)} | send,
        settings={} if lag is None else {"log_lag_seconds": lag},
    )


def _tried_again(*mishaps: Mishap) -> Focus:
    return _focused(
        **_B,
        weather=_CALM | {"posts": ()},
        send=_RETRIED | {"mishaps": mishaps, "people": (("41793020027",),), "texts": ("Hello",)},
    )


def _mode(mode: str, goal: str = "all", **more: Any) -> dict[str, Any]:
    return {
        "mode": mode,
        "success_when": goal,
        "delivered_means": "group",
        "settle": False,
        "mishaps": (None,),
        "lost_events": 0,
        "second_copy_after": None,
        "after_clears": False,
    } | more


def _watched(*fates: str, every: float | None = None, settings: dict[str, Any] | None = None) -> Focus:
    """A wait of 40 polls of 20 s for these fates, with or without a second reader."""
    return _focused(
        **_B,
        flow=("LINE", "SMS"),
        weather=_CALM | {"posts": (), "second_reader_every": every},
        send=_RETRIED
        | {
            "people": (tuple(f"4179302{index:02d}{fate}" for index, fate in enumerate(fates)),),
            "validity": (120, 300),
            "texts": ("Hello",),
        },
        wait=_mode("trigger", poll_interval=20.0, timeout=1500.0),
        settings={"beat_seconds": 20.0, "filtered_read": "own", **(settings or {})},
    )


_FROM_DAYS_AGO = _focused(
    **_B,
    flow=("LINE", "SMS"),
    weather=_CALM | {"posts": (), "second_reader_every": None},
    send=_RETRIED | {"people": (("41793020027", "41793020145"),), "validity": (108_000, 108_000), "texts": ("Hello",)},
    wait=_mode(
        "trigger",
        "finished",
        poll_interval=1800.0,
        timeout=300_000.0,
        mishaps=(Mishap(1, Phase.BEFORE, after=54 * 3600.0),),
    ),
    settings={"filtered_read": "own"},
)


@_mutant("twice", _answer_lost("reset-after"))
def _no_reconcile() -> Iterator[None]:
    """What is unknown is posted again without asking the logs."""

    def settle(self: asking.Asker, posting: record.Posting) -> Steps[bool]:
        for message_id in posting.having(MessageState.INTENT):
            posting.learn(message_id, Event.PROVEN_ABSENT)
        return True
        yield

    with patch.object(asking.Asker, "settle", settle):
        yield


@_mutant("twice", _tried_again(Mishap(2, Phase.BEFORE, 20_000.0, only="Save")))
def _no_fence() -> Iterator[None]:
    """A try that was given up may still write, and so still posts."""
    with patch.object(keeping.StateMemory, "stale", False):
        yield


@_mutant("twice", _tried_again(Mishap(1, Phase.DURING, only="Ask")))
def _no_intent() -> Iterator[None]:
    """The POST comes first, and is written down when its answer is there."""
    original = sending.Send._fence

    def fence(self: sending.Send, bulk_id: str, ids: list[str], *, publish: bool) -> Any:
        steps = original(self, bulk_id, ids, publish=publish)
        effect = next(steps)
        while True:
            try:
                effect = steps.send((yield effect)) if not isinstance(effect, Save) else steps.send(None)
            except StopIteration as stop:
                return stop.value

    with patch.object(sending.Send, "_fence", fence):
        yield


@_mutant("twice", _tried_again(Mishap(3, Phase.DURING, 20_000.0, only="Save")))
def _stale_fence() -> Iterator[None]:
    """An intent that took long to write is not written again."""
    with patch.object(sending, "FENCE_SECONDS", float("inf")):
        yield


@_mutant("wrong", _FROM_DAYS_AGO)
def _no_journal() -> Iterator[None]:
    """Reports that were read are not written down."""

    def write_down(self: waiting.Wait, source: Any, *, news: bool) -> Iterator[Any]:
        return
        yield

    with patch.object(waiting.Wait, "_write_down", write_down):
        yield


@_mutant("wrong", _watched("27", every=7.0))
def _no_healing() -> Iterator[None]:
    """The wait never asks the logs."""

    def look(self: waiting.Wait, *, closing: bool) -> Iterator[Any]:
        return
        yield

    with patch.object(waiting.Wait, "_look", look):
        yield


@_mutant("wrong", _watched("27", every=7.0))
def _healing_only_at_the_start() -> Iterator[None]:
    """The wait asks the logs when it begins, and not again."""
    original = waiting.Wait._look

    def look(self: waiting.Wait, *, closing: bool) -> Iterator[Any]:
        if not getattr(self, "looked", False):
            self.looked = True  # type: ignore[attr-defined]
            yield from original(self, closing=closing)

    with patch.object(waiting.Wait, "_look", look):
        yield


@_mutant("twice", _tried_again(Mishap(1, Phase.DURING, only="Ask")))
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
    _focused(
        **_B,
        weather=_CALM | {"posts": ()},
        send=_RETRIED | {"people": (("41793020020", "41793020127"),), "texts": ("Hello",), "on_rejected": "fail"},
        settings={"answer_order": "reversed", "refused_in": "nothing"},
    ),
)
def _match_by_position() -> Iterator[None]:
    """The n-th entry of an answer is taken for the n-th recipient's."""
    original = sending.Send._read

    def read(self: sending.Send, answer: Any, posting: record.Posting, doubtful: set[str]) -> None:
        ids = list(posting.messages)
        entries = [
            replace(entry, message_id=message_id) for entry, message_id in zip(answer.messages, ids, strict=False)
        ]
        original(self, replace(answer, messages=entries), posting, doubtful)

    with patch.object(sending.Send, "_read", read):
        yield


@_mutant("twice", _answer_lost("error-after"))
def _server_errors_mean_not_sent() -> Iterator[None]:
    """A 5xx is taken for "nothing happened"."""
    original = answers._error

    def error(call: Any, answer: Any) -> OmniError:
        made = original(call, answer)
        if isinstance(made, OmniServerError):
            made.effect = Effect.NONE
        return made

    with patch.object(answers, "_error", error):
        yield


@_mutant("twice", _answer_lost("reset-after"))
def _time_outs_mean_not_sent() -> Iterator[None]:
    """A connection that broke is taken for "nothing happened"."""
    from tests.crash import world

    original = failures.failure_error

    def failure_error(call: Any, failure: Any) -> OmniError:
        made = original(call, failure)
        if isinstance(made, OmniTransportError):
            made.effect = Effect.NONE
        return made

    with patch.object(world, "failure_error", failure_error):
        yield


@_mutant("twice", _answer_lost("late", lag=27.0))
def _one_look_proves_absence() -> Iterator[None]:
    """Absence is concluded from one look, after the same time as the first of two."""
    original = asking.Asker._look

    def look(self: asking.Asker, posting: record.Posting, each: Any) -> Iterator[Any]:
        yield from original(self, posting, each)
        if each.first_empty_at is not None:
            asking._conclude_absence(posting, each)

    with patch.object(asking.Asker, "_look", look):
        yield


@_mutant("twice", _answer_lost("late", lag=27.0))
def _looks_come_at_once() -> Iterator[None]:
    """Absence is concluded from looks right after the POST."""
    with patch.object(asking.Asker, "_provable_at", lambda self, posting: posting.intent_at):
        yield


@_mutant(
    "twice",
    _focused(
        **_B | {"airflow": "3.4"},
        weather=_CALM | {"posts": ()},
        send=_RETRIED | {"clears": (60 * 3600.0,), "people": (("41793020027",),)},
    ),
)
def _old_logs_prove_absence() -> Iterator[None]:
    """Logs that have forgotten are taken for proof."""
    with patch.object(asking, "HORIZON", float("inf")):
        yield


@_mutant(
    "twice",
    _focused(
        **_B,
        weather=_CALM | {"posts": ("reset-after",)},
        send=_RETRIED | {"send_in": 600.0, "people": (("41793020027",),), "texts": ("Hello",)},
        settings={"scheduled_in_logs": False},
    ),
)
def _scheduled_is_absent() -> Iterator[None]:
    """A message with sendAt ahead, which no log shows yet, is taken for absent."""

    def provable_at(self: asking.Asker, posting: record.Posting) -> float:
        return posting.intent_at + self.rules.read_timeout + self.rules.grace

    with patch.object(asking.Asker, "_provable_at", provable_at):
        yield


@_mutant(
    "twice",
    _focused(
        **_B,
        weather=_CALM | {"posts": ("reset-after",)},
        send=_RETRIED | {"people": (("41793020027",),), "texts": ("Hello",)},
        settings={"single_bulk_id": "dropped"},
    ),
)
def _lone_messages_by_bulk() -> Iterator[None]:
    """A message sent alone is looked for by its bulk id, which the vendor may not keep."""

    def filters(posting: record.Posting) -> list[Any]:
        return [asking._Filter(posting.having(*asking._ASKED), posting.bulk_id)]

    with patch.object(asking, "_filters", filters):
        yield


@_mutant(
    "twice",
    _focused(
        **_A,
        weather=_CALM | {"posts": ("reset-after",), "logs_down": (0.0, 1200.0)},
        send=_TRUSTED,
        settings={"duplicates": "status-23"},
    ),
)
def _seen_before_means_refused() -> Iterator[None]:
    """Status 23 is taken for a refusal, so that the next try uses a new id."""

    original = sending.Send._read

    def read(self: sending.Send, answer: Any, posting: record.Posting, doubtful: set[str]) -> None:
        original(self, answer, posting, set())

    with (
        patch.object(sending, "is_duplicate", lambda status: False),
        patch.object(sending, "is_refusal", lambda status: is_refusal(status) or status.id == 23),
        patch.object(sending, "mendable", lambda status: True),
        patch.object(sending.Send, "_read", read),
    ):
        yield


@_mutant(
    "never",
    _focused(
        **_A,
        weather=_CALM | {"posts": ("reset-after",)},
        send=_RETRIED | {"people": (("41793020018",),), "texts": ("Hello",), "on_rejected": "fail"},
        settings={"duplicates": "status-23", "refused_uses_id": True, "refused_in": "nothing"},
    ),
)
def _seen_before_means_accepted() -> Iterator[None]:
    """Status 23 is taken for "accepted", though the id may have been used up by a refusal."""

    with (
        patch.object(sending, "is_duplicate", lambda status: False),
        patch.object(sending, "is_refusal", lambda status: is_refusal(status) and status.id != 23),
    ):
        yield


@_mutant(
    "never",
    _focused(
        **_B,
        weather=_CALM | {"posts": ()},
        send=_RETRIED | {"people": (("41793020018",),), "texts": ("Hello",), "on_rejected": "fail"},
        settings={"refused_in": "nothing"},
    ),
)
def _rejections_unseen() -> Iterator[None]:
    """HTTP 200 is taken for "everybody is accepted"."""
    with patch.object(sending, "is_refusal", lambda status: False):
        yield


@_mutant("wrong", _watched("40", settings={"reports": "per-step"}))
def _a_failed_step_is_the_end() -> Iterator[None]:
    """Any failed step closes its message."""
    original = tracking.Tracker.standing

    def standing(self: tracking.Tracker, message_id: str, now: float, *, closing: bool = False) -> Any:
        return original(self, message_id, now, closing=True)

    with patch.object(tracking.Tracker, "standing", standing):
        yield


@_mutant(
    "wrong",
    _focused(
        **_A,
        flow=("SMS",),
        weather=_CALM | {"posts": ("slow",)},
        send=_TRUSTED | {"send_in": 3000.0},
        wait=_mode("trigger", poll_interval=20.0, timeout=6000.0),
        settings={"duplicates": "report", "refused_uses_id": False, "filtered_read": "own"},
    ),
)
def _duplicate_reports_count() -> Iterator[None]:
    """The report that a repeated id was rejected is taken for the end of the message that had it first."""
    with patch.object(tracking, "is_duplicate", lambda status: False):
        yield
