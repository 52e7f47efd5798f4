"""Baselines on the ground and as a star sees them.

The baseline from station ``first`` to ``second`` is B = P_second - P_first. In the local equatorial frame
(X in the meridian plane, Y east, Z to the north pole), for hour angle H = sidereal time - right ascension
and declination d, both of date:

    u = X sin H + Y cos H                              (east)
    v = sin d (Y sin H - X cos H) + Z cos d            (north)

length = hypot(u, v), angle = atan2(u, v): north through east. ASPRO2's own B is P_first - P_second; logs
and headers use the sign here. Thompson, Moran & Swenson, section 4.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from obsportal.interferometry.array import Facility
from obsportal.interferometry.times import gmst_deg, lst_deg

__all__ = [
    "EarthBaseline",
    "Projected",
    "earth_baselines",
    "gmst_deg",
    "lst_deg",
    "precess",
    "project",
    "project_many",
]

_ARCSEC = math.pi / 648000.0
_DEG = math.pi / 180.0


class EarthBaseline(NamedTuple):
    """Vector from station ``first`` to ``second``, local equatorial frame, metres."""

    first: str
    second: str
    x: float
    y: float
    z: float


class Projected(NamedTuple):
    """A baseline on the sky: u east, v north, length in metres; angle north through east in [0, 360)."""

    first: str
    second: str
    u: float
    v: float
    length: float
    angle: float


def earth_baselines(facility: Facility, stations: Sequence[str]) -> tuple[EarthBaseline, ...]:
    """List the baselines of stations in their order: 12, 13, 14, 23, 24, 34, by log names.

    Raises UnknownStation.
    """
    return _earth_baselines(facility, tuple(stations))


@lru_cache(maxsize=4096)
def _earth_baselines(facility: Facility, stations: tuple[str, ...]) -> tuple[EarthBaseline, ...]:
    places = [facility.station(name) for name in stations]
    return tuple(
        EarthBaseline(a.log_name, b.log_name, b.x - a.x, b.y - a.y, b.z - a.z)
        for a, b in combinations(places, 2)
    )


def precess(ra_deg: float, dec_deg: float, mjd: float) -> tuple[float, float]:
    """Precess a J2000 direction to the mean equator and equinox of a date; degrees.

    IAU 1976 angles (Lieske et al. 1977, A&A 58, 1); no nutation, no aberration.
    """
    t = (mjd - 51544.5) / 36525.0
    zeta = t * (2306.2181 + t * (0.30188 + t * 0.017998)) * _ARCSEC
    z = t * (2306.2181 + t * (1.09468 + t * 0.018203)) * _ARCSEC
    theta = t * (2004.3109 - t * (0.42665 + t * 0.041833)) * _ARCSEC
    a, d = ra_deg * _DEG + zeta, dec_deg * _DEG
    cos_d, sin_d, cos_a = math.cos(d), math.sin(d), math.cos(a)
    cos_t, sin_t = math.cos(theta), math.sin(theta)
    east = cos_d * math.sin(a)
    meridian = cos_t * cos_d * cos_a - sin_t * sin_d
    pole = sin_t * cos_d * cos_a + cos_t * sin_d
    ra = (math.atan2(east, meridian) + z) / _DEG % 360.0
    return ra, math.atan2(pole, math.hypot(east, meridian)) / _DEG


def project(
    facility: Facility,
    stations: Sequence[str],
    mjd: float,
    ra_deg: float,
    dec_deg: float,
    lst_deg: float | None = None,
) -> list[Projected]:
    """Project the baselines of stations towards a J2000 direction at an instant (MJD UTC).

    ``lst_deg`` replaces the computed local mean sidereal time, for a header that brings its own.
    Raises UnknownStation.
    """
    ra, dec = precess(ra_deg, dec_deg, mjd)
    lst = gmst_deg(mjd) + facility.longitude_deg if lst_deg is None else lst_deg
    hour_angle = (lst - ra) * _DEG
    sin_h, cos_h = math.sin(hour_angle), math.cos(hour_angle)
    sin_d, cos_d = math.sin(dec * _DEG), math.cos(dec * _DEG)
    found = []
    for first, second, x, y, z in _earth_baselines(facility, tuple(stations)):
        u = x * sin_h + y * cos_h
        v = sin_d * (y * sin_h - x * cos_h) + z * cos_d
        angle = math.atan2(u, v) / _DEG % 360.0
        found.append(Projected(first, second, u, v, math.hypot(u, v), angle))
    return found


def project_many(
    xyz: ArrayLike, lst_deg: ArrayLike, ra_deg: ArrayLike, dec_deg: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project baselines at many instants or towards many stars: u and v in metres.

    ``xyz`` has shape (baselines, 3); ``lst_deg``, ``ra_deg``, ``dec_deg`` (of date, see ``precess``) are
    broadcast together to some shape S. Both results have shape (baselines, *S).
    """
    x, y, z = np.moveaxis(np.asarray(xyz, dtype=np.float64), -1, 0)
    hour_angle = np.radians(np.asarray(lst_deg, dtype=np.float64) - np.asarray(ra_deg, dtype=np.float64))
    hour_angle, dec = np.broadcast_arrays(hour_angle, np.radians(np.asarray(dec_deg, dtype=np.float64)))
    sin_h, cos_h, sin_d, cos_d = np.sin(hour_angle), np.cos(hour_angle), np.sin(dec), np.cos(dec)

    def outer(component: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.multiply.outer(component, other)

    u = outer(x, sin_h) + outer(y, cos_h)
    v = outer(y, sin_d * sin_h) - outer(x, sin_d * cos_h) + outer(z, cos_d)
    return u, v
