"""The function of a decorated task: called with its arguments, which are hidden among the rendered templates."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from airflow.providers.common.compat.sdk import Asset, context_merge, determine_kwargs

from airflow_provider_omni.operators.masked_fields import Masked, MaskedField, MaskedFields, MaskedText, is_of_a_task


class HiddenArgument(MaskedText):
    """An argument of a decorated function. Shown as its kind: it may be a person's number, text or row."""

    __slots__ = ()
    may_be_shown = False


class ArgumentsField(MaskedField):
    """A template field with the arguments of a decorated function. The function gets the very objects."""

    def when_given(self, value: Any) -> Any:
        """Return the arguments: until they are rendered, they are the DAG author's own."""
        return value

    def when_rendered(self, value: Any) -> Any:
        """Return the arguments, each hidden as a whole."""
        if isinstance(value, Mapping):
            return {name: _hidden(each) for name, each in value.items()}
        return [_hidden(each) for each in value]


class CallsFunction(MaskedFields):
    """Base of decorated operators, to stand before Airflow's `DecoratedOperator`."""

    op_args = ArgumentsField()
    op_kwargs = ArgumentsField()
    python_callable: Callable[..., Any]

    def call_function(self, context: Any) -> Any:
        """Call the function, and return what it returns."""
        args = [_shown(each) for each in self.op_args]
        # A copy: the send goes by the context that Airflow has made, whatever the function's arguments are called.
        merged = copy.copy(context)
        context_merge(merged, {name: _shown(each) for name, each in self.op_kwargs.items()})
        return self.python_callable(*args, **determine_kwargs(self.python_callable, args, merged))

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], context: Any, jinja_env: Any, seen_oids: set[int]
    ) -> None:
        """Render as Airflow does, but no arguments that another task has returned."""
        if parent is self:
            self._hide_arguments_of_a_task(context)
        super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)

    def _hide_arguments_of_a_task(self, context: Any) -> None:
        """Hide the arguments of `.expand_kwargs(task.output)` before anything is rendered: Airflow would render the
        objects and lists among them as templates.
        """
        mapped: Any = getattr(self, "dag", None) if getattr(self, "has_dag", lambda: True)() else None
        mapped = getattr(mapped, "task_dict", {}).get(getattr(self, "task_id", None))
        given = getattr(getattr(mapped, "op_kwargs_expand_input", None), "value", None)
        if not is_of_a_task(given, context):
            return
        own: Collection[str] = mapped.partial_kwargs.get("op_kwargs", {})
        self.op_kwargs = {name: each if name in own else _hidden(each) for name, each in self.op_kwargs.items()}


def _hidden(value: Any) -> Any:
    # Airflow looks for assets among the arguments: they are inlets.
    return value if value is None or isinstance(value, bool | Masked | Asset) else HiddenArgument(value)


def _shown(value: Any) -> Any:
    return value.unmask() if isinstance(value, HiddenArgument) else value
