"""Mistakes that show when a DAG is read, before anything runs: in arguments that are no templates, and in template
fields with a plain value.

Everything is checked again when the task runs. DAG files are read often, so nothing here loads models, tables of
numbers or clients.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_omni.omni.channels import (
    CONTENT_ARGUMENTS,
    NO_CONTENT,
    OBJECTS,
    OTHER_CHANNELS,
    OWN_ARGUMENTS,
    is_model,
    model_problems,
    unknown_channel,
)
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.unfilled import is_template
from airflow_provider_omni.operators.known_arguments import OURS
from airflow_provider_omni.operators.masked_fields import unmask
from airflow_provider_omni.operators.unrendered import ATTRIBUTES, unrendered_slips, waiting_words

OPTIONS = ("notify", "notify_url", "notify_content_type", "callback_data", "intermediate_report", "send_at")
SOURCES = ("receipt", "message_ids", "bulk_ids")
"""Arguments of a sensor of which exactly one is given."""
DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(("region", "allowed_countries", "number_check", "key_field", "shard")),
    **dict.fromkeys(("send_window", "timezone", "timezone_field")),
    **dict.fromkeys(("chunk_size", "max_connections", "max_recipients", "max_cost", "prices")),
    **{"placeholders": True, "dry_run": False, "on_rejected": "fail", "log_grace": 30.0},
    **{"phone_field": "phone", "max_quarantined": 0.1},
}
"""Defaults of the settings that the models of `operators/settings.py` have."""


def refuse_slips(what: Any, problems: list[str]) -> None:
    """Raise one OmniInputError that names every problem, if there is any: first arguments that do not exist or are
    missing, then those that are never rendered.
    """
    first = [*getattr(what, "misnamed_arguments", ()), *unrendered_slips(what)]
    echoes = tuple(f"{line.partition(':')[0]}{sign}" for line in first for sign in ":[.")
    problems = [*first, *(line for line in problems if not line.startswith(echoes))]
    if problems:
        from airflow_provider_omni.omni.errors import OmniInputError

        name = getattr(what, "task_id", None)
        named = getattr(what, "custom_operator_name", type(what).__name__) + (
            f" {name!r}" if isinstance(name, str) else ""
        )
        raise OmniInputError(f"{named} cannot be used as it is.", problems=problems)


def message_slips(operator: Any) -> list[str]:
    """Return the mistakes in an operator that sends one content."""
    return _send_slips(operator, "SendSettings")


def batch_slips(operator: Any) -> list[str]:
    """Return the mistakes in an operator that sends to many."""
    return [
        *_send_slips(operator, "BatchSettings"),
        *_budget_slips(operator.max_cost, operator.prices),
        *_ledger_slips(operator.ledger_path),
    ]


def sources_of(sensor: Any) -> list[str]:
    """Return the names of the arguments that say what a sensor waits for, as far as they are given."""
    return [name for name in SOURCES if getattr(sensor, name) is not None]


def source_problems(named: Sequence[str]) -> list[str]:
    """Return the problem with these sources of a sensor: one is needed, and no more."""
    return (
        []
        if len(named) == 1
        else [unexpected(", ".join(SOURCES), " and ".join(named) or "none of them", "exactly one")]
    )


def wait_slips(sensor: Any) -> list[str]:
    """Return the mistakes in an operator that waits. A class of the user's own may bring what it waits for later."""
    from airflow_provider_omni.delivery.options import flag_problems
    from airflow_provider_omni.delivery.tracking.criterion import SuccessCriterion
    from airflow_provider_omni.omni.channels import CHANNELS
    from airflow_provider_omni.omni.errors import OmniInputError
    from airflow_provider_omni.omni.masking import describe

    problems = [] if _is_of_a_user(sensor) and not sources_of(sensor) else source_problems(sources_of(sensor))
    try:
        SuccessCriterion(sensor.success_when, sensor.delivered_means)
    except OmniInputError as error:
        problems += error.problems
    problems += flag_problems("settle", sensor.settle)
    for name in ("message_ids", "bulk_ids"):
        problems += _id_slips(name, unmask(getattr(sensor, name)))
    last = sensor.last_channel
    if last is not None and is_ready(last) and not (isinstance(last, str) and last.upper() in CHANNELS):
        problems.append(unexpected("last_channel", describe(last, True), f"one of {', '.join(CHANNELS)}"))
    return problems


def time_slips(**times: Any) -> list[str]:
    """Return the mistakes in times that Airflow reads, before it fails at the first with words of its own."""
    from airflow_provider_omni.omni.masking import describe

    expected = "0 or more seconds, or a timedelta"
    return [
        unexpected(name, waiting_words(value) or describe(value, True), expected)
        for name, value in times.items()
        if not _is_time(value)
    ]


def send_wait_slips(sender: Any) -> list[str]:
    """Return the mistakes in what a send that waits is told about its wait."""
    from airflow_provider_omni.delivery.options import flag_problems
    from airflow_provider_omni.delivery.tracking.criterion import SuccessCriterion
    from airflow_provider_omni.omni.errors import OmniInputError

    problems = flag_problems("wait_for_delivery", sender.wait_for_delivery)
    if not sender.wait_for_delivery:
        return problems
    problems += flag_problems("deferrable", sender.deferrable)
    times = {"poke_interval": sender.poke_interval}
    problems += time_slips(**times if sender.timeout is None else times | {"timeout": sender.timeout})
    try:
        SuccessCriterion(sender.success_when)
    except OmniInputError as error:
        problems += error.problems
    return problems


def _is_time(value: Any) -> bool:
    try:
        return (value if isinstance(value, timedelta) else timedelta(seconds=value)) >= timedelta(0)
    except (TypeError, ValueError, OverflowError):
        return False


def _id_slips(name: str, ids: Any) -> list[str]:
    """Return the mistakes in ids, which Airflow stores with the DAG as they stand: they must be no phone numbers."""
    if ids is None or not is_ready(ids):
        return []
    from airflow_provider_omni.omni.errors import OmniInputError
    from airflow_provider_omni.omni.written import read_ids

    try:
        read_ids(name, ids)
    except OmniInputError as error:
        return list(error.problems)
    return []


def _send_slips(operator: Any, settings: str) -> list[str]:
    return [
        *setting_slips(operator, settings),
        *_option_slips(operator),
        *content_slips(operator),
        *_kind_slips(operator),
        *_flow_slips(operator.flow, operator),
        *_key_slips(operator.idempotency_key),
    ]


def setting_slips(sender: Any, settings: str = "NumberSettings") -> list[str]:
    """Return the mistakes in the arguments that a model of `operators/settings.py` has. Most DAGs give few of them, and
    the model is loaded for none.
    """
    names = {name: ATTRIBUTES.get(name, name) for name in DEFAULTS}
    given = {name: getattr(sender, attribute) for name, attribute in names.items() if attribute in vars(sender)}
    ready = {name: value for name, value in given.items() if name not in sender.template_fields or is_ready(value)}
    if "phone_field" not in ready:
        ready.pop("key_field", None)  # whether they are two fields, nobody knows
    if all(value == DEFAULTS[name] and type(value) is type(DEFAULTS[name]) for name, value in ready.items()):
        return []
    from airflow_provider_omni.omni.arguments import read_arguments
    from airflow_provider_omni.operators import settings as models

    problems: list[str] = []
    read = read_arguments(getattr(models, settings), ready, problems, by_shape=True)
    if isinstance(read, models.SendSettings):
        problems += models.window_problems(read, problems, has_send_at=sender.send_at is not None)
    return problems


def suppress_slips(value: Any, *, queries: bool) -> list[str]:
    """Return the mistakes in a plain path or query of a suppression list."""
    value = unmask(value)
    if value is None or (isinstance(value, str) and not is_ready(value)) or callable(getattr(value, "resolve", None)):
        return []
    if queries and isinstance(value, str) and value.endswith(".sql"):
        return []
    from airflow_provider_omni.operators.suppression import suppress_problems

    return suppress_problems(value, queries=queries)


def encoding_slips(encoding: Any) -> list[str]:
    """Return the mistakes in the name of a file's encoding."""
    if encoding is None:
        return []
    from airflow_provider_omni.delivery.recipients.encodings import read_encoding
    from airflow_provider_omni.omni.errors import OmniInputError

    try:
        read_encoding(encoding)
    except OmniInputError as error:
        return list(error.problems)
    return []


def scenario_slips(name: Any, flow: Any, default: Any, if_exists: Any) -> list[str]:
    """Return the mistakes in an operator that makes a scenario."""
    from airflow_provider_omni.delivery.options import flag_problems, if_exists_problems

    problems = [*flag_problems("default", default), *if_exists_problems(if_exists), *_flow_slips(flow, steps=True)]
    if isinstance(name, str) and not name.strip():
        problems.append(unexpected("name", "a blank text", "the name of a scenario"))
    return problems


def content_slips(sender: Any) -> list[str]:
    """Return the mistakes in contents without which nothing can go out as it is meant: none at all, or a model of
    another channel. A class of the user's own may bring its content later: it passes.
    """
    contents = {name: getattr(sender, name) for name in CONTENT_ARGUMENTS}
    if all(map(_is_empty, contents.values())):
        later = _is_of_a_user(sender) or getattr(sender, "contents_come_later", False)
        return [] if later else [NO_CONTENT]
    return [line for name, value in contents.items() for line in model_problems(name, value)]


def _kind_slips(sender: Any) -> list[str]:
    """Return the mistakes in contents that show without their models: a value that is no object, or a channel that
    there is not. A notifier leaves such a channel out, since an alert goes out whatever it holds.
    """
    problems: list[str] = []
    for name in CONTENT_ARGUMENTS:
        value = getattr(sender, name)
        problems += _object_slips(name, value, sender)
        if name in OWN_ARGUMENTS or not isinstance(value, Mapping):
            continue
        for channel, each in value.items():
            if not isinstance(channel, str) or is_template(channel):
                continue
            place = f"{name}.{channel}"
            problems += _object_slips(place, each, sender) if channel in OTHER_CHANNELS else [unknown_channel(channel)]
    return problems


def _object_slips(place: str, value: Any, sender: Any) -> list[str]:
    """Return the mistake in what stands in place of an object; none for a text that may become one."""
    if value is None or isinstance(value, Mapping) or is_model(value) or not _is_final(value, sender):
        return []
    if isinstance(value, str):
        from airflow_provider_omni.omni.written import looks_written

        if looks_written(value):
            return []
    from airflow_provider_omni.omni.arguments import kind_of

    return [unexpected(place, kind_of(value), OBJECTS.get(place, "an object"))]


def _budget_slips(max_cost: Any, prices: Any) -> list[str]:
    """Return the mistake in a limit without prices, or in prices without a limit."""
    if max_cost is None and prices is None:
        return []
    from airflow_provider_omni.delivery.outbox.budget import lone_problems

    return lone_problems(max_cost, prices)


def _ledger_slips(path: Any) -> list[str]:
    """Return the mistake in the path of a ledger. A home folder is known to the worker only."""
    is_text = isinstance(path, str)
    if path is None or not (is_text or isinstance(path, os.PathLike | int | float | list | tuple | Mapping)):
        return []
    text = path if is_text else str(path)
    if is_template(text) or text.startswith(("~", "/")) or "://" in text:
        return []
    from airflow_provider_omni.omni.errors import OmniInputError
    from airflow_provider_omni.storage.places import ledger_place

    try:
        ledger_place(path)
    except OmniInputError as error:
        return list(error.problems)
    return []


def _key_slips(key: Any) -> list[str]:
    """Return the mistake in a key that would name every send of every run."""
    if key is None or (isinstance(key, str) and key.strip() and key.strip() != "None"):
        return []
    from airflow_provider_omni.omni.masking import describe
    from airflow_provider_omni.omni.unfilled import empty_words, is_nothing

    key = unmask(key)
    if type(key) is int or not is_ready(key) or (isinstance(key, str) and not is_nothing(key)):
        return []
    return [
        unexpected(
            "idempotency_key", empty_words(key) if is_nothing(key) else describe(key), "a text that names this send"
        )
    ]


def is_ready(value: Any) -> bool:
    """Return True if nothing in a value is rendered or resolved when the task runs."""
    if isinstance(value, str):
        return not is_template(value)
    if isinstance(value, Mapping):
        return all(is_ready(name) and is_ready(item) for name, item in value.items())
    if isinstance(value, list | tuple):
        return all(is_ready(item) for item in value)
    return value is None or isinstance(value, int | float | datetime)


def _is_final(value: Any, sender: Any) -> bool:
    """Return True if a value of an operator is neither a template nor the name of a file with one."""
    endings = tuple(getattr(sender, "template_ext", ()))
    return is_ready(value) and not (isinstance(value, str) and endings and value.endswith(endings))


def _is_of_a_user(what: Any) -> bool:
    return type(what).__module__.partition(".")[0] != OURS


def _is_empty(content: Any) -> bool:
    return content is None or (isinstance(content, Mapping) and not content)


def _option_slips(operator: Any) -> list[str]:
    values = {name: unmask(getattr(operator, name)) for name in OPTIONS}
    given = {name: value for name, value in values.items() if value is not None and _is_final(value, operator)}
    problems: list[str] = []
    if given:
        from airflow_provider_omni.omni.arguments import read_arguments
        from airflow_provider_omni.omni.options import Options

        read_arguments(Options, given, problems)
    return problems


def _flow_slips(flow: Any, sender: Any = None, *, steps: bool = False) -> list[str]:
    """Return the mistakes in channels or steps, in a list or a text. What has a template in it is left out."""
    if isinstance(flow, str) and _is_final(flow, sender):
        from airflow_provider_omni.omni.errors import OmniInputError
        from airflow_provider_omni.omni.written import read_list

        try:
            flow = read_list("flow", flow, "a list of channels such as ['LINE', 'SMS']", spaces=not steps)
        except OmniInputError as error:
            return list(error.problems)
    if not isinstance(flow, list | tuple):
        return []
    from airflow_provider_omni.delivery.options import channels_of, flow_problems, mismatch_problems

    problems = flow_problems(flow, steps=steps, rendered=False)
    if not problems and is_ready(flow) and sender is not None and _is_empty(sender.other_channels):
        said = [known.name for name, known in OWN_ARGUMENTS.items() if not _is_empty(getattr(sender, name))]
        problems = mismatch_problems(channels_of(flow), said)
    return problems
