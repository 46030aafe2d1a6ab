"""Read the messages to follow from a ledger: those that may have reached people, and the ids that find them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from airflow_provider_omni.delivery.effects import Steps, list_parts, offload, read_part
from airflow_provider_omni.delivery.ledger.integrity import Inventory, whole_lines
from airflow_provider_omni.delivery.ledger.parts import ENDS, SENT, TRIES, own_parts, unpack
from airflow_provider_omni.delivery.messages.intent_log import IntentLog
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.tracking.id_set import IdSet
from airflow_provider_omni.delivery.tracking.watch import Bulk
from airflow_provider_omni.omni.errors import OmniInputError, OmniStorageError
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.words import some, was

FEW_MESSAGES = 20_000
"""Messages of a ledger up to which `MANY_SAMPLES` of each request are kept, else `FEW_SAMPLES`."""
MANY_SAMPLES = 20
FEW_SAMPLES = 3
"""Messages of a request that are looked for by their own ids, if its bulk id finds nothing. Refused ones are found by
nothing, so more than a few are kept where that takes little memory.
"""


@dataclass(frozen=True, slots=True)
class TrackedMessages:
    """The messages of a ledger that the wait follows.

    :param bulks: requests with several messages, each with the set of its messages that count. The logs may show other
        messages under a request's id, too: refused ones, ones that were taken in another request, or a stranger's.
    :param samples: some message ids of each of these requests.
    :param singles: ids of the single messages, each alone in its request.
    :param apart: the ids in `singles` that may also stand in the rows of a request.
    :param begin: time of the oldest intent, in seconds since the epoch; 0 if there is none.
    :param parts: names of the parts of `sent/` that were read.
    :param accounts: account marks that the messages were sent from (`OmniConfig.account_mark`); empty if the ledger
        names none, or if they were not read.
    :param flow: the steps that most messages go through; empty if unknown; None if the ledger does not say.
    :param other_flows: the steps of messages that go through others, by message id.
    """

    bulks: tuple[tuple[Bulk, IdSet], ...]
    samples: tuple[tuple[str, ...], ...]
    singles: tuple[str, ...]
    apart: tuple[str, ...]
    begin: float
    parts: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    flow: tuple[str, ...] | None = None
    other_flows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Number of messages to follow."""
        return len(self.singles) + sum(bulk.messages or 0 for bulk, _ in self.bulks)


def read_sent(accepted: int, *, one_by_one: bool = False, whose: bool = True) -> Steps[TrackedMessages]:
    """Read the messages that were sent, or may have been.

    Raises OmniStorageError, to be tried again, if these are fewer than the receipt says: parts may be missing, or their
    disk may not be mounted here. Raises OmniInputError if no batch has used this ledger.

    :param accepted: number of messages that the receipt says were accepted, or may have been.
    :param one_by_one: follow each message by its own id, because the vendor does not find requests by their bulk ids.
    :param whose: also read the accounts that the messages were sent from.
    """
    with Workspace() as workspace:
        known, inventory = IntentLog(workspace), Inventory()
        # The ends of the tries come before the list of `sent/`, because they say which parts stand there.
        for name in own_parts((yield from list_parts(ENDS))):
            end = yield from read_part(name)
            for line in unpack(end, name):
                inventory.claim(line)
        names = own_parts((yield from list_parts(SENT)))
        for name in names:
            data = yield from read_part(name)
            lines = whole_lines(data, name, inventory)
            yield from offload(workspace.guarded(partial(_replay, known, lines)))
        inventory.check("Whom to wait for is not known.", retryable=True)
        yield from offload(workspace.guarded(partial(known.keep_one_attempt, posts=False)))
        accounts: frozenset[str] = frozenset()
        if whose:
            origins = yield from offload(workspace.guarded(known.origins))
            # The requests say which account they were sent from; a try that has sent nothing may have had another
            # account.
            accounts = frozenset(each.account for each in origins if each.account) or (yield from _accounts())
        look = workspace.guarded(lambda: _followed(known, names, one_by_one, accounts))
        followed = yield from offload(look)
        if followed.total < accepted:
            # The last try may have doubted the absence that an earlier try had proven. Its receipt then counts these
            # messages.
            yield from offload(workspace.guarded(known.doubt_old_proofs))
            followed = yield from offload(look)
        if not names and not own_parts((yield from list_parts(TRIES))):
            if accepted:
                raise OmniStorageError(
                    f"There is no ledger, though its receipt says that {some(accepted, 'message')} "
                    f"{was(accepted)} accepted, "
                    "or may have been: this machine does not see that path, or it was removed.",
                    retryable=True,
                )
            raise OmniInputError(
                "There is nothing to wait for",
                problems=(
                    unexpected(
                        "receipt",
                        "one with the ledger_path of a folder that no batch has used",
                        "the path in the receipt of a send; that of a shard is a folder in its batch's ledger",
                    ),
                ),
            )
        held = yield from offload(workspace.guarded(lambda: workspace.scalar("SELECT count(*) FROM known")))
    if held < accepted:
        # Messages that were refused, or proven absent, after the receipt was made still stand in the ledger.
        raise OmniStorageError(
            f"The ledger has {held:,} of {some(accepted, 'message')} that its receipt says {was(accepted)} "
            "accepted, or may have been: parts of its sent/ are missing or cut short, or this machine sees another "
            "folder.",
            retryable=True,
        )
    return followed


def _accounts() -> Steps[frozenset[str]]:
    """Return the accounts that the tries name. Older versions did not write them."""
    found: set[str] = set()
    for name in own_parts((yield from list_parts(TRIES))):
        data = yield from read_part(name)
        lines = [line for line in unpack(data, name) if isinstance(line, dict)]
        found |= {account for line in lines if isinstance(account := line.get("account"), str) and account}
    return frozenset(found)


def _replay(known: IntentLog, lines: Iterator[Any]) -> None:
    header: dict[str, Any] = {}
    for line in lines:
        if isinstance(line, dict) and "v" in line:
            header = line
        else:
            known.replay(line, None, origin=header.get("origin"), steps=header.get("steps"))


def _spread(message_ids: Sequence[str], most: int) -> tuple[str, ...]:
    """Return some of a request's messages: the first, the last, and others evenly spread between them."""
    last = len(message_ids) - 1
    places = {round(last * place / (most - 1)) for place in range(most)}
    return tuple(message_ids[place] for place in sorted(places))


def _followed(known: IntentLog, names: list[str], one_by_one: bool, accounts: frozenset[str]) -> TrackedMessages:
    bulks: list[tuple[Bulk, IdSet]] = []
    samples: list[tuple[str, ...]] = []
    singles: list[str] = []
    few = known.count() <= FEW_MESSAGES
    for bulk_id, of, followed in known.followed_requests():
        if of == 1 or one_by_one:
            singles += followed
        else:
            bulks.append((Bulk(bulk_id, len(followed)), IdSet(followed)))
            samples.append(_spread(followed, MANY_SAMPLES if few else FEW_SAMPLES))
    apart = tuple(known.followed_apart())
    begin, parts = known.oldest() or 0.0, frozenset(names)
    return TrackedMessages(
        tuple(bulks), tuple(samples), (*singles, *apart), apart, begin, parts, accounts, *known.flows()
    )
