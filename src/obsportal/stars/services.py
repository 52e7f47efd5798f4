"""What can be done with known stars: load and remove lists, ask the name service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Max
from django.utils import timezone

from obsportal.connectors import sesame
from obsportal.connectors.sesame import Resolved, SesameError, UnknownNameError
from obsportal.interferometry.sky import hpx29
from obsportal.stars.changes import tell
from obsportal.stars.list_file import ListedStar, read_list
from obsportal.stars.lookup import SESAME, find
from obsportal.stars.models import NameQuery, Star, StarName
from obsportal.stars.names import is_generic, normalise
from obsportal.stars.sky import KnownStar

__all__ = ["find"]

UNKNOWN_DAYS = 30
"""Days before a name that Sesame did not know is asked for again."""
FAILED_DAYS = 1
"""Days before a name is asked for again when Sesame did not answer."""
PAUSE = 1.0
"""Seconds between two questions."""
FAILURES = 3
"""Failures in a row after which no more is asked."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What loading a list did, counted in stars."""

    read: int
    added: int
    changed: int
    removed: int


def load(path: Path, list_name: str, epoch: float | None = None) -> LoadReport:
    """Take a list of stars in; it replaces what the list of that name held.

    Raises ListError for a file that cannot be used: nothing is changed then.
    """
    listed = {star.name: star for star in read_list(path, epoch)}
    return _replace(check_list_name(list_name), listed)


def check_list_name(name: str) -> str:
    """A name a list may have. Raises ValueError."""
    name = name.strip()
    if not name or len(name) > 80 or name.lower() == SESAME:
        raise ValueError(
            f"the list is named {name[:40]!r}: 1 to 80 characters are needed, other than {SESAME}"
        )
    return name


def remove(list_name: str) -> int:
    """Forget a list, or the stars of Sesame; answers how many stars. Raises LookupError for no such list."""
    if not Star.objects.filter(source=list_name).exists():
        known = ", ".join(row["source"] for row in lists()) or "none"
        raise LookupError(f"there is no list {list_name!r}; known are {known}")
    return _replace(list_name, {}).removed


def lists() -> list[dict[str, Any]]:
    """The lists that are loaded: source, stars, updated_at."""
    rows = Star.objects.values("source").annotate(stars=Count("pk"), updated_at=Max("updated_at"))
    return [dict(row) for row in rows.order_by("source")]


_COLUMNS = ("ra", "dec", "pm_ra", "pm_dec", "parallax", "object_type", "spectral_type")


def _replace(source: str, listed: dict[str, ListedStar]) -> LoadReport:
    now = timezone.now().replace(microsecond=0)
    with transaction.atomic():
        before = {star.name: star for star in Star.objects.filter(source=source)}
        names = _names(before.values())
        gone = [star for name, star in before.items() if name not in listed]
        fresh, changed, told = [], [], [_known(star, names[star.pk]) for star in gone]
        for name, entry in listed.items():
            values = {column: getattr(entry, column) for column in _COLUMNS}
            star = before.get(name)
            wanted = {normalise(one) for one in entry.names}
            if star is None:
                fresh.append(Star(source=source, name=name, **_placed(values), updated_at=now))
            elif any(getattr(star, c) != v for c, v in values.items()) or names[star.pk] != wanted:
                told.append(_known(star, names[star.pk]))
                for column, value in _placed(values).items():
                    setattr(star, column, value)
                star.updated_at = now
                changed.append(star)
        Star.objects.filter(pk__in=[star.pk for star in gone]).delete()
        Star.objects.bulk_update(changed, [*_COLUMNS, "hpx", "updated_at"], batch_size=200)
        StarName.objects.filter(star__in=changed).delete()
        written = [*changed, *Star.objects.bulk_create(fresh, batch_size=500)]
        rows = [row for star in written for row in _name_rows(star, listed[star.name].names)]
        StarName.objects.bulk_create(rows, batch_size=1000)
        given = _names(written)
        tell([*told, *(_known(star, given[star.pk]) for star in written)])
    return LoadReport(len(listed), len(fresh), len(changed), len(gone))


def _name_rows(star: Star, names: Iterable[str]) -> list[StarName]:
    plain = {normalise(name): name for name in reversed([*names])}
    return [StarName(star=star, name=name[:80], normalised_name=key) for key, name in plain.items() if key]


def _names(stars: Iterable[Star]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {star.pk: set() for star in stars}
    keys = list(found)
    for start in range(0, len(keys), 5000):
        rows = StarName.objects.filter(star__in=keys[start : start + 5000])
        for key, name in rows.values_list("star_id", "normalised_name"):
            found[key].add(name)
    return found


def _placed(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "hpx": hpx29(values["ra"], values["dec"])}


def _known(star: Star, names: Iterable[str]) -> KnownStar:
    return KnownStar(star.pk, frozenset(names), star.ra, star.dec, star.pm_ra, star.pm_dec)


# Sesame


@dataclass(slots=True)
class ResolveReport:
    """What asking Sesame brought."""

    asked: int = 0
    found: int = 0
    unknown: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    stopped: str = ""
    """Why not all were asked; "" when they were."""


def unanswered(names: Iterable[str]) -> list[str]:
    """Those of these typed names that say something, that no star has, and that may be asked for now."""
    wanted = {normalise(name): name for name in names}
    now = timezone.now()
    waiting = NameQuery.objects.filter(
        outcome=NameQuery.Outcome.UNKNOWN, asked_at__gt=now - timedelta(days=UNKNOWN_DAYS)
    ) | NameQuery.objects.filter(
        outcome=NameQuery.Outcome.FAILED, asked_at__gt=now - timedelta(days=FAILED_DAYS)
    )
    known = set(waiting.values_list("normalised_name", flat=True))
    known |= set(StarName.objects.values_list("normalised_name", flat=True))
    return [name for plain, name in sorted(wanted.items()) if not is_generic(plain) and plain not in known]


def resolve(
    names: Sequence[str],
    *,
    wait: Callable[[float], None] = time.sleep,
    progress: Callable[[int], None] | None = None,
) -> ResolveReport:
    """Ask Sesame for names, one after another, and keep the stars. Each answer is kept at once."""
    report = ResolveReport()
    if not settings.OBSPORTAL_SESAME:
        report.stopped = "asking for names is switched off: OBSPORTAL_SESAME is false"
        return report
    row = 0
    for number, name in enumerate(names):
        if number:
            wait(PAUSE)
        report.asked += 1
        try:
            found = ask(name, timeout=15.0)
        except UnknownNameError as error:
            note(name, NameQuery.Outcome.UNKNOWN, str(error))
            report.unknown.append(name)
            row = 0
        except SesameError as error:
            note(name, NameQuery.Outcome.FAILED, str(error))
            report.failed.append(name)
            row += 1
            if row >= FAILURES:
                left = len(names) - report.asked
                report.stopped = f"stopped after {row} failures in a row, with {left} names left: {error}"
                break
        else:
            keep(found, name)
            report.found += 1
            row = 0
        if progress:
            progress(report.asked)
    return report


def ask(name: str, timeout: float) -> Resolved:
    """Ask Sesame once. Raises UnknownNameError or SesameError."""
    return sesame.resolve(
        name, url=settings.OBSPORTAL_SESAME_URL, timeout=timeout, contact=settings.OBSPORTAL_CONTACT
    )


def keep(found: Resolved, asked: str) -> Star:
    """Make a star of what Sesame told of a name."""
    now = timezone.now().replace(microsecond=0)
    values = _placed({column: getattr(found, column) for column in _COLUMNS})
    names = [found.name, asked, *found.aliases]
    with transaction.atomic():
        star = Star.objects.filter(source=SESAME, name=found.name).first()
        told = []
        if star is None:
            star = Star(source=SESAME, name=found.name)
        else:
            earlier = {one.normalised_name: one.name for one in star.names.all()}
            told.append(_known(star, earlier))
            names += earlier.values()
            star.names.all().delete()
        for column, value in values.items():
            setattr(star, column, value)
        star.updated_at = now
        star.save()
        rows = StarName.objects.bulk_create(_name_rows(star, names))
        told.append(_known(star, [row.normalised_name for row in rows]))
        note(asked, NameQuery.Outcome.FOUND, found.name, star=star)
        tell(told)
    return star


def note(name: str, outcome: NameQuery.Outcome, detail: str, star: Star | None = None) -> None:
    """Keep what was answered for a name, and when."""
    NameQuery.objects.update_or_create(
        normalised_name=normalise(name),
        defaults={
            "name": name[:80],
            "outcome": outcome,
            "detail": detail[:200],
            "asked_at": timezone.now(),
            "star": star,
        },
    )
