"""Which target an exposure belongs to. One function decides: :func:`assign`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from django.db.models import Q

from obsportal.exposures.models import Target
from obsportal.exposures.record import Sighting
from obsportal.interferometry.sky import cone_ranges, hpx29, separation_deg, unit_vector

SAME_NAME_DEG = 1 / 60
"""Pointings of one name within 1 arcmin are one target."""
SAME_PLACE_DEG = 2 / 3600
"""Pointings within 2 arcsec are one target, whatever their names."""

UNNAMED = "-"


def normalise(name: str) -> str:
    """A typed name without case, blanks, underscores and punctuation; signs and digits stay.

    >>> normalise("HD_58647") == normalise("hd 58647")
    True
    """
    return re.sub(r"[\s_\-*.,;:'\"()]+", "", name.replace("+", "p")).lower()[:80]


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


def hpx_condition(column: str, ra: float, dec: float, radius_deg: float) -> Q:
    """The ``hpx`` ranges that cover a cone: a superset of its rows, found by the index."""
    condition = Q()
    for low, high in cone_ranges(ra, dec, radius_deg):
        condition |= Q(**{f"{column}__range": (low, high)})
    return condition


def assign(sighting: Sighting | None) -> Target:
    """The target of a sighting: an existing one, else a new one.

    Same normalised name within 1 arcmin, or any name within 2 arcsec; among several, the same name
    first, then the nearest, then the oldest. A sighting without a position belongs to the target of
    that name without a position. The first sighting gives the target its name and position.
    """
    name = (sighting.name if sighting else "").strip() or UNNAMED
    normalised = normalise(name) or UNNAMED
    if sighting is None or sighting.ra is None or sighting.dec is None:
        target, _ = Target.objects.get_or_create(
            normalised_name=normalised, ra=None, dec=None, defaults={"name": name[:80]}
        )
        return target
    ra, dec = sighting.ra, sighting.dec
    candidates = hpx_condition("hpx", ra, dec, SAME_PLACE_DEG)
    if normalised != UNNAMED:
        candidates |= Q(normalised_name=normalised, ra__isnull=False)
    best: tuple[bool, float, int, Target] | None = None
    for candidate in Target.objects.filter(candidates):
        same_name = candidate.normalised_name == normalised != UNNAMED
        assert candidate.ra is not None and candidate.dec is not None
        distance = separation_deg(ra, dec, candidate.ra, candidate.dec)
        if distance <= (SAME_NAME_DEG if same_name else SAME_PLACE_DEG):
            found = (not same_name, distance, candidate.pk, candidate)
            if best is None or found[:3] < best[:3]:
                best = found
    if best is not None:
        return best[3]
    at = place(ra, dec)
    return Target.objects.create(
        name=name[:80], normalised_name=normalised, ra=ra, dec=dec, hpx=at.hpx, x=at.x, y=at.y, z=at.z
    )
