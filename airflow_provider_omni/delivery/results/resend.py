"""Rows for a second send: the recipients of a ledger who were not reached, with the fields they had."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic_core import from_json, to_json

from airflow_provider_omni.delivery.effects import Folder
from airflow_provider_omni.delivery.ledger.layout import ledgers_in, missing_shards
from airflow_provider_omni.delivery.ledger.parts import PLAN, PURGED, SENT, TRIES, TryId, own_parts, unpack
from airflow_provider_omni.delivery.messages.states import MAY_HAVE_ARRIVED, MessageState
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.recipients.sources import Row, as_wanted
from airflow_provider_omni.delivery.results.reader import OutcomeRow, Outcomes
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.words import some

_S = MessageState
NEVER_SENT = frozenset({_S.NOT_SENT.value, _S.ABSENT.value})
MAY_HAVE_GOT_IT = frozenset(state.value for state in MAY_HAVE_ARRIVED)


def rows_of_unreached(
    ledger: Any,
    phone_field: str,
    *,
    include_unknown: bool,
    now: float,
    tell: Callable[[str], None] = lambda _: None,
    needed: Sequence[str] = (),
) -> Iterator[Row]:
    """Yield the recipients of a ledger, or of all its shards, who count as not reached. See `unreached`.

    :param now: seconds since the epoch. Messages that are to be sent later are no unknown ones.
    """
    if missing := missing_shards(ledger):
        raise _unreadable(
            f"of which {some(len(missing), 'shard')} ({', '.join(missing[:5])}{', …' if len(missing) > 5 else ''}) "
            "never began, so nobody knows who was to be sent to",
            "one whose shards have all run; or name the folder of one shard",
        )
    place, empty, open_ = 0, True, 0
    for folder in ledgers_in(ledger):
        if not own_parts(folder.list(TRIES)):
            continue
        empty = False
        names = own_parts(folder.list(PLAN))
        if own_parts(folder.list(PURGED)) or (not names and own_parts(folder.list(SENT))):
            raise _unreadable(
                "whose plan/ was removed: nobody knows the numbers any more", "one that purge_plan() has left alone"
            )
        was_called = _phone_field(folder)
        with Workspace() as workspace, Workspace() as sent:
            _read_plan(folder, names, workspace)
            outcomes = Outcomes(folder, sent)
            for outcome, writer in outcomes.with_writers():
                unknown_too = include_unknown and not outcomes.is_sent_later(outcome.message_id, now)
                if is_unreached(outcome, include_unknown=unknown_too):
                    person = _person(workspace, outcome, writer)
                    if person is None:
                        raise _unreadable(
                            "whose plan/ lacks people who were sent to: parts of it are gone or cut short",
                            "a whole one",
                        )
                    if not _was_taken_out(outcomes, person, outcome):
                        yield _row(place, from_json(person), was_called, phone_field, needed)
                        place += 1
                elif is_unreached(outcome, include_unknown=True):
                    open_ += 1
                workspace.execute("DELETE FROM plan WHERE label = ?", outcome.recipient)
            # These were planned, but no POST was ever intended for them.
            for person, _ in workspace.rows("SELECT person, max(writer) FROM plan GROUP BY label"):
                if not _was_taken_out(outcomes, person):
                    yield _row(place, from_json(person), was_called, phone_field, needed)
                    place += 1
    if empty:
        raise _unreadable("that no batch has used", "the ledger_path of a batch that has run")
    if open_:
        # Nobody has waited for them, or not long enough. Without these words, an empty second send would look as if all
        # had been reached.
        tell(
            f"Recipients of that ledger without an outcome yet, who are left out: {open_:,}. Let an "
            "OmniDeliverySensor with success_when='finished' come between the two sends."
        )


def _read_plan(folder: Folder, names: list[str], workspace: Workspace) -> None:
    """Read all planned recipients, as each try that found them changed has written them."""
    workspace.execute(
        "CREATE TABLE plan (label TEXT, writer TEXT, person TEXT NOT NULL, PRIMARY KEY (label, writer)) WITHOUT ROWID"
    )
    for name in names:
        writer = str(TryId.of(name))
        workspace.executemany(
            "INSERT OR REPLACE INTO plan (label, writer, person) VALUES (?, ?, ?)",
            (
                (line.get("key") or line["id"], writer, to_json(line).decode())
                for line in unpack(folder.read(name), name)
            ),
        )


def _person(workspace: Workspace, outcome: OutcomeRow, writer: str) -> str | None:
    """Return the recipient's row. If the message may have arrived, use the row of the try that posted it, because it
    went there (a key may have moved to another number since); otherwise the latest.
    """
    found: str | None = workspace.scalar(
        "SELECT person FROM plan WHERE label = ? AND (NOT ? OR writer <= ?) ORDER BY writer DESC LIMIT 1",
        outcome.recipient,
        outcome.state in MAY_HAVE_GOT_IT,
        writer,
    )
    return found


def is_unreached(row: OutcomeRow, *, include_unknown: bool = False) -> bool:
    """Return True if a recipient counts as not reached."""
    if row.permanent:
        return False
    if row.outcome == "failed":
        return True
    if row.outcome in ("delivered", "operator"):
        return False
    if row.state in NEVER_SENT or row.state == _S.REFUSED.value:
        return True
    # Nothing final is known: it is under way, or nobody has followed it.
    return include_unknown


def _was_taken_out(outcomes: Outcomes, person: str, row: OutcomeRow | None = None) -> bool:
    """Return True if the recipient is on the suppression list, or has left the source before a message of theirs was
    accepted: somebody took them out so that they do not get it.

    :param row: outcome of the recipient; None if no POST was ever intended.
    """
    accepted, first_id = row is not None and row.state == _S.ACCEPTED.value, from_json(person)["id"]
    return outcomes.is_suppressed(first_id) or (not accepted and outcomes.has_left(first_id))


def _phone_field(folder: Any) -> str:
    """Return the name of the phone field in this send. A file in `tries/` may be that of another send, which was
    refused and wrote nothing else.
    """
    gone_on = {TryId.of(name) for kind in (PLAN, SENT) for name in folder.list(kind)}
    for name in own_parts(folder.list(TRIES)):
        if TryId.of(name) not in gone_on:
            continue
        for line in unpack(folder.read(name), name):
            return str(line.get("phone_field") or "phone")
    return "phone"


def _row(place: int, person: dict[str, Any], was_called: str, phone_field: str, needed: Sequence[str]) -> Row:
    fields = dict(person.get("fields") or {})
    number = fields.pop(was_called, None) or person["to"]
    names = as_wanted(fields, needed)
    return Row(
        place,
        person["to"],
        {**dict(zip(names, fields.values(), strict=True)), phone_field: number},
        normalised=True,
    )


def _unreadable(which: str, expected: str) -> OmniInputError:
    """Return the error for a ledger that is described by a clause. It came in the argument `recipients`."""
    problem = unexpected("recipients", f"unreached(…) of a ledger {which}", expected)
    return OmniInputError("The unreached cannot be read from the ledger", problems=(problem,))
