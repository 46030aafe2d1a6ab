"""`@task.omni_send` and `@task.omni_batch`: the function returns what is sent. Thin: the operators send it.

A function's return value goes to the send, and nowhere else: it is no template, and in no XCom, rendered field or log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import DecoratedOperator, TaskDecorator, task_decorator_factory

from airflow_provider_omni.decorators.function import CallsFunction
from airflow_provider_omni.omni.channels import CONTENT_ARGUMENTS
from airflow_provider_omni.operators.batch import BatchOperator
from airflow_provider_omni.operators.masked_fields import unmask
from airflow_provider_omni.operators.omni import OmniSendMessageOperator
from airflow_provider_omni.operators.recipients import open_rows

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_omni.delivery.recipients.sources import Row


class OmniSendTask(CallsFunction, DecoratedOperator, OmniSendMessageOperator):
    """The task of `@task.omni_send`: sends what its function returns, as `OmniSendMessageOperator` does.

    The function returns a text, or a dict with some of `to`, `line`, `sms` and `other_channels`. A text is the text of
    `line` and `sms`, as far as these arguments are given; of both if neither is. What is returned counts before an
    argument; members of an argument's object that are not returned, such as a validity period, stay.

    Each try calls the function again, and sends nothing that was accepted before. After a wait in the triggerer it is
    not called again.

    :param python_callable: the function.
    :param to: as for `OmniSendMessageOperator`. Default: the function returns it. All other arguments are that
        operator's.
    """

    template_fields: Sequence[str] = (*DecoratedOperator.template_fields, *OmniSendMessageOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **OmniSendMessageOperator.template_fields_renderers,
    }
    custom_operator_name = "@task.omni_send"
    contents_come_later = True

    def __init__(self, *, python_callable: Callable[..., Any], to: Any = None, **kwargs: Any) -> None:
        super().__init__(python_callable=python_callable, to=to, **kwargs)

    def bring_contents(self, context: Context) -> None:
        """Call the function, and take what it returns for arguments."""
        from airflow_provider_omni.decorators.returned import read_message

        returned = read_message(
            self.call_function(context),
            {name: unmask(getattr(self, name)) for name in CONTENT_ARGUMENTS},
            has_recipients=self.to is not None or "to" in self.emptied,
        )
        self.set_rendered(returned)


class OmniBatchTask(CallsFunction, DecoratedOperator, BatchOperator):
    """The task of `@task.omni_batch`: sends to the rows that its function yields or returns, as
    `OmniSendBatchOperator` does.

    The function yields rows, or returns them in any iterable or table: dicts with the number in `phone_field`, or
    numbers. Rows are taken one by one, never all in memory, and all of them before the first message is sent: if the
    function fails half-way, nothing was sent.

    Each try calls the function again. It may give other rows, in another order: who got a message does not get a second
    one, and new people get one.

    :param python_callable: the function. All other arguments are those of `OmniSendBatchOperator`, but for `recipients`
        and `encoding`.
    """

    template_fields: Sequence[str] = (*DecoratedOperator.template_fields, *BatchOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **BatchOperator.template_fields_renderers,
    }
    custom_operator_name = "@task.omni_batch"
    arguments_elsewhere: ClassVar[Mapping[str, str]] = {
        **BatchOperator.arguments_elsewhere,
        **dict.fromkeys(("recipients", "to"), "the function yields or returns the recipients"),
        "encoding": "only OmniSendBatchOperator has it, for files",
    }

    def send(self, context: Context) -> dict[str, Any]:
        """Send to everybody who was not sent to yet, and return the receipt."""
        self._running_in = context
        try:
            return super().send(context)
        finally:
            del self._running_in

    def open_rows(self, needed: Sequence[str] = ()) -> AbstractContextManager[Iterable[Row]]:
        """Call the function, and open its rows."""
        from airflow_provider_omni.decorators.returned import read_rows

        rows = read_rows(self.call_function(self._running_in))
        return open_rows(rows, self.phone_field, needed, self.log.warning)


def omni_send(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """Make a task of a function that returns a message: `@task.omni_send(scenario_key=…, to=…)`."""
    return _decorated(OmniSendTask, python_callable, kwargs)


def omni_batch(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """Make a task of a function that yields recipients: `@task.omni_batch(scenario_key=…, sms=…)`."""
    return _decorated(OmniBatchTask, python_callable, kwargs)


def _decorated(kind: Any, python_callable: Callable[..., Any] | None, kwargs: dict[str, Any]) -> TaskDecorator:
    # The annotation of the function's return value says nothing about the receipt, which the task returns.
    kwargs.setdefault("multiple_outputs", False)
    return task_decorator_factory(python_callable, decorated_operator_class=kind, **kwargs)
