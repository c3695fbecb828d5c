"""Rounding for the booking pages: what whoever plans a trip by these minutes relies on."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.dispatch.travel import buffered_minutes, kilometres
from backhaul.outside.maps import whole_minutes

SECONDS = st.integers(0, 10**6) | st.floats(0, 10**6)


@pytest.mark.parametrize(("seconds", "minutes"), [(0, 5), (1, 10), (60, 10), (300, 10), (301, 15), (900, 20), (901, 25)])
def test_a_drive_is_shown_with_five_minutes_more_in_steps_of_five(seconds: int, minutes: int) -> None:
    assert buffered_minutes(whole_minutes(seconds)) == minutes


@given(seconds=SECONDS)
def test_rounding_from_whole_minutes_is_rounding_from_seconds(seconds: float) -> None:
    raw = Fraction(seconds) / 60  # exact: a float would lose what little a drive may be over
    assert buffered_minutes(whole_minutes(seconds)) == math.ceil((math.ceil(raw) + 5) / 5) * 5 == math.ceil((raw + 5) / 5) * 5


@given(seconds=SECONDS)
def test_a_multiple_of_five_with_a_buffer_of_five_to_nine_minutes(seconds: float) -> None:
    raw = whole_minutes(seconds)
    assert buffered_minutes(raw) % 5 == 0
    assert 5 <= buffered_minutes(raw) - raw < 10


@given(one=SECONDS, other=SECONDS)
def test_a_longer_drive_is_never_shown_as_shorter(one: float, other: float) -> None:
    shorter, longer = sorted((one, other))
    assert buffered_minutes(whole_minutes(shorter)) <= buffered_minutes(whole_minutes(longer))


@pytest.mark.parametrize(("metres", "km"), [(0, 0.0), (4, 0.0), (5, 0.01), (1_004, 1.0), (1_005, 1.01), (104_903, 104.9)])
def test_kilometres_have_two_decimals(metres: int, km: float) -> None:
    assert kilometres(metres) == km


@given(metres=st.integers(0, 10**8))
def test_kilometres_are_rounded_as_the_database_rounds(metres: int) -> None:
    exact = (Decimal(metres) / 1000).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert Decimal(str(kilometres(metres))) == exact
