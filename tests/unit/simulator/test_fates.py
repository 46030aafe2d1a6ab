"""Every row of the table of fates: what the answer, the reports, the logs and the person see."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from airflow_provider_omni.simulator.fates import DEFAULT_FATE, FATES, fate_of

LONG_ENOUGH = 500.0
Seen = tuple[str, int]


@dataclass(frozen=True)
class Ends:
    """A fate's end: reports oldest first (final only, per step), the last status of each row, what was received."""

    final: tuple[Seen, ...] = ()
    per_step: tuple[Seen, ...] | None = None
    rows: tuple[Seen, ...] = ()
    received: tuple[str, ...] = ()
    answer: int = 7


BY_LINE = Ends(final=(("LINE", 5),), rows=(("LINE", 5),), received=("LINE",))


def by_sms(line: int) -> Ends:
    return Ends((("SMS", 5),), (("LINE", line), ("SMS", 5)), (("LINE", line), ("SMS", 5)), ("SMS",))


def refused(status: int) -> Ends:
    return Ends(answer=status)


ENDS: dict[str, Ends] = {
    "00": BY_LINE,
    "27": BY_LINE,
    "31": BY_LINE,
    "06": refused(6),
    "08": refused(8),
    "10": refused(10),
    "12": refused(12),
    "17": refused(17),
    "18": refused(18),
    "20": refused(20),
    "21": refused(21),
    "52": refused(52),
    "40": by_sms(100),
    "41": by_sms(9),
    "42": Ends((("SMS", 9),), (("LINE", 9), ("SMS", 9)), (("LINE", 9), ("SMS", 9))),
    "43": Ends((("SMS", 4),), (("LINE", 100), ("SMS", 4)), (("LINE", 100), ("SMS", 4))),
    "44": by_sms(15),
    "45": Ends((("SMS", 15),), (("LINE", 15), ("SMS", 15)), (("LINE", 15), ("SMS", 15))),
    "46": Ends((("SMS", 15),), (("LINE", 100), ("SMS", 15)), (("LINE", 100), ("SMS", 15))),
    "47": Ends(
        (("SMS", 5), ("LINE", 5)),
        (("LINE", 15), ("SMS", 5), ("LINE", 5)),
        (("LINE", 5), ("SMS", 5)),
        ("SMS", "LINE"),
    ),
    "48": Ends(
        (("SMS", 9), ("LINE", 5)), (("LINE", 15), ("SMS", 9), ("LINE", 5)), (("LINE", 5), ("SMS", 9)), ("LINE",)
    ),
    "49": BY_LINE,
    "60": Ends(
        (("SMS", 2), ("SMS", 5)), (("LINE", 100), ("SMS", 2), ("SMS", 5)), (("LINE", 100), ("SMS", 5)), ("SMS",)
    ),
    "61": Ends((("SMS", 2),), (("LINE", 100), ("SMS", 2)), (("LINE", 100), ("SMS", 2))),
    "62": Ends((("SMS", 2), ("SMS", 9)), (("LINE", 100), ("SMS", 2), ("SMS", 9)), (("LINE", 100), ("SMS", 9))),
    "63": Ends(
        (("SMS", 5), ("SMS", 2)), (("LINE", 100), ("SMS", 5), ("SMS", 2)), (("LINE", 100), ("SMS", 5)), ("SMS",)
    ),
    "64": Ends((("LINE", 2), ("LINE", 5)), rows=(("LINE", 5),), received=("LINE",)),
    "70": Ends(rows=(("LINE", 5),), received=("LINE",)),
    "71": Ends(rows=(("LINE", 100), ("SMS", 5)), received=("SMS",)),
    "72": Ends(rows=(("LINE", 9), ("SMS", 9))),
    "73": Ends(received=("LINE",)),
    "74": Ends((("LINE", 5), ("LINE", 5)), rows=(("LINE", 5),), received=("LINE",)),
    "80": Ends((("LINE", 990),), rows=(("LINE", 990),), received=("LINE",)),
    "81": by_sms(991),
    "82": Ends((("LINE", 992), ("LINE", 5)), rows=(("LINE", 5),), received=("LINE",)),
    "83": BY_LINE,
    "84": Ends((("LINE", 5),), rows=(("LINE", 5),), received=("LINE",), answer=26),
}


def seen(rows):
    return tuple((row["channel"], row["status"]["id"]) for row in rows)


def test_every_fate_has_an_expected_end():
    assert set(FATES) | {"00", "27", "31"} == set(ENDS)


@pytest.mark.parametrize("ending", ENDS)
@pytest.mark.parametrize("mode", ["final", "per-step"])
def test_a_fate_ends_as_the_table_says(driven, ending, mode):
    account, expected = driven(reports=mode, report_order="oldest"), ENDS[ending]
    entry = account.send(f"417930267{ending}").json["messages"][0]
    account.advance(LONG_ENOUGH)
    wanted = expected.per_step if mode == "per-step" and expected.per_step is not None else expected.final
    assert entry["status"]["id"] == expected.answer
    assert seen(account.reports()) == wanted
    assert seen(reversed(account.logs())) == expected.rows
    assert tuple(delivery.channel for delivery in account.record.deliveries) == expected.received


@pytest.mark.parametrize("ending", ["27", "31"])
def test_the_numbers_of_the_source_document_get_the_default_fate(ending):
    assert fate_of(f"417930267{ending}") is DEFAULT_FATE


def test_nothing_is_reported_before_its_time(driven):
    account = driven()
    account.send("41793026740")
    account.advance(1.9)
    assert account.reports() == []
    account.advance(0.2)
    assert seen(account.reports()) == (("SMS", 5),)


def test_a_silent_line_step_fails_over_when_its_validity_ends(driven):
    account = driven()
    account.send("41793026744")
    account.advance(59.9)
    assert seen(account.logs()) == (("LINE", 7),)
    account.advance(0.2)
    assert seen(account.logs()) == (("SMS", 7), ("LINE", 15))
    account.advance(1)
    assert seen(account.reports()) == (("SMS", 5),)


def test_silence_everywhere_ends_after_both_validity_periods(driven):
    account = driven()
    account.send("41793026745")
    account.advance(179.9)
    assert account.reports() == []
    account.advance(0.2)
    assert seen(account.reports()) == (("SMS", 15),)


def test_without_validity_a_silent_step_lasts_48_hours(driven):
    account = driven()
    account.send("41793026744", line={"text": "x"}, sms={"text": "y"})
    account.advance(48 * 3600 - 1)
    assert seen(account.logs()) == (("LINE", 7),)


def test_validity_beyond_48_hours_is_cut_to_48_hours(driven):
    account = driven(retention_seconds=1e9)
    account.send("41793026744", line={"text": "x", "validityPeriod": 72, "validityPeriodTimeUnit": "HOURS"})
    account.advance(48 * 3600 + 0.5)
    assert seen(account.logs()) == (("SMS", 7), ("LINE", 15))


def test_validity_is_in_minutes_unless_said_otherwise_and_may_be_a_string(driven):
    account = driven()
    account.send("41793026744", line={"text": "x", "validityPeriod": "2"})
    account.advance(119.5)
    assert seen(account.logs()) == (("LINE", 7),)
    account.advance(1)
    assert seen(account.logs()) == (("SMS", 7), ("LINE", 15))


def test_a_slow_delivery_comes_too_late_for_a_short_validity(driven):
    account = driven(beat_seconds=20.0)
    account.send("41793026749")
    account.advance(150)
    assert seen(account.logs()) == (("SMS", 5), ("LINE", 5))


def test_a_flow_of_one_step_ends_with_it(driven):
    account = driven(flow=[{"channel": "LINE", "from": "InfoLine"}])
    account.send("41793026740")
    account.advance(5)
    assert seen(account.reports()) == (("LINE", 100),)


def test_sms_first_follows_the_sms_half_of_the_fate(driven):
    account = driven(flow=[{"channel": "SMS"}, {"channel": "LINE"}])
    account.send("41793026742")
    account.advance(5)
    assert seen(account.reports()) == (("LINE", 9),)


def test_a_rejected_line_step_says_why(driven):
    account = driven(reports="per-step", report_order="oldest")
    account.send("41793026740")
    account.advance(5)
    error = account.reports()[0]["error"]
    assert (error["id"], error["name"], error["permanent"]) == (7002, "EC_UNKNOWN_USER", True)


def test_a_sparse_report_has_only_what_is_always_there(driven):
    account = driven()
    account.send("41793026783")
    account.advance(5)
    report = account.reports()[0]
    assert report["mccMnc"] == "null"
    assert not {"bulkId", "price", "error", "messageCount"} & set(report)


def test_sms_is_counted_in_parts(driven):
    account = driven()
    account.send("41793026740", sms={"text": "x" * 161})
    account.advance(5)
    assert account.reports()[0]["messageCount"] == 2


def test_send_at_delays_the_first_step_only(driven):
    account = driven()
    account.send("41793026744", sendAt="2026-01-01T01:00:00.000+0000")
    account.advance(3599)
    assert account.logs() == []
    account.advance(2)
    assert seen(account.logs()) == (("LINE", 7),)
    account.advance(62)
    assert seen(account.reports()) == (("SMS", 5),)
