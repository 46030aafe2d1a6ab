"""Mistakes that show when a DAG is read, before anything runs: in arguments that are no templates, and in template
fields with a plain value.

Everything is checked again when the task runs. DAG files are read often, so nothing here loads models, tables of
numbers or clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow_provider_omni.omni.channels import CONTENT_ARGUMENTS, NO_CONTENT, OWN_ARGUMENTS, model_problems
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.unfilled import is_template

_OURS = __name__.partition(".")[0]
ATTRIBUTES = {"dry_run": "post_nothing"}
"""Arguments that operators keep under another name: `dry_run` is a method of Airflow's."""
DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(("region", "allowed_countries", "number_check", "key_field", "shard")),
    **dict.fromkeys(("chunk_size", "max_connections", "max_recipients")),
    **{"placeholders": True, "dry_run": False, "on_rejected": "fail", "log_grace": 30.0},
    **{"phone_field": "phone", "max_quarantined": 0.1},
}
"""Defaults of the settings that the models of `operators/settings.py` have."""


def refuse_slips(what: Any, problems: list[str]) -> None:
    """Raise one OmniInputError that names every problem, if there is any."""
    if problems:
        from airflow_provider_omni.omni.errors import OmniInputError

        name = getattr(what, "task_id", None)
        named = type(what).__name__ + (f" {name!r}" if isinstance(name, str) else "")
        raise OmniInputError(f"{named} cannot be used as it is.", problems=problems)


def message_slips(operator: Any) -> list[str]:
    """Return the mistakes in an operator that sends one content."""
    return _send_slips(operator, "SendSettings")


def batch_slips(operator: Any) -> list[str]:
    """Return the mistakes in an operator that sends to many."""
    return _send_slips(operator, "BatchSettings")


def _send_slips(operator: Any, settings: str) -> list[str]:
    return [
        *setting_slips(operator, settings),
        *_option_slips(operator),
        *content_slips(operator),
        *_flow_slips(operator.flow, operator),
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
    read_arguments(getattr(models, settings), ready, problems, by_shape=True)
    return problems


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

    problems = [*flag_problems("default", default), *if_exists_problems(if_exists), *_flow_slips(flow)]
    if isinstance(name, str) and not name.strip():
        problems.append(unexpected("name", "a blank text", "the name of a scenario"))
    return problems


def content_slips(sender: Any) -> list[str]:
    """Return the mistakes in contents that show without their models: none at all, or a model of another channel. A
    class of the user's own may bring its content later: it passes.
    """
    contents = {name: getattr(sender, name) for name in CONTENT_ARGUMENTS}
    if all(map(_is_empty, contents.values())):
        return [NO_CONTENT] if type(sender).__module__.partition(".")[0] == _OURS else []
    return [line for name, value in contents.items() for line in model_problems(name, value)]


def is_ready(value: Any) -> bool:
    """Return True if nothing in a value is rendered or resolved when the task runs."""
    if isinstance(value, str):
        return not is_template(value)
    if isinstance(value, Mapping):
        return all(is_ready(name) and is_ready(item) for name, item in value.items())
    if isinstance(value, list | tuple):
        return all(is_ready(item) for item in value)
    return value is None or isinstance(value, int | float | datetime)


def _is_empty(content: Any) -> bool:
    return content is None or (isinstance(content, Mapping) and not content)


def _option_slips(operator: Any) -> list[str]:
    names = ("notify", "notify_content_type", "intermediate_report", "send_at")
    given = {name: value for name in names if (value := getattr(operator, name)) is not None and is_ready(value)}
    problems: list[str] = []
    if given:
        from airflow_provider_omni.omni.arguments import read_arguments
        from airflow_provider_omni.omni.options import Options

        read_arguments(Options, given, problems)
    return problems


def _flow_slips(flow: Any, sender: Any = None) -> list[str]:
    """Return the mistakes in a list of channels or steps. A text is not checked: it may be a file's name, or a template
    that makes a list.
    """
    if not isinstance(flow, list | tuple) or not is_ready(flow):
        return []
    from airflow_provider_omni.delivery.options import channel_problems, mismatch_problems

    if not flow:
        return [unexpected("flow", "an empty list", "a list of channels such as ['LINE', 'SMS']")]
    named: list[Any] = [step.get("channel") if isinstance(step, Mapping) else step for step in flow]
    if any(not isinstance(name, str) for name in named):
        return [unexpected("flow", "a step without the name of a channel", "channels such as ['LINE', 'SMS']")]
    channels = [name.strip().upper() for name in named]
    problems = channel_problems(channels)
    if not problems and sender is not None and _is_empty(sender.other_channels):
        said = [known.name for name, known in OWN_ARGUMENTS.items() if not _is_empty(getattr(sender, name))]
        problems = mismatch_problems(channels, said)
    return problems
