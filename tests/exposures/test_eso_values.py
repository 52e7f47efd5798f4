"""Packed coordinates, identifiers, dates and means of ESO headers."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obsportal.exposures.instruments.eso_values import (
    UNDEFINED_POSITION,
    instant,
    is_archive_id,
    mean_of_positive,
    time_of_id,
    unpack,
    usable_position,
    wrapped,
)


@pytest.mark.parametrize(
    ("value", "hours", "degrees"),
    [
        (72556.09, True, 15 * (7 + 25 / 60 + 56.09 / 3600)),
        ("072556.090", True, 15 * (7 + 25 / 60 + 56.09 / 3600)),
        (-141043.5, False, -(14 + 10 / 60 + 43.5 / 3600)),
        ("-052322.85", False, -(5 + 23 / 60 + 22.85 / 3600)),
        ("-003012.5", False, -(30 / 60 + 12.5 / 3600)),
        (-12.5, False, -12.5 / 3600),
        (-0.5, False, -0.5 / 3600),
        ("-000000.5", False, -0.5 / 3600),
        (0.0, True, 0.0),
        ("235959.999", True, 15 * (23 + 59 / 60 + 59.999 / 3600)),
        ("95332.31", False, 9 + 53 / 60 + 32.31 / 3600),
    ],
)
def test_packed_sexagesimal_numbers_are_degrees(value: object, hours: bool, degrees: float) -> None:
    found = unpack(value, hours=hours)
    assert found == pytest.approx(degrees, abs=1e-9)
    assert math.copysign(1, found or 0.0) == math.copysign(1, degrees)


def test_the_sign_of_a_packed_zero_is_kept() -> None:
    found = unpack("-000000.0", hours=False)
    assert found == 0.0
    assert math.copysign(1, found) == -1


@pytest.mark.parametrize(
    "value", [None, "", "north", "NaN", float("inf"), True, 256_000.0, 17_000.0, 990_000.0]
)
def test_other_values_are_no_packed_coordinate(value: object) -> None:
    if value == 17_000.0:
        value = 16_100.0 + 65  # 1 h 61 min
    assert unpack(value, hours=True) is None


@given(st.integers(0, 89), st.integers(0, 59), st.floats(0, 59.99), st.sampled_from([1, -1]))
def test_packing_and_unpacking_agree(degrees: int, minutes: int, seconds: float, sign: int) -> None:
    seconds = round(seconds, 3)
    text = f"{'-' if sign < 0 else ''}{degrees:02d}{minutes:02d}{seconds:06.3f}"
    expected = sign * (degrees + minutes / 60 + seconds / 3600)
    assert unpack(text, hours=False) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("ra", "dec", "usable"),
    [
        (0.0, 0.0, False),
        (0.0, -1.0, True),
        (UNDEFINED_POSITION, UNDEFINED_POSITION, False),
        (None, 3.0, False),
        (3.0, None, False),
        (12.0, 90.5, False),
        (360.5, 1.0, False),
        (359.9, -89.9, True),
    ],
)
def test_a_position_is_usable_unless_it_stands_for_none(
    ra: float | None, dec: float | None, usable: bool
) -> None:
    assert usable_position(ra, dec) is usable


@pytest.mark.parametrize(
    ("start", "end", "mean"),
    [
        (0.8, 1.0, 0.9),
        (-1.0, 1.0, 1.0),
        (0.8, -1.0, 0.8),
        (0.0, 0.0, None),
        (None, 0.7, 0.7),
        (-1.0, None, None),
    ],
)
def test_the_mean_leaves_out_what_was_not_measured(
    start: float | None, end: float | None, mean: float | None
) -> None:
    assert mean_of_positive(start, end) == (None if mean is None else pytest.approx(mean))


def test_identifiers_carry_the_time_of_the_frame() -> None:
    assert is_archive_id("GRAVI.2020-01-27T03:39:22.003")
    assert not is_archive_id("GRAVITY.2016-01-09T05-37-06_singlesci")
    assert time_of_id("MIDI.2010-08-29T04:16:46.000") == pytest.approx(55437.17831019, abs=1e-7)
    assert time_of_id("SPICA.SCIDET:20220114:104042_target") is None
    assert time_of_id("MIDI.2010-13-29T04:16:46.000") is None


def test_dates_are_aware_and_nonsense_is_none() -> None:
    assert instant("2020-01-27T03:34:51") == datetime(2020, 1, 27, 3, 34, 51, tzinfo=UTC)
    assert instant("2013-08-27T01:05:24.327Z") == datetime(2013, 8, 27, 1, 5, 24, 327_000, tzinfo=UTC)
    assert instant("2020-01-27T03:34:51+02:00") == datetime(2020, 1, 27, 1, 34, 51, tzinfo=UTC)
    assert [instant(t) for t in ("", "yesterday", "2020-02-30T00:00:00", "0001-01-01T00:00:00+05:00")] == [
        None
    ] * 4


@given(st.floats(-1e4, 1e4))
def test_differences_of_angles_are_wrapped(degrees: float) -> None:
    found = wrapped(degrees)
    assert -180 <= found <= 180
    assert abs((found - degrees + 180) % 360 - 180) < 1e-6
