"""Which target an exposure belongs to. One function decides: :func:`assign`."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from obsportal.accounts.access import Visibility
from obsportal.exposures.models import Target
from obsportal.exposures.record import Sighting
from obsportal.interferometry.sky import cone_ranges, place, separation_deg
from obsportal.stars.names import UNNAMED, normalise

SAME_NAME_DEG = 1 / 60
"""Pointings of one name within 1 arcmin are one target."""
SAME_PLACE_DEG = 2 / 3600
"""Pointings within 2 arcsec are one target, whatever their names."""


@dataclass(frozen=True, slots=True)
class OtherField:
    """The other star of a dual-field exposure, which is never the target that is looked for."""

    name: str = ""
    target: int = 0


def fields(science: Sighting | None, tracked: Sighting | None) -> tuple[OtherField, OtherField] | None:
    """What the fringe-tracker star and the science target must not be; None for one star or one field.

    A companion may be closer to its star than SAME_PLACE_DEG: their data are kept apart by name.
    """
    if science is None or tracked is None:
        return None
    if normalise(science.name) == normalise(tracked.name):
        return None
    if (science.ra, science.dec) == (tracked.ra, tracked.dec):
        return None
    return OtherField(name=normalise(science.name)), OtherField(name=normalise(tracked.name))


def assign(
    sighting: Sighting | None,
    other: OtherField | None = None,
    visibility: Visibility = Visibility.PUBLIC,
) -> int:
    """The primary key of the target of a sighting: an existing one, else a new one.

    Same normalised name within 1 arcmin, or any name within 2 arcsec; among several, the same name
    first, then the nearest, then the oldest. A sighting without a position belongs to the target of
    that name without a position. The first sighting gives the target its name and position.
    ``other`` is the other field of a dual-field exposure. A public sighting joins public targets only,
    so that no name or place of a protected programme shows through it.
    """
    name = (sighting.name if sighting else "").strip() or UNNAMED
    normalised = normalise(name) or UNNAMED
    if sighting is None or sighting.ra is None or sighting.dec is None:
        target, _ = Target.objects.get_or_create(
            normalised_name=normalised, ra=None, dec=None, visibility=visibility, defaults={"name": name[:80]}
        )
        return target.pk
    ra, dec = sighting.ra, sighting.dec
    best: tuple[bool, float, int] | None = None
    for key, found_name, other_ra, other_dec in _candidates(normalised, ra, dec, visibility):
        if other is not None and (key == other.target or found_name == other.name):
            continue
        same_name = found_name == normalised != UNNAMED
        distance = separation_deg(ra, dec, other_ra, other_dec)
        if distance <= (SAME_NAME_DEG if same_name else SAME_PLACE_DEG):
            found = (not same_name, distance, key)
            best = found if best is None else min(best, found)
    if best is not None:
        return best[2]
    at = place(ra, dec)
    return Target.objects.create(
        name=name[:80],
        normalised_name=normalised,
        visibility=visibility,
        ra=ra,
        dec=dec,
        hpx=at.hpx,
        x=at.x,
        y=at.y,
        z=at.z,
    ).pk


def _candidates(
    normalised: str, ra: float, dec: float, visibility: Visibility
) -> list[tuple[int, str, float, float]]:
    """Targets of that name, and targets whose cell is in a cone around that place."""
    ranges = cone_ranges(ra, dec, SAME_PLACE_DEG)
    tests = " OR ".join(["hpx BETWEEN %s AND %s"] * len(ranges))
    params: list[float | str] = [edge for pair in ranges for edge in pair]
    if normalised != UNNAMED:
        tests += " OR (normalised_name = %s AND ra IS NOT NULL)"
        params.append(normalised)
    if visibility is not Visibility.PROTECTED:
        tests = f"({tests}) AND visibility = %s"
        params.append(Visibility.PUBLIC.value)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, normalised_name, ra, dec FROM exposures_target WHERE {tests}",  # noqa: S608
            params,
        )
        return list(cursor.fetchall())
