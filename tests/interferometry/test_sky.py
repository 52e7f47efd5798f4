"""The HEALPix index and the ranges that cover a cone, against brute force and the documented library."""

from __future__ import annotations

import math
from itertools import pairwise

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import Latitude, Longitude, SkyCoord
from cdshealpix.nested import lonlat_to_healpix
from hypothesis import assume, given
from hypothesis import strategies as st

from obsportal.interferometry.sky import (
    LAST_CELL,
    chord_squared,
    cone_ranges,
    hpx29,
    hpx29_many,
    separation_deg,
    unit_vector,
)

EDGE = math.degrees(math.asin(2.0 / 3.0))  # where HEALPix changes its projection
ras = st.one_of(
    st.sampled_from([0.0, 45.0, 90.0, 180.0, 270.0, 315.0, 359.9999999999, -1e-18, 360.0]),
    st.floats(-360.0, 720.0),
)
decs = st.one_of(st.sampled_from([-90.0, 90.0, 0.0, EDGE, -EDGE, 89.99999999]), st.floats(-90.0, 90.0))
radii = st.one_of(st.just(0.0), st.floats(-9.0, 2.2).map(lambda power: 10.0**power), st.floats(0.0, 180.0))


def covered(ranges: list[tuple[int, int]], cell: int) -> bool:
    return any(first <= cell <= last for first, last in ranges)


def moved(ra: float, dec: float, distance: float, bearing: float) -> tuple[float, float]:
    """The position at a distance and bearing (radians, north through east); degrees."""
    a, d, r = math.radians(ra), math.radians(dec), math.radians(distance)
    x, y, z = unit_vector(ra, dec)
    north = (-math.sin(d) * math.cos(a), -math.sin(d) * math.sin(a), math.cos(d))
    east = (-math.sin(a), math.cos(a), 0.0)
    step = [math.cos(bearing) * n + math.sin(bearing) * e for n, e in zip(north, east, strict=True)]
    point = [math.cos(r) * c + math.sin(r) * s for c, s in zip((x, y, z), step, strict=True)]
    return (
        math.degrees(math.atan2(point[1], point[0])) % 360.0,
        math.degrees(math.atan2(point[2], math.hypot(point[0], point[1]))),
    )


@given(ra=ras, dec=decs, radius=radii, data=st.data())
def test_every_place_inside_a_cone_has_its_index_in_a_range(
    ra: float, dec: float, radius: float, data: st.DataObject
) -> None:
    ranges = cone_ranges(ra, dec, radius)
    assert covered(ranges, hpx29(ra, dec))
    inside = 0
    for _ in range(6):
        share = data.draw(st.one_of(st.just(1.0), st.floats(0.0, 1.0), st.floats(0.99, 1.0)))
        place = moved(ra, dec, radius * share, data.draw(st.floats(0.0, 2.0 * math.pi)))
        if separation_deg(ra, dec, *place) <= radius:
            inside += 1
            assert covered(ranges, hpx29(*place))
    assume(inside)


@given(ra=ras, dec=decs, radius=radii, most=st.integers(1, 40))
def test_ranges_are_sorted_apart_within_the_sky_and_no_more_than_asked(
    ra: float, dec: float, radius: float, most: int
) -> None:
    ranges = cone_ranges(ra, dec, radius, most)
    assert 1 <= len(ranges) <= most
    assert ranges[0][0] >= 0
    assert ranges[-1][1] <= LAST_CELL < 2**62
    assert all(first <= last for first, last in ranges)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(ranges))


@given(ra=st.floats(0.0, 360.0), dec=decs, power=st.floats(-6.0, 1.0))
def test_ranges_cover_less_than_five_times_the_area_of_a_cone(ra: float, dec: float, power: float) -> None:
    radius = 10.0**power
    cells = sum(last - first + 1 for first, last in cone_ranges(ra, dec, radius))
    cone = math.sin(math.radians(radius) / 2.0) ** 2
    assert cone <= cells / (LAST_CELL + 1) < 5.0 * cone


@pytest.mark.parametrize("dec", [90.0, -90.0])
def test_a_cone_at_a_pole_reaches_all_right_ascensions(dec: float) -> None:
    ranges = cone_ranges(12.0, dec, 0.5)
    for ra in range(0, 360, 5):
        assert covered(ranges, hpx29(float(ra), math.copysign(89.51, dec)))
        assert not covered(ranges, hpx29(float(ra), math.copysign(88.0, dec)))


@pytest.mark.parametrize("ra", [0.0, 360.0, -0.0, 359.99999999])
def test_a_cone_across_ra_zero_reaches_both_sides(ra: float) -> None:
    ranges = cone_ranges(ra, -20.0, 0.01)
    assert covered(ranges, hpx29(0.009, -20.0))
    assert covered(ranges, hpx29(359.991, -20.0))
    assert not covered(ranges, hpx29(180.0, -20.0))


def test_half_the_sky_and_more_is_all_of_it() -> None:
    for radius in (90.0, 135.0, 180.0, 400.0):
        assert cone_ranges(10.0, 20.0, radius) == [(0, LAST_CELL)]


@given(st.lists(st.tuples(st.floats(0.0, 360.0, exclude_max=True), decs), min_size=1, max_size=30))
def test_the_index_is_that_of_the_documented_library(places: list[tuple[float, float]]) -> None:
    ra, dec = (np.array(column) for column in zip(*places, strict=True))
    expected = lonlat_to_healpix(Longitude(ra, u.deg), Latitude(dec, u.deg), 29)
    assert hpx29_many(ra, dec).tolist() == expected.astype(np.int64).tolist()


@given(ra=ras, dec=decs)
def test_one_index_is_the_same_as_many_to_the_bit(ra: float, dec: float) -> None:
    assert hpx29(ra, dec) == hpx29_many([ra], [dec])[0]


def test_a_hundred_thousand_indices_are_the_same_one_by_one() -> None:
    random = np.random.default_rng(29)
    ra = random.random(100_000) * 360.0
    dec = np.degrees(np.arcsin(random.random(100_000) * 2.0 - 1.0))
    many = hpx29_many(ra, dec)
    assert many.dtype == np.int64
    assert many.tolist() == [hpx29(*place) for place in zip(ra.tolist(), dec.tolist(), strict=True)]


def test_a_whole_turn_changes_no_index() -> None:
    assert hpx29(370.0, 5.0) == hpx29(10.0, 5.0) == hpx29(-350.0, 5.0)
    assert hpx29(123.0, 90.0) // 4**29 == hpx29(123.0, 89.0) // 4**29


BAD_PLACES = [(0.0, 90.0000001), (0.0, -91.0), (math.nan, 0.0), (math.inf, 0.0), (0.0, math.nan)]


@pytest.mark.parametrize(("ra", "dec"), BAD_PLACES)
def test_a_position_that_is_none_is_refused(ra: float, dec: float) -> None:
    with pytest.raises(ValueError, match=r"right ascension|declination"):
        hpx29(ra, dec)
    with pytest.raises(ValueError, match=r"right ascension|declination"):
        hpx29_many([10.0, ra], [0.0, dec])
    with pytest.raises(ValueError, match=r"right ascension|declination"):
        cone_ranges(ra, dec, 1.0)


def test_arrays_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="as many"):
        hpx29_many([1.0, 2.0], [3.0])


@pytest.mark.parametrize("radius", [-1e-9, math.nan, -math.inf])
def test_a_radius_below_zero_is_refused(radius: float) -> None:
    with pytest.raises(ValueError, match="radius"):
        cone_ranges(0.0, 0.0, radius)


def test_no_range_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="max_ranges"):
        cone_ranges(0.0, 0.0, 1.0, max_ranges=0)


@given(ra=ras, dec=decs, other_ra=ras, other_dec=decs)
def test_separation_is_astropys_and_that_of_the_unit_vectors(
    ra: float, dec: float, other_ra: float, other_dec: float
) -> None:
    found = separation_deg(ra, dec, other_ra, other_dec)
    here, there = SkyCoord(ra, dec, unit="deg"), SkyCoord(other_ra, other_dec, unit="deg")
    assert found == pytest.approx(here.separation(there).deg, abs=1e-12)
    chord = sum(
        (a - b) ** 2 for a, b in zip(unit_vector(ra, dec), unit_vector(other_ra, other_dec), strict=True)
    )
    assert chord == pytest.approx(chord_squared(found), abs=1e-14)


def test_a_chord_grows_from_nothing_to_the_diameter() -> None:
    assert [chord_squared(angle) for angle in (-1.0, 0.0, 90.0, 180.0, 200.0)] == pytest.approx(
        [0, 0, 2, 4, 4]
    )
