"""An alert goes out whatever it holds: long, blank, broken, half of it unusable."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_omni.contents import LineText, Sms
from airflow_provider_omni.delivery.recipients.sms_parts import sms_parts
from airflow_provider_omni.omni.errors import OmniInputError, OmniRequestError
from airflow_provider_omni.simulator import sending
from airflow_provider_omni.simulator.running import RunningSimulator
from tests.unit.notifications.callbacks import deadline, messages, notifier, processor, texts, worker

NATIVE = DAG("dag", schedule=None, render_template_as_native_obj=True)
STRICT = DAG("dag", schedule=None)


class UnspeakableError(Exception):
    """One whose words cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(("parts", "length"), [({}, 306), ({"max_sms_parts": 1}, 160), ({"max_sms_parts": 4}, 612)])
def test_a_huge_exception_is_cut_to_the_parts_that_may_be_paid_for(
    vendor: RunningSimulator, parts: dict[str, int], length: int
) -> None:
    notifier(sms="{{ exception }}", **parts)(worker(exception=ValueError("x" * 3_000_000)))
    (said,) = texts(vendor)
    assert said == "x" * (length - 3) + "..."


def test_line_gets_as_much_as_it_takes_and_the_sms_as_much_as_is_allowed(vendor: RunningSimulator) -> None:
    words = "{{ exception }}"
    notifier(line=words, sms=words)(worker(exception=ValueError("ก" * 9000)))
    assert texts(vendor, "LINE") == ["ก" * 4999 + "…"]
    assert texts(vendor) == ["ก" * 133 + "…"]


def test_the_alternative_text_of_a_flex_message_is_cut_too(vendor: RunningSimulator) -> None:
    flex = {"type": "FLEX", "altText": "{{ exception }}", "contents": {"type": "BUBBLE"}}
    notifier(line=flex)(worker(exception=ValueError("x" * 500)))
    assert vendor.record.messages[0].content.by_channel["LINE"]["altText"] == "x" * 399 + "…"


def test_models_are_cut_as_dicts_are(vendor: RunningSimulator) -> None:
    notifier(line=LineText(text="down"), sms=Sms(text="y" * 1000, transliteration="ALL"))(worker())
    content = vendor.record.messages[0].content.by_channel
    assert content["SMS"] == {"text": "y" * 303 + "...", "transliteration": "ALL"}
    assert content["LINE"]["text"] == "down"


@pytest.mark.parametrize(
    ("text", "exception", "said"),
    [
        ("", None, "Airflow: dag.load, try 1, run run"),
        (" \n\t ", None, "Airflow: dag.load, try 1, run run"),
        ("{{ nothing }}", None, "Airflow: dag.load, try 1, run run"),
        ("{{ exception }}", ValueError(""), "Airflow: dag.load, try 1, run run"),
        ("{{ exception }}", UnspeakableError(), "Airflow: dag.load, try 1, run run"),
        ("{{ 1 / 0 }}", None, "Airflow: dag.load, try 1, run run"),
        ("{% if %}", None, "Airflow: dag.load, try 1, run run"),
        ("{{ ti.task_id }} {{ a.b.c['d'](1).e }}!", None, "load !"),
        ("\x1b[31mred\x1b[0m alert\x07\x00", None, "red alert"),
        ("{{ exception }}", ValueError("\x1b]8;;https://x\x1b\\link\x1b]8;;\x1b\\\r\nnext"), "link\nnext"),
        ("{{ exception }}", ValueError("half \ud83d, whole \ud83d\ude00"), "half ?, whole 😀"),
        ("lost \ufffd", None, "lost ?"),
        ("\u200b{{ nothing }}\ufeff\u2800", None, "Airflow: dag.load, try 1, run run"),
        ("None", None, "Airflow: dag.load, try 1, run run"),
        ("{{ 'nan' }}", None, "Airflow: dag.load, try 1, run run"),
    ],
)
@pytest.mark.parametrize("dag", [None, STRICT, NATIVE])
def test_a_text_that_is_blank_broken_or_full_of_codes_goes_out_as_something_readable(
    vendor: RunningSimulator, text: str, exception: BaseException | None, said: str, dag: DAG | None
) -> None:
    context = worker(exception=exception) | ({} if dag is None else {"dag": dag})
    notifier(sms=text)(context)
    assert texts(vendor) == [said]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ 42 }}", "42"),
        ("{{ 1.5 }}", "1.5"),
        ("{{ [1, 2] }}", "[1, 2]"),
        ("{{ none }}", "Airflow: dag.load, try 1, run run"),
    ],
)
def test_what_native_rendering_makes_of_a_text_goes_out_as_words(
    vendor: RunningSimulator, template: str, said: str
) -> None:
    notifier(sms=template, line={"type": "TEXT", "text": template})(worker() | {"dag": NATIVE})
    assert texts(vendor) == texts(vendor, "LINE") == [said]


def test_a_blank_alert_about_a_deadline_says_which_run_it_is_about(vendor: RunningSimulator) -> None:
    notifier(sms="{{ ti.task_id }}")(deadline())
    assert texts(vendor) == ["Airflow: dag, run run"]


@pytest.mark.parametrize(
    "line",
    [
        {"type": "IMAGE", "url": "no url", "thumbnailUrl": "{{ nothing }}"},
        {"type": "IMAGE", "url": "https://www.example.com/" + "x" * 1000, "thumbnailUrl": "https://www.example.com/a"},
        {"type": "BANNER", "text": "down"},
        {"type": "TEXT", "text": "down", "validityPeriod": 1, "validityPeriodTimeUnit": "SECONDS"},
        {"type": "FLEX", "altText": "down", "contents": {"at": {1, 2}}},
        {"words": "down"},
        {},
        7,
    ],
)
def test_line_that_cannot_be_used_does_not_stop_the_sms(
    vendor: RunningSimulator, line: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    notifier(line=line, sms="down")(worker())
    assert (texts(vendor, "LINE"), texts(vendor)) == ([None], ["down"])
    assert "The alert goes out without: line" in capsys.readouterr().out


@pytest.mark.parametrize("sms", [{"txt": "down"}, {"text": "down", "transliteration": "RUNES"}, ["down"]])
def test_an_sms_that_cannot_be_used_does_not_stop_line(vendor: RunningSimulator, sms: Any) -> None:
    notifier(line="down", sms=sms)(worker())
    assert (texts(vendor, "LINE"), texts(vendor)) == (["down"], [None])


@pytest.mark.parametrize("others", [{"carrierPigeon": {}}, {"email": "down"}, {"email": {"at": object()}}, "email"])
def test_other_channels_that_cannot_be_used_do_not_stop_the_sms(vendor: RunningSimulator, others: Any) -> None:
    notifier(sms="down", other_channels=others)(worker())
    assert texts(vendor) == ["down"]


def test_texts_of_other_channels_go_out_without_codes_too(vendor: RunningSimulator) -> None:
    notifier(
        sms="down", other_channels={"whatsApp": {"text": "\x1b[31mdown\x1b[0m", "buttons": [{"title": "a\x9bb\ufffd"}]}}
    )(worker())
    said = vendor.record.messages[0].content.by_channel["WHATSAPP"]
    assert said == {"text": "down", "buttons": [{"title": "a?"}]}


def test_one_bad_channel_of_several_leaves_the_others(vendor: RunningSimulator) -> None:
    notifier(line=7, sms="down", other_channels={"viber": {"text": "down"}, "carrierPigeon": {}})(worker())
    assert set(vendor.record.messages[0].content.by_channel) == {"SMS", "VIBER"}


def test_where_no_channel_can_be_used_the_error_names_every_problem(vendor: RunningSimulator) -> None:
    with pytest.raises(OmniInputError) as refused:
        notifier(line={"type": "BANNER"}, sms={"txt": "down"})(worker())
    assert {problem.partition(":")[0] for problem in refused.value.problems} >= {"line.type", "sms.txt"}
    assert messages(vendor) == []


@pytest.mark.parametrize(
    "to",
    [
        "41793026727, +41 79 302 67 31",
        "41793026727;41793026731;",
        "41793026727\n41793026731\n",
        "{{ team }}",
        "['41793026727', '41793026731']",
        ["41793026727", "41793026731"],
        ["41793026727", "{{ second }}"],
    ],
)
def test_several_people_may_be_a_text(vendor: RunningSimulator, to: Any) -> None:
    context = worker() | {"team": "41793026727, 41793026731", "second": "41793026731"}
    notifier(sms="down", to=to)(context)
    assert [each.to for each in vendor.record.acceptances] == ["41793026727", "41793026731"]


def test_a_number_that_is_none_does_not_stop_the_others_and_is_not_shown(
    vendor: RunningSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    notifier(sms="down", to="41793026727, 12345, 41793026731")(worker())
    assert [each.to for each in vendor.record.acceptances] == ["41793026727", "41793026731"]
    said = capsys.readouterr().out
    assert "to[1]" in said
    assert "12345" not in said


@pytest.mark.parametrize("key", ["{{ nothing.at.all }}", "{{ none }}", "{{ 1 / 0 }}", " "])
def test_a_key_that_renders_to_nothing_does_not_cost_the_alert(vendor: RunningSimulator, key: str) -> None:
    for try_number in (1, 2):
        notifier(sms="down", idempotency_key=key)(worker(try_number=try_number))
    assert len(set(messages(vendor))) == 2


def test_texts_are_cut_and_replaced_without_a_word_of_them_in_the_log(
    vendor: RunningSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    notifier(line="{{ 1 / 0 }} hush", sms="secret words " * 100)(worker())
    said = capsys.readouterr().out
    assert "sms.text: cut from 1,300 to 306 characters" in said
    assert "line.text: blank, replaced" in said
    assert "line.text cannot be rendered (ZeroDivisionError)" in said
    assert "secret" not in said
    assert "hush" not in said


def test_an_alert_that_is_cut_has_the_name_of_its_whole_text(vendor: RunningSimulator) -> None:
    for parts in (1, 2, 200):
        notifier(sms="x" * 1000, max_sms_parts=parts)(processor())
    assert len(messages(vendor)) == 1


def test_a_channel_given_as_an_upstream_result_may_be_a_text(vendor: RunningSimulator) -> None:
    class Output:
        def resolve(self, context: Any) -> str:
            return f"{context['ti'].task_id} is down"

    notifier(line=Output(), sms=Output())(worker())
    assert texts(vendor) == texts(vendor, "LINE") == ["load is down"]


def test_a_text_in_a_list_of_another_channel_that_cannot_be_rendered_leaves_the_rest(vendor: RunningSimulator) -> None:
    others = {"whatsApp": {"text": "{{ ti.task_id }}", "tags": ["{{ 1 / 0 }}", "{{ ti.run_id }}"]}}
    notifier(sms="down", other_channels=others)(worker())
    content = vendor.record.messages[0].content.by_channel["WHATSAPP"]
    assert content == {"text": "load", "tags": [None, "run"]}


def test_a_task_instance_of_another_kind_does_not_cost_the_alert(vendor: RunningSimulator) -> None:
    class Sealed(SimpleNamespace):
        def __copy__(self) -> Any:
            raise TypeError("cannot be copied")

    context = processor()
    context["ti"] = Sealed(**vars(context["ti"]))
    notifier(sms="{{ ti.task_id }} down")(context)
    assert texts(vendor) == ["load down"]


@pytest.mark.parametrize(
    "text",
    [
        "a€" * 400,
        "é́" * 400,
        "👨‍👩‍👧" * 200,
        "🇨🇭" * 200,
        "ก้" * 200,
        "x" * 300 + "😀" + "y" * 300,
        "👍🏽" * 200,
        "각" * 300,
    ],
)
def test_what_is_cut_keeps_whole_characters_and_to_its_parts(vendor: RunningSimulator, text: str) -> None:
    notifier(sms=text)(worker())
    said = texts(vendor)[0]
    assert said is not None
    kept = said.removesuffix("...").removesuffix("…")
    assert sms_parts(said) == 2
    assert text.startswith(kept)
    rest = text[len(kept) :]
    assert kept.endswith(_last_character(text)) or rest.startswith("😀")
    assert len(kept) > 60


def _last_character(text: str) -> str:
    """The visible character that these texts are made of."""
    for each in ("€", "é́", "👨‍👩‍👧", "🇨🇭", "ก้", "👍🏽", "각"):
        if each in text:
            return each
    return "x"


# -- a vendor who refuses the request --------------------------------------------------------------------------------


def test_a_vendor_who_refuses_a_missing_channel_gets_plain_words_for_it(vendor: RunningSimulator) -> None:
    vendor.configure(missing_content="400")
    notifier(line={"type": "BANNER"}, sms="down")(worker())
    assert texts(vendor, "LINE") == texts(vendor) == ["down"]


def test_the_plain_words_keep_to_the_parts_of_an_sms(vendor: RunningSimulator) -> None:
    vendor.configure(missing_content="400")
    notifier(line="down " * 500, sms=None)(worker())
    (said,) = texts(vendor)
    assert said is not None
    assert sms_parts(said) == 2
    assert texts(vendor, "LINE") == ["down " * 500]


def test_a_vendor_who_refuses_one_of_several_people_does_not_keep_the_alert_from_the_others(
    vendor: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "address_problem", lambda each: "731" in each["to"]["phoneNumber"] or None)
    vendor.configure(bad_number="400")
    with pytest.raises(OmniRequestError):
        notifier(sms="down", to="41793026727, 41793026731, 41793026740")(worker())
    assert [each.to for each in vendor.record.acceptances] == ["41793026727", "41793026740"]


def test_a_vendor_who_refuses_the_content_and_one_of_several_people_gets_plain_words_for_the_others(
    vendor: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "address_problem", lambda each: "727" in each["to"]["phoneNumber"] or None)
    vendor.configure(bad_number="400", missing_content="400")
    with pytest.raises(OmniRequestError):
        notifier(line={"type": "BANNER"}, sms="down", to="41793026727, 41793026731, 41793026740")(worker())
    assert [each.to for each in vendor.record.acceptances] == ["41793026731", "41793026740"]
    assert texts(vendor, "LINE") == ["down", "down"]


def test_a_vendor_who_takes_one_person_a_request_gets_one_after_the_other(vendor: RunningSimulator) -> None:
    vendor.configure(max_destinations=1)
    notifier(sms="down", to="41793026727, 41793026731")(worker())
    assert [each.to for each in vendor.record.acceptances] == ["41793026727", "41793026731"]


def test_what_is_sent_to_each_alone_is_sent_once_though_the_callback_runs_twice(vendor: RunningSimulator) -> None:
    vendor.configure(max_destinations=1)
    for context in (worker(), processor()):
        notifier(sms="down", to="41793026727, 41793026731")(context)
    assert [each.to for each in vendor.record.acceptances] == ["41793026727", "41793026731"]


def test_a_request_whose_id_the_vendor_knows_is_not_sent_in_other_ways(vendor: RunningSimulator) -> None:
    vendor.configure(repeated_bulk_id="400", log_lag_seconds=600.0)
    notifier(sms="down", to="41793026727, 41793026731")(worker())
    with pytest.raises(OmniRequestError):
        notifier(sms="down", to="41793026727, 41793026731")(processor())
    assert len(messages(vendor)) == 2


def test_an_unknown_scenario_is_told_as_the_vendor_told_it(vendor: RunningSimulator) -> None:
    with pytest.raises(OmniRequestError, match="unknown scenario"):
        notifier(sms="down", scenario_key="NOBODY-KNOWS-IT")(worker())
