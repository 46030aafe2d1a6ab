"""The interface of the stores that keep a send's record. Each write is also a fence: it fails once another try has
taken over.

Each gives the engine three things: a replay of the earlier tries' record, effects that write intents (the fence)
together with outcomes, and a check of the results. `ledger_store.py` keeps the record in a ledger,
`task_state_store.py` in the task's own state in Airflow. `messages/intent_log.py` knows the meaning of the lines.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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

    @property
    def complete(self) -> bool:
        """True if the record, once read, holds all that earlier tries have written, as far as a store can tell."""
        ...

    @property
    def amendable(self) -> AmendableStore | None:
        """Return this store if its record can be amended before this try begins; None if what was written stands."""
        ...

    @property
    def manifest(self) -> ManifestStore | None:
        """Return this store if it has room for the people who are sent to; None if it keeps ids only."""
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

    def check_current(self) -> Steps[None]:
        """Raise OmniStaleTryError if another try has taken over."""
        ...

    def forget(self, message_ids: Collection[str]) -> None:
        """Take messages off the record that were never posted, if it can be amended. The next write has it."""
        ...

    def ends(self) -> WritePart | None:
        """Return the write that ends a try; None if the record needs none."""
        ...

    def changed(self) -> str:
        """Return a sentence about changed settings for the error message, or ''. It begins with a space."""
        ...


class AmendableStore(IntentStore, Protocol):
    """Keeps a record that a try can amend by what other tries or tasks may have posted."""

    def replay(self, known: IntentLog) -> Steps[None]:
        """Read and replay the record before this try begins. `enter` does it, unless it was done."""
        ...

    @property
    def unrecorded_from(self) -> Origin:
        """The origin of messages that are missing from the record."""
        ...

    def register(self, attempt: Attempt) -> None:
        """Put a request on the record that another try, or another task, may have posted. The next write has it."""
        ...

    def doubt(self, attempt: Attempt, line: dict[str, Any]) -> None:
        """Put on the record that messages of a request are in doubt again. The next write has it.

        :param line: what is known of them now.
        """
        ...


class ManifestStore(Protocol):
    """Keeps the people who are sent to, and those who are not, beside the record."""

    @property
    def fingerprint(self) -> str:
        """The fingerprint of this try's content."""
        ...

    def part(self, kind: str) -> str:
        """Return a name for this try's next part."""
        ...

    def stands(self, name: str) -> None:
        """Note that a part of the record was written for certain."""
        ...

    def private(self, lines: str) -> WritePart:
        """Return the write of rows of people, which are JSON already."""
        ...

    def left_out(self, lines: Sequence[Any]) -> WritePart:
        """Return the write of rows that are not sent to."""
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


def kept_in_another_store(why: str) -> OmniInputError:
    """Return the error for a store that is not the one of earlier tries."""
    return OmniInputError(
        "Nothing was sent: this is not where the record of this send is kept",
        problems=(
            f"ledger_path: {why}; restore the one that was used, since it must stay the same in all tries of a task "
            "(no try number and no time of now in it)",
        ),
    )
