"""Numbers as people and programs write them: read whole or refused, with the character that is in the way."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Real

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.delivery.recipients.numbers import InvalidNumberError, NumberRules, normalise
from airflow_provider_omni.delivery.recipients.typed_numbers import read_typed

SWISS = "41793026727"


class Int64(int):
    """A whole number of another type, as numpy has them."""


@Integral.register
class Index:
    """A whole number that is no int, as numpy's are."""

    def __init__(self, value: int) -> None:
        self._value = value

    def __int__(self) -> int:
        return self._value

    def __index__(self) -> int:
        return self._value


@Real.register
class Float32:
    """A float of half the bits, as numpy has them: it has rounded."""

    dtype = "float32"

    def __float__(self) -> float:
        return 41793024000.0


@pytest.mark.parametrize(
    "typed",
    [
        "４１７９３０２６７２７",
        "＋４１（７９）３０２－６７－２７",
        "٤١٧٩٣٠٢٦٧٢٧",
        "۴۱ ۷۹ ۳۰۲ ۶۷ ۲۷",
        "๔๑๗๙๓๐๒๖๗๒๗",
        "४१७९३०२६७२७",
        "+41\u00a079\u202f302\u200967\u300027",
        "\u202a+41 79 302 67 27\u202c",
        "\u2066+41793026727\u2069",
        "\ufeff41793026727",
        "4179\u00ad302\u200b6727\u2060",
        "+41‑79‒302–67—27",
        "+41−79−302−67−27",
        "+41・79・302・67・27",
        "'41793026727",
        "\"41793026727\"",
        "“41793026727”",
        "‘+41 79 302 67 27’",
        "「41793026727」",
        "«41793026727»",
        "=\"41793026727\"",
        "(+41) 79 302 67 27",
        "(41) 79 302 67 27",
        "+41 (0)79 302 67 27",
        "[+41] 79 302 67 27",
        "+ 41 79 302 67 27",
        " \t41793026727\r\n",
        41793026727,
        Int64(41793026727),
        41793026727.0,
        Decimal("41793026727"),
        Decimal("41793026727.00"),
    ],
)  # fmt: skip
def test_a_number_is_read_however_its_country_and_its_program_write_it(typed: object) -> None:
    assert normalise(typed) == SWISS


@pytest.mark.parametrize(
    ("typed", "culprit"),
    [
        ("41793026727,41793026728", "a comma (','): several numbers?; expected one; give a list"),
        ("41793026727; 41793026728", "';' (SEMICOLON): several numbers?"),
        ("41793026727、41793026728", "'、' (IDEOGRAPHIC COMMA): several numbers?"),
        ("41793026727\n41793026728", "a line end: several numbers?"),
        ("41793026727 | 41793026728", "'|' (VERTICAL LINE): several numbers?"),
        ("+41793026727 +41793026728", "more than one plus"),
        ("0793026 7934567", "two numbers"),
        ("4179302672741793026728", "more digits than a number has: several numbers?"),
        ("41 79 302 67 27 41 79 302 67 28", "more digits than a number has: several numbers?"),
        ("02-123-4567/8", "few digits behind a slash or dash"),
        ("02-123-4567~9", "'~' (TILDE): a range of numbers?"),
        ("4.18E+10", "an exponent ('E'): a spreadsheet has rounded it"),
        ("4,18E+10", "an exponent ('E'): a spreadsheet has rounded it"),
        ("4.1793026727e10", "an exponent ('E'): a spreadsheet has rounded it"),
        ("41793026727.0", "a decimal fraction such as .0"),
        ("41,793,026,727", "a comma (','): is it a thousands or decimal separator?"),
        ("41793026727,00", "a comma (','): is it a thousands or decimal separator?"),
        ("tel:+41793026727", "words before it (and ':')"),
        ("Mobile: 079 302 67 27", "words before it (and ':')"),
        ("+41793026727 ext. 12", "an extension (the letter 'e')"),
        ("+41793026727x12", "an extension (the letter 'x')"),
        ("+41793026727;ext=12", "an extension (';' (SEMICOLON))"),
        ("+41793026727#12", "an extension ('#' (NUMBER SIGN))"),
        ("02-123-4567 ต่อ 12", "an extension"),
        ("1-800-FLOWERS", "the letter 'F'"),
        ("4179302672O", "the letter 'O'"),
        ("4179****727", "'*' (ASTERISK): is it masked?"),
        ("4179…727", "'…' (HORIZONTAL ELLIPSIS): is it masked?"),
        ("41793026727+", "a plus that is not at its beginning"),
        ("-41793026727", "'-' (HYPHEN-MINUS) before it"),
        ("4179①02672", "'①' (CIRCLED DIGIT ONE)"),
        ("4179\x0002672", "the character U+0000"),
        ("4179\x1b02672", "the character U+001B"),
        ("4179\ufffd02672", "'\ufffd' (REPLACEMENT CHARACTER)"),
        ("7@41793026727.ch", "an e-mail address ('@')"),
        (-41793026727, "a minus"),
    ],
)
def test_a_refusal_names_what_is_in_the_way_and_never_the_number(typed: object, culprit: str) -> None:
    with pytest.raises(InvalidNumberError) as caught:
        normalise(typed)
    assert culprit in str(caught.value)
    assert "3026727" not in str(caught.value)
    assert "3026727" not in caught.value.kind


@pytest.mark.parametrize(
    ("typed", "kind"),
    [
        (True, "a bool, expected text or a whole number"),
        (41793026727.5, "a float that is not whole"),
        (4.1793026727e20, "a float that is not whole"),
        (Decimal("41793026727.5"), "a decimal that is not whole"),
        (Decimal("4.18E+10"), "a decimal that is not whole"),
        (Decimal("1E+5000"), "a decimal that is not whole"),
        (Fraction(41793026727), "a Fraction, expected text or a whole number"),
        (b"41793026727", "a bytes, expected text or a whole number"),
        ([SWISS], "a list, expected text or a whole number"),
        pytest.param(10**5000, "huge", id="huge"),
        pytest.param(Decimal(10**60), "huge", id="huge decimal"),
        (float("nan"), "empty"),
        (Decimal("sNaN"), "empty"),
        (None, "empty"),
        ("", "a blank text"),
        (" \u00a0\u200b\u3164", "a blank text"),
        ("'", "a blank text"),
        ("NULL", "'NULL'"),
        ("#N/A", "'#N/A'"),
        ("\\N", "'\\\\N'"),
        ("####", "'####'"),
    ],
)  # fmt: skip
def test_what_is_no_number_at_all_is_counted_as_what_it_is(typed: object, kind: str) -> None:
    with pytest.raises(InvalidNumberError) as caught:
        normalise(typed)
    assert caught.value.kind == kind


def test_whole_numbers_of_numpy_are_read_and_what_has_rounded_is_not() -> None:
    assert normalise(Index(41793026727)) == SWISS
    with pytest.raises(InvalidNumberError):
        normalise(Float32())


@given(st.text(alphabet=st.characters(), max_size=30), st.sampled_from(["", SWISS, "0812345678"]))
def test_any_text_is_digits_or_a_refusal_that_shows_no_number(text: str, number: str) -> None:
    said = answer(number + text)
    assert (said.isascii() and said.isdigit()) or not number or number[4:] not in said


def answer(typed: str) -> str:
    try:
        return read_typed(typed).digits
    except InvalidNumberError as error:
        return str(error)


def test_what_a_refusal_says_has_no_character_that_could_act() -> None:
    for mark in ("\x1b[2J", "\r", "\u202e", "\x07"):
        with pytest.raises(InvalidNumberError) as caught:
            normalise(f"4179{mark}x", NumberRules())
        assert str(caught.value).isprintable()
