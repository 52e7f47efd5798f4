"""Known stars in the records, by name and by place. A loaded list wins over a name service."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from django.db import connection
from numpy.typing import ArrayLike, NDArray

from obsportal.interferometry.sky import unit_vector
from obsportal.stars.models import Star, StarName
from obsportal.stars.motion import separation_arcsec
from obsportal.stars.names import is_generic, normalise
from obsportal.stars.sky import KnownStar, cell_ranges

SESAME = "sesame"
"""The source of stars that the name service told of."""
ONE_STAR = 2.0
"""arcsec within which two sources that share a name tell of one star."""
FAST = 200.0
"""mas/yr from which a star is looked for farther from its place at J2000."""
CHUNK = 5000


def every() -> list[KnownStar]:
    """All known stars."""
    return canonical(Star.objects.values_list("pk", "source", "name", "ra", "dec", "pm_ra", "pm_dec"))


def around(names: Collection[str], hpx: ArrayLike) -> list[KnownStar]:
    """The known stars that have one of these normalised names, or may have been near one of these cells."""
    if not Star.objects.exists():
        return []
    cells: NDArray[np.int64] = np.asarray(hpx, dtype=np.int64)
    keys = set(with_names(names))
    found = _within(cell_ranges(cells, 13)) | _within(cell_ranges(cells, 8), fast=True)
    missing = keys - found.keys()
    found |= _rows(missing)
    # What another source says of these stars may win.
    own = np.array([row[-1] for row in found.values()], dtype=np.int64)
    found |= _within(cell_ranges(own, 15))
    return canonical([(key, *row[:-1]) for key, row in found.items()])


def with_names(names: Collection[str]) -> set[int]:
    """Primary keys of the stars that have one of these normalised names."""
    wanted = sorted(name for name in names if not is_generic(name))
    found: set[int] = set()
    for start in range(0, len(wanted), CHUNK):
        rows = StarName.objects.filter(normalised_name__in=wanted[start : start + CHUNK])
        found.update(rows.values_list("star_id", flat=True))
    return found


def find(name: str) -> Star | None:
    """The known star of a name, typed anyhow; None where there is none, or there are several."""
    keys = with_names([normalise(name)])
    if not keys:
        return None
    found = canonical(
        Star.objects.filter(pk__in=keys).values_list("pk", "source", "name", "ra", "dec", "pm_ra", "pm_dec")
    )
    return Star.objects.get(pk=found[0].key) if len(found) == 1 else None


_Row = tuple[str, str, float, float, float | None, float | None, int]
_COLUMNS = "id, source, name, ra, dec, pm_ra, pm_dec, hpx"


def _within(ranges: Sequence[tuple[int, int]], *, fast: bool = False) -> dict[int, _Row]:
    if not ranges:
        return {}
    moving = f" AND (abs(pm_ra) > {FAST} OR abs(pm_dec) > {FAST})" if fast else ""
    values = ", ".join(f"({low}, {high})" for low, high in ranges)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH wanted(low, high) AS (VALUES {values}) SELECT {_COLUMNS} FROM wanted"  # noqa: S608
            f" CROSS JOIN stars_star WHERE hpx BETWEEN low AND high{moving}"
        )
        return {row[0]: row[1:] for row in cursor.fetchall()}


def _rows(keys: Collection[int]) -> dict[int, _Row]:
    rows = Star.objects.filter(pk__in=keys)
    return {row[0]: row[1:] for row in rows.values_list(*_COLUMNS.split(", "))}


def canonical(
    rows: Iterable[tuple[int, str, str, float, float, float | None, float | None]],
) -> list[KnownStar]:
    """One star of each that several sources know: lists win over Sesame, then the first by name.

    Rows are (key, source, name, ra, dec, pm_ra, pm_dec). The winner answers to the names of all.
    """
    ordered = sorted(rows, key=lambda row: (row[1] == SESAME, row[1], row[2], row[0]))
    names: dict[int, set[str]] = {row[0]: {normalise(row[2])} - {""} for row in ordered}
    keys = list(names)
    for start in range(0, len(keys), CHUNK):
        further = StarName.objects.filter(star_id__in=keys[start : start + CHUNK])
        for key, name in further.values_list("star_id", "normalised_name"):
            names[key].add(name)
    told: dict[str, list[int]] = defaultdict(list)
    kept: dict[int, tuple[int, str, str, float, float, float | None, float | None]] = {}
    for row in ordered:
        at = unit_vector(row[3], row[4])
        same = {
            key
            for name in names[row[0]]
            for key in told[name]
            if kept[key][1] != row[1] and separation_arcsec(at, unit_vector(*kept[key][3:5])) <= ONE_STAR
        }
        if same:
            winner = min(same, key=keys.index)
            names[winner] |= names[row[0]]
        else:
            winner = row[0]
            kept[winner] = row
        for name in names[row[0]]:
            if winner not in told[name]:
                told[name].append(winner)
    return [
        KnownStar(key, frozenset(names[key]), ra, dec, pm_ra, pm_dec)
        for key, (_, _, _, ra, dec, pm_ra, pm_dec) in kept.items()
    ]
