"""Which targets a list of names and positions means: set-based, a handful of queries for any list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from django.db import connection

from obsportal.accounts.access import visible_rows
from obsportal.exposures.bulk import parts
from obsportal.exposures.models import Exposure, Target, TargetPointing
from obsportal.interferometry.sky import cone_ranges, separation_deg
from obsportal.stars.models import Star, StarName
from obsportal.stars.names import normalise

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor
    from obsportal.exposures.takeaway.list_input import ListLine

RANGES = 6
"""Index ranges of a cone: few are quick to look up, the exact test follows."""

Item = TypeVar("Item")
Key = TypeVar("Key", int, str)


class How(StrEnum):
    """How a star of a list was found."""

    NAME = "name"
    STAR = "known star"
    POSITION = "position"

    @property
    def label(self) -> str:
        """The words shown to people."""
        return {
            "name": "by name",
            "known star": "by another name of the star",
            "position": "by position",
        }[self.value]


@dataclass(frozen=True, slots=True)
class Match:
    """A target that a line means. ``separation`` in arcsec from the position given, where one is."""

    target_id: int
    how: How
    separation: float | None = None
    by_star: str = ""
    """Main name of the known star that led to it."""


def match(lines: Sequence[ListLine], radius_arcsec: float, actor: Actor) -> dict[int, list[Match]]:
    """Targets by line number, the nearest first. A position decides; a name where there is none near.

    Targets of which the actor may see no exposure are as if they were not there.
    """
    asked = [line for line in lines if not line.problem]
    cones = {
        line.number: (line.ra, line.dec) for line in asked if line.ra is not None and line.dec is not None
    }
    near = _near(cones, radius_arcsec / 3600, actor)
    named = {line.number: normalise(line.name) for line in asked if line.name and not near.get(line.number)}
    named = {number: name for number, name in named.items() if name}
    by_name = _by_name(set(named.values()), actor)
    found: dict[int, list[Match]] = {}
    through_star: dict[int, str] = {}
    for line in asked:
        if at := near.get(line.number):
            ordered = sorted(at.items(), key=lambda pair: (pair[1], pair[0]))
            found[line.number] = [Match(t, How.POSITION, distance * 3600) for t, distance in ordered]
        elif targets := by_name.get(named.get(line.number, "")):
            found[line.number] = [Match(t, How.NAME) for t in sorted(targets)]
        elif line.number in named:
            through_star[line.number] = named[line.number]
    found |= _through_stars(through_star, radius_arcsec / 3600, actor)
    return _with_separations(found, {line.number: line for line in asked})


def _near(
    cones: dict[int, tuple[float, float]], radius_deg: float, actor: Actor
) -> dict[int, dict[int, float]]:
    """Targets with their separation in degrees by key of the cone; by target and by pointing."""
    ranges = [
        (key, low, high)
        for key, (ra, dec) in cones.items()
        for low, high in cone_ranges(ra, dec, radius_deg, RANGES)
    ]
    inside: list[tuple[int, int, int | None, float]] = []
    for part in parts(ranges):
        for key, target, pointing, ra, dec in _candidates(part):
            distance = separation_deg(*cones[key], ra, dec)
            if distance <= radius_deg:
                inside.append((key, target, pointing, distance))
    visible: set[int | None] = {None}
    for keys in parts(sorted({p for _, _, p, _ in inside if p is not None})):
        shown = TargetPointing.objects.filter(visible_rows(actor), pk__in=keys)
        visible |= set(shown.values_list("pk", flat=True))
    found: dict[int, dict[int, float]] = defaultdict(dict)
    for key, target, pointing, distance in inside:
        if pointing in visible:
            found[key][target] = min(distance, found[key].get(target, distance))
    return _seen(found, actor)


def _seen(found: Mapping[Key, dict[int, float]], actor: Actor) -> dict[Key, dict[int, float]]:
    """Only the targets that the actor may know of, and only what has any."""
    visible: set[int] = set()
    for keys in parts(sorted({target for targets in found.values() for target in targets})):
        visible |= set(Target.objects.visible_to(actor).filter(pk__in=keys).values_list("pk", flat=True))
    kept = {key: {t: d for t, d in targets.items() if t in visible} for key, targets in found.items()}
    return {key: targets for key, targets in kept.items() if targets}


def _candidates(
    ranges: Sequence[tuple[int, int, int]],
) -> list[tuple[int, int, int | None, float, float]]:
    """Cone, target, pointing (None for the target's own place), RA and Dec of what the index has there."""
    rows = ", ".join(["(%s, %s, %s)"] * len(ranges))
    sql = f"""
        WITH asked (line, low, high) AS (VALUES {rows})
        SELECT asked.line, t.id, NULL, t.ra, t.dec FROM asked
          JOIN exposures_target t ON t.hpx BETWEEN asked.low AND asked.high
        UNION ALL
        SELECT asked.line, p.target_id, p.id, p.ra, p.dec FROM asked
          JOIN exposures_targetpointing p ON p.hpx BETWEEN asked.low AND asked.high
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, [value for row in ranges for value in row])
        return list(cursor.fetchall())


def _by_name(names: Collection[str], actor: Actor) -> dict[str, set[int]]:
    """Targets by normalised name: their own, those typed at their pointings, those of their star."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    shown = visible_rows(actor)
    loose = Exposure.objects.visible_to(actor).filter(pointing=None)
    ungathered = bool(names) and loose.exists()
    for part in parts(sorted(names)):
        own = Target.objects.filter(shown, normalised_name__in=part)
        typed = TargetPointing.objects.filter(shown, normalised_name__in=part)
        starred = Target.objects.filter(star__names__normalised_name__in=part)
        pairs = [
            *own.values_list("normalised_name", "pk"),
            *typed.values_list("normalised_name", "target_id"),
            *starred.values_list("star__names__normalised_name", "pk"),
        ]
        if ungathered:
            rows = loose.filter(target_normalised_name__in=part).order_by()
            pairs += rows.values_list("target_normalised_name", "target_id").distinct()
        for name, target in pairs:
            found[name][target] = 0.0
    return {name: set(targets) for name, targets in _seen(found, actor).items()}


def _through_stars(named: dict[int, str], radius_deg: float, actor: Actor) -> dict[int, list[Match]]:
    """Targets at the place of a known star that has the name, where no target is linked to the star."""
    stars: dict[str, Star] = {}
    for part in parts(sorted(set(named.values()))):
        rows = StarName.objects.filter(normalised_name__in=part).select_related("star").order_by("pk")
        for row in rows:
            stars.setdefault(row.normalised_name, row.star)
    places = {line: (stars[name].ra, stars[name].dec) for line, name in named.items() if name in stars}
    return {
        line: [
            Match(target, How.STAR, distance * 3600, stars[named[line]].name)
            for target, distance in sorted(at.items(), key=lambda pair: (pair[1], pair[0]))
        ]
        for line, at in _near(places, radius_deg, actor).items()
        if at
    }


def _with_separations(found: dict[int, list[Match]], lines: dict[int, ListLine]) -> dict[int, list[Match]]:
    """Add how far a target found by name lies from the position that was given with it."""
    far = {
        m.target_id
        for number, matches in found.items()
        for m in matches
        if m.how is How.NAME and lines[number].ra is not None
    }
    places = {
        pk: (ra, dec)
        for pk, ra, dec in Target.objects.filter(pk__in=far).values_list("pk", "ra", "dec")
        if ra is not None and dec is not None
    }

    def measured(number: int, m: Match) -> Match:
        line = lines[number]
        if m.target_id not in places or line.ra is None or line.dec is None:
            return m
        distance = separation_deg(line.ra, line.dec, *places[m.target_id]) * 3600
        return Match(m.target_id, m.how, distance, m.by_star)

    return {number: [measured(number, m) for m in matches] for number, matches in found.items()}
