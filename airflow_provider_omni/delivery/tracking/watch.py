"""The watch: a wait's input, made from receipts or ids and carried as plain JSON in a trigger's arguments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_omni.delivery.messages.receipt import Receipt
from airflow_provider_omni.delivery.tracking.criterion import SuccessCriterion
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.written import read_ids

IDS_PER_LOOK = 50
"""Message ids in one logs call, at most. 50 of our ids stay under the 2,048 characters that the sister API allows."""


OF_PARTS = ("bulks", "flow", "logs_only", "ledger_path", "unsent", "accepted", "account")
"""Fields that each part of a watch over several sends has of its own."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """Messages that are followed by one filter.

    :param bulk_id: id of the request; None for a single message that is known by its own id only.
    :param messages: number of messages; None if it is not known, because the ids were given by hand.
    :param message_ids: all ids or none. If they are known, rows about other messages are not counted.
    """

    bulk_id: str | None
    messages: int | None
    message_ids: tuple[str, ...] = ()

    @property
    def alone(self) -> bool:
        """True for a single message with a known id. It is followed by its own id: its reports may carry no bulk id."""
        return self.messages == 1 and len(self.message_ids) == 1

    @property
    def report_filter(self) -> dict[str, str]:
        """The filter for `GET /omni/1/reports`. It is never empty, so that nobody else's reports are taken."""
        if self.alone:
            return {"message_id": self.message_ids[0]}
        assert self.bulk_id is not None
        return {"bulk_id": self.bulk_id}

    @property
    def journal_key(self) -> str:
        """The key of its entry in the journal."""
        return f"omni_journal_{self.message_ids[0] if self.alone else self.bulk_id}"


@dataclass(frozen=True, slots=True)
class Watch:
    """Everything a wait needs to know. Names no person.

    :param bulks: the requests and single messages to follow.
    :param deadline: end of the wait, in seconds since the epoch.
    :param criterion: the success criterion of the wait.
    :param flow: channels of the scenario, in order; empty if not known.
    :param poll_interval: seconds between two polls.
    :param settle_seconds: seconds after a failed step in which an unknown flow may still take its next step.
    :param logs_only: read no reports, because they could not be written down (reschedule mode on Airflow < 3.3 without
        a ledger).
    :param ids_per_look: message ids in one logs call, at most.
    :param ledger_path: ledger of the batch; None if there is none.
    """

    bulks: tuple[Bulk, ...]
    deadline: float
    criterion: SuccessCriterion = field(default_factory=SuccessCriterion)
    flow: tuple[str, ...] = ()
    poll_interval: float = 30.0
    settle_seconds: float = 300.0
    logs_only: bool = False
    ids_per_look: int = IDS_PER_LOOK
    ledger_path: str | None = None
    unsent: int = 0
    """People of this receipt who certainly got no message: refused, or never posted."""
    accepted: int = 0
    """Messages that the receipt says were accepted, or may have been. A ledger with fewer is not complete."""
    account: str = ""
    """Account mark (`OmniConfig.account_mark`) of the account that has the messages, as the receipt says; without it,
    of the account that was connected when the wait began. Empty: not known, or the ledger says it.
    """
    parts: tuple[Watch, ...] = ()
    """Parts of a watch over several sends: one for each ledger, and one for each flow of the sends without a ledger.
    Such a watch has no `bulks`; its criterion, deadline and poll interval are those of the whole.
    """
    begun_at: float = 0.0
    """Begin of the wait, in seconds since the epoch; 0 if not known. For the delivery report only."""
    missing: int = 0
    """Entries of the list that were no receipt, because their tasks were skipped or marked successful."""

    @property
    def ledger_paths(self) -> tuple[str, ...]:
        """All ledgers, in the order of the parts."""
        return tuple(each.ledger_path for each in (self.parts or (self,)) if each.ledger_path is not None)

    def as_part(self) -> Watch:
        """Return this watch as a part of a whole that decides alone. A part is followed until all its outcomes are
        known, or the time is up.
        """
        return replace(
            self, criterion=SuccessCriterion("finished", self.criterion.delivered_means, settle=True), missing=0
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, for a trigger's arguments."""
        whole = {
            "deadline": self.deadline,
            "success_when": self.criterion.success_when,
            "delivered_means": self.criterion.delivered_means,
            "settle": self.criterion.settle,
            "flow": list(self.flow),
            "poll_interval": self.poll_interval,
            "settle_seconds": self.settle_seconds,
            "logs_only": self.logs_only,
            "ledger_path": self.ledger_path,
            "unsent": self.unsent,
            "accepted": self.accepted,
            "account": self.account,
            "begun_at": self.begun_at,
        } | ({"missing": self.missing} if self.missing else {})
        if self.parts:
            # "bulks" is left out, so that a version that knows no parts fails instead of waiting for nothing.
            parts = [each.to_json() for each in self.parts]
            return whole | {"parts": [{name: each[name] for name in OF_PARTS} for each in parts]}
        return whole | {"bulks": [[bulk.bulk_id, bulk.messages, list(bulk.message_ids)] for bulk in self.bulks]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Watch:
        """Read the JSON of `to_json` back. A field that an older version did not write gets its default; a field that
        only a newer version writes is ignored. Raises OmniInputError if the JSON cannot be read.
        """
        try:
            if "parts" in data:
                of_all = {name: value for name, value in data.items() if name != "parts"}
                parts = tuple(cls.from_json(of_all | each) for each in data["parts"])
                return replace(cls.from_json(of_all | {"bulks": []}), parts=tuple(each.as_part() for each in parts))
            return cls(
                bulks=tuple(Bulk(bulk_id, messages, tuple(ids)) for bulk_id, messages, ids in data["bulks"]),
                deadline=float(data["deadline"]),
                criterion=SuccessCriterion(
                    _goal(data.get("success_when", "all")),
                    data.get("delivered_means", "group"),
                    bool(data.get("settle", False)),
                ),
                flow=tuple(data.get("flow", ())),
                poll_interval=float(data.get("poll_interval", 30.0)),
                settle_seconds=float(data.get("settle_seconds", 300.0)),
                logs_only=bool(data.get("logs_only", False)),
                ledger_path=data.get("ledger_path"),
                unsent=int(data.get("unsent", 0)),
                accepted=int(data.get("accepted", 0)),
                account=str(data.get("account") or ""),
                begun_at=float(data.get("begun_at", 0.0)),
                missing=int(data.get("missing", 0)),
            )
        except OmniInputError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            problem = unexpected("watch", f"another object ({type(error).__name__})", "what Watch.to_json() gives")
            raise OmniInputError("The sensor cannot wait for this.", problems=(problem,)) from None


def bulks_of(receipt: Receipt) -> tuple[Bulk, ...]:
    """Return what to follow of a receipt without a ledger."""
    return tuple(Bulk(each.bulk_id, each.size, each.message_ids) for each in receipt.bulks)


def _goal(success_when: Any) -> Any:
    """Turn 1 into 1.0. An older version accepted 1 for 1.0, and a serializer may turn 1.0 into 1."""
    return 1.0 if type(success_when) is int and success_when == 1 else success_when


def distinct(bulks: Iterable[Bulk]) -> tuple[Bulk, ...]:
    """Return the requests of several receipts, each once. One may be in the receipts of an earlier and a later try."""
    together: dict[str, Bulk] = {}
    alone: dict[str, Bulk] = {}
    for bulk in bulks:
        if bulk.alone:
            alone.setdefault(bulk.message_ids[0], bulk)
            continue
        key = bulk.journal_key
        known = together.setdefault(key, bulk)
        if known is bulk:
            continue
        ids = tuple(dict.fromkeys((*known.message_ids, *bulk.message_ids)))
        if known.message_ids and bulk.message_ids:
            together[key] = Bulk(bulk.bulk_id, len(ids), ids)
        elif known.messages is not None and bulk.messages is not None:
            together[key] = max(known, bulk, key=lambda each: each.messages or 0)
    listed = {each for bulk in together.values() for each in bulk.message_ids}
    return (*together.values(), *(bulk for message_id, bulk in alone.items() if message_id not in listed))


def bulks_of_ids(*, message_ids: Any = None, bulk_ids: Any = None) -> tuple[Bulk, ...]:
    """Return bulks from ids given by hand: one id, a list, or a list written as a text. The size of a request given by
    its bulk id is not known.
    """
    if message_ids is not None:
        return tuple(Bulk(None, 1, (each,)) for each in read_ids("message_ids", message_ids))
    return tuple(Bulk(each, None) for each in read_ids("bulk_ids", bulk_ids))
