"""The height of the Sun and the length of the dark, beside astropy."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import astropy.units as u
import pytest
from astropy.coordinates import AltAz, EarthLocation, get_sun
from astropy.time import Time
from astropy.utils import iers
from hypothesis import given
from hypothesis import strategies as st

from obsportal.interferometry.facility import facility
from obsportal.interferometry.sun import Twilight, darkness_at, sun_altitude_deg
from obsportal.interferometry.times import night_of

SITES = [facility("VLTI"), facility("CHARA")]
NIGHTS = st.dates(date(2000, 1, 1), date(2040, 12, 31))


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.name)
@pytest.mark.parametrize("mjd", [53000.1, 55123.456, 58849.97, 60000.5])
def test_the_height_of_the_sun_is_that_of_astropy(site, mjd: float):
    place = EarthLocation.from_geodetic(site.longitude_deg * u.deg, site.latitude_deg * u.deg)
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        when = Time(mjd, format="mjd")
        theirs = get_sun(when).transform_to(AltAz(obstime=when, location=place)).alt.deg
    assert sun_altitude_deg(mjd, site) == pytest.approx(theirs, abs=0.03)


@given(st.sampled_from(SITES), NIGHTS)
def test_twilights_lie_inside_one_another_and_at_their_heights(site, night: date):
    sun = darkness_at(night, site)
    edges = [sun.noon, *(sun.spans[t][0] for t in Twilight), *(sun.spans[t][1] for t in reversed(Twilight))]
    assert [*edges, sun.next_noon] == sorted([*edges, sun.next_noon])
    for twilight, ends in sun.spans.items():
        for end in ends:
            assert sun_altitude_deg(end, site) == pytest.approx(twilight.altitude_deg, abs=0.01)
            assert night_of(end, site) == night


def test_a_night_of_paranal_is_as_the_almanac_has_it():
    sun = darkness_at(date(2020, 1, 5), facility("VLTI"))
    assert sun.dark is not None
    hours = (sun.dark[1] - sun.dark[0]) * 24
    assert hours == pytest.approx(7.44, abs=0.1)


@pytest.mark.parametrize("night", [date(2020, 6, 21), date(2020, 12, 21)])
def test_where_the_sun_does_not_rise_or_set_no_sunset_is_invented(night: date):
    site = SimpleNamespace(longitude_deg=15.0, latitude_deg=85.0, timezone="UTC")
    assert Twilight.SUNSET not in darkness_at(night, site).spans
