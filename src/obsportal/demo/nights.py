"""Dusk, dawn and altitudes, quick and vectorised, as the simulation of a night needs them.

The Sun is the low-precision one of the Astronomical Almanac (0.01 deg between 1950 and 2050), the
sidereal time is GMST with UT1 taken as UTC, precession is the linear one of the same source: good
to half a minute of time at twilight and 0.02 deg in altitude. Angles are degrees, times MJD UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MJD_J2000 = 51544.5
MJD_OF_ORDINAL_ZERO = 678576  # date.toordinal() minus this is the MJD of 0 h UTC
SIDEREAL_PER_SOLAR = 1.00273790935


@dataclass(frozen=True, slots=True)
class Site:
    """Where the telescopes are: degrees, east longitude positive."""

    name: str
    longitude: float
    latitude: float


def mjd_of(day: date) -> int:
    """MJD of 0 h UTC of a date."""
    return day.toordinal() - MJD_OF_ORDINAL_ZERO


def date_of(mjd: int) -> date:
    """The date whose 0 h UTC is ``mjd``."""
    return date.fromordinal(mjd + MJD_OF_ORDINAL_ZERO)


def sun(mjd: Array) -> tuple[Array, Array]:
    """Right ascension and declination of the Sun, equinox of date (Astronomical Almanac, C5)."""
    days = np.asarray(mjd, dtype=float) - MJD_J2000
    anomaly = np.radians(357.528 + 0.9856003 * days)
    longitude = np.radians(280.460 + 0.9856474 * days + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    obliquity = np.radians(23.439 - 4.0e-7 * days)
    ra = np.degrees(np.arctan2(np.cos(obliquity) * np.sin(longitude), np.cos(longitude))) % 360.0
    return ra, np.degrees(np.arcsin(np.sin(obliquity) * np.sin(longitude)))


def lst(mjd: Array, longitude: float) -> Array:
    """Local mean sidereal time in degrees (IAU 1982 GMST, UT1 = UTC)."""
    days = np.asarray(mjd, dtype=float) - MJD_J2000
    century = days / 36525.0
    whole = 280.46061837 + 360.98564736629 * days + 3.87933e-4 * century**2
    return (whole + longitude) % 360.0


def precess(ra: Array, dec: Array, mjd: float) -> tuple[Array, Array]:
    """J2000 to the mean equinox of ``mjd`` (rigorous IAU 1976 angles)."""
    century = (mjd - MJD_J2000) / 36525.0
    zeta = np.radians((2306.2181 * century + 0.30188 * century**2) / 3600.0)
    z = np.radians((2306.2181 * century + 1.09468 * century**2) / 3600.0)
    theta = np.radians((2004.3109 * century - 0.42665 * century**2) / 3600.0)
    a, d = np.radians(ra) + zeta, np.radians(dec)
    x = np.cos(theta) * np.cos(d) * np.cos(a) - np.sin(theta) * np.sin(d)
    y = np.cos(d) * np.sin(a)
    sin_dec = np.sin(theta) * np.cos(d) * np.cos(a) + np.cos(theta) * np.sin(d)
    return np.degrees(np.arctan2(y, x) + z) % 360.0, np.degrees(np.arcsin(np.clip(sin_dec, -1.0, 1.0)))


def altitude(site: Site, mjd: Array | float, ra: Array, dec: Array) -> Array:
    """Altitude of positions of date, without refraction."""
    hour_angle = np.radians(lst(np.asarray(mjd), site.longitude) - ra)
    d, latitude = np.radians(dec), np.radians(site.latitude)
    height = np.sin(latitude) * np.sin(d) + np.cos(latitude) * np.cos(d) * np.cos(hour_angle)
    found: Array = np.degrees(np.arcsin(np.clip(height, -1.0, 1.0)))
    return found


def azimuth_parallactic(site: Site, mjd: Array, ra: Array, dec: Array) -> tuple[Array, Array]:
    """Azimuth (north through east) and parallactic angle of positions of date."""
    hour_angle = np.radians(lst(mjd, site.longitude) - ra)
    d, latitude = np.radians(dec), np.radians(site.latitude)
    north = np.cos(latitude) * np.sin(d) - np.sin(latitude) * np.cos(d) * np.cos(hour_angle)
    east = -np.cos(d) * np.sin(hour_angle)
    toward_pole = np.tan(latitude) * np.cos(d) - np.sin(d) * np.cos(hour_angle)
    parallactic = np.degrees(np.arctan2(np.sin(hour_angle), toward_pole))
    return np.degrees(np.arctan2(east, north)) % 360.0, parallactic


def dark_time(site: Site, nights: NDArray[np.int64], limit: float = -12.0) -> tuple[Array, Array]:
    """Start and end of the time with the Sun below ``limit``, for nights named by the MJD of their evening.

    A night is labelled by the local date of the noon it begins at. NaN where the Sun does not cross.
    """
    midnight = np.asarray(nights, dtype=float) + 1.0 - site.longitude / 360.0
    latitude, wanted = np.radians(site.latitude), np.sin(np.radians(limit))
    bounds = []
    for side in (1.0, -1.0):
        moment = midnight.copy()
        for _ in range(4):
            ra, dec = sun(moment)
            d = np.radians(dec)
            cosine = (wanted - np.sin(latitude) * np.sin(d)) / (np.cos(latitude) * np.cos(d))
            with np.errstate(invalid="ignore"):
                wanted_angle = np.degrees(np.arccos(cosine)) * side
            now = lst(moment, site.longitude) - ra
            behind = (wanted_angle - now + 180.0) % 360.0 - 180.0
            moment = moment + behind / 360.0 / SIDEREAL_PER_SOLAR
        bounds.append(moment)
    return bounds[0], bounds[1]
