"""SMS parts, against a known-good library."""

from __future__ import annotations

import pytest
import smsutil
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_omni.delivery.recipients.sms_parts import is_gsm, sms_parts

GSM = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCXYZÄÖÑÜ§¿abcxyzäöñüà"
EXTENDED = "\f^{}\\[~]|€"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 10, 2),
        ("a" * 152 + "€" * 77, 3),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("я" * 134, 2),
        ("я" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("я" * 66 + "😀" + "я" * 66, 3),
        ("ç" * 70, 1),
        ("ç" * 71, 2),
    ],
)
def test_parts_are_counted(text: str, parts: int) -> None:
    assert sms_parts(text) == parts


@given(st.text(alphabet=GSM + EXTENDED, min_size=1, max_size=700))
@example("a" * 152 + "€" * 200)
def test_gsm_texts_are_split_like_the_oracle_does(text: str) -> None:
    assert sms_parts(text) == len(smsutil.split(text).parts)


@given(st.text(alphabet=GSM + EXTENDED + "яж漢😀🏳", min_size=1, max_size=400))
@example("я" * 66 + "😀" * 100)
def test_other_texts_are_split_like_the_oracle_does(text: str) -> None:
    assert sms_parts(text) == len(smsutil.split(text).parts)


@given(st.characters(exclude_categories=["Cs"], exclude_characters="\x1b"))
def test_the_alphabet_is_the_oracle_s(character: str) -> None:
    assert is_gsm(character) == smsutil.is_valid_gsm(character)
