"""Placeholders `{field}` in texts: plain names only, filled from each recipient's row.

No attribute access, no indexing, no conversions, no format specifications: a row's values never decide what code runs.
`{{` and `}}` are literal braces. The limits of contents are not known here; `omni/validation.py` checks the filled
text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from numbers import Real
from typing import Any, TypeAlias
from uuid import UUID

from airflow_provider_omni.omni.json_check import unfit_character
from airflow_provider_omni.omni.nothing import WORDS, is_a_time, is_blank, is_nothing, word_for_nothing
from airflow_provider_omni.omni.problems import unexpected

_TOKEN = re.compile(r"\{\{|\}\}|\{([^\W\d][^\s{}]*)\}|[{}]")
_PLAIN = (str, Real, Decimal, date, datetime, time, UUID)
_SHORT_WORDS = frozenset(word for word in WORDS if word.isalpha())

_LOOKALIKE = re.compile(
    r"(?P<template>\{\{.{0,500}?\}\}|\{%.{0,500}?%\}|\{#.{0,500}?#\})"
    r"|\{\s*[^\W\d][^\s{}\[\]().:;,!='\"<>/|\\]*(?:\s*\.\s*\w+|\s*\[[^\]{}]{0,50}\])*(?:\s*![rsa])?\s*\}",
    re.DOTALL,
)
"""Texts that somebody may have meant to be filled in. `{color:red}` and JSON do not match."""

Piece: TypeAlias = tuple[str, bool]
"""A piece of a text: (literal, False) or (name of a field, True)."""
Fill: TypeAlias = Callable[[Mapping[str, Any]], Any]


class MissingFieldError(ValueError):
    """A row lacks fields that texts need. Its text names the fields, never a value.

    :param missing: fields that the row does not have at all.
    """

    def __init__(self, text: str, missing: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.missing = missing


def split(text: str) -> list[Piece]:
    """Cut a text into literals and field names. Raises ValueError with the place of a wrong brace, without the text."""
    pieces: list[Piece] = []
    literal, end = "", 0
    for token in _TOKEN.finditer(text):
        literal += text[end : token.start()]
        end = token.end()
        # `\w` alone is not enough: names in Thai, for example, have marks in them that are no letters.
        if token[1] is not None and token[1].isidentifier():
            if literal:
                pieces.append((literal, False))
            pieces.append((token[1], True))
            literal = ""
        elif token[0] in ("{{", "}}"):
            literal += token[0][0]
        else:
            raise ValueError(
                unexpected(
                    "",
                    f"a brace at character {token.start() + 1} that encloses no plain field name",
                    "{name}, and {{ or }} for a brace itself",
                )
            )
    literal += text[end:]
    if literal or not pieces:
        pieces.append((literal, False))
    return pieces


@dataclass(frozen=True)
class Template:
    """Contents with placeholders: the objects of a request (`line`, `sms`, …) as users typed them.

    :param fields: names that texts need, sorted.
    :param places: places of the placeholders (`line.text`), so that checks can tell a placeholder from a mistake.
    """

    fields: tuple[str, ...]
    places: tuple[str, ...]
    _fill: Fill = field(repr=False)

    def fill(self, row: Mapping[str, Any]) -> Any:
        """Return the objects filled with the row's values. Raises MissingFieldError."""
        return self._fill(dict(zip(self.fields, self.values(row), strict=True)))

    def values(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the row's values of the needed fields. Rows with equal values get equal contents. Raises
        MissingFieldError.
        """
        try:
            return tuple([value_of(row, name) for name in self.fields])
        except MissingFieldError:
            raise self._all_missing(row) from None

    def _all_missing(self, row: Mapping[str, Any]) -> MissingFieldError:
        missing = tuple(name for name in self.fields if name not in row)
        texts = []
        if len(missing) > 1:
            texts.append(f"the fields {', '.join(map(repr, missing))} are missing")
        for name in self.fields:
            try:
                if len(missing) < 2 or name not in missing:
                    value_of(row, name)
            except MissingFieldError as error:
                texts.append(str(error))
        return MissingFieldError("; ".join(texts), missing)


def value_of(row: Mapping[str, Any], name: str) -> str:
    """Return a row's value as text. Raises MissingFieldError if it counts as missing.

    Nobody should read "Dear ,", "Dear NULL," or "Dear nan,": so None, a text that is blank to the eye, a word for
    nothing (`NULL`), a number that is not finite and a value that is not plain count as missing. So does a text that no
    phone should get, with control characters, as escape sequences have them, or with the mark of a lost character.
    """
    value = row.get(name)
    if type(value) is str:
        if value.isascii() and value.isalpha() and value not in _SHORT_WORDS:
            return value  # most values
        return _text(value, name)
    if value is None:
        raise MissingFieldError(f"the field {name!r} is {'empty' if name in row else 'missing'}")
    if isinstance(value, str):
        return _text(str(value), name)
    if is_nothing(value):
        raise MissingFieldError(f"the field {name!r} is empty")
    if not isinstance(value, _PLAIN) or is_a_time(value):
        raise MissingFieldError(
            unexpected(
                f"the field {name!r}", f"a value of type {type(value).__name__}", "text, a number, a date or a UUID"
            )
        )
    try:
        return str(value)
    except ValueError:
        raise MissingFieldError(f"the field {name!r} is a number that is too long to be written down") from None


def _text(value: str, name: str) -> str:
    if is_blank(value):
        raise MissingFieldError(f"the field {name!r} is {'blank' if value else 'empty'}")
    if word := word_for_nothing(value):
        raise MissingFieldError(f"the field {name!r} is {word!r}, which stands for nothing")
    if unfit := unfit_character(value):
        raise MissingFieldError(f"the field {name!r} has {unfit}")
    return value


def compile_template(value: Any, root: str, problems: list[str]) -> Template:
    """Compile every text of `value`, however deep. Mistakes are added to `problems`, one line for each place."""
    fields: set[str] = set()
    places: list[str] = []
    fill = _compile(value, root, fields, places, problems)
    return Template(tuple(sorted(fields)), tuple(places), fill)


def _compile(value: Any, where: str, fields: set[str], places: list[str], problems: list[str]) -> Fill:
    if isinstance(value, str):
        try:
            pieces = split(value)
        except ValueError as error:
            problems.append(f"{where}: {error}")
            return lambda _: value
        names = [piece for piece, is_field in pieces if is_field]
        if not names:
            literal = pieces[0][0]
            return lambda _: literal
        fields.update(names)
        places.append(where)
        return lambda row: "".join([row[piece] if is_field else piece for piece, is_field in pieces])
    if isinstance(value, Mapping):
        inner = {
            name: _compile(each, f"{where}.{name}" if where else str(name), fields, places, problems)
            for name, each in value.items()
        }
        return lambda row: {name: fill(row) for name, fill in inner.items()}
    if isinstance(value, list | tuple):
        items = [_compile(each, f"{where}[{index}]", fields, places, problems) for index, each in enumerate(value)]
        return lambda row: [fill(row) for fill in items]
    return lambda _: value


def literal(value: Any) -> Template:
    """Return contents without placeholders, in which every brace stands for itself."""
    return Template((), (), lambda _: value)


def lookalikes(value: Any, where: str) -> Iterator[str]:
    """Yield a line about each text, however deep, that seems to hold a placeholder. The texts are not shown."""
    if isinstance(value, str):
        found = _LOOKALIKE.search(value)
        if found is not None:
            what = "a template that was not rendered" if found["template"] else "a placeholder"
            yield (
                unexpected(
                    where,
                    f"{what} at character {found.start() + 1}",
                    "a text as people shall read it. Fill it in; or send with OmniSendBatchOperator, which takes "
                    "{name} from each row; or set placeholders=False where the braces are meant",
                )
            )
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from lookalikes(each, f"{where}.{name}" if where else str(name))
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from lookalikes(each, f"{where}[{index}]")


def sample(template: Template) -> Iterator[Any]:
    """Yield the contents with stand-ins for the fields, for checks before any row is read: words, then URLs."""
    for stand_in in ("x", "https://example.com/x"):
        yield template.fill(dict.fromkeys(template.fields, stand_in))
