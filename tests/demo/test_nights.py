from __future__ import annotations

from datetime import date

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation, PrecessedGeocentric, SkyCoord, get_sun
from astropy.time import Time
from astropy.utils import iers

from obsportal.demo.nights import (
    Site,
    altitude,
    azimuth_parallactic,
    dark_time,
    date_of,
    lst,
    mjd_of,
    precess,
    sun,
)

PARANAL = Site("VLTI", -70.40498688, -24.62743941)
CHARA = Site("CHARA", -118.0570306, 34.2243833)
NIGHTS = [mjd_of(date(2006, 6, 21)), mjd_of(date(2016, 12, 21)), mjd_of(date(2025, 3, 20))]


@pytest.fixture(autouse=True)
def _no_download():
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("iers_degraded_accuracy", "ignore"):
        yield


def _astropy(site: Site) -> EarthLocation:
    return EarthLocation.from_geodetic(site.longitude * u.deg, site.latitude * u.deg, 0 * u.m)


@pytest.mark.parametrize("site", [PARANAL, CHARA], ids=lambda site: site.name)
@pytest.mark.parametrize("limit", [-12.0, -18.0])
def test_dusk_and_dawn_agree_with_astropy_to_two_minutes(site: Site, limit: float) -> None:
    dusk, dawn = dark_time(site, np.array(NIGHTS), limit)
    for evening, morning in zip(dusk, dawn, strict=True):
        assert 0.2 < morning - evening < 0.6
        for moment, rising in ((evening, -1), (morning, 1)):
            times = Time(moment + np.array([-2.0, 2.0]) / 1440.0, format="mjd")
            frame = AltAz(obstime=times, location=_astropy(site))
            before, after = (get_sun(times).transform_to(frame).alt.deg - limit) * rising
            assert before < 0 < after


def test_the_sun_agrees_with_astropy_to_a_minute_of_arc() -> None:
    times = Time(np.linspace(53000, 61000, 40), format="mjd")
    ra, dec = sun(times.mjd)
    real = get_sun(times).transform_to(PrecessedGeocentric(equinox=times, obstime=times))
    assert np.abs((ra - real.ra.deg + 180) % 360 - 180).max() < 0.02
    assert np.abs(dec - real.dec.deg).max() < 0.02


def test_altitude_and_azimuth_agree_with_astropy() -> None:
    times = Time(58857.2 + np.arange(5) * 0.04, format="mjd")
    star = SkyCoord(134.872365, -43.76717, unit="deg")
    real = star.transform_to(AltAz(obstime=times, location=_astropy(PARANAL)))
    ra, dec = precess(np.array([134.872365]), np.array([-43.76717]), 58857.2)
    assert ra[0] == pytest.approx(135.053247, abs=1e-5)
    assert dec[0] == pytest.approx(-43.845935, abs=1e-5)
    assert altitude(PARANAL, times.mjd, ra, dec) == pytest.approx(real.alt.deg, abs=0.02)
    assert azimuth_parallactic(PARANAL, times.mjd, ra, dec)[0] == pytest.approx(real.az.deg, abs=0.03)


def test_sidereal_time_agrees_with_astropy_to_a_second() -> None:
    times = Time(np.linspace(53000, 61000, 9), format="mjd")
    real = times.sidereal_time("mean", longitude=PARANAL.longitude * u.deg).deg
    assert lst(times.mjd, PARANAL.longitude) == pytest.approx(real, abs=15.0 / 3600.0)


def test_dates_and_mjd_are_inverse() -> None:
    assert mjd_of(date(1858, 11, 17)) == 0
    assert mjd_of(date(2000, 1, 1)) == 51544
    assert date_of(mjd_of(date(2024, 2, 29))) == date(2024, 2, 29)
