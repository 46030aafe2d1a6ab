"""LINE contents: one model for each type."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airflow_provider_omni.omni.arguments import Url
from airflow_provider_omni.omni.members import Container, TypedContent, WithValidity, spoken

MAX_LINE_TEXT = 5000
MAX_ALT_TEXT = 400


class _Line(WithValidity):
    """Members that the LINE types share. `isPromotional` is named by the source document's prose for this channel."""

    is_promotional: bool | None = None


class LineText(_Line):
    """A LINE text: up to 5,000 UTF-16 units."""

    type: Literal["TEXT"] = "TEXT"
    text: Annotated[str, spoken(MAX_LINE_TEXT)] = Field(repr=False)


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
    alt_text: Annotated[str, spoken(MAX_ALT_TEXT)] = Field(repr=False)
    contents: Container = Field(repr=False, min_length=1)


Line = LineText | LineImage | LineAudio | LineVideo | LineSticker | LineFlex
CONTENT = TypedContent(
    models={
        "TEXT": LineText,
        "IMAGE": LineImage,
        "AUDIO": LineAudio,
        "VIDEO": LineVideo,
        "STICKER": LineSticker,
        "FLEX": LineFlex,
    },
    texts={"text": MAX_LINE_TEXT, "altText": MAX_ALT_TEXT},
    objects=("contents",),
)
"""The types of the source document, and FLEX of the newest specification."""
