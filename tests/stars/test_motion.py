"""Where stars were."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from obsportal.interferometry.sky import hpx29, separation_deg, unit_vector
from obsportal.stars.motion import moved, path_separation_arcsec, place_at, separation_arcsec
from obsportal.stars.names import normalise, same_system
from obsportal.stars.sky import KnownStar, StarMap, cell_ranges

CASES = [(219.902058, -60.833993, -3679.25, 473.67), (0.0001, 89.9, 500.0, -900.0), (10.0, 0.0, None, 300.0)]


@pytest.mark.parametrize("star", CASES)
@pytest.mark.parametrize("years", [-15.0, 0.0, 26.0])
def test_places_are_those_of_astropy(star: tuple[float, float, float | None, float | None], years: float):
    ra, dec, pm_ra, pm_dec = star
    there = SkyCoord(
        ra * u.deg,
        dec * u.deg,
        pm_ra_cosdec=(pm_ra or 0) * u.mas / u.yr,
        pm_dec=(pm_dec or 0) * u.mas / u.yr,
        obstime=Time("J2000"),
    ).apply_space_motion(dt=years * u.yr)
    found = place_at(*star, years)
    assert separation_deg(*found, there.ra.deg, there.dec.deg) * 3600 < 0.01


@given(part=st.floats(0, 1), away=st.floats(0, 30))
def test_the_distance_to_a_path_is_that_to_its_nearest_place(part: float, away: float):
    start, end = moved(*CASES[0], 0.0), moved(*CASES[0], 26.0)
    on = np.array(start) + part * (np.array(end) - np.array(start))
    across = np.cross(np.array(start), np.array(end) - np.array(start))
    across /= np.linalg.norm(across)
    x, y, z = on / np.linalg.norm(on) + across * np.radians(away / 3600)
    assert path_separation_arcsec((x, y, z), start, end) == pytest.approx(away, abs=1e-3)
    assert path_separation_arcsec(end, start, end) == pytest.approx(0, abs=1e-6)
    assert path_separation_arcsec(start, start, start) == 0.0
    assert separation_arcsec(start, end) == pytest.approx(96.4, abs=0.5)


@given(year=st.floats(-10, 40), star=st.sampled_from(CASES), east=st.floats(-2, 2), north=st.floats(-2, 2))
def test_a_star_is_found_wherever_it_was(
    year: float, star: tuple[float, float, float | None, float | None], east: float, north: float
):
    known = StarMap([KnownStar(1, frozenset({"one"}), *star)])
    ra, dec = place_at(*star, year)
    near = unit_vector(ra + east / 3600 / max(np.cos(np.radians(dec)), 1e-3), dec + north / 3600)
    assert known.near(near) == [0]


@given(ra=st.floats(0, 359.99), dec=st.floats(-89.9, 89.9), angle=st.floats(0, 360), away=st.floats(0, 2))
def test_cells_around_a_place_hold_all_that_is_within_two_arcsec(
    ra: float, dec: float, angle: float, away: float
):
    there = SkyCoord(ra * u.deg, dec * u.deg).directional_offset_by(angle * u.deg, away * u.arcsec)
    cell = hpx29(float(there.ra.deg), float(there.dec.deg))
    assert any(low <= cell <= high for low, high in cell_ranges([hpx29(ra, dec)], 15))


def test_no_cell_makes_no_range():
    assert cell_ranges([], 15) == []


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("alf Cen A", "alf Cen B", True), ("T Tau N", "T Tau S", True), ("alf Cen A", "alf Cen", False),
     ("HD 1", "HD 2", False), ("alf Cen A", "alf Cen A", False), ("aa", "ab", False), ("Vega", "Vegb", True)],
)  # fmt: skip
def test_components_of_a_system_are_told_by_their_last_letter(one: str, other: str, expected: bool):
    assert same_system(normalise(one), normalise(other)) is expected
