"""The people who have left the source since an earlier try planned them. A second send must not reach them by itself.

A ledger's `plan/` only grows, since it must name everybody whom any try may have sent to. So a later try writes into
`sent/`, before its first POST, the ids of the planned people who are not among its own. The last try's word counts: a
person who comes back has not left any more.
"""

from __future__ import annotations

from functools import partial

from airflow_provider_omni.delivery.effects import Steps, WritePart
from airflow_provider_omni.delivery.ledger.parts import SENT, VERSION, pack
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.stores import LedgerStore

IDS = 10_000
"""Ids in one part."""

_LEFT = "SELECT id FROM planned WHERE id > ? AND id NOT IN (SELECT id FROM person) ORDER BY id LIMIT ?"


def write_removed(workspace: Workspace, store: LedgerStore) -> Steps[None]:
    """Write the ids of the people who have left; nothing if no earlier try has planned anybody.

    The plans of earlier tries must have been read before. A person is told by the first message id, so this must come
    before anybody gets another one.

    Raises OmniStorageError: then nothing was posted.
    """
    if workspace.one("SELECT 1 FROM planned LIMIT 1") is None:
        return
    begins, after = True, ""
    while True:
        ids = [each for (each,) in workspace.all(_LEFT, after, IDS)]
        if ids or begins:
            header = {"v": VERSION, "fingerprint": store.fingerprint, "lines": 1}
            name = store.part(SENT)
            yield WritePart(name, partial(pack, (header, {"left": ids, "begins": begins})))
            store.stands(name)
        if len(ids) < IDS:
            return
        begins, after = False, ids[-1]
