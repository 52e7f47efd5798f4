"""Where a star was: straight paths on the sky from its place at J2000. No database.

Proper motions are mas/yr, the one in RA with cos(dec). The path is a straight line in space (ESA SP-1200,
vol. 1, eq. 1.2.16, without parallax and radial velocity): good to 0.01 arcsec over a century for any star.
"""

from __future__ import annotations

import math

from obsportal.interferometry.sky import unit_vector

Vector = tuple[float, float, float]

MJD_J2000 = 51544.5
DAYS_PER_YEAR = 365.25
ARCSEC = math.pi / 180 / 3600
"""One arcsec in radians."""


def years_from_j2000(mjd: float) -> float:
    """Julian years since J2000.0."""
    return (mjd - MJD_J2000) / DAYS_PER_YEAR


def moved(ra: float, dec: float, pm_ra: float | None, pm_dec: float | None, years: float) -> Vector:
    """Unit vector of a star some years after the epoch of its position (deg, mas/yr)."""
    x, y, z = unit_vector(ra, dec)
    if not pm_ra and not pm_dec:
        return x, y, z
    a, d = math.radians(ra), math.radians(dec)
    east = (pm_ra or 0.0) * years * ARCSEC / 1000
    north = (pm_dec or 0.0) * years * ARCSEC / 1000
    x += -math.sin(a) * east - math.sin(d) * math.cos(a) * north
    y += math.cos(a) * east - math.sin(d) * math.sin(a) * north
    z += math.cos(d) * north
    length = math.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length


def place_at(
    ra: float, dec: float, pm_ra: float | None, pm_dec: float | None, years: float
) -> tuple[float, float]:
    """RA and Dec (deg) of a star some years after the epoch of its position (deg, mas/yr)."""
    x, y, z = moved(ra, dec, pm_ra, pm_dec, years)
    return math.degrees(math.atan2(y, x)) % 360.0, math.degrees(math.atan2(z, math.hypot(x, y)))


def separation_arcsec(one: Vector, other: Vector) -> float:
    """Angle between two directions."""
    chord = math.sqrt(sum((a - b) * (a - b) for a, b in zip(one, other, strict=True)))
    return 2 * math.asin(min(chord / 2, 1.0)) / ARCSEC


def path_separation_arcsec(point: Vector, start: Vector, end: Vector) -> float:
    """Angle between a direction and the nearest place of a path of at most some arcmin."""
    along = [b - a for a, b in zip(start, end, strict=True)]
    length = sum(a * a for a in along)
    if length == 0.0:
        return separation_arcsec(point, start)
    part = sum((p - s) * a for p, s, a in zip(point, start, along, strict=True)) / length
    part = min(max(part, 0.0), 1.0)
    x, y, z = (s + part * a for s, a in zip(start, along, strict=True))
    norm = math.sqrt(x * x + y * y + z * z)
    return separation_arcsec(point, (x / norm, y / norm, z / norm))
