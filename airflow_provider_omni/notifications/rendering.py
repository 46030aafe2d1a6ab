"""Render an alert's contents to words, and name the alert after them.

A wrong template makes a task fail, and somebody mends it. In a callback it would lose the alert.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_omni.delivery.messages.ids import fingerprint
from airflow_provider_omni.omni.models import TypedModel

if TYPE_CHECKING:
    import jinja2

    from airflow_provider_omni.delivery.outbox.plan import MessageSpec
    from airflow_provider_omni.omni.content import Content


def lenient(env: jinja2.Environment) -> jinja2.Environment:
    """Return a copy of the environment in which an undefined name renders to nothing, and so do its members."""
    from jinja2 import ChainableUndefined

    class Nothing(ChainableUndefined):
        def __call__(self, *_: Any, **__: Any) -> Any:
            return self

    return env.overlay(undefined=Nothing)


def render_each(value: Any, where: str, render: Callable[[Any], Any], failed: Callable[[str, Exception], None]) -> Any:
    """Render each text of a content on its own. A text that fails becomes None; the others are not affected."""
    if isinstance(value, Mapping):
        return {name: render_each(each, f"{where}.{name}", render, failed) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [render_each(each, f"{where}[{index}]", render, failed) for index, each in enumerate(value)]
    if value is None or isinstance(value, TypedModel):
        return value
    try:
        return render(value)
    except Exception as error:  # noqa: BLE001  whatever a template does: the alert must go out
        failed(where, error)
        return None


def mentions(templates: Any, names: tuple[str, ...]) -> bool:
    """Return True if any text of the templates has one of these names in it."""
    text = json.dumps(templates, default=_as_json)
    return any(name in text for name in names)


def name_of_content(order: MessageSpec, content: Content) -> str:
    """Return the part of an alert's name that comes from its content. It must never change: after an upgrade it would
    be another alert.
    """
    return fingerprint(
        {"scenarioKey": order.scenario_key, "namespace": str(order.identity.namespace)}
        | content.to_wire()
        | {"options": content.options.to_wire()}
    )


def name_of_templates(templates: Mapping[str, Any]) -> str:
    """Return the part of an alert's name that comes from its templates, before they are rendered. All tasks of a run
    have an equal one.
    """
    return fingerprint(json.loads(json.dumps(templates, default=_as_json)))


def _as_json(value: Any) -> Any:
    """Return a value that JSON does not have as one that it has: models as the API has them, all others as the name of
    their type, which is equal in every process.
    """
    if isinstance(value, TypedModel):
        return value.to_wire()
    if isinstance(value, Mapping):
        return dict(value)
    return type(value).__qualname__
