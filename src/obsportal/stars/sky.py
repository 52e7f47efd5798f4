"""Known stars on the sky, found by name and by place. No database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, hypot

import numpy as np
from cdshealpix.nested import neighbours
from numpy.typing import ArrayLike

from obsportal.interferometry.sky import ORDER, hpx29, unit_vector
from obsportal.stars.motion import (
    ARCSEC,
    Vector,
    moved,
    path_separation_arcsec,
    place_at,
    years_from_j2000,
)
from obsportal.stars.names import is_generic

_CUBE = 120 * ARCSEC
_MARGIN = 5 * ARCSEC
FIRST_YEAR, LAST_YEAR = -20.0, 60.0
"""Years from J2000 between which stars are found by place."""


@dataclass(frozen=True, slots=True)
class KnownStar:
    """A star: normalised names, place at J2000 (deg), proper motion (mas/yr, RA with cos(dec))."""

    key: int
    names: frozenset[str]
    ra: float
    dec: float
    pm_ra: float | None = None
    pm_dec: float | None = None

    @property
    def motion(self) -> float:
        """Total proper motion, mas/yr."""
        return hypot(self.pm_ra or 0.0, self.pm_dec or 0.0)


class StarMap:
    """Known stars by number, with an index by name and one by place."""

    def __init__(self, stars: Iterable[KnownStar]) -> None:
        self.stars = sorted(stars, key=lambda s: (s.ra, s.dec, sorted(s.names), s.key))
        self.by_name: dict[str, list[int]] = defaultdict(list)
        self._starts = [unit_vector(s.ra, s.dec) for s in self.stars]
        self._cubes: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        for number, star in enumerate(self.stars):
            for name in star.names:
                if not is_generic(name):
                    self.by_name[name].append(number)
            for cube in self._passed(star):
                self._cubes[cube].append(number)

    @staticmethod
    def _passed(star: KnownStar) -> set[tuple[int, int, int]]:
        """The cubes that a star's path comes near to."""
        steps = 1 + int(star.motion / 1000 * (LAST_YEAR - FIRST_YEAR) / 60) if star.motion > 50 else 0
        years = (
            [FIRST_YEAR + (LAST_YEAR - FIRST_YEAR) * k / steps for k in range(steps + 1)] if steps else [0.0]
        )
        reach = _MARGIN + (60 * ARCSEC / 2 if steps else 0.0)
        found = set()
        for year in years:
            x, y, z = moved(star.ra, star.dec, star.pm_ra, star.pm_dec, year)
            for dx in (-reach, reach):
                for dy in (-reach, reach):
                    for dz in (-reach, reach):
                        found.add(_cube((x + dx, y + dy, z + dz)))
        return found

    def near(self, vector: Vector) -> list[int]:
        """Numbers of the stars whose path may be within some arcsec of a direction."""
        return self._cubes.get(_cube(vector), [])

    def separation(self, number: int, vector: Vector, mjd: float | None) -> float:
        """arcsec from a direction to the path of a star between J2000 and a date (MJD)."""
        star = self.stars[number]
        if mjd is None or not star.motion:
            return path_separation_arcsec(vector, self._starts[number], self._starts[number])
        end = moved(star.ra, star.dec, star.pm_ra, star.pm_dec, years_from_j2000(mjd))
        return path_separation_arcsec(vector, self._starts[number], end)


def _cube(vector: Vector) -> tuple[int, int, int]:
    x, y, z = vector
    return floor(x / _CUBE), floor(y / _CUBE), floor(z / _CUBE)


def path_cells(star: KnownStar) -> list[int]:
    """Order 29 indices along a star's path, at most 10 arcsec apart."""
    steps = 1 + int(star.motion / 1000 * (LAST_YEAR - FIRST_YEAR) / 10)
    found = []
    for k in range(steps + 1):
        years = FIRST_YEAR + (LAST_YEAR - FIRST_YEAR) * k / steps
        found.append(hpx29(*place_at(star.ra, star.dec, star.pm_ra, star.pm_dec, years)))
    return found


def cell_ranges(hpx: ArrayLike, order: int) -> list[tuple[int, int]]:
    """Inclusive ranges of order 29 indices: the cells of an order that hold these, and all around them.

    A cell of order 15 is 6.4 arcsec wide, of order 13 26 arcsec, of order 8 14 arcmin.
    """
    shift = 2 * (ORDER - order)
    cells = np.unique(np.asarray(hpx, dtype=np.int64) >> shift)
    if not cells.size:
        return []
    around = np.unique(neighbours(cells.astype(np.uint64), order, 1))
    around = around[around >= 0]
    breaks = np.flatnonzero(np.diff(around) > 1)
    first = around[np.concatenate(([0], breaks + 1))]
    last = around[np.concatenate((breaks, [around.size - 1]))]
    return [(int(a) << shift, (int(b) + 1 << shift) - 1) for a, b in zip(first, last, strict=True)]
