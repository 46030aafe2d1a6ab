"""The manifest: the private half of a ledger, with the recipients and their numbers.

It is written before the first POST. A row is written if the manifest does not have it as it is now: a key may have
moved to another number, and fields change. After a purge it is not written again.

It only grows, since it must name everybody whom any try may have sent to. So a later try writes tombstones into
`sent/`, before its first POST: the ids of the planned people who are not among its own. A second send must not reach
them by itself. It says who of them is on the suppression list: a second send reaches these in no case. The last try's
word counts: a person who comes back has not left any more.
"""

# The SQL that is put together here is a constant; values are always bound.
# ruff: noqa: S608
from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from itertools import islice

from pydantic_core import from_json

from airflow_provider_omni.delivery.effects import Done, Gather, Steps, Submit, WritePart, list_parts, read_part
from airflow_provider_omni.delivery.ledger.parts import PLAN, PURGED, SENT, VERSION, damaged, lines_of, own_parts, pack
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.plan import SendPlan
from airflow_provider_omni.delivery.outbox.stores import ManifestStore
from airflow_provider_omni.delivery.recipients.suppression import Suppression

CONCURRENT_WRITES = 3
"""Parts that are written at one time."""


def write_manifest(plan: SendPlan, store: ManifestStore, rows: int) -> Steps[None]:
    """Write the rows of people who are new or have changed, and the quarantined rows.

    :param rows: rows in one part.

    Raises OmniStorageError: then nothing was posted.
    """
    purged = bool(own_parts((yield from list_parts(PURGED))))
    if not purged:
        yield from _read_planned(plan.workspace, plan.suppression)
    writes = iter(_parts(plan, store, rows, purged=purged))
    under_way = 0
    failure = None
    tag = 0
    while True:
        while under_way < CONCURRENT_WRITES and failure is None and (part := next(writes, None)) is not None:
            tag -= 1
            yield Submit(tag, (part,))
            under_way += 1
        if not under_way:
            break
        done: list[Done] = yield Gather()
        under_way -= len(done)
        failure = failure or next((each.error for each in done if each.error is not None), None)
    if failure is not None:
        raise failure


def write_tombstones(workspace: Workspace, store: ManifestStore, most: int) -> Steps[None]:
    """Write the ids of the people who have left the source; nothing if no earlier try has planned anybody.

    The plans of earlier tries must have been read before. A person is told by the first message id, so this must come
    before anybody gets another one.

    :param most: ids in one part.

    Raises OmniStorageError: then nothing was posted.
    """
    if workspace.scalar("SELECT 1 FROM planned LIMIT 1") is None:
        return
    begins, after = True, ""
    while True:
        found = workspace.all(_LEFT, after, most)
        ids, suppressed = [each for each, _ in found], [each for each, is_suppressed in found if is_suppressed]
        if ids or begins:
            header = {"v": VERSION, "fingerprint": store.fingerprint, "lines": 1}
            line = {"left": ids, "begins": begins} | ({"suppressed": suppressed} if suppressed else {})
            name = store.part(SENT)
            yield WritePart(name, partial(pack, (header, line)))
            store.stands(name)
        if len(ids) < most:
            return
        begins, after = False, ids[-1]


def _read_planned(workspace: Workspace, suppression: Suppression | None) -> Steps[None]:
    """Read everybody in the plans of earlier tries into the workspace, as the last of these has written them."""
    holds = suppression.holds if suppression is not None else lambda _: False
    workspace.sql.create_function("row_hash", 1, _hash, deterministic=True)
    for name in own_parts((yield from list_parts(PLAN))):
        data = yield from read_part(name)
        workspace.executemany(
            "INSERT OR REPLACE INTO planned (id, hash, suppressed) VALUES (?, ?, ?)",
            (
                (message_id, _hash(line), holds(number))
                for line in lines_of(data, name)
                for message_id, number in (_id_and_number_in(line, name),)
            ),
        )


def _hash(line: bytes | str) -> int:
    """Return a hash that tells whether a row has changed."""
    text = line if isinstance(line, bytes) else line.encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), signed=True)


def _id_and_number_in(line: bytes, name: str) -> tuple[str, str]:
    try:
        person = from_json(line)
        return str(person["id"]), str(person["to"])
    except (ValueError, KeyError, TypeError):
        raise damaged(name) from None


def _parts(plan: SendPlan, store: ManifestStore, rows: int, *, purged: bool) -> Iterator[WritePart]:
    after = -1
    unknown = _UNKNOWN if plan.workspace.scalar("SELECT 1 FROM planned LIMIT 1") else ""
    while not purged:
        last, lines = plan.workspace.all(
            f"SELECT max(seq), group_concat({_LINE}, char(10)) FROM (SELECT seq, id, address, key, fields FROM person "
            f"WHERE seq > ? AND {_OWN} {unknown} ORDER BY seq LIMIT ?)",
            after,
            rows,
        )[0]
        if last is None:
            break
        after = last
        yield store.private(lines)
    left_out = (
        {"row": place, "reason": reason} | ({"recipient": key} if key else {})
        for place, reason, key in plan.quarantined()
    )
    # A part at a time: a wrong file, or `allowed_recipients`, may leave out a million. A part is written even if nobody
    # was left out: that is then the last try's word.
    part = list(islice(left_out, rows))
    yield store.left_out(part)
    while part := list(islice(left_out, rows)):
        yield store.left_out(part)


_LINE = (
    '\'{"id":"\' || id || \'","to":"\' || address || \'"\' || '
    "coalesce(',\"key\":' || json_quote(key), '') || coalesce(',\"fields\":' || fields, '') || '}'"
)
"""A row of `plan/` as JSON, put together in SQL: `{"id", "to"}`, and `key` and `fields` if there are any.

The id is that of the first message.
"""

_UNKNOWN = f"AND row_hash({_LINE}) IS NOT (SELECT hash FROM planned WHERE planned.id = person.id)"

_OWN = "todo = 1"
"""Condition for people who are in the source and may be sent to. Nobody was taken off yet, but for those who are on the
suppression list.
"""

_LEFT = (
    "SELECT id, suppressed OR id IN (SELECT id FROM suppressed) FROM planned "
    f"WHERE id > ? AND id NOT IN (SELECT id FROM person WHERE {_OWN}) ORDER BY id LIMIT ?"
)
