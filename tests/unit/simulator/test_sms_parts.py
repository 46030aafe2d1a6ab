"""Cutting of a text into SMS."""

from __future__ import annotations

import pytest
from smsutil import split

from airflow_provider_omni.simulator.sms_parts import cut


@pytest.mark.parametrize(
    ("text", "alphabet", "sizes"),
    [
        ("", "GSM-7", [0]),
        ("a" * 160, "GSM-7", [160]),
        ("a" * 161, "GSM-7", [153, 8]),
        ("€" * 80, "GSM-7", [80]),
        ("€" * 81, "GSM-7", [76, 5]),
        ("ü" * 160, "GSM-7", [160]),
        ("日" * 70, "UCS-2", [70]),
        ("日" * 71, "UCS-2", [67, 4]),
        ("🙏" * 36, "UCS-2", [33, 3]),
    ],
)
def test_parts_hold_what_an_sms_holds(text, alphabet, sizes):
    made = cut(text)
    assert (made.alphabet, [len(part) for part in made.parts]) == (alphabet, sizes)
    assert "".join(made.parts) == text


@pytest.mark.parametrize("text", ["x" * 307, "{~}" * 90, "Grüezi " * 40, "こんにちは" * 30, "a🙏" * 60])
def test_as_another_library_cuts_it(text):
    assert len(cut(text).parts) == len(split(text).parts)
