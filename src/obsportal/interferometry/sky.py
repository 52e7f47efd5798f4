"""Places on the sky: the HEALPix index, cones as index ranges, unit vectors, separations. Degrees.

The index is HEALPix nested at order 29 (Gorski et al. 2005, ApJ 622, 759): 12 * 4**29 < 2**62, so it fits a
signed 64-bit integer. A cone becomes a few index ranges that cover it; the exact test follows, either
``separation_deg`` or the squared distance of unit vectors against ``chord_squared``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

# The compiled module: the documented wrappers around it build astropy quantities, ten times slower.
from cdshealpix import cdshealpix as _healpix
from numpy.typing import ArrayLike, NDArray

ORDER = 29
LAST_CELL = 12 * 4**ORDER - 1
_CELL_DEG = 58.6  # size of an order 0 cell: sqrt(4 pi / 12)
_PAD_DEG = 1e-9  # covers rounding of the index and of the exact test, far below a cell (0.4 mas)
_HALF_SKY_DEG = 90.0  # cdshealpix 0.9 leaves cells out of cones beyond 135 degrees
_SIDE = 1 << ORDER
_EDGE = 1e-3  # of a cell; the two ways to compute an index differ by less than 1e-5 of one
_SPREAD = [sum((number >> bit & 1) << 2 * bit for bit in range(10)) for number in range(1024)]
_ONE_THREAD = np.uint16(1)
_ALL_THREADS = np.uint16(0)
_MANY = 20_000  # positions from which a pool of threads pays


def _check(ra_deg: float, dec_deg: float) -> None:
    if not math.isfinite(ra_deg):
        raise ValueError(f"right ascension must be a finite number of degrees, found {ra_deg}")
    if not -90.0 <= dec_deg <= 90.0:
        raise ValueError(f"declination must be in [-90, 90] degrees, found {dec_deg}")


def hpx29(ra_deg: float, dec_deg: float) -> int:
    """Index of the order 29 cell of a position in degrees; any right ascension is folded to [0, 360).

    Raises ValueError for a declination beyond the poles or a value that is not finite. Equal to
    ``hpx29_many`` to the bit: a position whose rounding could fall on either side of a cell's edge is
    left to it.
    """
    _check(ra_deg, dec_deg)
    dec = math.radians(dec_deg)
    z = math.sin(dec)
    quarter = ra_deg % 360.0 / 90.0
    if abs(z) <= 2.0 / 3.0:
        down = _SIDE * (0.5 + quarter - 0.75 * z)
        up = _SIDE * (0.5 + quarter + 0.75 * z)
        row_down, row_up = int(down), int(up)
        strip_down, strip_up = row_down >> ORDER, row_up >> ORDER
        if strip_down == strip_up:
            face = strip_down & 3 | 4
        else:
            face = strip_down & 3 if strip_down < strip_up else (strip_up & 3) + 8
        x, y = row_up & _SIDE - 1, _SIDE - 1 - (row_down & _SIDE - 1)
    else:
        face = int(quarter) & 3
        width = _SIDE * math.sqrt(3.0) * math.cos(dec) / math.sqrt(1.0 + abs(z))
        down = (quarter - int(quarter)) * width
        up = width - down
        row_down, row_up = int(down), int(up)
        if z > 0.0:
            x, y = _SIDE - 1 - row_up, _SIDE - 1 - row_down
        else:
            face, x, y = face + 8, row_down, row_up
    edge = min(abs(down - round(down)), abs(up - round(up)))
    if edge < _EDGE or not (0 <= x < _SIDE and 0 <= y < _SIDE):
        return int(hpx29_many(np.array([ra_deg]), np.array([dec_deg]))[0])
    return face << 2 * ORDER | _spread(x) | _spread(y) << 1


def _spread(bits: int) -> int:
    """Put a zero between the bits of a 29-bit number."""
    return _SPREAD[bits & 1023] | _SPREAD[bits >> 10 & 1023] << 20 | _SPREAD[bits >> 20] << 40


def hpx29_many(ra_deg: ArrayLike, dec_deg: ArrayLike) -> NDArray[np.int64]:
    """Indices of the order 29 cells of positions in degrees, as signed 64-bit integers.

    Raises ValueError when shapes differ, a declination is beyond the poles or a value is not finite.
    """
    ra = np.ascontiguousarray(ra_deg, dtype=np.float64)
    dec = np.ascontiguousarray(dec_deg, dtype=np.float64)
    if ra.shape != dec.shape:
        raise ValueError(f"as many right ascensions as declinations are needed: {ra.shape}, {dec.shape}")
    if not (np.isfinite(ra).all() and (np.abs(dec) <= 90.0).all()):
        raise ValueError("right ascensions must be finite and declinations in [-90, 90] degrees")
    cells = np.empty(ra.shape, dtype=np.uint64)
    unused = np.empty((2, *ra.shape))
    orders = np.full(ra.shape, ORDER, dtype=np.uint8)
    threads = _ALL_THREADS if ra.size >= _MANY else _ONE_THREAD
    longitude = np.radians(np.mod(ra, 360.0))
    _healpix.lonlat_to_healpix(orders, longitude, np.radians(dec), cells, unused[0], unused[1], threads)
    return cells.astype(np.int64)


def unit_vector(ra_deg: float, dec_deg: float) -> tuple[float, float, float]:
    """Direction as x, y, z of length 1: x to (0, 0), y to (90, 0), z to the north pole.

    Components below 1e-100 are zero: PostgreSQL refuses products that underflow.
    """
    ra, dec = math.radians(ra_deg), math.radians(dec_deg)
    x, y, z = math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)
    return _or_zero(x), _or_zero(y), _or_zero(z)


def _or_zero(component: float) -> float:
    return component if abs(component) > 1e-100 else 0.0


def chord_squared(radius_deg: float) -> float:
    """Squared distance between two unit vectors that are an angle in degrees apart."""
    half = math.sin(math.radians(min(max(radius_deg, 0.0), 180.0)) / 2.0)
    return 4.0 * half * half


def separation_deg(ra1_deg: float, dec1_deg: float, ra2_deg: float, dec2_deg: float) -> float:
    """Angle between two directions in degrees, exact at all distances (Vincenty)."""
    delta = math.radians(ra2_deg - ra1_deg)
    dec1, dec2 = math.radians(dec1_deg), math.radians(dec2_deg)
    sin1, cos1, sin2, cos2 = math.sin(dec1), math.cos(dec1), math.sin(dec2), math.cos(dec2)
    across = math.hypot(cos2 * math.sin(delta), cos1 * sin2 - sin1 * cos2 * math.cos(delta))
    along = sin1 * sin2 + cos1 * cos2 * math.cos(delta)
    return math.degrees(math.atan2(across, along))


def cone_ranges(
    ra_deg: float, dec_deg: float, radius_deg: float, max_ranges: int = 24
) -> list[tuple[int, int]]:
    """Cover a cone with at most ``max_ranges`` inclusive ranges of order 29 indices, sorted and apart.

    Every position inside the cone has its ``hpx29`` in one of them; positions just outside may, too.
    A cone of half the sky and more is covered by the whole of it.
    Raises ValueError for a position that is none, a negative radius or no range at all.
    """
    _check(ra_deg, dec_deg)
    if not radius_deg >= 0.0:
        raise ValueError(f"radius must be zero or more degrees, found {radius_deg}")
    if max_ranges < 1:
        raise ValueError(f"max_ranges must be at least 1, found {max_ranges}")
    if radius_deg >= _HALF_SKY_DEG:
        return [(0, LAST_CELL)]
    radius = radius_deg + _PAD_DEG
    order = min(max(math.floor(math.log2(_CELL_DEG / radius)) + 2, 0), ORDER)
    cells, orders, _ = _healpix.cone_search(
        np.uint8(order),
        np.uint8(0),
        math.radians(ra_deg % 360.0),
        math.radians(dec_deg),
        math.radians(radius),
        False,
    )
    ranges: list[tuple[int, int]] = []
    for cell, depth in zip(cells.tolist(), orders.tolist(), strict=True):
        shift = 2 * (ORDER - depth)
        first, last = cell << shift, (cell + 1 << shift) - 1
        if ranges and first <= ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], last)
        else:
            ranges.append((first, last))
    return _joined(ranges, max_ranges)


def _joined(ranges: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """Close the narrowest gaps between sorted ranges until no more than ``most`` are left."""
    if len(ranges) <= most:
        return ranges
    gaps = sorted(range(1, len(ranges)), key=lambda k: ranges[k][0] - ranges[k - 1][1])
    cuts = [0, *sorted(gaps[len(gaps) - most + 1 :]), len(ranges)]
    return [(ranges[a][0], ranges[b - 1][1]) for a, b in pairwise(cuts)]


@dataclass(frozen=True, slots=True)
class Place:
    """A direction with the columns that the position index needs."""

    ra: float
    dec: float
    hpx: int
    x: float
    y: float
    z: float


@lru_cache(maxsize=65536)
def place(ra: float, dec: float) -> Place:
    """The index columns of a direction given in degrees."""
    return Place(ra, dec, hpx29(ra, dec), *unit_vector(ra, dec))
