"""Viber contents. The fields and their limits are those of the newest specification."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from airflow_provider_omni.omni.arguments import MAX_URL, Url, check_url, refused
from airflow_provider_omni.omni.members import TypedContent, WithValidity, spoken
from airflow_provider_omni.omni.nothing import is_blank

MAX_BUTTON_TEXT = 30
FileType = Literal[
    "doc", "docx", "rtf", "dot", "dotx", "odt", "odf", "fodt", "txt", "info", "pdf", "xps", "pdax", "eps", "xls",
    "xlsx", "ods", "fods", "csv", "xlsm", "xltx",
]  # fmt: skip


def _check_button(url: str) -> str:
    """Return what a button opens: a URL, or a number to call, after `tel:`."""
    number = url.removeprefix("tel:")
    if number == url:
        return check_url(url)
    if len(url) > MAX_URL or is_blank(number) or not number.isprintable():
        raise refused("no number after tel:", f"a number to call, in up to {MAX_URL:,} characters")
    return url


ButtonText = Annotated[str, Field(max_length=MAX_BUTTON_TEXT), spoken(None)]
ButtonUrl = Annotated[str, AfterValidator(_check_button)]


class Viber(WithValidity):
    """A Viber message: a text, an image or both, with a button if it has a text; or a file alone.

    The specification has no image and text without a button. The vendor's newer pages have, so it goes out.

    :param text: of any length, as far as the specification says.
    :param button_text: up to 30 characters; goes with `button_url`.
    :param button_url: what the button opens, or `tel:` and a number to call.
    :param tracking_data: up to 100 characters, which come back with a reply.
    :param is_promotional: says that the content is advertising.
    :param force_primary_device: sends a text to the phone only.
    :param file_name: up to 25 characters.
    :param file_type: the file's ending, such as `pdf`.
    """

    shortest: ClassVar[int] = 35

    text: Annotated[str, spoken(None)] | None = Field(default=None, repr=False)
    image_url: Url | None = Field(default=None, alias="imageURL", repr=False)
    button_text: ButtonText | None = Field(default=None, repr=False)
    button_url: ButtonUrl | None = Field(default=None, alias="buttonURL", repr=False)
    tracking_data: str | None = Field(default=None, max_length=100, repr=False)
    is_promotional: bool | None = None
    force_primary_device: bool | None = None
    file_name: str | None = Field(default=None, max_length=25, repr=False)
    file_type: FileType | None = None
    file_url: Url | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _one_kind(self) -> Viber:
        button = {"buttonText": self.button_text, "buttonURL": self.button_url}
        shown = {"text": self.text, "imageURL": self.image_url} | button
        given = [name for name, value in shown.items() if value is not None]
        if self.file_url is not None:
            if given:
                raise refused(f"a file with {' and '.join(given)}", "a file alone, or no file")
        elif self.file_name is not None or self.file_type is not None:
            raise refused("nothing beside fileName or fileType", "a URL", "fileUrl")
        elif self.text is None and self.image_url is None:
            raise refused("nothing to show", "text, imageURL or fileUrl")
        if given and self._half_a_button():
            raise refused("half of a button", "a text with buttonText and buttonURL, or neither of them")
        return self

    def _half_a_button(self) -> bool:
        parts = (self.button_text is not None, self.button_url is not None)
        return any(parts) and not (all(parts) and self.text is not None)


CONTENT = TypedContent(models={None: Viber}, texts={"text": None, "buttonText": MAX_BUTTON_TEXT})
