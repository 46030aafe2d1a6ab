"""A query as it may be shown: without quoted pieces, comments and numbers.

The end of a literal depends on the database: a backslash may or may not escape a quote, other signs may begin a comment
or quote a name. The database is not known here. So a query is read in each of these ways, and everything that any of
them takes for a literal or a comment is left out.
"""

from __future__ import annotations

import functools
import itertools
import re

from airflow_provider_omni.omni.masking import mask_numbers_in

_DAY = re.compile(r"'\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?'")
"""A literal that is shown."""
_END = r"(?:(?=\w).*)?"
"""The rest of the text after a literal that a letter follows. Such a literal has ended too early, at a quote within
somebody's name, so all that follows may belong to it.
"""
_COMMENTS = (r"--[^\n]*", r"/\*(?:(?!/\*|\*/).)*\*/", r"/\*.*")
"""Comments. A comment within another, which only some databases know, hides everything that follows."""
_MASKED_NUMBER = re.compile(r"(?<![\w'])\+?\d+…\d*")
_DOLLARS = r"\$(\w*)\$.*?(?:\$\1\$|\Z)"
_ORACLE = (r"[qQ]'\[.*?(?:\]'|\Z)", r"[qQ]'\{.*?(?:\}'|\Z)", r"[qQ]'\(.*?(?:\)'|\Z)", r"[qQ]'<.*?(?:>'|\Z)")
_ORACLE_ANY = r"[qQ]'([^\s\w'])(?:.*?(?:\2'|\Z))"


def _reading(backslashes: bool, hashes: bool, brackets: bool, triples: bool, oracle: bool) -> re.Pattern[str]:
    sign = r"(?:[^\\]|\\.?)" if backslashes else "."
    pieces = [*_COMMENTS, _DOLLARS]
    pieces += [*_ORACLE, _ORACLE_ANY] if oracle else []
    pieces += [r"\#[^\n]*"] if hashes else []
    pieces += [rf"{quote * 3}{sign}*?(?:{quote * 3}{_END}|\Z)" for quote in "'\"" if triples]
    pieces += [rf"{quote}(?:{quote}{quote}|(?!{quote}){sign})*(?:{quote}{_END}|\Z)" for quote in "'\"`"]
    pieces += [r"\[[^\]]*(?:\]|\Z)"] if brackets else []
    return re.compile("|".join(pieces), re.DOTALL)


@functools.cache
def _readings() -> list[re.Pattern[str]]:
    return [_reading(*ways) for ways in itertools.product((False, True), repeat=5)]


def shown_sql(sql: str) -> str:
    """Return the query, with an ellipsis for each literal and comment."""
    hidden = bytearray(len(sql))
    for reading in _readings():
        for found in reading.finditer(sql):
            if not _DAY.fullmatch(found[0]):
                start, end = found.span()
                hidden[start:end] = b"\1" * (end - start)
    shown: list[str] = []
    for is_hidden, run in itertools.groupby(range(len(sql)), hidden.__getitem__):
        places = list(run)
        piece = sql[places[0] : places[-1] + 1]
        shown.append(piece if not is_hidden else "/*…*/" if piece.startswith(("--", "/*", "#")) else "'…'")
    return mask_numbers_in("".join(shown))


def sql_without_values(sql: str) -> str:
    """Return the query for systems that others run, and that read it: as `shown_sql` has it, with a 0 for each number
    that it masks, since a masked one is no SQL.
    """
    return _MASKED_NUMBER.sub("0", shown_sql(sql))
