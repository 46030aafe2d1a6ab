"""Models of arguments, and pydantic's findings about them as lines for people: every problem at once, each with its
culprit, and no value that may be somebody's.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.masking import SHOWN, describe, mask_numbers_in, shown_name
from airflow_provider_omni.omni.problems import unexpected, unknown
from airflow_provider_omni.omni.unfilled import empty_words, is_nothing
from airflow_provider_omni.omni.words import some

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

MAX_PROBLEMS = 50
MAX_URL = 1000
URL = f"an http or https URL of up to {MAX_URL:,} characters"


class ArgumentModel(BaseModel):
    """Base of what users type as arguments or options.

    A field's `description` are the words for what is expected of it. With `repr=False` no error shows its value.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True, defer_build=True
    )


A = TypeVar("A", bound=ArgumentModel)


def read_arguments(model: type[A], given: Mapping[str, Any], problems: list[str], root: str = "", **context: Any) -> A:
    """Return the arguments as a model. Those that cannot be used are added to `problems`, and have their defaults, so
    that whatever else is wrong can be found, too. All fields of the model have one.

    :param root: the name that the caller knows them by (`extra`); empty if they have names of their own.
    :param context: what the model's validators need to know.
    """
    try:
        return model.model_validate(given, context=context)
    except ValidationError as error:
        problems += problems_of(error, root, model)
        wrong = {problem["loc"][0] for problem in error.errors(include_url=False)}
        usable = {name: value for name, value in given.items() if name not in wrong}
        return model.model_validate(usable, context=context)


def problems_of(error: ValidationError, root: str, model: type[BaseModel] | None = None) -> list[str]:
    """Return the findings of pydantic as lines such as `line.thumbnailUrl: missing`.

    :param root: the name that the caller knows the value by (`line`); empty if its members have names of their own.
    :param model: adds what is allowed to lines about unknown members.
    """
    found = [problem for problem in error.errors(include_url=False)[:MAX_PROBLEMS] if not _is_echo(problem)]
    # A value that is of none of several kinds is told once.
    return list(dict.fromkeys(line for problem in found for line in _lines_of(problem, root, model)))


def kind_of(value: Any) -> str:
    """Describe a value that stands in place of an object, or of a text that nobody is to see."""
    return empty_words(value) if isinstance(value, str) and is_nothing(value) else describe(value)


def refused(got: str, wanted: str, member: str | None = None) -> PydanticCustomError:
    """Return the error that a validator raises; `problems_of` makes a line of it. `member` is for validators of a
    whole object.
    """
    where = {"member": member} if member else {}
    return PydanticCustomError("omni", "{got}", {"got": got, "wanted": wanted, **where})


def check_url(url: str) -> str:
    """Return the URL as it is; ValueError unless it is http or https, has a host and up to 1,000 characters."""
    if len(url) > MAX_URL:
        raise refused(f"{len(url):,} characters", URL)
    try:
        parts = urlsplit(url)
        good = parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
        good = good and url.isprintable() and " " not in url
    except ValueError:
        good = False
    if not good:
        raise refused(f"a text of {some(len(url), 'character')} that is no such URL", URL)
    return url


Url = Annotated[str, AfterValidator(check_url)]


_EXPECTED: dict[str, str] = {
    "omni": "{wanted}",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "string_type": "a string",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "greater_than": "more than {gt}",
    "less_than": "less than {lt:,}",
    "string_too_short": "at least {min_length} character",
    "string_too_long": "up to {max_length:,} characters",
    "too_short": "at least {min_length}",
    "dict_type": "an object",
    "model_type": "an object",
    "tuple_type": "a list",
    "list_type": "a list",
}
"""Meanings of pydantic's kinds of error, in the words of the API."""


_SHAPES = ("dict_type", "model_type", "list_type", "tuple_type")
_PLACE = re.compile(r"\[\d+\]$")
_EXAMPLES = {"scenario.flow": '{"channel": "LINE", "from": "InfoLine"}'}
"""Examples for people who write a list of channels, and need objects."""


def _is_echo(problem: Any) -> bool:
    """Return True for a list that pydantic calls too short only because it did not count the items that are wrong
    themselves.
    """
    return bool(problem["type"] == "too_short" and len(problem["input"]) >= problem["ctx"]["min_length"])


def _lines_of(problem: ErrorDetails, root: str, model: type[BaseModel] | None) -> tuple[str, ...]:
    error = (problem.get("ctx") or {}).get("error")
    if isinstance(error, OmniInputError) and error.problems:
        return error.problems  # a reader of ours has written them
    return (_line_of(problem, root, model),)


def _line_of(problem: ErrorDetails, root: str, model: type[BaseModel] | None) -> str:
    context: Mapping[str, Any] = problem.get("ctx") or {}
    where = list(problem["loc"])
    argument = _argument(model, where)
    if argument is not None and argument.description:
        value = problem["input"]
        shown = argument.repr and not (isinstance(value, str) and getattr(model, "texts_may_be_secrets", False))
        got = describe(value, shown) if argument.repr else kind_of(value)
        return unexpected(_name(root, where[:1]), got, argument.description)
    if "member" in context:
        where.append(context["member"])
    field = _name(root, where)
    kind = problem["type"]
    if kind == "missing":
        return f"{field}: missing"
    if kind == "extra_forbidden":
        return _unknown_member(field, str(where[-1]), _model_at(model, where[:-1]))
    if kind == "value_error":
        return f"{field}: {context.get('error', 'not usable')}"
    if kind == "omni":
        got = context["got"]
    elif kind in ("model_type", "dict_type"):
        got = kind_of(problem.get("input"))
    else:
        got = describe(problem.get("input"), bool(where) and where[-1] in SHOWN)
    expected = _EXPECTED[kind].format(**context) if kind in _EXPECTED else mask_numbers_in(str(problem["msg"]))
    if kind in _SHAPES and (example := _EXAMPLES.get(_PLACE.sub("", field))):
        expected += f" such as {example}" if kind.startswith(("dict", "model")) else f" of objects such as {example}"
    return unexpected(field, got, expected)


def _name(root: str, where: list[int | str]) -> str:
    parts = "".join(f"[{part}]" if isinstance(part, int) else f".{shown_name(part)}" for part in where)
    return root + parts if root else parts.lstrip(".")


def _argument(model: type[BaseModel] | None, where: list[int | str]) -> FieldInfo | None:
    """Return the field of a model of arguments."""
    if model is None or not issubclass(model, ArgumentModel) or not where:
        return None
    fields = model.model_fields
    return fields.get(str(where[0])) or next((each for each in fields.values() if each.alias == where[0]), None)


def _model_at(model: type[BaseModel] | None, where: Sequence[int | str]) -> type[BaseModel] | None:
    """Return the model that an object within another one must follow; None if it is not a single one."""
    for part in where:
        if model is None or isinstance(part, int):
            continue
        fields = model.model_fields.values()
        found = next((each.annotation for each in fields if each.alias == part), model.model_fields.get(part))
        model = _model_in(getattr(found, "annotation", found))
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the only model among the types of an annotation such as `tuple[ScenarioStep, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [each for each in map(_model_in, get_args(annotation)) if each is not None]
    return found[0] if len(found) == 1 else None


def _unknown_member(field: str, member: str, model: type[BaseModel] | None) -> str:
    if model is None:
        return f"{field}: unknown member"
    names = sorted(str(each.alias or name) for name, each in model.model_fields.items())
    close = difflib.get_close_matches(member, names, n=1)
    return f"{field}: unknown member, did you mean {close[0]}?" if close else unknown(field, names, "member")
