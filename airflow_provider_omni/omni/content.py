"""Contents: LINE and SMS in full, the other channels' objects as they are, and the request around them.

The models hold the fields and their limits; `validation.py` turns what they find into lines for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from airflow_provider_omni.omni.models import Destination, TypedModel
from airflow_provider_omni.omni.nothing import is_blank, word_for_nothing
from airflow_provider_omni.omni.plainjson import foreign_to_json, unfit_character, unfit_in
from airflow_provider_omni.omni.timestamps import format_body_time
from airflow_provider_omni.omni.words import some

MANDATORY: dict[str, tuple[str, ...]] = {
    "TEXT": ("text",),
    "IMAGE": ("url", "thumbnailUrl"),
    "AUDIO": ("url", "duration"),
    "VIDEO": ("url", "thumbnailUrl"),
    "STICKER": ("packageId", "stickerId"),
    "FLEX": ("altText", "contents"),
}
"""The LINE types and their mandatory fields, from the source document (FLEX from the newest specification)."""

OTHER_CHANNELS: dict[str, str] = {
    "viber": "VIBER",
    "whatsApp": "WHATSAPP",
    "voice": "VOICE",
    "email": "EMAIL",
    "push": "PUSH",
    "vKontakte": "VKONTAKTE",
    "kakaoAlim": "KAKAO_ALIM",
    "kakaoChingu": "KAKAO_CHINGU",
    "facebook": "FACEBOOK",
    "parseco": "PARSECO",
}
"""The members that are passed through unchanged, and the channel that each is for."""

MAX_URL = 1000
MAX_LINE_TEXT = 5000
MAX_ALT_TEXT = 400
MIN_VALIDITY_SECONDS = 30
MAX_VALIDITY_SECONDS = 48 * 3600
SECONDS_IN: dict[str, int] = {"SECONDS": 1, "MINUTES": 60, "HOURS": 3600}

TimeUnit = Literal["SECONDS", "MINUTES", "HOURS"]
Transliteration = Literal[
    "NONE", "ALL", "BALTIC", "CENTRAL_EUROPEAN", "COLOMBIAN", "CYRILLIC", "GREEK", "NON_UNICODE", "PORTUGUESE",
    "SERBIAN_CYRILLIC", "TURKISH", "BULGARIAN_CYRILLIC",
]  # fmt: skip


def utf16_units(text: str) -> int:
    """Length as LINE counts it: an emoji is two. Raises UnicodeEncodeError for half of one."""
    return len(text.encode("utf-16-le")) // 2


def _refused(got: str, wanted: str, member: str | None = None) -> PydanticCustomError:
    """Return the error that a validator raises; `validation.py` makes a line of it. `member` is for validators of a
    whole object.
    """
    where = {"member": member} if member else {}
    return PydanticCustomError("omni", "{got}", {"got": got, "wanted": wanted, **where})


def _spoken(limit: int | None) -> Any:
    """Return a validator for texts: not blank, no halves of surrogate pairs, at most `limit` UTF-16 units."""

    def check(text: str) -> str:
        allowed = "a text that is not blank" + (f", of up to {limit:,} UTF-16 units" if limit else "")
        try:
            units = utf16_units(text)
        except UnicodeEncodeError:
            found = "a text with half of a surrogate pair"
        else:
            if unfit := unfit_character(text):
                raise _refused(f"a text with {unfit}", "a text without any")
            if word := word_for_nothing(text):
                raise _refused(f"{word!r} (a template that found nothing?)", "a text")
            blank = is_blank(text)
            if not blank and (limit is None or units <= limit):
                return text
            found = "a blank text" if blank else f"{units:,} UTF-16 units"
        raise _refused(found, allowed)

    return AfterValidator(check)


def check_url(url: str) -> str:
    """Return the URL as it is; ValueError unless it is http or https, has a host and up to 1,000 characters."""
    allowed = f"an http or https URL of up to {MAX_URL:,} characters"
    if len(url) > MAX_URL:
        raise _refused(f"{len(url):,} characters", allowed)
    try:
        parts = urlsplit(url)
        good = parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
        good = good and url.isprintable() and " " not in url
    except ValueError:
        good = False
    if not good:
        raise _refused(f"a text of {some(len(url), 'character')} that is no such URL", allowed)
    return url


Url = Annotated[str, AfterValidator(check_url)]


def _check_container(container: dict[str, Any]) -> dict[str, Any]:
    for where, found in foreign_to_json(container, ""):
        raise _refused(f"{found} in {where}" if where else found, "what JSON has")
    for where, found in unfit_in(container, ""):
        raise _refused(f"{found} in {where}" if where else found, "a text without any")
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

    @model_validator(mode="after")
    def _validity_in_range(self) -> WithValidity:
        if self.validity_period is None and self.validity_period_time_unit is not None:
            raise _refused("only validityPeriodTimeUnit", "both or neither", "validityPeriod")
        seconds = validity_seconds(self)
        if seconds is not None and not MIN_VALIDITY_SECONDS < seconds <= MAX_VALIDITY_SECONDS:
            found = f"{self.validity_period:,} {self.validity_period_time_unit or 'MINUTES'}"
            raise _refused(found, "more than 30 seconds and up to 48 hours", "validityPeriod")
        return self


class _Line(WithValidity):
    """Members that the LINE types share. `isPromotional` is named by the source document's prose for this channel."""

    is_promotional: bool | None = None


class LineText(_Line):
    """A LINE text: up to 5,000 UTF-16 units."""

    type: Literal["TEXT"] = "TEXT"
    text: Annotated[str, _spoken(MAX_LINE_TEXT)] = Field(repr=False)


class LineImage(_Line):
    """A LINE image and its thumbnail. LINE itself wants https."""

    type: Literal["IMAGE"] = "IMAGE"
    url: Url = Field(repr=False)
    thumbnail_url: Url = Field(repr=False)


class LineAudio(_Line):
    """A LINE audio record.

    :param duration: milliseconds.
    """

    type: Literal["AUDIO"] = "AUDIO"
    url: Url = Field(repr=False)
    duration: int = Field(gt=0, lt=2**63)


class LineVideo(_Line):
    """A LINE video and its thumbnail."""

    type: Literal["VIDEO"] = "VIDEO"
    url: Url = Field(repr=False)
    thumbnail_url: Url = Field(repr=False)


class LineSticker(_Line):
    """A LINE sticker of LINE's list of sendable ones; the ids are strings."""

    type: Literal["STICKER"] = "STICKER"
    package_id: str = Field(min_length=1)
    sticker_id: str = Field(min_length=1)


class LineFlex(_Line):
    """A LINE flex message.

    :param alt_text: shown where flex is not; up to 400 UTF-16 units.
    :param contents: the container, unchanged (the vendor wants upper-case types: BUBBLE, CAROUSEL, BOX, …).
    """

    type: Literal["FLEX"] = "FLEX"
    alt_text: Annotated[str, _spoken(MAX_ALT_TEXT)] = Field(repr=False)
    contents: Container = Field(repr=False, min_length=1)


Line = LineText | LineImage | LineAudio | LineVideo | LineSticker | LineFlex
LINE_MODELS: dict[str, type[Line]] = {
    "TEXT": LineText,
    "IMAGE": LineImage,
    "AUDIO": LineAudio,
    "VIDEO": LineVideo,
    "STICKER": LineSticker,
    "FLEX": LineFlex,
}


class SmsLanguage(TypedModel):
    """National character table that an SMS uses."""

    language_code: Literal["NONE", "TR", "ES", "PT", "AUTODETECT"]


class IndiaDlt(TypedModel):
    """Fields that India's operators want with each SMS."""

    content_template_id: str | None = None
    principal_entity_id: str
    telemarketer_id: str | None = None


class SouthKorea(TypedModel):
    """A title for Korean SMS: up to 66 characters."""

    title: str = Field(max_length=66)


class SmsRegional(TypedModel):
    """Members for single countries."""

    india_dlt: IndiaDlt | None = None
    korea: SouthKorea | None = None


class Sms(WithValidity):
    """An SMS. Long texts are split into parts by the vendor, each of which costs."""

    text: Annotated[str, _spoken(None)] = Field(repr=False)
    transliteration: Transliteration | None = None
    language: SmsLanguage | None = None
    regional: SmsRegional | None = None


@dataclass(frozen=True)
class Options:
    """Options of a request besides its contents. None is "not said": the account's settings hold.

    :param notify: False suppresses delivery reports altogether, also those that are fetched.
    :param notify_url: where the vendor pushes reports to.
    :param notify_content_type: `application/json` or `application/xml`.
    :param callback_data: up to 4,000 characters, comes back in reports.
    :param intermediate_report: also push reports that are not final.
    :param send_at: aware; delays the first step; less than 180 days ahead.
    """

    notify: bool | None = None
    notify_url: str | None = field(default=None, repr=False)
    notify_content_type: str | None = None
    callback_data: str | None = field(default=None, repr=False)
    intermediate_report: bool | None = None
    send_at: datetime | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the members of the request, only what was set."""
        members = {
            "notify": self.notify,
            "notifyUrl": self.notify_url,
            "notifyContentType": self.notify_content_type,
            "callbackData": self.callback_data,
            "intermediateReport": self.intermediate_report,
            "sendAt": self.send_at and format_body_time(self.send_at),
        }
        return {name: value for name, value in members.items() if value is not None}


@dataclass(frozen=True)
class Content:
    """Message of one request to all its recipients: contents per channel, and options. Made by `check_content`."""

    line: Line | None = None
    sms: Sms | None = None
    others: Mapping[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    options: Options = field(default_factory=Options)

    def to_wire(self) -> dict[str, Any]:
        """Return the channels' members of the request, without the options."""
        wire: dict[str, Any] = {}
        if self.line is not None:
            wire["line"] = self.line.to_wire()
        if self.sms is not None:
            wire["sms"] = self.sms.to_wire()
        return wire | dict(self.others)

    def channels(self) -> tuple[str, ...]:
        """Return the channels that it has something to say on, as a flow names them."""
        own = [channel for channel, content in (("LINE", self.line), ("SMS", self.sms)) if content is not None]
        return (*own, *(OTHER_CHANNELS[name] for name in self.others))


@dataclass(frozen=True, kw_only=True)
class AdvancedRequest:
    """The body of `POST /omni/1/advanced`.

    :param scenario_key: without it the account's default scenario is used, which anybody may change.
    :param bulk_id: made by the vendor when absent.
    """

    destinations: tuple[Destination, ...] = field(repr=False)
    scenario_key: str | None = None
    bulk_id: str | None = None
    line: Line | None = None
    sms: Sms | None = None
    others: Mapping[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    notify: bool | None = None
    notify_url: str | None = field(default=None, repr=False)
    notify_content_type: str | None = None
    callback_data: str | None = field(default=None, repr=False)
    intermediate_report: bool | None = None
    send_at: datetime | None = None

    @classmethod
    def of(
        cls,
        content: Content,
        destinations: tuple[Destination, ...],
        scenario_key: str | None = None,
        bulk_id: str | None = None,
    ) -> AdvancedRequest:
        """Return a checked content for these recipients."""
        options = {name: getattr(content.options, name) for name in content.options.__dataclass_fields__}
        return cls(
            destinations=destinations,
            scenario_key=scenario_key,
            bulk_id=bulk_id,
            line=content.line,
            sms=content.sms,
            others=content.others,
            **options,
        )

    @property
    def content(self) -> Content:
        """The content alone, without the recipients."""
        options = {name: getattr(self, name) for name in Options.__dataclass_fields__}
        return Content(line=self.line, sms=self.sms, others=self.others, options=Options(**options))

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object, member for member as in the source document, only what was set."""
        wire: dict[str, Any] = {}
        if self.scenario_key is not None:
            wire["scenarioKey"] = self.scenario_key
        if self.bulk_id is not None:
            wire["bulkId"] = self.bulk_id
        wire["destinations"] = [destination.to_wire() for destination in self.destinations]
        content = self.content
        return wire | content.to_wire() | content.options.to_wire()


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
