"""The decisions that keep an outcome from being lost or told wrong, as pure functions of what is followed.

The crash harness takes these rules out, one at a time, and must notice: tests/crash/wait_mutants.py, batch_mutants.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Sized
from heapq import nlargest

from airflow_provider_omni.delivery.tracking.subscriptions import Subscription
from airflow_provider_omni.omni.models import Report, skipped_in

LISTED = 2
"""Ids that a vendor shows of a list only if it reads more than one of them."""


def is_written_down(subscription: Subscription, *, closing: bool) -> bool:
    """Return True if the counts of a subscription may be decided from: the journal comes before the verdict.

    All that was read must be written down. All that was written down must be read back, except at the deadline.
    """
    return not subscription.dirty and (subscription.journal_loaded or closing)


def may_begin_anew(subscriptions: Iterable[Subscription]) -> bool:
    """Return True if a wait may forget what it knows of these, to read it anew or to stop: all that was read is written
    down.

    The vendor hands out each report once, so what is forgotten unwritten is known to nobody.
    """
    return not any(subscription.dirty for subscription in subscriptions)


def is_due(subscription: Subscription, last_round: float, *, closing: bool) -> bool:
    """Return True if the logs are to be asked about a subscription.

    They are asked at the start, after a loss or some polls without progress, while its size is not known, and at the
    end.

    :param last_round: the time at which the last round of queries began; 0 before that.
    """
    return subscription.logs_due or closing or subscription.expected is None or subscription.looked_at < last_round


def proves_lists(shown: int) -> bool:
    """Return True if an answer proves that the vendor reads lists of ids.

    :param shown: number of ids of the list that have rows in the answer.
    """
    return shown >= LISTED


def answered_by_list(found: Mapping[str, Sized], asked_alone: Collection[str], *, lists_read: bool) -> list[str]:
    """Return the ids that this list query answers. Query the others again.

    An empty answer is no proof that there are no rows: the vendor may not read the list. It is one about the ids that
    were also asked for alone, and about all once the vendor was seen to read lists. Messages without rows are common,
    since the vendor keeps them for two days, so a few of them do not speak for the others.

    :param found: the ids of the list, each with its rows in the answer.
    :param asked_alone: ids that were also asked for one by one.
    :param lists_read: True if the vendor was seen to read lists of this kind of id.
    """
    return [each for each, rows in found.items() if lists_read or rows or each in asked_alone]


def is_left_to_samples(subscription: Subscription) -> bool:
    """Return True if a request whose bulk id showed no row in a list need not be asked for alone.

    Nothing was heard of it, so its bulk id is doubted, and its messages are looked for by their own ids.
    """
    return not subscription.bulk.alone and not subscription.heard and bool(subscription.samples)


def is_bulk_id_doubted(subscription: Subscription) -> bool:
    """Return True if the vendor may not have kept a bulk id, since nothing was heard or shown by it so far.

    Then its messages are looked for by their own ids.
    """
    return subscription.unseen and not subscription.heard and bool(subscription.samples) and subscription.open


def samples_from(turn: int, samples: tuple[str, ...]) -> list[str]:
    """Return the samples of a request, first the one whose turn it is.

    Each has its turn: some may have been refused, and no query shows these.
    """
    begin = turn % len(samples)
    return list(dict.fromkeys((*samples[begin:], *samples[:begin])))


def is_heard(page: Sequence[Report] | None, limit: int) -> bool:
    """Return True if all reports that there were have been read, so that none is left that could tell of a delivery.

    Where the logs show the last step only, such a report may contradict the failure that they show.

    :param page: the last page that was read; None if the read failed.
    :param limit: rows of a full page.
    """
    return page is not None and not skipped_in(page) and len(page) < limit


def may_others_know_better(*, doubtful_failures: bool) -> bool:
    """Return True if other copies' parts are read before failures count: one may have read a report of a delivery.

    :param doubtful_failures: True if a message seems to have failed of which an earlier step may have delivered.
    """
    return doubtful_failures


def are_reports_outdated(*, news: bool) -> bool:
    """Return True if reports that were read count as unread again: the logs have been asked since, and have told news.

    They may show a failure, and a report that came just before it may say that an earlier step has delivered.
    """
    return news


def may_be_contradicted(subscription: Subscription) -> bool:
    """Return True while failures of a subscription do not count if not every step was seen to fail: there may be
    reports that nobody has read.
    """
    return subscription.by_time_window or subscription.reports_unread


def rests_on_words(subscription: Subscription, since: float) -> bool:
    """Return True if messages count as delivered by an operator only, and the logs were not asked since then."""
    return subscription.counts.operator_only > 0 and subscription.looked_at < since


def on_older_words(subscriptions: Sequence[Subscription], began: float) -> list[Subscription]:
    """Return the subscriptions that must be asked about once more before a success.

    They rest on an operator delivery that was not checked in this poll, or not since the latest news of another
    subscription. It may have been revoked before that news, so that both were never true together.

    :param subscriptions: all that the success is about.
    :param began: time at which this poll began.
    """
    newest, second = nlargest(2, (0.0, 0.0, *(each.changed_at for each in subscriptions)))
    return [
        each
        for each in subscriptions
        if rests_on_words(each, max(began, second if each.changed_at == newest else newest))
    ]


def may_be_overruled(subscription: Subscription) -> bool:
    """Return True if failures count that a delivery on an earlier step may overrule, and the logs were not asked since.

    Its report may have been read by somebody else, such as another copy of the wait that died before it wrote it down.
    Then only the logs tell of it, and neither the journal nor the reports that are left do.
    """
    return subscription.failed_after_others and subscription.heard_since_logs and not subscription.evicted


def by_the_vendors_clock(moment: float, behind: float) -> float:
    """Return a time by our clock as one by the vendor's, by which steps begin and end.

    :param behind: seconds by which the vendor's clock is behind ours; 0 if it is ahead, so that waiting takes longer.
    """
    return moment - behind


def must_be_followed_singly(*, overlooked: bool, marked: bool) -> bool:
    """Return True if messages must be followed by their own ids in place of their request's.

    :param overlooked: True if this copy of the wait has seen that a bulk id does not find its messages.
    :param marked: True if the journal says so: another copy writes what it reads under the messages' ids.
    """
    return overlooked or marked


def may_be_followed_singly(*, marked: bool) -> bool:
    """Return True if messages may be followed by their own ids in place of their request's.

    Later copies of the wait must know of it first: they read the outcomes of single messages only where they are told
    to, and the logs forget after two days.

    :param marked: True if the journal says so.
    """
    return marked


def may_be_forgotten(subscription: Subscription, *, few: bool) -> bool:
    """Return True if nothing more can come for a subscription, so that only its counts are kept.

    :param few: True if the logs can be asked about all subscriptions of the wait before its verdict.
    """
    return not subscription.open and not (few and may_be_overruled(subscription))


def are_over(ended: int, parts: int) -> bool:
    """Return True if a wait over several sends is over: each of its parts has ended."""
    return ended == parts
