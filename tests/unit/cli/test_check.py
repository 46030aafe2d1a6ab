"""`check`: which line fails, what the others say, and what `extra` is told as."""

from __future__ import annotations

import io

import pytest

from airflow_provider_omni.cli.check import (
    STAGES,
    Line,
    Way,
    answer_of,
    find,
    lines_of_call,
    lines_of_extra,
    lines_of_problems,
    skew_of,
    stage_of,
)
from airflow_provider_omni.cli.output import show
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.config import OmniConfig
from airflow_provider_omni.omni.environment import Proxy
from airflow_provider_omni.omni.errors import (
    OmniAuthenticationError,
    OmniConfigurationError,
    OmniError,
    OmniProtocolError,
    OmniRateLimitError,
    OmniServerError,
)
from airflow_provider_omni.omni.failures import Failure, failure_error

CALL = api.list_scenarios(limit=1)
CONFIG = OmniConfig("https://xyz.api.infobip.com", "Basic c2VjcmV0", id_secret="word")
STRAIGHT = Way(None, "certifi's")


def results(lines: list[Line]) -> dict[str, str]:
    return {line.what: line.result for line in lines}


@pytest.mark.parametrize("failure", Failure)
def test_every_broken_exchange_has_the_stage_at_which_it_broke(failure: Failure) -> None:
    stage = stage_of(failure_error(CALL, failure))
    expected = {
        "proxy": failure.name.startswith("PROXY"),
        "name": failure is Failure.NO_NAME,
        "TLS": failure in (Failure.CERTIFICATE, Failure.TLS),
        "connects": failure in (Failure.REFUSED, Failure.CONNECT_TIMEOUT, Failure.CUT_SHORT, Failure.NOT_CONNECTED),
    }
    assert stage == next((name for name, holds in expected.items() if holds), "answers")


@pytest.mark.parametrize(
    ("error", "stage"),
    [
        (OmniAuthenticationError(status=401, vendor_code="UNAUTHORIZED"), "sign-in"),
        (OmniAuthenticationError(status=403, vendor_code="FORBIDDEN"), "scenarios"),
        (OmniAuthenticationError(status=403), "answers"),
        (OmniProtocolError(status=200), "answers"),
        (OmniServerError(status=503), "answers"),
        (OmniRateLimitError(status=429), "answers"),
    ],
)
def test_an_answer_that_is_an_error_has_its_stage(error: OmniError, stage: str) -> None:
    assert stage_of(error) == stage


def test_what_comes_before_a_failure_is_ok_and_what_comes_after_is_not_known() -> None:
    error = failure_error(CALL, Failure.CERTIFICATE)
    lines = lines_of_call(CONFIG, STRAIGHT, error, None, "Name its authority.", good=False)
    assert [line.what for line in lines] == list(STAGES)
    assert [line.result for line in lines] == ["ok"] * 3 + ["failed"] + ["skipped"] * 4
    assert lines[3].words == "Name its authority."


def test_a_login_without_the_right_to_scenarios_is_a_warning_only() -> None:
    error = OmniAuthenticationError(status=403, vendor_code="FORBIDDEN")
    lines = lines_of_call(CONFIG, STRAIGHT, error, None, "Sending may work.", good=True)
    assert results(lines) | {"scenarios": "", "clock": ""} == dict.fromkeys(STAGES[:6], "ok") | {
        "scenarios": "",
        "clock": "",
    }
    assert results(lines)["scenarios"] == "warning"
    assert answer_of("c", lines).code == 0


def test_a_proxy_is_named_without_its_login() -> None:
    way = Way(Proxy("http://proxy:3128", "https_proxy", "Basic aGlkZGVu"), "certifi's")
    words = {line.what: line.words for line in lines_of_call(CONFIG, way, None, 0.0)}
    assert words["proxy"] == "through http://proxy:3128 (from https_proxy)"
    assert words["name"] == "the proxy resolves xyz.api.infobip.com"
    assert "aGlkZGVu" not in str(words)


def test_a_proxy_and_a_bundle_that_cannot_be_used_are_the_line_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://proxy:1080")
    proxy = find(CONFIG)
    monkeypatch.setenv("https_proxy", "")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    bundle = find(CONFIG)
    assert isinstance(proxy, Line)
    assert isinstance(bundle, Line)
    assert (proxy.what, proxy.result) == ("proxy", "failed")
    assert (bundle.what, bundle.result) == ("TLS", "failed")
    assert "SOCKS" in proxy.words
    assert "/no/such/file" in bundle.words


@pytest.mark.parametrize(
    ("skew", "result", "words"),
    [
        (0.4, "ok", "within 5 s"),
        (-4.9, "ok", "within 5 s"),
        (61.0, "warning", "61 s ahead of"),
        (-61.0, "warning", "61 s behind"),
        (None, "note", "no Date"),
    ],
)
def test_the_clock_is_judged_by_the_answers_date(skew: float | None, result: str, words: str) -> None:
    line = lines_of_call(CONFIG, STRAIGHT, None, skew)[-1]
    assert (line.what, line.result) == ("clock", result)
    assert words in line.words


def test_the_skew_is_measured_in_the_middle_of_the_call_and_of_the_dates_second() -> None:
    assert skew_of(100.0, 102.0, 100.0) == 0.5
    assert skew_of(100.0, 102.0, None) is None


def test_extra_is_told_with_the_consequence_of_what_it_does_not_say() -> None:
    open_, guarded = (
        OmniConfig("https://x", "App key"),
        OmniConfig(
            "https://x",
            "App key",
            allowed_recipients=frozenset({"41793026727", "41793026731"}),
            allowed_countries=frozenset({"TH", "SG"}),
            region="TH",
            id_secret="word",
            trust_duplicate_rejection=True,
            requests_per_second=2.5,
        ),
    )
    words = {line.what: line.words for line in lines_of_extra(open_)}
    assert "everybody may be sent to" in words["recipients"]
    assert "personal data" in words["message ids"]
    words = {line.what: line.words for line in lines_of_extra(guarded)}
    assert "only 2 numbers" in words["recipients"]
    assert "SG, TH" in words["countries"]
    assert "are of TH" in words["numbers"]
    assert "posted again" in words["repeated ids"]
    assert "2.5 a second" in words["limits"]
    assert "word" not in str(words)
    assert "4179" not in str(words)


def test_nobody_and_nowhere_are_told_as_such() -> None:
    config = OmniConfig("https://x", "App key", allowed_recipients=frozenset(), allowed_countries=frozenset())
    words = {line.what: line.words for line in lines_of_extra(config)}
    assert "nobody" in words["recipients"]
    assert "nowhere" in words["countries"]


def test_a_connection_that_cannot_be_read_has_a_line_for_each_problem() -> None:
    error = OmniConfigurationError("It cannot be used.", problems=("password: missing", "port: got 'x'"))
    answer = answer_of("c", lines_of_problems(error))
    assert answer.code == 3
    assert [line["words"] for line in answer.data["lines"]] == ["password: missing", "port: got 'x'"]
    assert [line.words for line in lines_of_problems(OmniConfigurationError("Gone."))] == ["Gone."]


def test_both_forms_have_every_line() -> None:
    lines = lines_of_call(CONFIG, STRAIGHT, None, 0.0)
    answer = answer_of("c", lines)
    assert answer.code == 0
    assert answer.data["ok"] is True
    out = io.StringIO()
    show(answer, "table", out)
    assert all(line.what in out.getvalue() for line in lines)
    assert "This connection can be used." in out.getvalue()
