"""Errors of a failed query that may be shown. Drivers put the values of rows into their errors, and here these are
people's.

So a driver's error is never passed on. The error here has its type and code, says if a retry may help, and quotes of
its words only those that stand in the query as well. Pure; knows no driver, only DB-API (PEP 249) and habits of many
drivers.
"""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_omni.omni.errors import OmniError, OmniInputError, OmniStorageError
from airflow_provider_omni.omni.masking import mask_numbers_in

MOST_WORDS = 200
"""Characters of a driver's words that are shown, at most."""
_FOR_GOOD = {"ProgrammingError", "DataError", "IntegrityError", "NotSupportedError"}
"""Classes of PEP 249 that no retry mends: the query, or the data that it finds, must be changed."""
_CODES_FOR_GOOD = {
    # SQLite has one class for a mistake in a query and for a locked file.
    "sqlite3": {"SQLITE_ERROR", "SQLITE_MISMATCH", "SQLITE_RANGE", "SQLITE_MISUSE", "SQLITE_TOOBIG", "SQLITE_NOTADB"},
    # An ambiguous or unknown column, a column out of its group, an unknown function. All drivers but one map what they
    # do not know to OperationalError.
    "mysql": {"1052", "1054", "1055", "1305"},
}
"""Codes of mistakes that a driver puts into a class which a retry might mend, by a part of the driver's name."""
_STATES_FOR_GOOD = {"0A", "21", "22", "42"}
"""Classes of SQLSTATE that no retry mends, whatever class the driver has: not supported, cardinality, data, syntax."""
_ABOUT_THE_QUERY = {"ProgrammingError", "OperationalError", "InterfaceError"}
"""Classes of PEP 249 that speak of the query or the connection. All others speak of values."""
_CODES = ("sqlstate", "pgcode", "sqlite_errorname", "errno", "full_code")
_CODE = re.compile(r"[A-Z0-9_\-]{1,40}")
_QUOTED = re.compile(r"(?<!\w)(['\"`])(?:(.*?)\1(?!\w)|.*)|=\s*\(")
"""A quoted piece, one that is not closed, or the beginning of a value as in `Key (id)=(7)`."""
_HINTS = {
    "08": "the connection was lost",
    "22": "a value cannot be converted: look at the casts of the query",
    "28": "the login was refused",
    "40": "another transaction was in the way",
    "42": "the query has a mistake, or names what is not there or not allowed",
    "53": "the database has no room or memory left",
    "57": "the database has ended the query",
}
"""The classes of SQLSTATE (ISO 9075) that are met here, by its first two characters."""


def query_error(error: Exception, sql: str, *, fetching: bool) -> OmniError:
    """Return the error to raise instead of a driver's. Raise it outside of the `except` clause, so that the driver's
    error is in no chain.

    :param error: the driver's error.
    :param sql: the query. Its own words may be shown.
    :param fetching: True if rows were being fetched. Then the driver's words are about rows, and are left out.
    """
    classes = {each.__name__ for each in type(error).__mro__}
    code = _code_of(error)
    facts = [f"{type(error).__module__}.{type(error).__name__}".removeprefix("builtins.")]
    if code is not None:
        facts.append(code)
    words = "" if fetching or not classes & _ABOUT_THE_QUERY or classes & {"DataError"} else _words_of(error, sql)
    hint = _HINTS.get(code.removeprefix("SQLSTATE ")[:2]) if code and code.startswith("SQLSTATE ") else None
    what = "its rows could not be read" if fetching else "it could not be run"
    line = f"sql: {what} ({', '.join(facts)})" + (f"; {hint}" if hint else "") + (f": {words}" if words else "")
    if not words:
        line += ". The database's own words are left out, since they may show a row; run the query by hand to see them"
    message = "Nothing was sent: the query failed."
    if classes & _FOR_GOOD or _is_mistake(type(error).__module__, code or ""):
        return OmniInputError(message, problems=(line,))
    return OmniStorageError(message, problems=(line,), retryable=True)


def _code_of(error: Exception) -> str | None:
    """Return the code of an error, wherever its driver keeps it; None if it has none."""
    first: Any = error.args[0] if error.args else None
    for name in _CODES:
        value = getattr(error, name, None) or getattr(first, name, None)
        if isinstance(value, str | int) and not isinstance(value, bool) and _CODE.fullmatch(str(value)):
            return f"SQLSTATE {value}" if name in ("sqlstate", "pgcode") else str(value)
    if type(first) is int:
        return str(first) if 0 < first < 100_000 else None
    # ODBC
    return f"SQLSTATE {first}" if isinstance(first, str) and re.fullmatch(r"[0-9A-Z]{5}", first) else None


def _is_mistake(module: str, code: str) -> bool:
    """Return True if the code of an error says that the query, or the data that it finds, must be changed."""
    if code.startswith("SQLSTATE "):
        return code.removeprefix("SQLSTATE ")[:2] in _STATES_FOR_GOOD
    return any(driver in module.lower() and code in codes for driver, codes in _CODES_FOR_GOOD.items())


def _words_of(error: Exception, sql: str) -> str:
    """Return the first line of a driver's words, cut at the first quoted piece that is not in the query."""
    texts = [each for each in error.args if isinstance(each, str) and each.strip()]
    line = texts[-1].strip().splitlines()[0] if texts else ""
    for quoted in _QUOTED.finditer(line):
        if quoted[2] is None or not _is_of(sql, quoted[2]):
            line = f"{line[: quoted.start()]}…"
            break
    return mask_numbers_in(line)[:MOST_WORDS]


def _is_of(sql: str, piece: str) -> bool:
    """Return True if a piece stands in the query, or is the full name (`live.orders`) of a name that does."""
    return piece in sql or (re.fullmatch(r"[\w.]+", piece) is not None and piece.rpartition(".")[2] in _words_in(sql))


def _words_in(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))
