"""Return values of decorated functions: what they may be, and what they stand for. Pure; knows no Airflow.

No error shows a value, since it may be a person's: only its kind and its place.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_omni.omni.channels import CONTENT_ARGUMENTS, OWN_ARGUMENTS, is_model
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.masking import describe, shown_name
from airflow_provider_omni.omni.problems import unexpected, unknown
from airflow_provider_omni.omni.tables import is_table, read_table
from airflow_provider_omni.omni.written import MOST_PLACES, read_object

NAME = "return"
"""The name of a function's return value in errors."""
MEMBERS = ("to", *CONTENT_ARGUMENTS)
"""Members of a returned message."""
MESSAGE = "a text, or a dict with " + ", ".join(map(repr, MEMBERS)) + ", as many of them as are needed"
ROWS = "rows, yielded or in a list or a table: dicts, or numbers. A function that sends to nobody returns []"
_CONTENT = 'a text, or an object such as {"text": "Your parcel is here."}'


def read_message(returned: Any, given: Mapping[str, Any], *, has_recipients: bool) -> dict[str, Any]:
    """Return the arguments that a function's return value brings: `to`, if it is returned, and contents.

    A text is the text of `line` and `sms`, as far as these are given; of both if neither is. Members of a returned
    content stand beside those of the given one, and in place of those of the same name. Raises OmniInputError that
    names every problem.

    :param returned: the function's return value.
    :param given: the contents that the decorator's arguments bring, rendered.
    :param has_recipients: True if the decorator's arguments say who is sent to.
    """
    problems: list[str] = []
    if isinstance(returned, str):
        names = [name for name in OWN_ARGUMENTS if given.get(name) is not None] or list(OWN_ARGUMENTS)
        found: dict[str, Any] = dict.fromkeys(names, returned)
        if not returned.strip():
            problems, found = [unexpected(NAME, "an empty text", MESSAGE)], {}
    elif isinstance(returned, Mapping):
        found = {name: returned[name] for name in MEMBERS if name in returned}
        strange = [name for name in returned if name not in MEMBERS]
        problems += [unknown(f"{NAME}.{shown_name(name)}", MEMBERS, "member") for name in strange[:MOST_PLACES]]
        if not returned:
            problems.append(unexpected(NAME, "an empty dict", MESSAGE))
    else:
        raise _refused([unexpected(NAME, _kind(returned, "@task.omni_batch takes rows"), MESSAGE)])
    if not has_recipients and "to" not in found:
        problems.append("to: missing. Give it to the decorator, or return it: {'to': …, 'sms': …}")
    problems += _empty_members(found)
    if not problems:
        found |= _contents(found, given, problems)
    if problems:
        raise _refused(problems)
    return found


def read_rows(returned: Any) -> Iterable[Any]:
    """Return the rows that a function has returned or yields. Raises OmniInputError for anything else. Nothing is
    iterated over.
    """
    is_many = isinstance(returned, Iterable) and not isinstance(returned, str | bytes | bytearray | Mapping)
    if is_many or is_table(returned) or read_table(returned) is not None:
        rows: Iterable[Any] = returned
        return rows
    hint = "OmniSendBatchOperator takes the path of a file" if isinstance(returned, str) else ""
    hint = "one row alone is a list of one: [row]" if isinstance(returned, Mapping) else hint
    raise _refused([unexpected(NAME, _kind(returned, hint), ROWS)])


def _empty_members(found: Mapping[str, Any]) -> list[str]:
    """Return the problems with members that are None, or texts with nothing in them. Left alone they would be taken for
    not returned.
    """
    expected = {"to": "a number, or a list of numbers", "other_channels": "an object such as {'viber': {'text': …}}"}
    problems = []
    for name, value in found.items():
        if value is None or (name != "to" and isinstance(value, str) and not value.strip()):
            got = "nothing" if value is None else "an empty text"
            problems.append(unexpected(f"{NAME}.{name}", got, f"{expected.get(name, _CONTENT)}; leave it out for none"))
    return problems


def _contents(found: Mapping[str, Any], given: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    contents: dict[str, Any] = {}
    for name, value in found.items():
        if name == "to":
            continue
        known = OWN_ARGUMENTS.get(name)
        if not isinstance(value, Mapping) and not is_model(value) and (known is None or not isinstance(value, str)):
            expected = _CONTENT if known is not None else "an object such as {'viber': {'text': …}}"
            problems.append(unexpected(f"{NAME}.{name}", _kind(value), expected))
            continue
        try:
            before = read_object(name, given.get(name), "an object in the API's field names, such as {'text': …}")
        except OmniInputError as error:
            problems += error.problems
            continue
        kept = before if isinstance(before, Mapping) else before.to_wire() if is_model(before) else {}
        if known is not None and isinstance(value, str):
            contents[name] = {**known.of_text(value), **kept, "text": value}
        elif kept:
            contents[name] = {**kept, **(value.to_wire() if is_model(value) else value)}
        else:
            contents[name] = value
    return contents


def _kind(value: Any, hint: str = "") -> str:
    """Describe a value of a wrong kind. What runs only when somebody waits for it is closed, since nobody will."""
    if inspect.iscoroutine(value) or inspect.isasyncgen(value):
        if inspect.iscoroutine(value):
            value.close()
        return "what an async function returns; define it with def"
    found = "a generator" if inspect.isgenerator(value) else "True or False" if value is True or value is False else ""
    if not found:
        found = "a number" if isinstance(value, int | float) else describe(value)
    return f"{found} ({hint})" if hint and value is not None and not isinstance(value, int | float) else found


def _refused(problems: list[str]) -> OmniInputError:
    return OmniInputError("Nothing was sent: the function's return value cannot be used.", problems=problems)
