"""The pointings of exposures: rows of names and places, as they are read, noted and written."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection

from obsportal.accounts.access import Visibility
from obsportal.exposures import bulk
from obsportal.exposures.bulk import parts
from obsportal.exposures.gather.gathering import Pointing
from obsportal.exposures.models import Exposure, TargetPointing
from obsportal.exposures.record import Sighting
from obsportal.interferometry.array import DEFAULT_TOLERANCE, UnknownInstrument
from obsportal.interferometry.facility import find_instrument
from obsportal.interferometry.sky import hpx29
from obsportal.stars.names import UNNAMED, normalise

CHUNK = 5000

STORED = (
    "key", "target_id", "typed_name", "normalised_name", "ra", "dec", "hpx", "visibility", "tolerance",
    "mjd_first", "mjd_last", "basis", "score", "separation",
)  # fmt: skip
"""Columns of a pointing, in the order of ``Row``."""
CHANGING = ("target_id", "typed_name", "tolerance", "mjd_first", "mjd_last", "basis", "score", "separation")


@dataclass(slots=True)
class Row:
    """A pointing as it is worked on; ``pk`` and ``target_id`` are None until it is written."""

    key: str
    target_id: int | None
    typed_name: str
    normalised_name: str
    ra: float | None
    dec: float | None
    hpx: int | None
    visibility: str
    tolerance: float
    mjd_first: float | None = None
    mjd_last: float | None = None
    basis: str = "alone"
    score: float = 1.0
    separation: float | None = None
    pk: int | None = None
    stored: tuple[Any, ...] = ()
    """The changing columns as the records have them."""

    def note(self, typed_name: str, mjd: float | None, tolerance: float) -> None:
        """One more exposure was pointed so."""
        self.tolerance = max(self.tolerance, tolerance)
        first, typed_name = self.mjd_first, typed_name[:80]
        if mjd is None:
            if first is None:
                self.typed_name = min(self.typed_name, typed_name)
            return
        if first is None or mjd < first or (mjd == first and typed_name < self.typed_name):
            self.typed_name, self.mjd_first = typed_name, mjd
        self.mjd_last = mjd if self.mjd_last is None else max(self.mjd_last, mjd)

    def take(self, other: Row) -> None:
        """The exposures of another row were pointed so, too."""
        self.note(other.typed_name, other.mjd_first, other.tolerance)
        if other.mjd_last is not None:
            self.mjd_last = max(other.mjd_last, self.mjd_last or other.mjd_last)

    @property
    def changing(self) -> tuple[Any, ...]:
        """The columns that may change."""
        return tuple(getattr(self, name) for name in CHANGING)

    def pointing(self) -> Pointing:
        """For gathering."""
        return Pointing(
            self.key,
            self.normalised_name,
            self.ra,
            self.dec,
            self.mjd_first,
            self.mjd_last,
            self.tolerance,
            self.visibility == Visibility.PUBLIC,
        )


def class_of(visibility: str) -> Visibility:
    """Pointings are public, or protected: those of rows that not everybody sees."""
    return Visibility.PUBLIC if visibility == Visibility.PUBLIC else Visibility.PROTECTED


@lru_cache(maxsize=256)
def tolerance_of(instrument: str) -> float:
    """arcsec within which pointings of one name are one target, for an instrument by any of its names."""
    try:
        return find_instrument(instrument).pointing_tolerance
    except UnknownInstrument:
        return DEFAULT_TOLERANCE


@dataclass(slots=True)
class Claims:
    """The pointings that a number of exposures need."""

    rows: dict[str, Row] = field(default_factory=dict)
    apart: set[tuple[str, str]] = field(default_factory=set)

    def add(self, sighting: Sighting | None, visibility: str, instrument: str, mjd: float | None) -> str:
        """Note that an exposure was pointed so; answer the key of its pointing."""
        typed = (sighting.name if sighting else "").replace("\x00", "").strip() or UNNAMED
        ra, dec = (sighting.ra, sighting.dec) if sighting else (None, None)
        if ra is None or dec is None or not math.isfinite(ra) or not abs(dec) <= 90.0:
            ra = dec = None
        name = normalise(typed) or UNNAMED
        kind = class_of(visibility)
        where = "|" if ra is None or dec is None else f"{ra + 0.0!r}|{dec + 0.0!r}"
        key = f"{kind}|{name}|{where}"
        mjd = mjd if mjd is not None and math.isfinite(mjd) else None
        tolerance = tolerance_of(instrument)
        row = self.rows.get(key)
        if row is None:
            hpx = hpx29(ra, dec) if ra is not None and dec is not None else None
            row = self.rows[key] = Row(key, None, typed[:80], name, ra, dec, hpx, kind.value, tolerance)
            row.mjd_first = row.mjd_last = mjd
        else:
            row.note(typed, mjd, tolerance)
        return key

    def add_pair(
        self,
        science: Sighting | None,
        tracked: Sighting | None,
        visibility: str,
        instrument: str,
        mjd: float | None,
    ) -> tuple[str, str | None]:
        """The keys of the pointings of both fields; they are noted as different stars."""
        key = self.add(science, visibility, instrument, mjd)
        if tracked is None:
            return key, None
        other = self.add(tracked, visibility, instrument, mjd)
        if key != other:
            self.apart.add((key, other))
        return key, other


def read(condition: str, params: Sequence[Any] = (), table: str = "", source: str = "") -> Iterator[Row]:
    """The stored pointings that meet an SQL condition; ``table`` comes before theirs, after ``source``."""
    columns = ", ".join(f"p.{name}" for name in STORED)
    with connection.cursor() as cursor:
        cursor.execute(
            f"{source} SELECT {columns}, p.id FROM {table} exposures_targetpointing p WHERE {condition}",  # noqa: S608
            list(params) or None,
        )
        for values in cursor.fetchall():
            row = Row(*values)
            row.stored = row.changing
            yield row


def with_keys(keys: Collection[str]) -> dict[str, Row]:
    """The stored pointings with these keys."""
    return {row.key: row for row in _listed("p.key", keys)}


def with_names(names: Collection[str]) -> Iterator[Row]:
    """The stored pointings of these normalised names."""
    return _listed("p.normalised_name", names)


def with_ids(ids: Collection[int]) -> Iterator[Row]:
    """The stored pointings with these primary keys."""
    return _listed("p.id", ids)


def within(ranges: Sequence[tuple[int, int]]) -> Iterator[Row]:
    """The stored pointings in ranges of sky cells."""
    if ranges:
        values = ", ".join(f"({low}, {high})" for low, high in ranges)
        yield from read(
            "p.hpx BETWEEN low AND high",
            source=f"WITH wanted(low, high) AS (VALUES {values})",
            table="wanted CROSS JOIN",
        )


def _listed(column: str, values: Collection[Any]) -> Iterator[Row]:
    for part in parts(sorted(values)):
        yield from read(f"{column} IN ({', '.join(['%s'] * len(part))})", part)


def write(rows: Iterable[Row]) -> None:
    """Store new and changed rows; new ones get their primary key."""
    fresh, changed = [], []
    for row in rows:
        if row.pk is None:
            fresh.append(row)
        elif row.stored != row.changing:
            changed.append(row)
    bulk.insert(TargetPointing, [{name: getattr(row, name) for name in STORED} for row in fresh])
    if fresh:
        found: dict[str, int] = {}
        for part in parts(sorted(row.key for row in fresh)):
            found.update(TargetPointing.objects.filter(key__in=part).values_list("key", "pk"))
        for row in fresh:
            row.pk = found[row.key]
            row.stored = row.changing
    if changed:
        names = ", ".join(f"{name} = %s" for name in CHANGING)
        with connection.cursor() as cursor:
            cursor.executemany(
                f"UPDATE exposures_targetpointing SET {names} WHERE id = %s",  # noqa: S608
                [(*row.changing, row.pk) for row in sorted(changed, key=lambda row: row.key)],
            )
        for row in changed:
            row.stored = row.changing


def pairs_of(ids: Collection[int]) -> set[tuple[int, int]]:
    """Pointings of the science and the fringe-tracker field of exposures that use one of these."""
    found: set[tuple[int, int]] = set()
    for part in parts(sorted(ids)):
        rows = Exposure.objects.filter(ft_pointing__in=part, pointing__isnull=False)
        found.update(rows.order_by().values_list("pointing_id", "ft_pointing_id").distinct())
    return found


def recount(rows: Iterable[Row]) -> None:
    """Set dates, tolerance and typed name from the exposures that are there.

    The name that a fringe-tracker star was given is kept in its pointing alone, and stays.
    """
    wanted = {row.pk: row for row in rows if row.pk is not None}
    spans: dict[int, list[tuple[float | None, float | None, str, str]]] = {}
    for part in parts(sorted(wanted)):
        for pointing, name in (
            ("pointing_id", "target_typed_name"),
            ("ft_pointing_id", "CAST('' AS varchar(80))"),
        ):
            with connection.cursor() as cursor:
                cursor.execute(
                    f"SELECT {pointing}, MIN(exp_mjd_start), MAX(exp_mjd_start), instrument_name, {name}"  # noqa: S608
                    f" FROM exposures_exposure WHERE {pointing} IN ({', '.join(map(str, part))})"
                    f" GROUP BY 1, 4, 5"
                )
                for pk, first, last, instrument, typed in cursor.fetchall():
                    spans.setdefault(pk, []).append((first, last, instrument, typed.strip()))
    for pk, found in spans.items():
        row = wanted[pk]
        firsts = [(first, typed) for first, _, _, typed in found if first is not None]
        named = [item for item in firsts if item[1]]
        row.mjd_first = min((first for first, _ in firsts), default=None)
        row.mjd_last = max((last for _, last, _, _ in found if last is not None), default=None)
        row.tolerance = max(tolerance_of(instrument) for _, _, instrument, _ in found)
        if named and normalise(min(named)[1]) == row.normalised_name:
            row.typed_name = min(named)[1][:80]


def empty(ids: Collection[int] | None) -> list[int]:
    """Primary keys of the pointings, of these or of all, that no exposure has."""
    found: list[int] = []
    for part in [None] if ids is None else parts(sorted(ids)):
        among = "" if part is None else f" AND p.id IN ({', '.join(map(str, part))})"
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT p.id FROM exposures_targetpointing p WHERE"  # noqa: S608
                " NOT EXISTS (SELECT 1 FROM exposures_exposure e WHERE e.pointing_id = p.id)"
                " AND NOT EXISTS (SELECT 1 FROM exposures_exposure e WHERE e.ft_pointing_id = p.id)"
                f"{among}"
            )
            found += [pk for (pk,) in cursor.fetchall()]
    return found


def drop(ids: Collection[int]) -> None:
    """Remove pointings that no exposure has."""
    for part in parts(sorted(ids)):
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM exposures_targetpointing WHERE id IN ({', '.join(map(str, part))})")  # noqa: S608


Wanted = list[tuple[int, str, str | None, int]]
"""Primary key of an exposure, the keys of its pointing and its fringe-tracker star's, and its target."""


def unpointed() -> tuple[Claims, Wanted]:
    """What the exposures without a pointing need: archives made before there were any.

    The science target of a dual field lies at the offset from its fringe-tracker star.
    """
    claims = Claims()
    wanted: Wanted = []
    rows = Exposure.objects.filter(pointing__isnull=True).order_by("pk")
    columns = (
        "pk", "visibility", "target_typed_name", "pointing_ra", "pointing_dec", "instrument_name",
        "exp_mjd_start", "target_id", "ft_target_id", "ft_target__name", "ft_target__ra", "ft_target__dec",
        "ft_offset_ra", "ft_offset_dec",
    )  # fmt: skip
    for row in rows.values_list(*columns).iterator(CHUNK):
        pk, visibility, typed, ra, dec, instrument, mjd, target, ft_target, *star, east, north = row
        tracked = None
        if ft_target is not None:
            tracked = Sighting(*star)
            ra, dec = _offset(star[1], star[2], east, north) or (ra, dec)
        own, ft = claims.add_pair(Sighting(typed, ra, dec), tracked, visibility, instrument, mjd)
        _keep_target(claims.rows[own], target)
        if ft is not None:
            _keep_target(claims.rows[ft], ft_target)
        wanted.append((pk, own, ft, target))
    return claims, wanted


def _keep_target(row: Row, target: int) -> None:
    row.target_id = target if row.target_id is None else min(row.target_id, target)


def _offset(
    ra: float | None, dec: float | None, east: float | None, north: float | None
) -> tuple[float, float] | None:
    """A position (deg) with an offset on the sky (mas)."""
    if ra is None or dec is None or east is None or north is None:
        return None
    cosine = max(math.cos(math.radians(dec)), 1e-9)
    return (ra + east / 3.6e6 / cosine) % 360.0, max(-90.0, min(90.0, dec + north / 3.6e6))


def point(exposures: Iterable[tuple[int, Row, Row | None, int]], now: datetime) -> None:
    """Give exposures, by primary key, their pointings and targets; the last is the target they have.

    Only what changes is written: each column has indexes. A changed target is an update.
    """
    rows = list(exposures)
    bulk.set_column(Exposure, "pointing_id", [(pk, own.pk) for pk, own, _, _ in rows])
    tracked = [(pk, ft) for pk, _, ft, _ in rows if ft]
    bulk.set_column(Exposure, "ft_pointing_id", [(pk, ft.pk) for pk, ft in tracked])
    bulk.set_column(Exposure, "ft_target_id", [(pk, ft.target_id) for pk, ft in tracked])
    moment = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE exposures_exposure SET target_id = %s, exp_date_updated = %s WHERE id = %s",
            [(own.target_id, moment, pk) for pk, own, _, had in rows if own.target_id != had],
        )
