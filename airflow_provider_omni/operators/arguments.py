"""From the rendered arguments of a send to an order.

Everything that can be known before the first POST is refused here. Pure; knows no Airflow.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, TypeVar

from pydantic import PlainValidator

from airflow_provider_omni.delivery.ledger.shards import Shard
from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.options import (
    channels_of,
    flow_problems,
    if_exists_problems,
    mismatch_problems,
)
from airflow_provider_omni.delivery.outbox.budget import Budget, lone_problems
from airflow_provider_omni.delivery.outbox.plan import BatchSpec, MessageSpec
from airflow_provider_omni.delivery.outbox.policy import LookPolicy, SendPolicy
from airflow_provider_omni.delivery.outbox.send_window import SendWindow
from airflow_provider_omni.delivery.outbox.tries import Tries
from airflow_provider_omni.delivery.recipients.addresses import Recipients, read_recipients
from airflow_provider_omni.delivery.recipients.contents import MessageTemplate
from airflow_provider_omni.delivery.recipients.guard import narrowed, read_guard, rules_of
from airflow_provider_omni.delivery.recipients.numbers import NumberRules
from airflow_provider_omni.delivery.recipients.templates import lookalikes
from airflow_provider_omni.hooks.scenarios import read_scenario
from airflow_provider_omni.omni.arguments import read_arguments
from airflow_provider_omni.omni.channels import (
    CONTENT_ARGUMENTS,
    NO_CONTENT,
    OTHER_CHANNELS,
    OWN_ARGUMENTS,
    KnownChannel,
)
from airflow_provider_omni.omni.config import OmniConfig
from airflow_provider_omni.omni.content import Content
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.masking import describe
from airflow_provider_omni.omni.options import Options
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.unfilled import empty_words, is_nothing
from airflow_provider_omni.omni.validation import check_content, check_scenario
from airflow_provider_omni.omni.written import MOST_PLACES, came_out_empty, read_list, read_object
from airflow_provider_omni.operators.account import Account
from airflow_provider_omni.operators.masked_fields import unmask
from airflow_provider_omni.operators.settings import BatchSettings, NumberSettings, SendSettings, window_problems
from airflow_provider_omni.operators.unrendered import ATTRIBUTES


@contextlib.contextmanager
def collecting(problems: list[str]) -> Iterator[None]:
    """Add what is wrong with an argument to the problems, so that users hear of all their mistakes at once."""
    try:
        yield
    except OmniInputError as error:
        problems += error.problems or (error.message,)


REFUSAL = "The message cannot be sent as it is; nothing was sent."
"""The sentence for arguments that cannot be used."""


def without_echoes(problems: Iterable[str], emptied: Collection[str]) -> list[str]:
    """Return the problems, those of emptied arguments first and once.

    :param problems: what was found after these arguments were taken for not given.
    :param emptied: names of arguments that were given and came out as None.
    """
    echoes = tuple(f"{name}{sign}" for name in emptied for sign in ":[.")
    rest = [line for line in problems if not line.startswith(echoes)]
    if any(name in CONTENT_ARGUMENTS for name in emptied):
        rest = [line for line in rest if line != NO_CONTENT]
    return [*came_out_empty(emptied), *rest]


def _read_key(key: Any) -> str:
    """Return an `idempotency_key`. An empty one is a problem: a key that a template has made of nothing would name
    every send of every run, so that nobody after the first would get anything.
    """
    if type(key) is int:
        return str(key)
    if isinstance(key, str) and not is_nothing(key):
        return key
    found = empty_words(key) if is_nothing(key) else describe(key)
    raise ValueError(unexpected("", found, "a text that names this send"))


def _read_flow(flow: Any) -> tuple[str, ...]:
    """Return the channels of a flow, given as names or as a scenario's steps."""
    steps = read_list("flow", flow, "a list of channels such as ['LINE', 'SMS']", spaces=True)
    if problems := flow_problems(steps):
        raise OmniInputError("The flow cannot be used", problems=problems)
    return channels_of(steps)


class SendArguments(SendSettings):
    """Arguments of the send operators and the notifier, besides people, contents and options.

    :param scenario_key: the key of the scenario.
    :param flow: the channels of the scenario. None: the scenario is read before the first POST.
    :param idempotency_key: name of the send. None: the user has given none.
    """

    scenario_key: str = ""
    flow: Annotated[tuple[str, ...], PlainValidator(_read_flow)] | None = None
    idempotency_key: Annotated[str, PlainValidator(_read_key)] | None = None


class BatchArguments(BatchSettings, SendArguments):
    """Arguments of the batch operators, besides people, contents and options."""


S = TypeVar("S", bound=SendArguments)


def given_to(operator: Any, model: type[SendArguments]) -> dict[str, Any]:
    """Return the rendered arguments of an operator that sends: those of the model, contents and options."""
    names = (*model.model_fields, *CONTENT_ARGUMENTS, *Options.model_fields)
    return {name: unmask(getattr(operator, ATTRIBUTES.get(name, name))) for name in names}


def numbers_of(config: OmniConfig, arguments: NumberSettings) -> NumberRules:
    """Return the rules by which a send has its numbers read."""
    return narrowed(rules_of(config), arguments.region, arguments.allowed_countries, arguments.number_check)


def _read_send(
    model: type[S], given: Mapping[str, Any], problems: list[str], of_contents: list[str]
) -> tuple[S, dict[str, Any], dict[str, Any]]:
    """Return the arguments that all sends have, the contents as objects, and the options as they were given.

    `scenario_key` may be the dict that `OmniCreateScenarioOperator` returned, which brings the flow along.
    """
    given = dict(given)
    contents = read_objects(of_contents, {name: given.pop(name, None) for name in CONTENT_ARGUMENTS})
    options = {name: given.pop(name) for name in Options.model_fields if name in given}
    given["scenario_key"], given["flow"] = read_scenario(given["scenario_key"], given.get("flow"), problems)
    return read_arguments(model, given, problems), contents, options


def read_message(
    account: Account,
    given: Mapping[str, Any],
    *,
    to: Any,
    key: str,
    emptied: Collection[str] = (),
    may_be_nobody: bool = False,
    now: datetime | None = None,
    callback_data: str | None = None,
) -> MessageSpec:
    """Read a user's arguments into an order for one request. Raises one error that names every problem: an
    `OmniConfigurationError` if the connection has any, else an `OmniInputError`.

    :param given: `SendArguments`; the contents (`line`, `sms`, `other_channels`), each an object, a model, or a text
        that a template has rendered; and the `Options`.
    :param to: a number, a list of numbers, or destinations.
    :param key: name of the send if the user has given none.
    :param emptied: names of arguments that were given and came out as None.
    :param may_be_nobody: accept an empty list in `to`, as a batch accepts an empty source.
    :param now: time by which `send_at` is judged. Default: the current time.
    :param callback_data: that of the task, if the user has given none.
    """
    problems: list[str] = []
    config = account.config
    arguments, contents, options = _read_send(SendArguments, given, problems, problems)
    content, recipients = Content(), Recipients((), 0)
    with collecting(problems):
        content = check_content(now=now, **contents, **options)
    if arguments.placeholders:
        problems += islice(lookalikes(contents, ""), MOST_PLACES)
    problems += mismatch_problems(arguments.flow or (), content.channels())
    window = read_window(arguments, options, problems)
    if account.error is None:  # else nobody knows how numbers are read
        with collecting(problems):
            recipients = read_recipients(
                to, config.allowed_recipients, numbers_of(config, arguments), config.region, may_be_nobody=may_be_nobody
            )
    account.refuse(REFUSAL, without_echoes(problems, emptied))
    identity = Identity(arguments.idempotency_key or key, config.id_secret)
    return MessageSpec(identity, arguments.scenario_key, content, recipients, arguments.flow, callback_data, window)


def read_new_scenario(account: Account, name: Any, flow: Any, default: Any, if_exists: Any) -> list[Any]:
    """Return the steps of a scenario that is to be, once nothing is wrong with it. Raises one error that names every
    problem, as `read_message` does.
    """
    problems: list[str] = []
    steps = None
    with collecting(problems):
        steps = read_list("flow", flow, "steps such as {'channel': 'LINE', 'from': 'InfoLine'}")
    found: list[str] = []
    with collecting(found):
        check_scenario(name, steps, default)
    problems += [line for line in found if steps is not None or not line.startswith("scenario.flow")]
    problems += if_exists_problems(if_exists)
    account.refuse("The scenario cannot be used as it is; nothing was sent.", problems)
    return steps or []


def read_batch(
    config: OmniConfig,
    given: Mapping[str, Any],
    problems: list[str],
    of_contents: list[str],
    *,
    key: Callable[[Shard | None], str],
    callback_data: str | None = None,
) -> tuple[BatchSpec, BatchArguments]:
    """Read a user's arguments into an order for a batch, as far as they can be read. What is wrong with contents is
    added to `of_contents`, all else to `problems`.

    :param given: `BatchArguments`, and contents and options as for `read_message`.
    :param key: the name of the send if the user has given none.
    :param callback_data: that of the task, if the user has given none.
    """
    arguments, contents, options = _read_send(BatchArguments, given, problems, of_contents)
    spec = BatchSpec(
        identity=Identity(arguments.idempotency_key or key(arguments.shard), config.id_secret),
        scenario_key=arguments.scenario_key,
        content=MessageTemplate({} if of_contents else contents, options=options, placeholders=arguments.placeholders),
        flow=arguments.flow,
        phone_field=arguments.phone_field,
        key_field=arguments.key_field,
        chunk_size=arguments.chunk_size,
        max_recipients=arguments.max_recipients,
        shard=arguments.shard,
        allowed_recipients=read_guard(config.allowed_recipients, config.region),
        numbers=numbers_of(config, arguments),
        max_quarantined=arguments.max_quarantined,
        callback_data=callback_data,
        window=read_window(arguments, options, problems),
        zone_field=arguments.timezone_field,
        budget=_budget_of(arguments),
    )
    # One that cannot be used has a line of its own.
    problems += lone_problems(given.get("max_cost"), given.get("prices"))
    problems += spec.chunk_problems(spec.flow)
    problems += mismatch_problems(spec.flow or (), spec.content.channels())
    return spec, arguments


def read_window(arguments: SendSettings, options: Mapping[str, Any], problems: list[str]) -> SendWindow | None:
    """Return the hours in which messages may go out; None for any time. What is wrong is added to `problems`."""
    found = window_problems(arguments, problems, has_send_at=options.get("send_at") is not None)
    problems += found
    if found or arguments.send_window is None or arguments.timezone is None:
        return None
    return SendWindow(*arguments.send_window, arguments.timezone)


def _budget_of(arguments: BatchArguments) -> Budget | None:
    limit, prices = arguments.max_cost, arguments.prices
    return None if limit is None or prices is None else Budget(limit, prices)


def read_policy(
    config: OmniConfig,
    arguments: BatchArguments,
    tries: Tries,
    problems: list[str],
    *,
    retries: int,
    durable: bool,
    has_ledger: bool,
) -> SendPolicy:
    """Return the policy of a batch's send. What is wrong is added to `problems`.

    :param tries: earlier tries of this task.
    :param retries: number of further tries that Airflow may make.
    :param durable: True if the next try can read what this try writes into Airflow's memory.
    """
    if not has_ledger and not arguments.dry_run:
        if retries and not durable:
            problems.append("ledger_path: a batch with retries needs one on Airflow before 3.3")
        if arguments.idempotency_key is not None:
            # Tasks and runs with one key share the ledger, which knows of all of them.
            problems.append(
                "ledger_path: an idempotency_key of your own needs one, since another task or run may have used it"
            )
    policy = SendPolicy(
        look=LookPolicy(read_timeout=config.longest_call, grace=arguments.log_grace),
        connections=arguments.max_connections or config.max_connections,
        requests_per_second=config.requests_per_second,
        trust_duplicate_rejection=config.trust_duplicate_rejection,
        on_rejected=arguments.on_rejected,
        is_first_try=tries.number == 1 and tries.record_complete,
        record_complete=tries.record_complete,
        durable=durable,
        record_writes=tries.writes,
        unaccounted=tries.unaccounted,
        account=config.account_mark,
        first_try_at=tries.not_before,
        dry_run=arguments.dry_run,
    )
    with collecting(problems):
        policy.check()
    return policy


def read_objects(problems: list[str], contents: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contents by argument, parsed if a template has rendered a whole object to text."""
    given: dict[str, Any] = {}
    for name, value in contents.items():
        value = _object(problems, name, value)
        if name in OWN_ARGUMENTS:
            value = _inner(problems, OWN_ARGUMENTS[name], name, value)
        elif isinstance(value, Mapping):
            value = {key: _other(problems, key, each) for key, each in value.items()}
        given[name] = value
    return given


def _other(problems: list[str], key: str, value: Any) -> Any:
    known, name = OTHER_CHANNELS.get(key), f"other_channels.{key}"
    return value if known is None else _inner(problems, known, name, _object(problems, name, value))


def _inner(problems: list[str], known: KnownChannel, name: str, value: Any) -> Any:
    """Return a channel's object, with the objects that are members of it parsed, too."""
    inner = known.typed.objects if known.typed is not None else ()
    if not isinstance(value, Mapping) or not any(isinstance(value.get(each), str) for each in inner):
        return value
    return {**value, **{each: _object(problems, f"{name}.{each}", value[each]) for each in inner if each in value}}


def _object(problems: list[str], name: str, value: Any) -> Any:
    with collecting(problems):
        return read_object(name, value, "an object in the API's field names, such as {'text': …}")
    return None
