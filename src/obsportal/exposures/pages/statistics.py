"""What the portal holds, counted: for its operator, and for readers what they may see."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Max, Min, Value
from django.db.models.functions import Concat

from obsportal.exposures.kept import Kept
from obsportal.exposures.models import (
    Exposure,
    ExposureQuerySet,
    HeaderVersion,
    Observation,
    RefusedHeader,
    Target,
)
from obsportal.exposures.versions import last_modified
from obsportal.interferometry.times import datetime_to_mjd, mjd_to_datetime

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor


def overview() -> dict[str, Any]:
    """Totals, and counts per instrument and observation type."""
    span = Exposure.objects.aggregate(first=Min("exp_mjd_start"), last=Max("exp_mjd_start"))
    by_instrument = (
        Exposure.objects.values("interferometer_name", "instrument_name", "obs_type")
        .annotate(exposures=Count("pk"), first_night=Min("night"), last_night=Max("night"))
        .order_by("interferometer_name", "instrument_name", "obs_type")
    )
    return {
        "exposures": Exposure.objects.count(),
        "with_errors": Exposure.objects.filter(exp_validation_level=0).count(),
        "targets": Target.objects.count(),
        "nights": Exposure.objects.values("night", "interferometer_name").distinct().count(),
        "headers": HeaderVersion.objects.count(),
        "refused": RefusedHeader.objects.count(),
        "first_mjd": span["first"],
        "last_mjd": span["last"],
        "instruments": list(by_instrument),
    }


def refusals() -> dict[str, Any]:
    """Counts of refused headers by code and instrument, and the latest of them."""
    by_code = RefusedHeader.objects.values("code", "instrument_name").annotate(headers=Count("pk"))
    latest = RefusedHeader.objects.order_by("-last_seen", "-pk")[:20]
    return {
        "refused": RefusedHeader.objects.count(),
        "codes": list(by_code.order_by("-headers", "code")),
        "latest": list(latest.values("header_id", "code", "reason")),
    }


def tables(found: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The same as tables for a terminal: title -> rows."""
    totals = [
        {"": name.replace("_", " "), "count": n} for name, n in found.items() if not isinstance(n, list)
    ]
    shown: dict[str, list[dict[str, Any]]] = {"Totals": totals}
    for name, value in found.items():
        if isinstance(value, list) and value:
            shown[name.capitalize()] = value
    return shown


Counts = dict[str, dict[str, int]]
"""Exposures by a value, and within it by another."""

UNKNOWN = "unknown"


@dataclass(slots=True)
class InstrumentStatistics:
    """What there is of one instrument, or of all (empty names). Dates are UTC, of the start."""

    interferometer: str = ""
    instrument: str = ""
    headers: int = 0
    targets: int = 0
    observations: int = 0
    exposures: int = 0
    valid: int = 0
    refused: int = 0
    first: date | None = None
    last: date | None = None
    modified: datetime | None = None

    @property
    def share(self) -> float | None:
        """Exposures without errors among all, in percent."""
        return 100 * self.valid / self.exposures if self.exposures else None

    def seen(self, first: date | None, last: date | None) -> None:
        """Widen the range of dates."""
        self.first = min((d for d in (self.first, first) if d), default=None)
        self.last = max((d for d in (self.last, last) if d), default=None)

    def as_dict(self) -> dict[str, Any]:
        """For JSON and tables."""
        share = self.share
        return {
            "interferometer_name": self.interferometer,
            "instrument_name": self.instrument,
            "headers": self.headers,
            "targets": self.targets,
            "observations": self.observations,
            "exposures": self.exposures,
            "valid": self.valid,
            "valid_percent": None if share is None else round(share, 2),
            "refused": self.refused,
            "first_date": self.first.isoformat() if self.first else None,
            "last_date": self.last.isoformat() if self.last else None,
            "last_modified": self.modified.isoformat() if self.modified else None,
        }


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts of what a reader may see, the largest instrument first."""

    instruments: tuple[InstrumentStatistics, ...]
    total: InstrumentStatistics
    years: Counts = field(default_factory=dict)
    """Exposures by UTC year and instrument, every year from the first to the last."""
    configurations: Counts = field(default_factory=dict)
    types: Counts = field(default_factory=dict)
    """Exposures by instrument and type: science, calibrator."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """Headers that were refused, by reason and by instrument."""

    codes: tuple[tuple[str, int], ...] = ()
    instruments: tuple[tuple[str, int], ...] = ()

    @property
    def total(self) -> int:
        """All of them."""
        return sum(n for _, n in self.codes)


def _count(actor: Actor) -> Statistics:
    rows = Exposure.objects.visible_to(actor).order_by()
    found: dict[tuple[str, str], InstrumentStatistics] = {}
    years: Counts = {}
    configurations: Counts = {}
    types: Counts = {}
    for year, part in _by_year(rows):
        grouped = part.values_list(
            "interferometer_name", "instrument_name", "configuration", "obs_type", "exp_validation_level"
        )
        counted = grouped.annotate(n=Count("pk"), first=Min("exp_mjd_start"), last=Max("exp_mjd_start"))
        years.setdefault(year, {})
        for at, name, configuration, kind, level, n, first, last in counted:
            row = found.setdefault((at, name), InstrumentStatistics(at, name))
            row.exposures += n
            row.valid += n if level else 0
            row.seen(_day(first), _day(last))
            _add(years, year, name, n)
            _add(configurations, configuration or UNKNOWN, name, n)
            _add(types, name, kind or UNKNOWN, n)
    _add_details(rows, found)
    made = Observation.objects.visible_to(actor).order_by()
    for at, name, n in made.values_list("interferometer_name", "instrument_name").annotate(n=Count("pk")):
        found.setdefault((at, name), InstrumentStatistics(at, name)).observations = n
    ordered = sorted(found.values(), key=lambda row: (-row.exposures, row.interferometer, row.instrument))
    total = _total(ordered)
    total.targets = rows.values("target").distinct().count()
    if UNKNOWN in years and not years[UNKNOWN]:
        del years[UNKNOWN]
    return Statistics(
        tuple(ordered),
        total,
        years,
        dict(sorted(configurations.items(), key=lambda item: (item[0] == UNKNOWN, -sum(item[1].values())))),
        {row.instrument: types[row.instrument] for row in ordered if row.instrument in types},
    )


def _add_details(rows: ExposureQuerySet, found: dict[tuple[str, str], InstrumentStatistics]) -> None:
    """What only the table itself tells, in one pass over it."""
    # Joined names keep SQLite from reading the table in the order of an index, a jump for each row.
    joined_names = Concat("interferometer_name", Value("|"), "instrument_name")
    grouped = rows.annotate(at=joined_names).values_list("at")
    for joined, headers, targets, modified in grouped.annotate(
        headers=Count("exp_header_id", distinct=True),
        targets=Count("target", distinct=True),
        modified=Max("exp_date_updated"),
    ):
        at, _, name = joined.partition("|")
        row = found.setdefault((at, name), InstrumentStatistics(at, name))
        row.headers, row.targets, row.modified = headers, targets, modified


def _by_year(rows: ExposureQuerySet) -> Iterable[tuple[str, ExposureQuerySet]]:
    """The rows of each UTC year by the index of times, at last those without a time."""
    timed = rows.exclude(exp_mjd_start=None)
    first = _day(timed.order_by("exp_mjd_start").values_list("exp_mjd_start", flat=True).first())
    last = _day(timed.order_by("-exp_mjd_start").values_list("exp_mjd_start", flat=True).first())
    if first and last:
        for year in range(first.year, last.year + 1):
            begin, end = (datetime_to_mjd(datetime(y, 1, 1, tzinfo=UTC)) for y in (year, year + 1))
            yield str(year), rows.filter(exp_mjd_start__gte=begin, exp_mjd_start__lt=end)
    yield UNKNOWN, rows.filter(exp_mjd_start=None)


def _day(mjd: float | None) -> date | None:
    if mjd is None:
        return None
    try:
        return mjd_to_datetime(mjd).date()
    except ValueError:
        return None


def _add(counts: Counts, outer: str, inner: str, n: int) -> None:
    within = counts.setdefault(outer, {})
    within[inner] = within.get(inner, 0) + n


def _total(rows: Iterable[InstrumentStatistics]) -> InstrumentStatistics:
    """The sums; targets are left to their own count, for instruments share them."""
    total = InstrumentStatistics()
    for row in rows:
        total.headers += row.headers
        total.observations += row.observations
        total.exposures += row.exposures
        total.valid += row.valid
        total.seen(row.first, row.last)
        total.modified = max((m for m in (total.modified, row.modified) if m), default=None)
    return total


def _count_refused(actor: Actor) -> Refusals:
    rows = RefusedHeader.objects.visible_to(actor).order_by()
    codes = rows.values_list("code").annotate(n=Count("pk")).order_by("-n", "code")
    named = rows.values_list("instrument_name").annotate(n=Count("pk"))
    return Refusals(tuple(codes), tuple(named.order_by("-n", "instrument_name")))


def _refusals_version() -> Hashable:
    """Refusals alone do not bump the exposures' counter: the newest of them tells."""
    newest = RefusedHeader.objects.aggregate(pk=Max("pk"), seen=Max("last_seen"))
    return last_modified(), newest["pk"], newest["seen"]


exposures_seen: Kept[Statistics] = Kept(_count)
"""The statistics of the exposures an actor may see."""

refused_seen: Kept[Refusals] = Kept(_count_refused, _refusals_version)
"""The refused headers an actor may see, counted."""
