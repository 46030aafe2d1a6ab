"""Query the logs by ids, several ids in a call if the vendor reads such lists. Knows no wait and no verdict.

An account has 120 log calls a minute for all its waits, so one call for each of a thousand small requests would be too
many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from airflow_provider_omni.delivery.effects import Clock, Log, Steps, call_api
from airflow_provider_omni.delivery.tracking import safety
from airflow_provider_omni.delivery.tracking.subscriptions import Subscription
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import OmniBusyError, OmniError, OmniRequestError
from airflow_provider_omni.omni.models import LogRow, skipped_in

MOST_STEPS = 4
"""Rows expected for each message if the flow is not known."""

SAMPLES = 3
"""Ids of a list that are also asked for one by one, at most, if the answer to the list shows no row for them."""
GOLDEN = 0.618033988749895
"""Golden ratio, less 1. Multiples of it, modulo 1, spread evenly over [0, 1) at any distance between two polls."""

BULKS, MESSAGES = "bulk_ids", "message_ids"


class LogQueries:
    """Queries to the logs.

    :param clock: gives seconds since the epoch.
    :param answered: is told of each answer.
    :param ids_at_once: ids that one call asks for. Falls to 1 for a kind of id once the vendor was seen not to read
        lists of it.
    """

    def __init__(self, clock: Clock, answered: Callable[[Sequence[LogRow]], None], ids_at_once: int) -> None:
        self.clock = clock
        self._answered = answered
        self.at_once = {BULKS: ids_at_once, MESSAGES: ids_at_once}
        self._lists_read: set[str] = set()
        """Kinds of id of which the vendor was seen to read lists."""
        self.busy = False
        """True if the last call found no place in the account's budget."""

    def ask(self, until: float, **query: Any) -> Steps[list[LogRow] | None]:
        """Make one call, and wait up to `until` for a place in the account's budget. Returns None if it failed."""
        self.busy = False
        try:
            rows = yield from call_api(
                api.get_logs(**{"limit": api.MAX_LIMIT} | query),
                patience=max(0.0, until - self.clock()),
                label="logs asked",
            )
            self._answered(rows)
            return rows
        except OmniBusyError:
            self.busy = True
            return None
        except OmniError as error:
            if isinstance(error, OmniRequestError):
                for kind in (BULKS, MESSAGES):
                    if len(query.get(kind, ())) > 1:
                        self.at_once[kind] = 1  # perhaps it is the list that was refused
            yield Log(f"A look into the logs failed ({error.why}); it will be repeated.", warning=True)
            return None

    def fetch(self, kind: str, ids: Sequence[str], until: float) -> Steps[dict[str, list[LogRow]] | None]:
        """Ask for some ids in one call. Returns the rows of each id, or None if the call failed.

        An id that is not in the result was not covered by the call and has to be asked for again. The result is empty
        if the page was full. Else it has at least one id.
        """
        rows = yield from self.ask(until, **{kind: tuple(ids)})
        if rows is None:
            return None
        if len(ids) == 1:
            return {ids[0]: rows}
        if len(rows) + skipped_in(rows) >= api.MAX_LIMIT:
            self.at_once[kind] = max(1, len(ids) // 2)
            return {}
        found: dict[str, list[LogRow]] = {each: [] for each in ids}
        for row in rows:
            key = row.message_id if kind == MESSAGES else row.bulk_id or ""
            if key in found:
                found[key].append(row)
        missing = [each for each in ids if not found[each]]
        if safety.proves_lists(len(ids) - len(missing)):
            self._lists_read.add(kind)
        asked_alone = set[str]()
        if missing and self.at_once[kind] > 1:
            # The vendor may not read a list of ids in full, but it does read one id.
            # Once it has shown two ids of a list, it reads lists; the other ids then have no rows, most of the time.
            for unseen in self._some_of(missing, 1 if safety.proves_lists(len(ids) - len(missing)) else SAMPLES):
                alone = yield from self.ask(until, **{kind: (unseen,)})
                if alone is None:
                    answered = safety.answered_by_list(found, asked_alone, lists_read=False)
                    return {each: found[each] for each in answered} or None
                asked_alone.add(unseen)
                if alone:
                    self.at_once[kind] = 1
                    return {unseen: alone}
        answered = safety.answered_by_list(found, asked_alone, lists_read=kind in self._lists_read)
        return {each: found[each] for each in answered}

    def _some_of(self, ids: Sequence[str], most: int) -> list[str]:
        """Pick a few ids from all over the list. The pick changes with the time, also if each poll is a process of its
        own.

        Some ids have no rows at all, and these stand together: they are the recipients that were next when a try was
        killed.
        """
        turn = int(self.clock())
        places = (int(len(ids) * ((turn + each) * GOLDEN % 1.0)) for each in range(most))
        return [ids[place] for place in dict.fromkeys(places)]

    def batchable(self, subscriptions: Sequence[Subscription], steps: int) -> list[Subscription]:
        """Return the subscriptions that one call can ask for: the first, and as many of its kind as fit on a page and
        in a URL.

        :param subscriptions: subscriptions to ask for, most urgent first.
        :param steps: number of steps of the flow; 0 if it is not known.
        """
        first = subscriptions[0]
        rows, length, group = 0, 0, list[Subscription]()
        for subscription in subscriptions:
            if subscription.bulk.alone is not first.bulk.alone:
                continue
            rows += api.MAX_LIMIT if subscription.expected is None else subscription.total * (steps or MOST_STEPS)
            length += len(subscription.name) + 1
            if group and (
                rows >= api.MAX_LIMIT or length > api.MAX_IDS_LENGTH or len(group) >= self.at_once[self.kind(first)]
            ):
                break
            group.append(subscription)
        return group

    @staticmethod
    def kind(subscription: Subscription) -> str:
        """Return the kind of id that the logs are asked for."""
        return MESSAGES if subscription.bulk.alone else BULKS
