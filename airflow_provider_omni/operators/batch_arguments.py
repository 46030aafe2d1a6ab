"""From a batch operator's rendered arguments to a specification and rules. Pure; knows no Airflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from airflow_provider_omni.delivery.ledger.shards import Shard
from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.options import flag_problems, grace_problems, mismatch_problems, whole_problems
from airflow_provider_omni.delivery.outbox.plan import MAX_QUARANTINED, BatchSpec
from airflow_provider_omni.delivery.outbox.policy import LookPolicy, SendPolicy
from airflow_provider_omni.delivery.outbox.tries import Tries
from airflow_provider_omni.delivery.recipients.contents import MessageTemplate
from airflow_provider_omni.delivery.recipients.guard import narrowed, read_guard, rules_of
from airflow_provider_omni.hooks.scenarios import read_scenario
from airflow_provider_omni.omni.config import OmniConfig
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.operators.arguments import (
    read_channels,
    read_key,
    read_objects,
)

T = TypeVar("T")


class ErrorCollector:
    """Collects the errors of several readings of arguments, so that users hear of all their mistakes at once."""

    def __init__(self) -> None:
        self.errors: list[OmniInputError] = []

    def of(self, read: Callable[[], T]) -> T | None:
        """Return the value of a reading. If it fails, keep its error and return None."""
        try:
            return read()
        except OmniInputError as error:
            self.errors.append(error)
            return None

    def error(self) -> OmniInputError:
        """Return one error that names everything."""
        if len(self.errors) == 1:
            return self.errors[0]
        lines = [line for error in self.errors for line in error.problems or (error.message,)]
        return OmniInputError(
            "Nothing was sent: the batch cannot be sent as it is.", problems=tuple(dict.fromkeys(lines))
        )


def read_batch(
    config: OmniConfig,
    *,
    idempotency_key: Any,
    scenario_key: Any,
    flow: Any,
    content: MessageTemplate,
    shard: Shard | None,
    phone_field: Any,
    key_field: Any,
    chunk_size: Any,
    max_recipients: Any,
    region: Any = None,
    allowed_countries: Any = None,
    number_check: Any = None,
    max_quarantined: Any = MAX_QUARANTINED,
) -> BatchSpec:
    """Read a user's arguments into a specification.

    Raises one OmniInputError that names every problem which can be known without the recipients.
    """
    problems: list[str] = []
    scenario_key, flow = read_scenario(scenario_key, flow, problems)
    numbers = narrowed(
        rules_of(config), problems, region=region, allowed_countries=allowed_countries, number_check=number_check
    )
    spec = BatchSpec(
        identity=Identity(read_key(idempotency_key, problems), config.id_secret),
        scenario_key=scenario_key,
        content=content,
        flow=read_channels(flow, problems),
        phone_field=phone_field,
        key_field=key_field,
        chunk_size=chunk_size,
        max_recipients=max_recipients,
        shard=shard,
        allowed_recipients=read_guard(config.allowed_recipients, config.region),
        numbers=numbers,
        max_quarantined=max_quarantined,
    )
    try:
        spec.check()
    except OmniInputError as error:
        # `read_scenario` has named the problem of a missing scenario key.
        problems += [line for line in error.problems if scenario_key or not line.startswith("scenario_key:")]
    problems += mismatch_problems(spec.flow or (), content.channels())
    if problems:
        raise OmniInputError("Nothing was sent: the batch cannot be sent as it is.", problems=problems)
    return spec


def read_content(contents: Mapping[str, Any], options: Mapping[str, Any], placeholders: Any = True) -> MessageTemplate:
    """Return the contents, parsed if a template has rendered them to text. Raises OmniInputError."""
    problems: list[str] = flag_problems("placeholders", placeholders)
    objects = read_objects(problems, contents)
    content = MessageTemplate(objects, options=options, placeholders=placeholders)
    if problems:
        raise OmniInputError("Nothing was sent: the batch cannot be sent as it is.", problems=problems)
    return content


def read_rules(
    config: OmniConfig,
    tries: Tries,
    *,
    retries: int,
    durable: bool,
    own_key: bool,
    has_ledger: bool,
    max_connections: Any,
    on_rejected: Any,
    log_grace: Any,
    dry_run: Any,
) -> SendPolicy:
    """Read the rules of the send. Raises an OmniInputError that names every problem.

    :param config: the connection.
    :param tries: earlier tries of this task.
    :param retries: number of further tries that Airflow may make.
    :param durable: True if the next try can read what this try writes into Airflow's memory.
    :param own_key: True if the user has given an `idempotency_key`.
    :param has_ledger: True if there is a ledger.
    """
    problems: list[str] = flag_problems("dry_run", dry_run)
    if wrong := whole_problems("max_connections", max_connections):
        problems += wrong
        max_connections = None
    if wrong := grace_problems(log_grace):
        problems += wrong
        log_grace = 0.0
    if not has_ledger and not dry_run:
        if retries and not durable:
            problems.append("ledger_path: a batch with retries needs one on Airflow before 3.3")
        if own_key:
            problems.append(
                "ledger_path: an idempotency_key of your own needs one, since another task or run may have used it"
            )
    rules = SendPolicy(
        look=LookPolicy(read_timeout=config.longest_call, grace=float(log_grace)),
        connections=max_connections or config.max_connections,
        requests_per_second=config.requests_per_second,
        trust_duplicate_rejection=config.trust_duplicate_rejection,
        on_rejected=on_rejected,
        surely_first=tries.number == 1 and tries.told,
        recallable=tries.told,
        durable=durable,
        record_writes=tries.writes,
        untold=tries.untold,
        account=config.account_mark,
        first_try_at=tries.not_before,
        dry_run=dry_run,
    )
    try:
        rules.check()
    except OmniInputError as error:
        problems += error.problems
    if problems:
        raise OmniInputError("Nothing was sent: the batch cannot be sent as it is.", problems=problems)
    return rules
