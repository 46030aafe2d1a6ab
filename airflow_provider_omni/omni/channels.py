"""The names of channels. Apart from the models, which take long to load."""

from __future__ import annotations

from enum import StrEnum


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
