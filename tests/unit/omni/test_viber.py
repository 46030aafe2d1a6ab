"""Viber, as an example of a channel that is typed and has no argument of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_omni.contents import Viber
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.recipients.contents import MessageTemplate, RenderedContents
from airflow_provider_omni.hooks.request_body import read_body
from airflow_provider_omni.notifications.wording import in_plain_words, mended, usable
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.validation import check_content

URL = "https://x.example/a"
BUTTON = {"buttonText": "Open", "buttonURL": URL}
FILE = {"fileUrl": f"{URL}.pdf", "fileName": "a.pdf", "fileType": "pdf"}
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def problems(viber: Any) -> list[str]:
    """The problems of a Viber object, without the name of the argument."""
    with pytest.raises(OmniInputError) as caught:
        check_content(other_channels={"viber": viber})
    return [line.removeprefix("other_channels.viber") for line in caught.value.problems]


@pytest.mark.parametrize(
    "viber",
    [
        {"text": "t"},
        {"text": "t" * 5000},
        {"imageURL": URL},
        {"text": "t", "imageURL": URL},
        {"text": "t"} | BUTTON,
        {"text": "t", "imageURL": URL} | BUTTON,
        {"text": "t", "buttonText": "Call", "buttonURL": "tel:41793026727"},
        {"fileUrl": URL},
        FILE,
        {"text": "t", "trackingData": "x" * 100, "isPromotional": True, "forcePrimaryDevice": False},
        {"text": "t", "validityPeriod": 36, "validityPeriodTimeUnit": "SECONDS"},
    ],
)
def test_what_the_specification_has_goes_out_as_it_came_in(viber: dict[str, Any]) -> None:
    content = check_content(other_channels={"viber": viber})
    assert content.to_wire() == {"viber": viber}
    assert content.channels() == ("VIBER",)


@pytest.mark.parametrize(
    ("viber", "problem"),
    [
        ({"text": " "}, ".text: got a blank text, expected a text that is not blank"),
        ({"text": "None"}, ".text: got 'None' (a template that found nothing?), expected a text"),
        ({"text": "t", "imageUrl": URL}, ".imageUrl: unknown member, did you mean imageURL?"),
        ({"text": "t", "imageURL": f"https://x.example/{'a' * 983}"}, ".imageURL: got 1,001 characters, expected"),
        ({"text": "t"} | BUTTON | {"buttonText": "x" * 31}, ".buttonText: got a string of 31 characters, expected up"),
        ({"text": "t"} | BUTTON | {"buttonURL": "tel: "}, ".buttonURL: got no number after tel:, expected a number"),
        ({"text": "t"} | BUTTON | {"buttonURL": "x"}, ".buttonURL: got a text of 1 character that is no such URL"),
        ({"text": "t", "trackingData": "x" * 101}, ".trackingData: got a string of 101 characters, expected up to 100"),
        (FILE | {"fileName": "x" * 26}, ".fileName: got a string of 26 characters, expected up to 25 characters"),
        (FILE | {"fileType": "exe"}, ".fileType: got a string of 3 characters, expected 'doc', 'docx', "),
        ({"fileType": "pdf"}, ".fileUrl: got nothing beside fileName or fileType, expected a URL"),
        (FILE | {"text": "t"}, ": got a file with text, expected a file alone, or no file"),
        ({"text": "t", "buttonText": "Open"}, ": got half of a button, expected a text with buttonText and buttonURL"),
        ({"imageURL": URL} | BUTTON, ": got half of a button, expected a text with buttonText and buttonURL"),
        ({}, ": got nothing to show, expected text, imageURL or fileUrl"),
        ("Hello", ': got a string of 5 characters, expected an object such as {"text": "Your parcel is here."}'),
    ],
)
def test_what_the_specification_does_not_have_is_one_clear_line(viber: Any, problem: str) -> None:
    (line,) = problems(viber)
    assert line.startswith(problem)


def test_a_validity_is_over_35_seconds_and_named_with_all_other_problems() -> None:
    short = {"validityPeriod": 35, "validityPeriodTimeUnit": "SECONDS"}
    line = ".validityPeriod: got 35 SECONDS, expected more than 35 seconds and up to 48 hours"
    assert problems({"text": "t"} | short) == [line]
    assert problems({"text": ""} | short)[1:] == [line]
    assert problems({"text": "t", "validityPeriod": 14, "validityPeriodTimeUnit": "DAYS"})[0].startswith(
        ".validityPeriodTimeUnit: "
    )


def test_a_model_may_stand_for_the_object_and_shows_nothing_of_it() -> None:
    viber = Viber(text="hidden", button_text="hidden", button_url=f"{URL}/hidden", tracking_data="hidden")
    content = check_content(other_channels={"viber": viber})
    assert content.by_channel == {"VIBER": viber}
    assert content.to_wire()["viber"]["buttonURL"] == f"{URL}/hidden"
    assert "hidden" not in repr(viber)


def test_the_hook_checks_it_too() -> None:
    body = {"destinations": [{"to": {"phoneNumber": "41793026727"}}], "viber": {"text": "t", "txt": "t"}}
    with pytest.raises(OmniInputError, match=r"other_channels\.viber\.txt: unknown member"):
        read_body(body)


@pytest.mark.parametrize("viber", [{"text": "Dear {name}"} | BUTTON, Viber(text="Dear {name}")])
def test_a_batch_fills_it_and_checks_what_came_out(viber: Any) -> None:
    with Workspace() as workspace:
        contents = RenderedContents(MessageTemplate({"other_channels": {"viber": viber}}), workspace, NOW)
        assert contents.of({"name": "Ann"}) != contents.of({"name": "Bob"})
        assert workspace.scalar("SELECT tail FROM content WHERE id = ?", contents.of({"name": "Ann"})).startswith(
            '"viber":{"text":"Dear Ann"'
        )


def test_an_alert_is_cut_to_its_limits_and_goes_out_as_a_plain_text_to_a_vendor_who_refuses_more() -> None:
    others = {"viber": {"text": "down", "buttonText": "x" * 40, "buttonURL": URL}}
    contents, done = mended({"line": None, "sms": None, "other_channels": others}, 2, "load")
    assert len(contents["other_channels"]["viber"]["buttonText"]) == 30
    assert done == ["other_channels.viber.buttonText: cut from 40 to 30 characters"]
    good, wrong = usable(contents)
    plain = in_plain_words(check_content(**good), 2)
    assert wrong == []
    assert plain is not None
    assert plain.to_wire() == {
        "line": {"type": "TEXT", "text": "down"},
        "sms": {"text": "down"},
        "viber": {"text": "down"},
    }
