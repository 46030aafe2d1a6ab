"""Templates and outputs of tasks in arguments that Airflow does not render: they would be taken as they stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.unfilled import is_template
from airflow_provider_omni.operators.known_arguments import own_arguments

ATTRIBUTES = {"dry_run": "post_nothing"}
"""Arguments that operators keep under another name: `dry_run` is a method of Airflow's."""


def unrendered_slips(what: Any) -> list[str]:
    """Return a line for each argument that is no template and has a value that waits for being rendered."""
    names = sorted(own_arguments(type(what)) - set(what.template_fields))
    found = {name: waiting_words(getattr(what, ATTRIBUTES.get(name, name), None)) for name in names}
    return [
        unexpected(name, words, "a plain value: Airflow does not render it") for name, words in found.items() if words
    ]


def waiting_words(value: Any) -> str | None:
    """Return words for a value that waits for being rendered or resolved when the task runs; None for any other."""
    if isinstance(value, str):
        return "a template" if is_template(value) else None
    if callable(getattr(value, "iter_references", None)):  # Airflow resolves it
        return "the output of a task"
    if isinstance(value, Mapping):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return next(filter(None, map(waiting_words, value)), None)
    return None
