"""Looks into the logs by ids, several in a call where the vendor reads such lists. Knows no wait and no verdict.

The account has 120 calls a minute for all its waits, so that a call for each of a thousand small requests is too many.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_omni.delivery.effects import Ask, Clock, Note, Steps
from airflow_provider_omni.delivery.tracking.subscriptions import Subscription
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import OmniBusyError, OmniError, OmniRequestError
from airflow_provider_omni.omni.models import LogRow, skipped_in

PAGE = 1000
"""Rows a page of reports or logs can hold; a shorter page is the last."""
MOST_STEPS = 4
"""Rows that a message is expected to have where the flow is not known."""

SAMPLES = 3
"""Ids of a list that are asked for one by one besides, at the most, where the list has shown nothing of them."""
GOLDEN = 0.618033988749895
"""Steps of this share of a circle come everywhere evenly, however far apart they are."""

BULKS, MESSAGES = "bulk_ids", "message_ids"


class LogQueries:
    """Asks the logs. `at_once`: how many ids go into a call; 1 as soon as the vendor was seen not to read lists."""

    def __init__(self, clock: Clock, ids_at_once: int) -> None:
        self.clock = clock
        self.at_once = {BULKS: ids_at_once, MESSAGES: ids_at_once}
        self.busy = False
        """The last call found no place in the account's budget."""

    def ask(self, until: float, **query: Any) -> Steps[list[LogRow] | None]:
        """One call, with patience for the budget until then. None where it failed."""
        self.busy = False
        try:
            return (  # type: ignore[no-any-return]
                yield Ask(api.get_logs(**{"limit": PAGE} | query), patience=max(0.0, until - self.clock()))
            )
        except OmniBusyError:
            self.busy = True
            return None
        except OmniError as error:
            if isinstance(error, OmniRequestError):
                for kind in (BULKS, MESSAGES):
                    if len(query.get(kind, ())) > 1:
                        self.at_once[kind] = 1  # perhaps it is the list that was refused
            yield Note(f"A look into the logs failed ({error.why}); it will be repeated.", warning=True)
            return None

    def about(self, kind: str, ids: Sequence[str], until: float) -> Steps[dict[str, list[LogRow]] | None]:
        """One look for some ids: the rows of each. None where it failed. An id that is not in the answer was not
        looked for after all, and is to be asked for again.
        """
        rows = yield from self.ask(until, **{kind: tuple(ids)})
        if rows is None:
            return None
        if len(ids) == 1:
            return {ids[0]: rows}
        if len(rows) + skipped_in(rows) >= PAGE:
            self.at_once[kind] = max(1, len(ids) // 2)
            return {}
        found: dict[str, list[LogRow]] = {each: [] for each in ids}
        for row in rows:
            key = row.message_id if kind == MESSAGES else row.bulk_id or ""
            if key in found:
                found[key].append(row)
        missing = [each for each in ids if not found[each]]
        if missing and self.at_once[kind] > 1:
            # Whether the vendor reads a list of ids in full is not certain: one id at a time is.
            # A vendor that has shown two of them reads lists: then it is mostly that nothing finds the others.
            for unseen in self._some_of(missing, SAMPLES if len(ids) - len(missing) < 2 else 1):
                alone = yield from self.ask(until, **{kind: (unseen,)})
                if alone is None:
                    return None
                if alone:
                    self.at_once[kind] = 1
                    return {unseen: alone}
        return found

    def _some_of(self, ids: Sequence[str], most: int) -> list[str]:
        """A few of them, from all over the list, and others each time, also where each poll is a process of its own.

        Some are found by nothing, and these stand together: whoever was about to be sent to when a try was killed.
        """
        turn = int(self.clock())
        places = (int(len(ids) * ((turn + each) * GOLDEN % 1.0)) for each in range(most))
        return [ids[place] for place in dict.fromkeys(places)]

    def together(self, sources: Sequence[Subscription], steps: int) -> list[Subscription]:
        """Which of these can be asked for in one call with the first: as many as fit on a page and in a line.

        :param steps: of the flow; 0 where it is not known.
        """
        first = sources[0]
        rows, length, group = 0, 0, list[Subscription]()
        for source in sources:
            if source.bulk.alone is not first.bulk.alone:
                continue
            rows += PAGE if source.expected is None else source.total * (steps or MOST_STEPS)
            length += len(source.name) + 1
            if group and (rows >= PAGE or length > api.MAX_IDS_LENGTH or len(group) >= self.at_once[self.kind(first)]):
                break
            group.append(source)
        return group

    @staticmethod
    def kind(source: Subscription) -> str:
        """By what a source is asked for."""
        return MESSAGES if source.bulk.alone else BULKS
