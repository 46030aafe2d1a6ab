"""The private half of a ledger: who is sent to. Written before the first POST, for whom it is not there already."""

# The SQL that is put together here is a constant; values are always bound.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from airflow_provider_omni.delivery.batch.keeping import LedgerKeeper
from airflow_provider_omni.delivery.batch.plan import BatchPlan
from airflow_provider_omni.delivery.batch.scratch import Scratch
from airflow_provider_omni.delivery.effects import Done, Fetch, Gather, ListParts, Put, Steps, Submit
from airflow_provider_omni.delivery.ledger.parts import PLAN, unpack

ROWS = 10_000
"""Rows in one part."""
AT_ONCE = 3
"""Parts that are written at the same time."""


def write_plan(plan: BatchPlan, keeper: LedgerKeeper) -> Steps[None]:
    """Write the rows of those who are new, and what was quarantined. Raises OmniStorageError: then nothing was
    posted.
    """
    yield from _read_planned(plan.scratch)
    writes = iter(_parts(plan, keeper))
    under_way = 0
    failure = None
    tag = 0
    while True:
        while under_way < AT_ONCE and failure is None and (part := next(writes, None)) is not None:
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


def _read_planned(scratch: Scratch) -> Steps[None]:
    """The ids of everybody in the plans of earlier tries."""
    names: list[str] = yield ListParts(PLAN)
    for name in names:
        data: bytes = yield Fetch(name)
        scratch.many("INSERT OR IGNORE INTO planned (id) VALUES (?)", ((line["id"],) for line in unpack(data, name)))


def _parts(plan: BatchPlan, keeper: LedgerKeeper) -> Iterator[Put]:
    after = -1
    known = "AND id NOT IN (SELECT id FROM planned)" if plan.scratch.one("SELECT 1 FROM planned LIMIT 1") else ""
    while True:
        last, lines = plan.scratch.all(
            f"SELECT max(seq), group_concat({_LINE}, char(10)) FROM (SELECT seq, id, number, key, fields FROM person "
            f"WHERE seq > ? {known} ORDER BY seq LIMIT ?)",
            after,
            ROWS,
        )[0]
        if last is None:
            break
        after = last
        yield keeper.private(lines)
    left_out = (
        {"row": place, "reason": reason} | ({"recipient": key} if key else {})
        for place, reason, key in plan.quarantined()
    )
    # A part at a time: a wrong file, or `allowed_recipients`, may leave out a million.
    while part := list(islice(left_out, ROWS)):
        yield keeper.left_out(part)


_LINE = (
    '\'{"id":"\' || id || \'","to":"\' || number || \'"\' || '
    "coalesce(',\"key\":' || json_quote(key), '') || coalesce(',\"fields\":' || fields, '') || '}'"
)
"""A row of ``plan/`` as JSON, put together where the rows are: `{"id", "to"}`, and `key` and `fields` if there are any.

The id is that of the first message.
"""
