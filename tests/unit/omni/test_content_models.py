"""The content models that users construct: their mistakes are errors of ours, with names and without values."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from airflow_provider_omni import contents
from airflow_provider_omni.omni.arguments import URL
from airflow_provider_omni.omni.errors import OmniInputError

MODELS = [model for name in contents.__all__ if isinstance(model := getattr(contents, name), type)]
SECRET = "SECRETTEXT 41793026727"


def refused(model: Any, *values: Any, **members: Any) -> list[str]:
    with pytest.raises(OmniInputError) as caught:
        model(*values, **members)
    error = caught.value
    assert f"{model.__name__} cannot be used as it is. (OMNI-112" in str(error)
    assert "SECRETTEXT" not in f"{error} {error!r} {error.__cause__!r} {error.__context__!r}"
    return list(error.problems)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_refuses_an_unknown_member_with_a_code(model: Any) -> None:
    assert any(line.startswith(f"{model.__name__}.hello: ") for line in refused(model, hello=SECRET))


@pytest.mark.parametrize("model", MODELS)
def test_every_model_refuses_a_value_without_a_name(model: Any) -> None:
    [problem] = refused(model, SECRET)
    assert problem.startswith(f"{model.__name__}: got 1 value without a name, expected members by name: ")
    assert problem.endswith(", ".join(model.model_fields))


@pytest.mark.parametrize(
    ("model", "members", "problems"),
    [
        (contents.Sms, {"txt": SECRET}, ["Sms.text: missing", "Sms.txt: unknown member, did you mean text?"]),
        (contents.Sms, {"text": " "}, ["Sms.text: got a blank text, expected a text that is not blank"]),
        (
            contents.LineImage,
            {"url": f"ftp://{SECRET}"},
            [
                f"LineImage.url: got a text of 28 characters that is no such URL, expected {URL}",
                "LineImage.thumbnailUrl: missing",
            ],
        ),
        (contents.Viber, {}, ["Viber: got nothing to show, expected text, imageURL or fileUrl"]),
    ],
)
def test_every_problem_is_named_at_once_by_the_members_name(model: Any, members: Any, problems: list[str]) -> None:
    assert refused(model, **members) == problems


def test_good_members_go_in_under_both_of_their_names() -> None:
    both = [
        contents.LineImage(url="https://a.b/c", thumbnail_url="https://a.b/d"),
        contents.LineImage(**{"url": "https://a.b/c", "thumbnailUrl": "https://a.b/d"}),
    ]
    assert both[0] == both[1] == copy.deepcopy(both[0]) == pickle.loads(pickle.dumps(both[0]))
    with pytest.raises(ValidationError):
        both[0].url = "https://a.b/e"


@pytest.mark.parametrize("model", MODELS)
def test_validation_by_pydantic_itself_has_pydantics_own_error(model: type[BaseModel]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate({"hello": SECRET})


def test_the_members_stand_in_the_signature() -> None:
    assert {"text", "transliteration"} <= inspect.signature(contents.Sms).parameters.keys()


def test_a_model_within_another_one_is_judged_by_pydantic() -> None:
    with pytest.raises(ValidationError):
        contents.Sms.model_validate({"text": "Hi", "language": {"languageCode": "XX"}})
    assert refused(contents.Sms, text="Hi", language={"languageCode": "XX"})[0].startswith(
        "Sms.language.languageCode: got "
    )
