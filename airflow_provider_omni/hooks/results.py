"""Results of the hook: plain dicts and lists, so that a task may return them to the next one, without a phone number.

Airflow writes an instance of a class of ours with its class name, and refuses to read it again in the next task. It
does accept dicts, so results are dicts, whose members can also be read as attributes. Members that nobody should find
in XCom (numbers, texts, callback data) are only attributes, in the task that made the call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel

from airflow_provider_omni.omni.masking import mask_number, mask_numbers_in


class Result(dict[str, Any]):
    """A row of an answer: its members by name, or as attributes.

    `row["message_id"]` equals `row.message_id`. `row["to"]` is masked, `row.to` is not. A pickled result, and so the
    one in XCom, is the dict alone.
    """

    __slots__ = ("_whole",)

    def __init__(self, members: Mapping[str, Any], whole: Mapping[str, Any]) -> None:
        super().__init__(members)
        self._whole = dict(whole)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in Result.__slots__:
            raise AttributeError(name)
        if name in self._whole:
            return self._whole[name]
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


def result_of(value: Any) -> Any:
    """Return a model of an answer as a `Result`, a list of them as a list, and any other value unchanged."""
    if isinstance(value, (list, tuple)):
        return [result_of(each) for each in value]
    if isinstance(value, BaseModel):
        names = list(type(value).model_fields)
    elif is_dataclass(value) and not isinstance(value, type):
        names = [each.name for each in fields(value)]
    else:
        return value
    members: dict[str, Any] = {}
    whole: dict[str, Any] = {}
    for name in names:
        found = result_of(getattr(value, name))
        if name in _LEFT_OUT:
            whole[name] = found
        elif name in _HIDDEN and found is not None:
            members[name], whole[name] = _HIDDEN[name](found), found
        elif name == "from_":
            # In a message this is the sender, which may be a number; in a scenario it is needed to use the scenario.
            shown = mask_numbers_in(found) if found and "message_id" in names else found
            members["from"], whole[name] = shown, found
        else:
            members[name] = found
    return Result(members, whole)


def _masked_address(to: Any) -> Any:
    if isinstance(to, Mapping):
        return {name: _masked_address(value) for name, value in to.items()}
    if not isinstance(to, str) or not any(character.isdigit() for character in to) or "@" in to:
        return "…"
    return mask_number(to)


_LEFT_OUT = frozenset({"text", "callback_data"})
_HIDDEN: dict[str, Callable[[Any], Any]] = {"to": _masked_address, "description": mask_numbers_in}
