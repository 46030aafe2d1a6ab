"""Members that typed channels share, with their limits: texts, URLs, validity periods; and the shape of a channel's
objects.

A model holds the fields and their limits; `validation.py` turns what it finds into lines for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from airflow_provider_omni.omni.arguments import refused
from airflow_provider_omni.omni.json_check import foreign_to_json, unfit_character, unfit_in
from airflow_provider_omni.omni.models import TypedModel
from airflow_provider_omni.omni.nothing import is_blank, word_for_nothing
from airflow_provider_omni.omni.words import some

MIN_VALIDITY_SECONDS = 30
MAX_VALIDITY_SECONDS = 48 * 3600
SECONDS_IN: dict[str, int] = {"SECONDS": 1, "MINUTES": 60, "HOURS": 3600}

TimeUnit = Literal["SECONDS", "MINUTES", "HOURS"]


def utf16_units(text: str) -> int:
    """Length as LINE counts it: an emoji is two. Raises UnicodeEncodeError for half of one."""
    return len(text.encode("utf-16-le")) // 2


def spoken(limit: int | None) -> Any:
    """Return a validator for texts: not blank, no halves of surrogate pairs, at most `limit` UTF-16 units."""

    def check(text: str) -> str:
        allowed = "a text that is not blank" + (f", of up to {limit:,} UTF-16 units" if limit else "")
        try:
            units = utf16_units(text)
        except UnicodeEncodeError:
            found = "a text with half of a surrogate pair"
        else:
            if unfit := unfit_character(text):
                raise refused(f"a text with {unfit}", "a text without any")
            if word := word_for_nothing(text):
                raise refused(f"{word!r} (a template that found nothing?)", "a text")
            blank = is_blank(text)
            if not blank and (limit is None or units <= limit):
                return text
            found = "a blank text" if blank else f"{units:,} UTF-16 units"
        raise refused(found, allowed)

    return AfterValidator(check)


def _check_container(container: dict[str, Any]) -> dict[str, Any]:
    for where, found in foreign_to_json(container, ""):
        raise refused(f"{found} in {where}" if where else found, "what JSON has")
    for where, found in unfit_in(container, ""):
        raise refused(f"{found} in {where}" if where else found, "a text without any")
    return container


Container = Annotated[dict[str, Any], AfterValidator(_check_container)]


class WithValidity(TypedModel):
    """Members that every channel's content may have besides: how long to try this channel before the next step begins.

    :param validity_period: more than 30 seconds, up to 48 hours (the vendor silently cuts what is longer). Without it
        the vendor's own default holds, which is not published; a short one is what makes failover useful.
    :param validity_period_time_unit: SECONDS, MINUTES (the vendor's default) or HOURS.
    """

    validity_period: int | None = Field(default=None, gt=0, lt=10**9)
    validity_period_time_unit: TimeUnit | None = None

    shortest: ClassVar[int] = MIN_VALIDITY_SECONDS
    """Seconds that a validity must be longer than."""

    @model_validator(mode="after")
    def _validity_in_range(self) -> WithValidity:
        if self.validity_period is not None or self.validity_period_time_unit is not None:
            self.check_validity(self.shortest)
        return self

    def check_validity(self, shortest: int) -> None:
        """Raise PydanticCustomError for a validity that is not longer than this, or too long, or only a unit."""
        seconds = validity_seconds(self)
        if seconds is None:
            raise refused("only validityPeriodTimeUnit", "both or neither", "validityPeriod")
        if not shortest < seconds <= MAX_VALIDITY_SECONDS:
            found = f"{self.validity_period:,} {self.validity_period_time_unit or 'MINUTES'}"
            raise refused(found, f"more than {some(shortest, 'second')} and up to 48 hours", "validityPeriod")


def validity_seconds(content: WithValidity | Mapping[str, Any] | None) -> float | None:
    """Return the seconds for which this channel is tried; None if the content (or pass-through object) does not say."""
    if content is None:
        return None
    period: Any
    if isinstance(content, WithValidity):
        period, unit = content.validity_period, content.validity_period_time_unit
    else:
        period, unit = content.get("validityPeriod"), content.get("validityPeriodTimeUnit")
    try:
        return None if period is None else float(period) * SECONDS_IN[unit or "MINUTES"]
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


@dataclass(frozen=True)
class TypedContent:
    """The shape of a typed channel's objects. Each such channel's module has one, as `CONTENT`.

    :param models: the models, by the object's `type`. A channel without types has one, under None.
    :param texts: the members that people read, the one that says most first, each with its limit in UTF-16 units.
        None: no limit.
    :param objects: members that hold an object of any shape, which a template may have rendered to text.
    :param in_parts: True if a long text is sent in parts, each of which costs.
    """

    models: Mapping[str | None, type[WithValidity]]
    texts: Mapping[str, int | None]
    objects: tuple[str, ...] = ()
    in_parts: bool = False

    def needed(self, kind: str | None) -> tuple[str, ...]:
        """Return the members that an object of this type must have."""
        fields = self.models[kind].model_fields.values()
        return tuple(str(each.alias) for each in fields if each.is_required())

    @cached_property
    def foreign(self) -> dict[str | None, frozenset[str]]:
        """For each type, the members of the other types that its own objects do not have."""
        own = {
            kind: frozenset(str(each.alias) for each in model.model_fields.values())
            for kind, model in self.models.items()
        }
        every = frozenset().union(*own.values())
        return {kind: every - members for kind, members in own.items()}
