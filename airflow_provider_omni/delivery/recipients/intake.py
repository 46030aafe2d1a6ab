"""From rows to people: normalise numbers, make keys and ids, quarantine bad rows, find duplicates. One pass, on disk.

Nothing of a row stays in memory. The first row of a key counts: a later row with that key is a duplicate.
"""

# SQL is put together from constants of this room only; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from numbers import Integral
from typing import Any
from uuid import UUID

from pydantic_core import PydanticSerializationError, to_json

from airflow_provider_omni.delivery.ledger.shards import Shard, spread
from airflow_provider_omni.delivery.messages.ids import Identity, recipient_key_of_field, recipient_key_of_number
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.recipients.contents import RenderedContents
from airflow_provider_omni.delivery.recipients.numbers import (
    ANYWHERE,
    InvalidNumberError,
    NumberRules,
    country_of,
    normaliser,
)
from airflow_provider_omni.delivery.recipients.sources import Row, other_case, shown_names
from airflow_provider_omni.delivery.recipients.suppression import Suppression
from airflow_provider_omni.delivery.recipients.templates import MissingFieldError
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.nothing import is_a_time, is_nothing, word_for_nothing
from airflow_provider_omni.omni.problems import unexpected

_ROWS_TOGETHER = 2000
"""Rows that are written to the workspace at once."""
_KEPT_OUT = -1
"""Mark of a row whose person is on the suppression list, until all rows are read."""

NOT_ALLOWED = "not among the connection's allowed_recipients"
NOT_ALLOWED_COUNTRY = "its country is not among allowed_countries"
LEFT_OUT = (NOT_ALLOWED, NOT_ALLOWED_COUNTRY)
"""Reasons of rows that could be used, but were left out on purpose."""
NOT_LET_THROUGH = "allowed_recipients or allowed_countries does not let a message to them through"
"""Reason of recipients of a single send that were left out on purpose."""
OTHER_TEXT = "the number came before with another text, and there is no key_field to tell the two apart"
OTHER_NUMBER = "this key came before with another number"


@dataclass
class IntakeCounts:
    """Counts of rows.

    :param requested: rows, without those of other shards.
    :param people: people to send to.
    :param other_shards: people of other shards; 0 unless they are counted.
    :param quarantined: rows that were left out with a reason.
    :param duplicates: later rows of a person.
    :param suppressed: rows of people on the suppression list; None if there is no list.
    :param reasons: kinds of reasons for quarantine, without values, each with its count.
    """

    requested: int = 0
    people: int = 0
    other_shards: int = 0
    quarantined: int = 0
    duplicates: int = 0
    suppressed: int | None = None
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class IntakeOptions:
    """Options of the intake.

    :param phone_field: the field with the phone number.
    :param key_field: the field whose value is the recipient's key. None: the number is the key.
    :param allowed: normalised numbers that may be sent to; everybody else is quarantined. None: everybody is allowed.
    :param shard: the share of the recipients to take in. None: all.
    :param keep_fields: True to keep the rows themselves, for a ledger.
    :param count_other_shards: True to count the people of other shards: those with a possible number who are allowed,
        whatever their texts.
    :param numbers: rules for reading numbers, and the countries that may be sent to.
    :param suppression: the list of those who must not be sent to. None: there is none.
    """

    phone_field: str = "phone"
    key_field: str | None = None
    allowed: frozenset[str] | None = field(default=None, repr=False)
    shard: Shard | None = None
    keep_fields: bool = False
    count_other_shards: bool = False
    numbers: NumberRules = ANYWHERE
    suppression: Suppression | None = None


class _BadRowError(ValueError):
    """A row that is quarantined. `reason` is the kind of problem, for counting."""

    def __init__(self, detail: str, reason: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason or detail


def ingest(
    rows: Iterable[Row], options: IntakeOptions, contents: RenderedContents, ids: Identity, workspace: Workspace
) -> IntakeCounts:
    """Read all rows into the workspace, and return the counts."""
    intake = IntakeCounts()
    people: list[tuple[Any, ...]] = []
    bad: list[tuple[int, str, str | None]] = []
    others: list[tuple[int]] = []
    key_field, allowed, shard = options.key_field, options.allowed, options.shard
    same = contents.same_for_all
    numbers = options.numbers
    normalise, everywhere = normaliser(numbers), numbers.countries is None
    suppression = options.suppression
    for row in rows:
        place, number, fields, problem, normalised = row
        key: str | None = None
        who: str | None = None
        try:
            if problem is not None:
                raise _BadRowError(problem)
            if key_field is not None:
                key = _key_of(fields, key_field)
                who = recipient_key_of_field(key)
            digits = normalise(f"+{number}" if normalised else number)
            if shard is not None:
                who = who or recipient_key_of_number(digits)
                here = spread(who)
                if not shard.holds_spread(here):
                    may = (allowed is None or digits in allowed) and numbers.allows(digits)
                    if options.count_other_shards and may and not (suppression and suppression.holds(digits)):
                        # SQLite's integers are signed.
                        others.append((here >> 1,))
                        if len(others) >= _ROWS_TOGETHER:
                            _insert_others(workspace, others)
                    continue
            if suppression is not None and suppression.holds(digits):
                # They take part in the search for duplicates, for the sake of those who have the same key.
                message_id = ids.message_id_of_number(digits) if key is None or who is None else ids.message_id(who)
                intake.requested += 1
                people.append((place, message_id, int(digits), key, 0, _KEPT_OUT, None))
                if len(people) >= _ROWS_TOGETHER:
                    _insert_people(workspace, people)
                continue
            if allowed is not None and digits not in allowed:
                raise _BadRowError(NOT_ALLOWED)
            if not everywhere and not numbers.allows(digits):
                raise _BadRowError(f"{NOT_ALLOWED_COUNTRY}: {country_of(digits)}", NOT_ALLOWED_COUNTRY)
            content = same if same is not None else contents.of(fields if fields is not None else {})
            message_id = ids.message_id_of_number(digits) if key is None or who is None else ids.message_id(who)
            kept = _json_of(fields) if options.keep_fields and fields is not None else None
        except (InvalidNumberError, MissingFieldError, OmniInputError, _BadRowError) as error:
            if shard is not None and not shard.holds(who or _name_of_row(number)):
                continue
            detail, reason = _all_missing(fields, options, contents) or _words(error, fields)
            bad.append((place, detail, key))
            intake.reasons[reason] += 1
            intake.requested += 1
            if len(bad) >= _ROWS_TOGETHER:
                _insert_quarantined(workspace, bad)
            continue
        intake.requested += 1
        people.append((place, message_id, int(digits), key, content, 1, kept))
        if len(people) >= _ROWS_TOGETHER:
            _insert_people(workspace, people)
    _insert_people(workspace, people)
    _insert_quarantined(workspace, bad)
    _insert_others(workspace, others)
    _find_duplicates(workspace, options, intake)
    if suppression is not None:
        intake.suppressed = _set_apart_the_suppressed(workspace)
    intake.people = workspace.scalar("SELECT count(*) FROM person")
    intake.quarantined = workspace.scalar("SELECT count(*) FROM quarantine")
    intake.other_shards = workspace.scalar("SELECT count(*) FROM (SELECT 1 FROM other_shards GROUP BY spread)")
    return intake


def _key_of(fields: Mapping[str, Any] | None, key_field: str) -> str:
    """Return the user's own key as text. Refuses values whose text may change from try to try: that of a memoryview has
    its address in it, that of a float depends on the driver.
    """
    value = None if fields is None else fields.get(key_field)
    if value is None or (isinstance(value, str) and not value):
        raise _BadRowError(f"the key_field {key_field} is {'empty' if fields and key_field in fields else 'missing'}")
    if not isinstance(value, float) and is_nothing(value):
        word = word_for_nothing(value) if isinstance(value, str) else None
        raise _BadRowError(
            f"the key_field {key_field} is " + (f"{word!r}, which stands for nothing" if word else "empty")
        )
    if isinstance(value, bool) or is_a_time(value) or not isinstance(value, str | Integral | Decimal | date | UUID):
        raise _BadRowError(
            unexpected(
                f"the key_field {key_field}",
                f"a {type(value).__name__}",
                "text, a whole number, a decimal, a date or a UUID",
            )
        )
    try:
        text = str(value)
        text.encode()
    except UnicodeEncodeError:
        raise _BadRowError(f"the key_field {key_field} has half of a surrogate pair in it") from None
    except ValueError:
        raise _BadRowError(f"the key_field {key_field} is too long to be written down") from None
    return text


def _name_of_row(number: object) -> str:
    """Return the name by which a row without a key is assigned to a shard. All shards make an equal one."""
    try:
        return f"row:{number if isinstance(number, str | int | float) else type(number).__name__}"
    except ValueError:  # thousands of digits
        return "row:huge"


def _json_of(fields: Mapping[str, Any]) -> str:
    try:
        return to_json(fields, fallback=str, inf_nan_mode="null").decode()
    except (PydanticSerializationError, ValueError, RecursionError):
        raise _BadRowError("the row has values that cannot be kept") from None


def _all_missing(
    fields: Mapping[str, Any] | None, options: IntakeOptions, contents: RenderedContents
) -> tuple[str, str] | None:
    """Return detail and kind of a row without the number or the key, and without further fields; else None.

    Such a row was refused before its texts were filled.
    """
    if fields is None:
        return None
    own = [name for name in (options.phone_field, options.key_field) if name is not None and name not in fields]
    missing = dict.fromkeys((*own, *(name for name in contents.fields if name not in fields)))
    if not own or len(missing) == 1:
        return None
    kind = f"the fields {', '.join(map(repr, missing))} are missing"
    return f"{kind}; there are: {shown_names(fields)}{other_case(missing, fields)}", kind


def _words(error: Exception, fields: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return the reason that is written down for the row, and the kind that it is counted as. The kind leaves out the
    masked number and the names of the row's fields, which may differ in every row.
    """
    if isinstance(error, InvalidNumberError):
        return f"phone number: {error}", f"not a phone number ({error.kind})"
    if isinstance(error, MissingFieldError) and error.missing:
        there = "bare numbers have no fields" if not fields else f"there are: {shown_names(fields)}"
        return f"{error}; {there}{other_case(error.missing, fields or ())}", str(error)
    if isinstance(error, OmniInputError):
        return "; ".join(error.problems), error.problems[0] if error.problems else error.message
    if isinstance(error, _BadRowError):
        return str(error), error.reason
    return str(error), str(error)


def _insert_people(workspace: Workspace, people: list[tuple[Any, ...]]) -> None:
    workspace.executemany(
        "INSERT INTO person (seq, id, address, key, content, todo, fields) VALUES (?, ?, ?, ?, ?, ?, ?)", people
    )
    people.clear()


def _insert_quarantined(workspace: Workspace, bad: list[tuple[int, str, str | None]]) -> None:
    workspace.executemany("INSERT INTO quarantine (place, reason, key) VALUES (?, ?, ?)", bad)
    bad.clear()


def _insert_others(workspace: Workspace, others: list[tuple[int]]) -> None:
    workspace.executemany("INSERT INTO other_shards (spread) VALUES (?)", others)
    others.clear()


def _set_apart_the_suppressed(workspace: Workspace) -> int:
    """Move the rows of people on the suppression list out of the people of the send. Return their number."""
    workspace.execute(
        "INSERT INTO suppressed (seq, id, address, key, sent) SELECT seq, id, address, key, 0 FROM person "
        f"WHERE todo = {_KEPT_OUT}"
    )
    workspace.execute(f"DELETE FROM person WHERE todo = {_KEPT_OUT}")
    return int(workspace.scalar("SELECT count(*) FROM suppressed"))


def _find_duplicates(workspace: Workspace, options: IntakeOptions, intake: IntakeCounts) -> None:
    """Sort by id on disk, and keep the first row of each group.

    A later row that may be another message is quarantined with its reason, not counted as a duplicate, which nobody
    would look at. Otherwise a key that several people share (a city) would silently drop all but one of them.
    """
    other, reason = (
        ("later.content IS NOT first.content", OTHER_TEXT)
        if options.key_field is None
        else ("later.address IS NOT first.address", OTHER_NUMBER)
    )
    workspace.execute("CREATE INDEX person_id ON person (id)")
    workspace.execute(
        f"CREATE TEMP TABLE later AS SELECT later.seq AS seq, later.key AS key, {other} AS other "
        "FROM (SELECT id, min(seq) AS seq FROM person GROUP BY id HAVING count(*) > 1) AS twice "
        "JOIN person AS first ON first.seq = twice.seq "
        "JOIN person AS later ON later.id = twice.id AND later.seq > twice.seq "
        f"WHERE later.todo != {_KEPT_OUT}"  # of these every row is left out for one reason
    )
    workspace.execute("INSERT INTO quarantine (place, reason, key) SELECT seq, ?, key FROM later WHERE other", reason)
    others = workspace.scalar("SELECT count(*) FROM later WHERE other")
    if others:
        intake.reasons[reason] += others
    intake.duplicates = workspace.scalar("SELECT count(*) FROM later WHERE NOT other")
    workspace.execute("DELETE FROM person WHERE seq IN (SELECT seq FROM later)")
    workspace.execute("DROP TABLE later")
