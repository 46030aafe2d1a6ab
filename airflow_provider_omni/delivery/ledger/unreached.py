"""A second send to those whom a first one did not reach: a ledger as a source of recipients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from pydantic_core import from_json, to_json

from airflow_provider_omni.delivery.batch.rows import Row
from airflow_provider_omni.delivery.batch.scratch import Scratch
from airflow_provider_omni.delivery.ledger.opening import ledgers_in
from airflow_provider_omni.delivery.ledger.parts import PLAN, TRIES, unpack
from airflow_provider_omni.delivery.ledger.reading import OutcomeRow, read_outcomes_of
from airflow_provider_omni.delivery.record import MessageState
from airflow_provider_omni.omni.errors import OmniInputError

_S = MessageState
NEVER_SENT = frozenset({_S.NOT_SENT.value, _S.ABSENT.value})
UNKNOWN = frozenset({_S.INTENT.value, _S.SEEN.value, _S.UNCONFIRMED.value})


class Unreached:
    """Recipients of an earlier batch who were not reached, read when the task runs. Made by `unreached`.

    ``template_fields``: Airflow renders ``ledger_path`` where this object stands in an operator's argument.
    """

    template_fields: ClassVar[Sequence[str]] = ("ledger_path",)

    def __init__(self, ledger_path: str, include_unknown: bool = False) -> None:
        self.ledger_path = ledger_path
        self.include_unknown = include_unknown

    def __repr__(self) -> str:
        return f"unreached({self.ledger_path!r}, include_unknown={self.include_unknown})"

    def rows(self, ledger: Any = None, phone_field: str = "phone") -> Iterator[Row]:
        """The recipients with the fields they had, so that the same texts can be filled.

        :param ledger: the opened ledger (`ObjectStoragePath`); ``ledger_path`` as a local path by default.
        :param phone_field: under which the number stands, whatever it was called in the first batch.

        Raises OmniInputError when the ledger has no private half (any more).
        """
        place = 0
        for folder in ledgers_in(self.ledger_path if ledger is None else ledger):
            names = folder.list(PLAN)
            if not names:
                raise OmniInputError(
                    "The unreached cannot be read from the ledger",
                    problems=("ledger_path: its plan/ is empty: purged, or nothing was ever sent with this ledger",),
                )
            was_called = _phone_field(folder)
            with Scratch() as scratch:
                scratch.do("CREATE TABLE plan (label TEXT PRIMARY KEY, person TEXT NOT NULL) WITHOUT ROWID")
                for name in names:
                    scratch.many(
                        "INSERT OR REPLACE INTO plan (label, person) VALUES (?, ?)",
                        (
                            (line.get("key") or line["id"], to_json(line).decode())
                            for line in unpack(folder.read(name), name)
                        ),
                    )
                for outcome in read_outcomes_of(folder):
                    if is_unreached(outcome, include_unknown=self.include_unknown):
                        person = scratch.one("SELECT person FROM plan WHERE label = ?", outcome.recipient)
                        if person is not None:
                            yield _row(place, from_json(person), was_called, phone_field)
                            place += 1
                    scratch.do("DELETE FROM plan WHERE label = ?", outcome.recipient)
                # Whoever was planned and never came so far as to be posted.
                for (person,) in scratch.rows("SELECT person FROM plan"):
                    yield _row(place, from_json(person), was_called, phone_field)
                    place += 1


def unreached(ledger_path: str, include_unknown: bool = False) -> Unreached:
    """Recipients for another batch: those of an earlier one who were certainly not reached.

    That is: whose delivery failed, who were refused, and who were not sent to. Left out are those whose error is
    permanent (the
    same would fail again), those who were reached, and those still under way.

    :param ledger_path: of the earlier batch; a template.
    :param include_unknown: also those of whom it is not known. Some of them may get the message twice.
    """
    return Unreached(ledger_path, include_unknown)


def is_unreached(row: OutcomeRow, *, include_unknown: bool = False) -> bool:
    """Whether a recipient counts as not reached."""
    if row.permanent:
        return False
    if row.outcome == "failed":
        return True
    if row.outcome in ("delivered", "operator"):
        return False
    if row.state in NEVER_SENT or row.state == _S.REFUSED.value:
        return True
    # Nothing final is known: under way, or nobody has followed it.
    return include_unknown


def _phone_field(folder: Any) -> str:
    for name in folder.list(TRIES):
        for line in unpack(folder.read(name), name):
            return str(line.get("phone_field") or "phone")
    return "phone"


def _row(place: int, person: dict[str, Any], was_called: str, phone_field: str) -> Row:
    fields = dict(person.get("fields") or {})
    number = fields.pop(was_called, None) or person["to"]
    return Row(place, person["to"], {**fields, phone_field: number})
