"""The interface of the stores that keep a send's record. Each write is also a fence: it fails once another try has
taken over.

Each gives the engine three things: a replay of the earlier tries' record, effects that write intents (the fence)
together with outcomes, and a check of the results. `ledger_store.py` keeps the record in a ledger,
`task_state_store.py` in the task's own state in Airflow. `messages/intent_log.py` knows the meaning of the lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from airflow_provider_omni.delivery.effects import CallApi, ListParts, ReadPart, Save, Steps, WritePart, load
from airflow_provider_omni.delivery.messages.intent_log import IntentLog
from airflow_provider_omni.delivery.messages.states import Attempt, Origin
from airflow_provider_omni.omni.errors import OmniInputError

INDEX = "omni_send"
"""Key in the task's state of a record that is kept there."""
FENCE = "omni_send_fence"
"""Key in the task's state of the last part of a ledger."""

Writes: TypeAlias = tuple[CallApi | Save | WritePart | ReadPart | ListParts, ...]


class IntentStore(Protocol):
    """Keeps the record of one send.

    :param writers: the number of `writes` that may be under way at one time.
    :param flow: the scenario's channels, which are kept, too. If this try does not know them, `enter` takes those on
        record.
    :param steps: the steps that this try has content for.
    :param here: account and scenario that this try posts from.
    """

    writers: int
    flow: tuple[str, ...] | None
    steps: tuple[str, ...]
    here: Origin

    @property
    def saved(self) -> int:
        """The number of times that intents were written, in all tries."""
        ...

    def enter(self, known: IntentLog, *, dry_run: bool) -> Steps[None]:
        """Say that this try begins, and replay the record of earlier ones. A dry run only reads."""
        ...

    def writes(
        self, intents: Sequence[Attempt], outcomes: Sequence[dict[str, Any]], labels: Sequence[dict[str, str]]
    ) -> Writes:
        """Return effects that write these intents (the fence) and the outcomes learned since the last write.

        :param outcomes: lines about requests (`outcome_line`).
        :param labels: for each intent, the names of its recipients in outcomes, by message id.
        """
        ...

    def written(self, intents: Sequence[Attempt], results: Sequence[Any]) -> None:
        """Check the results of `writes`. Raises OmniStaleTryError if another try has taken over: then nothing may be
        posted.
        """
        ...

    def not_written(self, intents: Sequence[Attempt]) -> None:
        """Note that the writes of these intents failed: they may be written or not."""
        ...

    def changed(self) -> str:
        """Return a sentence about changed settings for the error message, or ''. It begins with a space."""
        ...


def intent_line(attempt: Attempt, labels: dict[str, str]) -> dict[str, Any]:
    """Return the intent to post a request, as a line.

    :param labels: names of recipients in outcomes, by message id, for those who are not named by that id.
    """
    line: dict[str, Any] = {"bulk": attempt.bulk_id, "at": round(attempt.intent_at, 3), "ids": list(attempt.messages)}
    if attempt.scheduled_at is not None:
        line["scheduled"] = attempt.scheduled_at
    if attempt.not_before is not None:
        line["not_before"] = round(attempt.not_before, 3)
    if not attempt.bulk_id_conclusive:
        line["bulk_id_conclusive"] = False
    if labels:
        line["who"] = labels
    return line


def origin_of(about: Mapping[str, Any]) -> Origin:
    """Return account and scenario of a try, as the description of its send has them."""
    return Origin(str(about.get("account") or ""), str(about.get("scenario_key") or ""))


def flow_in(kept: dict[str, Any]) -> tuple[str, ...] | None:
    """Return the channels that a header or an index names; None if its writer did not know them."""
    flow = kept.get("flow")
    return tuple(map(str, flow)) if isinstance(flow, list) and flow else None


def was_kept(key: str, what: str) -> Steps[Any]:
    """Return an entry of the task's state that says that something was sent; None if it says nothing."""
    entry: Any = yield from load(key)
    return entry if isinstance(entry, dict) and entry.get(what) else None


def kept_elsewhere(why: str) -> OmniInputError:
    """Return the error for a store that is not the one of earlier tries."""
    return OmniInputError(
        "Nothing was sent: this is not where the record of this send is kept",
        problems=(
            f"ledger_path: {why}; restore the one that was used, since it must stay the same in all tries of a task "
            "(no try number and no time of now in it)",
        ),
    )
