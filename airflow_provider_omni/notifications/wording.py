"""Contents of alerts that can go out: texts are cleaned, cut and replaced, and a channel that cannot be used is left
out.

A wrong send is refused, and somebody mends it. If an alert is refused, nobody hears of the incident.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_omni.delivery.outbox.shortening import cleaned, cut_to_parts, cut_to_units, shown
from airflow_provider_omni.delivery.recipients.addresses import read_recipients
from airflow_provider_omni.delivery.recipients.numbers import NumberRules
from airflow_provider_omni.omni.content import MAX_ALT_TEXT, MAX_LINE_TEXT, Content
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.models import TypedModel
from airflow_provider_omni.omni.nothing import is_blank, word_for_nothing
from airflow_provider_omni.omni.validation import check_content
from airflow_provider_omni.omni.words import some
from airflow_provider_omni.omni.written import read_list
from airflow_provider_omni.operators.arguments import read_objects

Wording = dict[str, Any]
"""Contents of an alert: `line`, `sms` and `other_channels`, in the API's field names."""


def mended(contents: Wording, max_sms_parts: int, instead: str) -> tuple[Wording, list[str]]:
    """Return the contents with texts that can go out, and a list of the changes.

    :param contents: the contents.
    :param max_sms_parts: parts to which an SMS is cut.
    :param instead: text that replaces a missing or blank one.
    """
    done: list[str] = []

    def text_of(value: Any, name: str, cut: Callable[[str], str]) -> str:
        said = cleaned(_words(value))
        if is_blank(said) or word_for_nothing(said):
            done.append(f"{name}: blank, replaced")
            said = cleaned(instead)
        short = cut(said)
        if short != said:
            done.append(f"{name}: cut from {len(said):,} to {some(len(short), 'character')}")
        return short

    def to_line(said: str) -> str:
        return cut_to_units(said, MAX_LINE_TEXT)

    def to_alt_text(said: str) -> str:
        return cut_to_units(said, MAX_ALT_TEXT)

    def to_sms(said: str) -> str:
        return cut_to_parts(said, max_sms_parts)

    line, sms = _plain(contents["line"]), _plain(contents["sms"])
    if isinstance(line, dict):
        line = {name: _shown_within(value) for name, value in line.items()}
        if "text" in line:
            line["text"] = text_of(line["text"], "line.text", to_line)
        if "altText" in line:
            line["altText"] = text_of(line["altText"], "line.altText", to_alt_text)
    if isinstance(sms, dict) and "text" in sms:
        sms = {**sms, "text": text_of(sms["text"], "sms.text", to_sms)}
    return {"line": line, "sms": sms, "other_channels": _shown_within(contents["other_channels"])}, done


def usable(contents: Wording) -> tuple[Wording, list[str]]:
    """Return the channels that can be used, and the problems of the others. If none can be used, return all: then the
    error that they cause names everything.
    """
    given = contents
    left: Wording = {"line": None, "sms": None, "other_channels": {}}
    problems: list[str] = []
    read = read_objects(problems, contents["line"], contents["sms"], contents["other_channels"])
    contents = dict(zip(contents, read, strict=True))

    def check(**content: Any) -> bool:
        try:
            check_content(**content)
        except OmniInputError as error:
            problems.extend(error.problems)
            return False
        return True

    for name in ("line", "sms"):
        if contents[name] is not None and check(**{name: contents[name]}):
            left[name] = contents[name]
    others = contents["other_channels"]
    if isinstance(others, Mapping):
        left["other_channels"] = {name: each for name, each in others.items() if check(other_channels={name: each})}
    elif others is not None:
        check(other_channels=others)
    left["other_channels"] = left["other_channels"] or None
    if all(each is None for each in left.values()):
        return given, []
    return left, problems


def in_plain_words(content: Content, max_sms_parts: int) -> Content | None:
    """Return the content as plain texts on LINE and SMS, for a vendor who refuses more. None if it has no words."""
    line, sms = getattr(content.line, "text", None), getattr(content.sms, "text", None)
    said = [each for each in (line, sms, getattr(content.line, "alt_text", None)) if each]
    if not said:
        return None
    return check_content(
        line={"type": "TEXT", "text": cut_to_units(line or said[0], MAX_LINE_TEXT)},
        sms={"text": cut_to_parts(sms or said[0], max_sms_parts)},
    )


def reachable(to: Any, numbers: NumberRules) -> tuple[Any, list[str]]:
    """Return the recipients that the alert can be sent to, and the problems of the others. If nobody can be sent to,
    return all.

    :param to: the recipients.
    :param numbers: rules for reading numbers.
    """
    try:
        entries = read_list("to", to, "numbers or destinations")
    except OmniInputError:
        return to, []  # nobody: the error that it makes says so
    good, problems = [], []
    for index, each in enumerate(entries):
        try:
            read_recipients([each], numbers=numbers)
        except OmniInputError as error:
            problems += [problem.replace("to[0]", f"to[{index}]", 1) for problem in error.problems]
        else:
            good.append(each)
    return (good, problems) if good else (to, [])


def _words(value: Any) -> str:
    """Return a text unchanged, and any other value as a text; '' if it cannot be written as one."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return str(value)
    except Exception:  # noqa: BLE001  an exception may be of any kind, also one that fails when it is shown
        return ""


def _plain(content: Any) -> Any:
    """Return a model as an object in the API's field names, and a dict as a copy."""
    if isinstance(content, TypedModel):
        return content.to_wire()
    return dict(content) if isinstance(content, Mapping) else content


def _shown_within(value: Any) -> Any:
    """Return the value with its texts in a form that can go out, however deep."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, Mapping):
        return {name: _shown_within(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_shown_within(each) for each in value]
    return value
