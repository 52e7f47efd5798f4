"""What the home page counts: exposures, targets and nights that a reader may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Max

from obsportal.accounts.access import is_curator
from obsportal.exposures.models import Exposure, ExposureQuerySet
from obsportal.exposures.versions import last_modified

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor


@dataclass(frozen=True, slots=True)
class InstrumentCount:
    """One instrument's share."""

    interferometer: str
    instrument: str
    exposures: int
    first: date | None
    last: date | None


@dataclass(frozen=True, slots=True)
class LatestNight:
    """The newest night with exposures at one interferometer."""

    night: date
    interferometer: str
    exposures: int
    targets: int
    programmes: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts of a portal; all are of rows the reader may see."""

    exposures: int
    targets: int
    nights: int
    instruments: tuple[InstrumentCount, ...]
    latest: tuple[LatestNight, ...]
    demonstration: bool = False
    """Some of the exposures are invented."""


def overview(actor: Actor) -> Overview:
    """The counts for this actor; those of the public are kept until the exposures change."""
    if is_curator(actor):
        return count(actor)
    return _public(last_modified())


@lru_cache(maxsize=1)
def _public(version: tuple[int, datetime]) -> Overview:
    return count(AnonymousUser())


def count(actor: Actor) -> Overview:
    """Count now."""
    rows = Exposure.objects.visible_to(actor).order_by()
    counted = rows.values_list("interferometer_name", "instrument_name").annotate(n=Count("pk"))
    instruments = tuple(
        InstrumentCount(at, name, n, *_first_and_last(rows, at, name))
        for at, name, n in counted.order_by("-n", "instrument_name")
    )
    by_night = rows.exclude(night=None).values("night", "interferometer_name").distinct()
    latest = []
    for name in dict.fromkeys(i.interferometer for i in instruments):
        own = rows.filter(interferometer_name=name)
        night = own.aggregate(night=Max("night"))["night"]
        if night:
            found = own.filter(night=night).aggregate(
                exposures=Count("pk"),
                targets=Count("target", distinct=True),
                programmes=Count("obs_program_root", distinct=True),
            )
            latest.append(LatestNight(night, name, **found))
    latest.sort(key=lambda found: found.night, reverse=True)
    return Overview(
        exposures=sum(i.exposures for i in instruments),
        targets=rows.values("target").distinct().count(),
        nights=by_night.count(),
        instruments=instruments,
        latest=tuple(latest),
        demonstration=rows.filter(authority__startswith="demo.").exists(),
    )


def _first_and_last(
    rows: ExposureQuerySet, interferometer: str, instrument: str
) -> tuple[date | None, date | None]:
    """The nights of an instrument's first and last exposure, by the index of its times."""
    timed = rows.filter(instrument_name=instrument, interferometer_name=interferometer)
    timed = timed.exclude(exp_mjd_start=None)
    first = timed.order_by("exp_mjd_start").values_list("night", flat=True).first()
    last = timed.order_by("-exp_mjd_start").values_list("night", flat=True).first()
    return first, last
