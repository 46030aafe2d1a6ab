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
from airflow_provider_omni.omni.channels import CHANNELS, OTHER_CHANNELS, OWN_ARGUMENTS, KnownChannel
from airflow_provider_omni.omni.content import Content
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.members import TypedContent
from airflow_provider_omni.omni.models import TypedModel
from airflow_provider_omni.omni.nothing import is_blank, word_for_nothing
from airflow_provider_omni.omni.validation import check_content
from airflow_provider_omni.omni.words import some
from airflow_provider_omni.omni.written import read_list
from airflow_provider_omni.operators.arguments import read_objects

Wording = dict[str, Any]
"""Contents of an alert by argument (`CONTENT_ARGUMENTS`), in the API's field names."""


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

    def mended_object(known: KnownChannel, name: str, content: Any) -> Any:
        content = _plain(content)
        if known.typed is None or not isinstance(content, dict):
            return _shown_within(content)
        return {
            member: text_of(value, f"{name}.{member}", _cutter(known.typed, member, max_sms_parts))
            if member in known.typed.texts
            else _shown_within(value)
            for member, value in content.items()
        }

    out: Wording = {name: mended_object(known, name, contents[name]) for name, known in OWN_ARGUMENTS.items()}
    others = contents["other_channels"]
    if isinstance(others, Mapping):
        others = {
            key: mended_object(OTHER_CHANNELS[key], f"other_channels.{key}", each) if key in OTHER_CHANNELS else each
            for key, each in others.items()
        }
    return out | {"other_channels": _shown_within(others)}, done


def _cutter(typed: TypedContent, member: str, max_sms_parts: int) -> Callable[[str], str]:
    """Return the function that cuts a channel's text to what can go out."""
    limit = typed.texts[member]
    if typed.in_parts:
        return lambda said: cut_to_parts(said, max_sms_parts)
    return str if limit is None else lambda said: cut_to_units(said, limit)


def usable(contents: Wording) -> tuple[Wording, list[str]]:
    """Return the channels that can be used, and the problems of the others. If none can be used, return all: then the
    error that they cause names everything.
    """
    given = contents
    left: Wording = dict.fromkeys(OWN_ARGUMENTS) | {"other_channels": {}}
    problems: list[str] = []
    contents = read_objects(problems, contents)

    def check(**content: Any) -> bool:
        try:
            check_content(**content)
        except OmniInputError as error:
            problems.extend(error.problems)
            return False
        return True

    for name in OWN_ARGUMENTS:
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
    """Return the content as plain texts, for a vendor who refuses more; None if it has no words.

    Every channel with an argument of its own says something, and every other typed one that has content: its own text,
    else the first text that there is.
    """
    own: dict[str, str] = {}
    besides: list[str] = []
    typed: dict[str, TypedContent] = {}
    for name, known in CHANNELS.items():
        if known.typed is None or not (known.is_argument or name in content.by_channel):
            continue
        typed[name] = known.typed
        said = content.by_channel.get(name)
        wire = said.to_wire() if isinstance(said, TypedModel) else {}
        own |= {name: wire["text"]} if wire.get("text") else {}
        besides += [wire[member] for member in known.typed.texts if member != "text" and wire.get(member)]
    if not own and not besides:
        return None
    first = [*own.values(), *besides][0]
    texts = {name: _cutter(each, "text", max_sms_parts)(own.get(name, first)) for name, each in typed.items()}
    return check_content(**Content({name: CHANNELS[name].of_text(text) for name, text in texts.items()}).arguments())


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
