"""Channels: one row for each, from which contents, arguments, checks and the simulator take what they know of it.

Loads no models, since DAG files are read often.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_omni.omni.masking import shown_name
from airflow_provider_omni.omni.problems import unexpected, unknown

if TYPE_CHECKING:
    from airflow_provider_omni.omni.members import TypedContent


class Channel(StrEnum):
    """The channels a flow may have (newest specification, and two older ones that accounts may still have)."""

    SMS = "SMS"
    EMAIL = "EMAIL"
    VOICE = "VOICE"
    PUSH = "PUSH"
    VIBER = "VIBER"
    LINE = "LINE"
    VKONTAKTE = "VKONTAKTE"
    KAKAO_CHINGU = "KAKAO_CHINGU"
    KAKAO_ALIM = "KAKAO_ALIM"
    WHATSAPP = "WHATSAPP"
    FACEBOOK = "FACEBOOK"
    PARSECO = "PARSECO"


class KnownChannel(NamedTuple):
    """One row of the table.

    :param name: the channel, as flows, reports and logs name it.
    :param member: the member of a send request that holds its content, and the key in `other_channels`.
    :param home: the module of `omni/` with its models and its `CONTENT`. None: its object is passed through.
    :param is_argument: True if operators and notifier take its content as an argument of the member's name.
    :param text_type: `type` of an object that has only a text. None: its objects have no type.
    :param older: True if the newest specification does not have it.
    """

    name: str
    member: str
    home: str | None = None
    is_argument: bool = False
    text_type: str | None = None
    older: bool = False

    @property
    def typed(self) -> TypedContent | None:
        """The shape of its objects; None if they are passed through."""
        return None if self.home is None else _load(self.home)

    def of_text(self, text: str) -> dict[str, str]:
        """Return the object that a text alone stands for."""
        return {"text": text} if self.text_type is None else {"type": self.text_type, "text": text}

    def model_problem(self, place: str, value: Any) -> str | None:
        """Return the problem with a model of another channel; None if the value is this one's, or no model.

        :param place: where the value stands, for the error.
        """
        if not is_model(value):
            return None
        models = () if self.typed is None else tuple(self.typed.models.values())
        if isinstance(value, models):
            return None
        expected = " or ".join(each.__name__ for each in models) or "an object"
        return unexpected(place, f"the model {type(value).__name__}", expected)


def is_model(value: Any) -> bool:
    """Return True for a model of contents. Loads none."""
    return callable(getattr(type(value), "to_wire", None))


@cache
def _load(home: str) -> TypedContent:
    found: TypedContent = import_module(f"{__package__}.{home}").CONTENT
    return found


CHANNELS: dict[str, KnownChannel] = {
    known.name: known
    for known in (
        KnownChannel("LINE", "line", "line", is_argument=True, text_type="TEXT"),
        KnownChannel("SMS", "sms", "sms", is_argument=True),
        KnownChannel("VIBER", "viber", "viber"),
        KnownChannel("WHATSAPP", "whatsApp"),
        KnownChannel("VOICE", "voice"),
        KnownChannel("EMAIL", "email"),
        KnownChannel("PUSH", "push"),
        KnownChannel("VKONTAKTE", "vKontakte"),
        KnownChannel("KAKAO_ALIM", "kakaoAlim"),
        KnownChannel("KAKAO_CHINGU", "kakaoChingu"),
        KnownChannel("FACEBOOK", "facebook", older=True),
        KnownChannel("PARSECO", "parseco", older=True),
    )
}
"""All channels. Where contents of several channels stand in a row, they stand in this order."""

OWN_ARGUMENTS: dict[str, KnownChannel] = {known.member: known for known in CHANNELS.values() if known.is_argument}
"""The channels that operators have arguments for, by argument."""

OTHER_CHANNELS: dict[str, KnownChannel] = {known.member: known for known in CHANNELS.values() if not known.is_argument}
"""The channels that stand in `other_channels`, by their key there."""

CONTENT_ARGUMENTS: tuple[str, ...] = (*OWN_ARGUMENTS, "other_channels")
"""The arguments of operators and notifier that hold contents. At least one is needed."""

NO_CONTENT = f"no content: at least one of {', '.join(OWN_ARGUMENTS)} and the other channels' objects is needed"
"""The problem with contents of which there are none."""

OBJECTS = dict.fromkeys(OWN_ARGUMENTS, 'an object such as {"text": "Your parcel is here."}')
"""Words for what is expected of these arguments."""


def unknown_channel(name: Any) -> str:
    """Return the line about a member of `other_channels` that is no other channel."""
    own = f" ({' and '.join(OWN_ARGUMENTS)} have arguments of their own)" if name in OWN_ARGUMENTS else ""
    return unknown(f"other_channels.{shown_name(name)}", OTHER_CHANNELS, "channel") + own


def model_problems(argument: str, value: Any) -> list[str]:
    """Return the problems with models in an argument that are those of other channels. Loads models if it finds one."""
    if argument in OWN_ARGUMENTS:
        found = [OWN_ARGUMENTS[argument].model_problem(argument, value)]
    elif argument == "other_channels" and is_model(value):
        found = [unexpected(argument, f"the model {type(value).__name__}", "an object such as {'viber': …}")]
    elif argument == "other_channels" and isinstance(value, Mapping):
        known = {name: OTHER_CHANNELS[name] for name in value if name in OTHER_CHANNELS}
        found = [each.model_problem(f"{argument}.{name}", value[name]) for name, each in known.items()]
    else:
        found = []
    return [line for line in found if line is not None]
