"""The contents of a batch: templates with placeholders, checked once before any row, then filled and checked for each
recipient.

Recipients whose filled texts are equal share one content, and so their requests.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic_core import to_json

from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.recipients.sms_parts import sms_parts
from airflow_provider_omni.delivery.recipients.templates import (
    MissingFieldError,
    Template,
    compile_template,
    literal,
    sample,
)
from airflow_provider_omni.delivery.recipients.time_zones import is_zone
from airflow_provider_omni.omni.channels import (
    CONTENT_ARGUMENTS,
    NO_CONTENT,
    OTHER_CHANNELS,
    OWN_ARGUMENTS,
    model_problems,
)
from airflow_provider_omni.omni.content import Content
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.masking import SHOWN
from airflow_provider_omni.omni.models import TypedModel
from airflow_provider_omni.omni.problems import is_about_a_name, unexpected, with_other_value
from airflow_provider_omni.omni.sms import Sms
from airflow_provider_omni.omni.validation import check_content, not_json

REMEMBERED = 4096
"""Contents whose ids are kept in memory. Others are looked up in the workspace."""


@dataclass(frozen=True)
class MessageTemplate:
    """The contents of a batch as users typed them, with placeholders.

    :param contents: by argument: `line` and `sms`, each an object in the API's field names or a model;
        `other_channels`, such objects by the API's names.
    :param options: further keyword arguments of `check_content` (`notify`, `callback_data`, `send_at`, …), without
        placeholders.
    :param placeholders: True: `{field}` in texts is filled from rows. False: every brace stands for itself.
    """

    contents: Mapping[str, Any] = field(default_factory=dict, repr=False)
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    placeholders: bool = True

    def typed(self) -> dict[str, Any]:
        """Return the objects as JSON, with their placeholders. Objects that were not given are left out."""
        given = {name: self.contents.get(name) for name in CONTENT_ARGUMENTS}
        return {name: _without_models(value) for name, value in given.items() if value is not None}

    def by_channel(self) -> dict[str, Any]:
        """Return the object that was given for each channel, as JSON, by the channel's name in a flow."""
        typed = self.typed()
        others = typed.get("other_channels")
        found = {known.name: typed[name] for name, known in OWN_ARGUMENTS.items() if name in typed}
        if isinstance(others, Mapping):
            found |= {OTHER_CHANNELS[name].name: each for name, each in others.items() if name in OTHER_CHANNELS}
        return found

    def channels(self) -> tuple[str, ...]:
        """Return the channels that have content, as a flow names them."""
        return tuple(self.by_channel())


def _without_models(value: Any) -> Any:
    if isinstance(value, TypedModel):
        return value.to_wire()
    if isinstance(value, Mapping):
        return {name: each.to_wire() if isinstance(each, TypedModel) else each for name, each in value.items()}
    return value


class RenderedContents:
    """Fills, checks and numbers the contents of a batch. They are kept in the workspace.

    Raises OmniInputError with every mistake that does not depend on a row.

    :param zone_field: the field with the recipient's time zone. Recipients in different zones share no content, so that
        each request is for one zone. None: all are in one.
    """

    def __init__(
        self, content: MessageTemplate, workspace: Workspace, now: datetime, zone_field: str | None = None
    ) -> None:
        self._workspace = workspace
        self._zone_field = zone_field
        self._options = dict(content.options) | {"now": now}
        foreign = {name: model_problems(name, value) for name, value in content.contents.items()}
        typed = {name: value for name, value in content.typed().items() if not foreign[name]}
        # This comes first, because the JSON of contents tells them apart between tries.
        problems = not_json(typed, "")
        readable = not problems
        problems += [line for lines in foreign.values() for line in lines]
        self._template: Template = (
            compile_template(typed if readable else {}, "", problems) if content.placeholders else literal(typed)
        )
        if problems and readable:
            problems = [*self._besides(typed, problems), *problems]
        base = self._check_template(problems)
        self.options = base.options
        self._recent: OrderedDict[tuple[str | None, ...], int] = OrderedDict()
        self._only = None if self._template.fields or zone_field is not None else self._number(base, None)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that texts need, and that with the time zone."""
        zone = () if self._zone_field is None else (self._zone_field,)
        return tuple(dict.fromkeys((*self._template.fields, *zone)))

    @property
    def same_for_all(self) -> int | None:
        """The number of everybody's content if there are no placeholders, else None."""
        return self._only

    def of(self, row: Mapping[str, Any]) -> int:
        """Return the number of the content for a row.

        Raises MissingFieldError if the row lacks a field, and OmniInputError if its values make the content unusable.
        """
        zone = None if self._zone_field is None else _zone_of(row, self._zone_field)
        values = (zone, *self._template.values(row))
        known = self._recent.get(values)
        if known is not None:
            self._recent.move_to_end(values)
            return known
        filled = self._template.fill(row)
        try:
            content = check_content(**filled, **self._options)
        except OmniInputError as error:
            raise _unusable([_without_value(line, self._template.places) for line in error.problems]) from None
        number = self._number(content, zone)
        self._recent[values] = number
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
        return number

    def _besides(self, typed: dict[str, Any], braces: list[str]) -> list[str]:
        """Return the further problems of contents that have wrong braces or models. Leaves out problems at places with
        such braces, and at places that rows fill.
        """
        try:
            check_content(**typed, **self._options)
        except OmniInputError as error:
            open_ = (*self._template.places, *(line.partition(":")[0] for line in braces))
            # There is content, though it cannot be used.
            return [line for line in _not_about(error.problems, open_) if line != NO_CONTENT]
        return []

    def _check_template(self, problems: list[str]) -> Content:
        """Check everything that depends on no row: problems at places without placeholder, or with every stand-in."""
        if problems:
            raise _unusable(problems)
        found: list[list[str]] = []
        for filled in sample(self._template):
            try:
                return check_content(**filled, **self._options)
            except OmniInputError as error:
                found.append(list(error.problems))
        fixed = [line for line in found[0] if all(line in other for other in found[1:])]
        fixed = _not_about(fixed, self._template.places)
        if fixed or not self._template.fields:
            raise _unusable(fixed or found[0])
        # All problems are at placeholders, since one stand-in cannot be a URL and a short text at once. The rows will
        # tell.
        return Content(options=check_content(sms={"text": "x"}, **self._options).options)

    def _number(self, content: Content, zone: str | None) -> int:
        return store_content(content, self._workspace, zone)


def store_content(content: Content, workspace: Workspace, zone: str | None = None) -> int:
    """Keep a content in the workspace, once for each time zone. Return its number."""
    wire = content.to_wire() | content.options.to_wire()
    if not wire.get("callbackData"):  # an empty text is the user's "none"
        wire.pop("callbackData", None)
    tail = to_json(wire)
    digest = hashlib.blake2b(tail, digest_size=16, key=(zone or "").encode()).digest()
    number = workspace.scalar("SELECT id FROM content WHERE hash = ?", digest)
    if number is None:
        sms = content.by_channel.get("SMS")
        parts = sms_parts(sms.text) if isinstance(sms, Sms) else 0
        workspace.execute(
            "INSERT INTO content (hash, tail, parts, zone) VALUES (?, ?, ?, ?)",
            digest,
            tail.decode()[1:-1],
            parts,
            zone,
        )
        number = workspace.scalar("SELECT last_insert_rowid()")
    return int(number)


def _zone_of(row: Mapping[str, Any], name: str) -> str | None:
    """Return a row's time zone; None if it has none of its own. Raises OmniInputError for what is no time zone."""
    if name not in row:
        raise MissingFieldError(f"the field {name!r} is missing", (name,))
    value = row[name]
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not is_zone(value):
        # Its column may have been taken for another one: the value may be anything.
        line = unexpected(name, "something else", "a time zone such as Asia/Bangkok")
        raise OmniInputError("The row cannot be used.", problems=[line])
    return value


def _not_about(problems: Iterable[str], places: Iterable[str]) -> list[str]:
    """Return the problems that are not about the values at these places. A member that does not exist is a problem
    whatever it holds.
    """
    at = tuple(f"{place}:" for place in places)
    return [line for line in problems if not line.startswith(at) or is_about_a_name(line)]


def _without_value(problem: str, places: tuple[str, ...]) -> str:
    """Return a problem without values of a row. A problem shows the values of some members (`validityPeriod`), as these
    are the author's own; but not if a placeholder fills the member, or the other half of a validity period.
    """
    parent, _, member = problem.partition(":")[0].rpartition(".")
    halves = _VALIDITY if member in _VALIDITY else (member,)
    if member not in SHOWN or not any(f"{parent}.{half}" in places for half in halves):
        return problem
    return with_other_value(problem, "something else in the row")


_VALIDITY = ("validityPeriod", "validityPeriodTimeUnit")


def _unusable(problems: list[str]) -> OmniInputError:
    return OmniInputError("The messages cannot be sent as they are; nothing was sent.", problems=problems)
