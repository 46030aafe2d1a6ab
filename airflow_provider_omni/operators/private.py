"""Arguments that hold phone numbers: rendered like any other template field, and never shown.

Airflow stores what a task's template fields were rendered to, and shows it to everybody who may see the DAG. A
descriptor hides the numbers from that table, and still lets Airflow see what it must see in a DAG file: XComArgs (for
dependencies), templates (for rendering), callables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, overload

from airflow_provider_omni.omni.masking import mask_number, mask_numbers_in

_TEMPLATE_MARKS = ("{{", "{%", "{#")
_NUMBER = re.compile(r"\s*\+?[0-9][0-9 ().\-/]*")
_WRITTEN_LIST = re.compile(r"\[[\s'\"+0-9,().\-/]*\]")
"""What a template renders a list of numbers to."""


class Hidden:
    """A value that may be a phone number. `str`, `repr` and so the table of rendered templates show it masked."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def reveal(self) -> Any:
        """The value itself. What gets it must neither log nor store it."""
        return self._value

    def __repr__(self) -> str:
        value = self._value
        if isinstance(value, str | int) and _NUMBER.fullmatch(str(value)):
            return mask_number(str(value))
        if isinstance(value, str) and _WRITTEN_LIST.fullmatch(value):
            return mask_numbers_in(value)
        return "…" if isinstance(value, str) else f"<{type(value).__name__}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and self._value == other._value

    def __hash__(self) -> int:
        return hash(repr(self))


def hide(value: Any) -> Any:
    """Hide every value that is ready; leave what Airflow still has to render or resolve, and the containers."""
    if value is None or isinstance(value, Hidden) or callable(value) or callable(getattr(value, "resolve", None)):
        return value
    if isinstance(value, str):
        return value if any(mark in value for mark in _TEMPLATE_MARKS) else Hidden(value)
    if isinstance(value, Mapping):
        return {key: hide(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [hide(item) for item in value]
    return Hidden(value)


def reveal(value: Any) -> Any:
    """Undo :func:`hide`."""
    if isinstance(value, Hidden):
        return value.reveal()
    if isinstance(value, Mapping):
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [reveal(item) for item in value]
    return value


class PrivateField:
    """A template field of an operator or notifier whose value is hidden as soon as it is known.

    Airflow assigns the rendered value to the attribute like the constructor assigned the template, so hiding at
    assignment works on all versions, for mapped tasks too.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._attribute = f"_private_{name}"
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> PrivateField: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Any: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        if instance is None:
            return self
        try:
            return instance.__dict__[self._attribute]
        except KeyError:
            raise AttributeError(self._name) from None

    def __set__(self, instance: object, value: Any) -> None:
        instance.__dict__[self._attribute] = hide(value)
