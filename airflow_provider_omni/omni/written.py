"""Lists and objects that arrive as text: what a template renders them to, and what an upstream task pushes as JSON.

Airflow renders every template to text, unless the DAG asks for native objects. So a template that pulls a receipt's
`message_ids` gives `"['d13f…', 'bdf6…']"`, and what an HTTP call returned is JSON. One reader serves all arguments
of all operators, sensors and notifiers: it reads JSON, Python's own notation, and items between commas or in lines.
What cannot be read is an error, never one strange item.

No error of this module shows a value: only its kind, its length and its place.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.ids import IDS, id_of, may_be_an_id
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.tables import is_table, read_column
from airflow_provider_omni.omni.unfilled import WHY_EMPTY, empty_words, is_nothing, is_template
from airflow_provider_omni.omni.words import some

LAZY = frozenset({"LazyXComSequence", "LazyXComSelectSequence"})
"""Classes of Airflow 3 and 2 for the output of a mapped task: by name, since this room knows no Airflow."""
MOST_PLACES = 10
"""Places of mistakes that an error names."""

_ENDS = {"[": "]", "{": "}"}
_SIDE_BY_SIDE = re.compile(r"['\"]\s*[bBfFrRuU]{0,2}['\"]")
_LAST_COMMA = re.compile(r"\s*[,;]\s*$")
_BETWEEN = re.compile(r"[,;\r\n]")


def looks_written(text: str) -> bool:
    """Return True if a text begins like a list, an object or a text in quotes, so that it cannot be an id, a number or
    a name.

    A bracket alone does not tell: `(41) 79 302 67 27` is how people write numbers.
    """
    text = text.strip("\ufeff \t\r\n")
    if text[:1] in _ENDS:
        return True
    if text[:1] == "(" and text[-1:] == ")":
        return not text[1:-1].strip() or any(mark in text for mark in "',\"")
    return len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]


def read_written(text: str) -> Any:
    """Read a text that `looks_written`: JSON, one JSON object a line, or Python's notation.

    Raises ValueError that says what is wrong with it, without the text.
    """
    text = text.strip("\ufeff \t\r\n")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if text.startswith("{") and (rows := _lines_of_json(text)) is not None:
        return rows
    if is_template(text):
        raise ValueError("a template that was not rendered")
    if _SIDE_BY_SIDE.search(text) and _has_texts_side_by_side(text):
        raise ValueError("texts side by side without commas, as an array shows itself (its .tolist() has commas)")
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        end = _ENDS.get(text[:1])
        if end is not None and not text.endswith(end):
            raise ValueError(f"a text that begins like a list or an object, but does not end with '{end}'") from None
        raise ValueError(
            "a text that begins like a list or an object, but is neither JSON nor Python's notation"
        ) from None


def read_list(name: str, value: Any, expected: str, *, spaces: bool = False) -> list[Any]:
    """Read an argument that is a list: any iterable, a text that is one, or one item alone.

    Opened are the lists in a mapped task's output, and texts in the list that are lists. Texts are cut at commas,
    semicolons and line ends.

    :param name: the argument's, for errors.
    :param expected: what errors say is allowed.
    :param spaces: cut at spaces, too: where no item can have one.

    Raises OmniInputError for what holds no list. An empty list is a list; None and what templates render it to are not.
    """
    if is_nothing(value):
        raise _unusable(name, empty_words(value), f"{expected}. {WHY_EMPTY}")
    if isinstance(value, str):
        return list(_items_of_text(name, value, expected, spaces))
    if is_table(value):
        raise _unusable(name, f"a table of type {type(value).__name__}", f"{expected}; give one of its columns")
    if isinstance(value, bytes | bytearray) or (not isinstance(value, Iterable) and not _is_number(value)):
        raise _unusable(name, f"a value of type {type(value).__name__}", expected)
    if isinstance(value, Mapping) or _is_number(value):
        return [value]
    return list(_items(name, value if (column := read_column(value)) is None else column, expected))


def read_object(name: str, value: Any, expected: str) -> Any:
    """Read an argument that is an object: a text that is one becomes it, all else is given back as it is.

    Raises OmniInputError for a text that begins like an object and cannot be read.
    """
    if not isinstance(value, str) or not looks_written(value):
        return value
    try:
        return read_written(value)
    except ValueError as error:
        raise _unusable(name, str(error), expected) from None


def read_ids(name: str, value: Any) -> tuple[str, ...]:
    """Read message ids or bulk ids: one, or any list of them; each once, in their order.

    Raises OmniInputError that says which items cannot be ids.
    """
    items = read_list(name, value, IDS, spaces=True)
    if not items:
        raise _unusable(name, "an empty list", IDS)
    ids = [id_of(item) for item in items]
    bad = [index for index, each in enumerate(ids) if not may_be_an_id(each)]
    if bad:
        problems = [unexpected(f"{name}[{index}]", _kind(ids[index]), IDS) for index in bad[:MOST_PLACES]]
        if len(bad) > MOST_PLACES:
            problems.append(f"{name}: {len(bad) - MOST_PLACES:,} more that cannot be ids")
        raise OmniInputError("The ids cannot be used", problems=problems)
    return tuple(dict.fromkeys(ids))


def came_out_empty(names: Iterable[str]) -> list[str]:
    """Return the problems with arguments that were given, and are None now that they were rendered. Left alone they
    would be taken for not given: another key, no ledger, sent at once.
    """
    return [unexpected(name, "nothing, though it was given", f"a value. {WHY_EMPTY}") for name in names]


def is_of_mapped_task(value: Any) -> bool:
    """Return True for a value that Airflow hands over for the output of a mapped task."""
    return any(each.__name__ in LAZY and each.__module__.startswith("airflow.") for each in type(value).__mro__)


def _items_of_text(name: str, text: str, expected: str, spaces: bool) -> Iterator[Any]:
    if looks_written(text):
        yield from _items_of_written(name, text, expected)
        return
    # A comma at the end is what a loop in a template leaves; one between two others is an item that was not found.
    for line in (_LAST_COMMA.sub("", line).strip() for line in text.strip("\ufeff").splitlines()):
        if not line:
            continue
        if spaces and not _BETWEEN.search(line):
            yield from line.split()
        else:
            yield from (item.strip() for item in _BETWEEN.split(line))


def _items_of_written(name: str, text: str, expected: str) -> Iterable[Any]:
    try:
        value = read_written(text)
    except ValueError as error:
        raise _unusable(name, str(error), expected) from None
    return [value] if isinstance(value, Mapping | str) or not isinstance(value, Iterable) else _in_order(value)


def _items(name: str, values: Iterable[Any], expected: str) -> Iterator[Any]:
    """Yield the items of a list. A list among them is a row (of a query, say), of which nobody knows which cell is
    meant; only where it is what a copy of a mapped task returned does it hold items.
    """
    of_tasks = is_of_mapped_task(values)
    for value in _in_order(values):
        if isinstance(value, str) and looks_written(value):
            yield from _items_of_written(name, value, expected)
        elif is_of_mapped_task(value):
            yield from _items(name, value, expected)
        elif of_tasks and isinstance(value, list | tuple | set | frozenset):
            yield from _in_order(value)
        else:
            yield value


def _in_order(values: Iterable[Any]) -> Iterable[Any]:
    """Return the items of a set in a fixed order. The order of a set of texts differs between processes."""
    return sorted(values, key=repr) if isinstance(values, set | frozenset) else values


def _lines_of_json(text: str) -> list[Any] | None:
    """Rows of JSON Lines; None where it is something else."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        return None
    try:
        rows = [json.loads(line) for line in lines]
    except (ValueError, RecursionError):
        return None
    return rows if all(isinstance(row, dict) for row in rows) else None


def _has_texts_side_by_side(text: str) -> bool:
    """Return True if two texts stand next to each other: Python would join them, two ids or numbers to one."""
    before = None
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT):
                continue
            if token.type == before == tokenize.STRING:
                return True
            before = token.type
    except (tokenize.TokenError, SyntaxError):
        return False  # then it is no Python's notation at all
    return False


def _is_number(value: Any) -> bool:
    """Return True for a whole number, also one of numpy."""
    return hasattr(type(value), "__index__") and not isinstance(value, bool)


def _kind(value: Any) -> str:
    if is_nothing(value):
        return empty_words(value)
    if isinstance(value, Mapping) and "bulks" in value:
        return "a receipt, which is given as receipt="
    return (
        f"a text of {some(len(value), 'character')}"
        if isinstance(value, str)
        else f"a value of type {type(value).__name__}"
    )


def _unusable(name: str, found: str, expected: str) -> OmniInputError:
    return OmniInputError(f"{name} cannot be used", problems=(unexpected(name, found, expected),))
