"""Positions as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obsportal.exposures.angles import dms, hms, hours_minutes, parse_position


@pytest.mark.parametrize(
    ("text", "ra", "dec"),
    [
        ("134.87 -43.76", 134.87, -43.76),
        ("134.87, -43.76", 134.87, -43.76),
        ("134.87,+43", 134.87, 43.0),
        ("10 20", 10.0, 20.0),
        ("08 59 29.37 -43 46 01.8", 134.872375, -43.767167),
        ("08:59:29.37 −43:46:01.8", 134.872375, -43.767167),
        ("8h59m29.37s -43d46m01.8s", 134.872375, -43.767167),
        ("8h59m29.37s-43°46′01.8″", 134.872375, -43.767167),
        ("05 14 32.3 -08 12", 78.634583, -8.2),
        ("08 59 29 43 46 02", 134.870833, 43.767222),
        ("00 00 00 -00 30 00", 0.0, -0.5),
        ("134d52m20s -43d46m02s", 134.872222, -43.767222),
    ],
)
def test_a_position_is_read_in_degrees_and_sexagesimal(text: str, ra: float, dec: float):
    assert parse_position(text) == pytest.approx((ra, dec), abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "HD 58647",
        "1",
        "5 6 7",
        "361 0",
        "10 91",
        "-5 10",
        "25 00 00 +10 00 00",
        "08 61 00 +1 0 0",
        "0103.C-0347",
    ],
)
def test_what_is_no_position_is_not_taken_for_one(text: str):
    assert parse_position(text) is None


@given(st.text(max_size=100))
def test_no_text_breaks_the_reader(text: str):
    found = parse_position(text)
    assert found is None or (0 <= found[0] <= 360 and -90 <= found[1] <= 90)


@given(st.floats(0, 359.9999), st.floats(-90, 90))
def test_what_is_written_is_read_back(ra: float, dec: float):
    found = parse_position(f"{hms(ra, 4)} {dms(dec, 3)}")
    assert found is not None
    assert abs((found[0] - ra + 180) % 360 - 180) < 1e-6
    assert found[1] == pytest.approx(dec, abs=1e-6)


def test_rounding_carries_and_never_shows_sixty_seconds():
    assert hms(359.999999) == "00 00 00.00"
    assert hms(14.99999999) == "01 00 00.00"
    assert dms(-0.99999999) == "−01 00 00.0"
    assert hours_minutes(23.9999) == "00:00"
