"""SMS contents."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airflow_provider_omni.omni.members import TypedContent, WithValidity, spoken
from airflow_provider_omni.omni.models import TypedModel

Transliteration = Literal[
    "NONE", "ALL", "BALTIC", "CENTRAL_EUROPEAN", "COLOMBIAN", "CYRILLIC", "GREEK", "NON_UNICODE", "PORTUGUESE",
    "SERBIAN_CYRILLIC", "TURKISH", "BULGARIAN_CYRILLIC",
]  # fmt: skip


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

    text: Annotated[str, spoken(None)] = Field(repr=False)
    transliteration: Transliteration | None = None
    language: SmsLanguage | None = None
    regional: SmsRegional | None = None


CONTENT = TypedContent(models={None: Sms}, texts={"text": None}, in_parts=True)
