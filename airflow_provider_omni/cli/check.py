"""`check` of a connection: one call that lists a scenario, and every stage of it as a line.

What a line says is decided here, from the connection, the way and what the call came to. The words for an error are
those of the connection form's Test.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_omni.cli.exit_codes import DONE, NO
from airflow_provider_omni.cli.output import Answer, Table, command
from airflow_provider_omni.hooks.diagnosis import diagnose
from airflow_provider_omni.hooks.omni import OmniHook
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import OmniAuthenticationError, OmniConfigurationError, OmniError
from airflow_provider_omni.omni.models import said_at
from airflow_provider_omni.omni.words import some

if TYPE_CHECKING:
    from airflow_provider_omni.omni.config import OmniConfig
    from airflow_provider_omni.omni.environment import Proxy

OK, NOTE, WARNING, FAILED, SKIPPED = "ok", "note", "warning", "failed", "skipped"
LARGEST_SKEW = 5.0
"""Seconds by which this machine's clock may differ from the vendor's. A `Date` is in whole seconds, and travels."""

STAGES = ("proxy", "name", "connects", "TLS", "answers", "sign-in", "scenarios", "clock")
"""Stages of a call, in this order. Behind the first that fails nothing is known."""

_STAGE_OF_FAILURE = {
    "PROXY": "proxy",
    "PROXY_DOWN": "proxy",
    "PROXY_LOGIN": "proxy",
    "PROXY_LOGIN_REFUSED": "proxy",
    "NO_NAME": "name",
    "REFUSED": "connects",
    "CONNECT_TIMEOUT": "connects",
    "CUT_SHORT": "connects",
    "NOT_CONNECTED": "connects",
    "CERTIFICATE": "TLS",
    "TLS": "TLS",
}
"""Stage at which each broken exchange of `omni/failures.py` stopped; `answers` for those that are not here."""


@dataclass(frozen=True)
class Line:
    """One line of the check.

    :param what: what was looked at.
    :param result: `ok`, `note` (a fact that nobody judges), `warning`, `failed`, or `skipped` (not reached).
    :param words: what was found; for a failure, what to do.
    """

    what: str
    result: str
    words: str = ""


@dataclass(frozen=True)
class Way:
    """The way of the call to its host.

    :param proxy: the proxy, if there is one.
    :param authorities: who is believed, in words; empty for plain http.
    """

    proxy: Proxy | None
    authorities: str


def stage_of(error: OmniError) -> str:
    """Return the stage of `STAGES` at which a call has failed."""
    if error.failure is not None:
        return _STAGE_OF_FAILURE.get(error.failure, "answers")
    if isinstance(error, OmniAuthenticationError) and error.vendor_code is not None:
        return "scenarios" if error.status == 403 else "sign-in"
    return "answers"


def lines_of_call(
    config: OmniConfig, way: Way, error: OmniError | None, skew: float | None, sentence: str = "", good: bool = True
) -> list[Line]:
    """Return a line for each stage.

    :param error: what the call has failed with; None if it has not.
    :param skew: seconds by which this machine's clock is ahead of the vendor's; None if not known.
    :param sentence: the words of the connection's Test for the error.
    :param good: True if the connection can be used for sending all the same.
    """
    words = _words_of_success(config, way)
    stopped = len(STAGES) if error is None else STAGES.index(stage_of(error))
    lines = []
    for place, what in enumerate(STAGES):
        if place < stopped:
            lines.append(_line_of_clock(skew) if what == "clock" else Line(what, OK, words[what]))
        elif place == stopped:
            lines.append(Line(what, WARNING if good else FAILED, sentence))
        else:
            lines.append(Line(what, SKIPPED))
    return lines


def _words_of_success(config: OmniConfig, way: Way) -> dict[str, str]:
    parts = urlsplit(config.base_url)
    plain = parts.scheme == "http"
    proxy = "none: straight to the host" if way.proxy is None else f"through {way.proxy.shown}"
    return {
        "proxy": "none: plain http goes straight to its host" if plain else proxy,
        "name": f"{parts.hostname} resolves" if way.proxy is None else f"the proxy resolves {parts.hostname}",
        "connects": parts.netloc,
        "TLS": "none: plain http" if plain else f"verified; authorities are {way.authorities}",
        "answers": "the OMNI API",
        "sign-in": f"signed in by {config.authorization.partition(' ')[0]}",
        "scenarios": "can be listed",
    }


def _line_of_clock(skew: float | None) -> Line:
    if skew is None:
        return Line("clock", NOTE, "the answer has no Date to compare with")
    if abs(skew) <= LARGEST_SKEW:
        return Line("clock", OK, f"within {LARGEST_SKEW:.0f} s of the vendor's")
    side = "ahead of" if skew > 0 else "behind"
    return Line(
        "clock",
        WARNING,
        f"this machine's is {abs(skew):.0f} s {side} the vendor's: set it by NTP; deadlines and looks into the logs go "
        "by it",
    )


def skew_of(began: float, ended: float, vendor: float | None) -> float | None:
    """Return the seconds by which this machine's clock is ahead of the vendor's; None if it does not say.

    A `Date` is cut to the second, so half a second is added to it.

    :param began: when the call was made, in seconds since the epoch.
    :param ended: when its answer was there.
    :param vendor: the answer's `Date`, in seconds since the epoch.
    """
    return None if vendor is None else (began + ended) / 2 - (vendor + 0.5)


def lines_of_extra(config: OmniConfig) -> list[Line]:
    """Return what the connection's `extra` says, with the consequence of what it does not say."""
    return [
        Line("recipients", NOTE, _words_of_recipients(config.allowed_recipients)),
        Line("countries", NOTE, _words_of_countries(config.allowed_countries)),
        Line("numbers", NOTE, _words_of_numbers(config.region, config.number_check)),
        Line(
            "message ids",
            NOTE,
            "made with an id_secret: nobody can guess numbers from them"
            if config.id_secret
            else "no id_secret: who knows your DAGs can guess numbers from them, so they are personal data",
        ),
        Line(
            "repeated ids",
            NOTE,
            "trust_duplicate_rejection is on: what is in doubt is posted again under its id"
            if config.trust_duplicate_rejection
            else "trust_duplicate_rejection is off: what is in doubt is never posted again; verify-duplicates tells if "
            "it may be set",
        ),
        Line("limits", NOTE, _words_of_limits(config)),
    ]


def _words_of_recipients(allowed: frozenset[str] | None) -> str:
    if allowed is None:
        return "everybody may be sent to (no allowed_recipients)"
    if not allowed:
        return "nobody may be sent to (allowed_recipients is empty)"
    return f"only {some(len(allowed), 'number')} may be sent to (allowed_recipients); everybody else is left out"


def _words_of_countries(allowed: frozenset[str] | None) -> str:
    if allowed is None:
        return "to everywhere (no allowed_countries)"
    return f"only to {', '.join(sorted(allowed))} (allowed_countries)" if allowed else "to nowhere (allowed_countries)"


def _words_of_numbers(region: str | None, check: str) -> str:
    without = f"are of {region}" if region else "are refused (no region)"
    return f"{check} ones are sent to; those without a country code {without}"


def _words_of_limits(config: OmniConfig) -> str:
    pace = "as fast as it goes" if config.requests_per_second is None else f"{config.requests_per_second:g} a second"
    return (
        f"connect_timeout {config.connect_timeout:g} s, read_timeout {config.read_timeout:g} s, requests {pace}, on "
        f"{some(config.max_connections, 'connection')}"
    )


def lines_of_problems(error: OmniError) -> list[Line]:
    """Return the lines of a connection that cannot be read: one for each problem."""
    problems: Sequence[str] = error.problems or (error.message,)
    return [Line("connection", FAILED, each) for each in problems]


def look(hook: OmniHook) -> list[Line]:
    """Read the connection, make the call, and return all lines."""
    try:
        config = hook.config
    except OmniError as error:
        return lines_of_problems(error)
    way = find(config)
    stages = [way] if isinstance(way, Line) else _call(hook, config, way)
    return [Line("connection", OK, f"{config.base_url}, of the type omni"), *stages, *lines_of_extra(config)]


def find(config: OmniConfig) -> Way | Line:
    """Read from the environment how the call goes. Returns the line that has failed if it cannot go at all."""
    from airflow_provider_omni.omni.environment import find_way, proxy_for

    what = "proxy"
    try:
        proxy = proxy_for(config.base_url)
        what = "TLS"
        return Way(proxy, find_way(config.base_url).authorities)
    except OmniConfigurationError as error:
        return Line(what, FAILED, f"{error.message.rstrip('.')} ({error.code}).")


def _call(hook: OmniHook, config: OmniConfig, way: Way) -> list[Line]:
    call = api.list_scenarios(limit=1)
    began = time.time()
    try:
        rows = hook.get_conn().execute(call)
    except OmniError as error:
        good, sentence = diagnose(error, call, config)
        return lines_of_call(config, way, error, None, sentence, good)
    finally:
        hook.close()
    return lines_of_call(config, way, None, skew_of(began, time.time(), said_at(rows)))


def answer_of(conn_id: str, lines: Sequence[Line]) -> Answer:
    """Return the answer: the lines, and whether any has failed."""
    failed = sum(line.result == FAILED for line in lines)
    rows: list[dict[str, Any]] = [{"what": line.what, "result": line.result, "": line.words} for line in lines]
    data = {
        "connection": conn_id,
        "ok": not failed,
        "lines": [{"what": line.what, "result": line.result, "words": line.words} for line in lines],
    }
    words = f"Lines that failed: {failed}." if failed else "This connection can be used."
    return Answer(data, (Table(rows),), (words,), NO if failed else DONE)


@command
def check(arguments: argparse.Namespace) -> Answer:
    """Check one connection."""
    return answer_of(arguments.conn_id, look(OmniHook(arguments.conn_id)))
