"""What exists of each star of a list: the check before a proposal. Only rows the reader may see."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Aggregate, CharField, Count, F, Max, Min, Q, TextField, Value
from django.db.models.functions import Cast, Concat
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from obsportal.exposures.models import Exposure, Target
from obsportal.exposures.takeaway.list_input import ListLine
from obsportal.exposures.takeaway.list_match import How, Match, match
from obsportal.interferometry.times import mjd_to_datetime

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor

DEFAULT_RADIUS = 10.0
"""arcsec"""
MAX_RADIUS = 3600.0
"""arcsec"""


@dataclass(frozen=True, slots=True)
class FoundTarget:
    """A target that a line of the list means."""

    target_id: int
    name: str
    ra: float | None
    dec: float | None
    how: How
    separation: float | None
    by_star: str

    @property
    def url(self) -> str:
        """The path of its page."""
        return reverse("target", args=[self.target_id])


@dataclass(slots=True)
class Existing:
    """What exists of one star, summed over the exposures a reader may see. Times MJD UTC."""

    exposures: int = 0
    science: int = 0
    calibrator: int = 0
    tracked: int = 0
    """Further exposures that tracked fringes on it."""
    modes: dict[str, set[str]] = field(default_factory=dict)
    """Modes by instrument."""
    configurations: set[str] = field(default_factory=set)
    nights: set[tuple[str, str]] = field(default_factory=set)
    first: float | None = None
    last: float | None = None
    programmes: dict[str, str] = field(default_factory=dict)
    """PI by run; "" where the headers name none."""
    proprietary: int = 0
    public_from: datetime | None = None
    """When the last of the proprietary ones becomes public."""

    @property
    def pis(self) -> list[str]:
        """The PIs of the programmes, in order of name."""
        return sorted({pi for pi in self.programmes.values() if pi})

    @property
    def release(self) -> str:
        """``public``, or how many are proprietary until when; "" without exposures."""
        if not self.exposures:
            return ""
        if not self.proprietary:
            return "public"
        assert self.public_from is not None
        return f"{self.proprietary} of {self.exposures} proprietary until {self.public_from:%Y-%m-%d}"

    @property
    def first_date(self) -> str:
        """UTC date of the first exposure."""
        return _utc_date(self.first)

    @property
    def last_date(self) -> str:
        """UTC date of the last exposure."""
        return _utc_date(self.last)


def _utc_date(mjd: float | None) -> str:
    return "" if mjd is None else f"{mjd_to_datetime(mjd):%Y-%m-%d}"


@dataclass(frozen=True, slots=True)
class Checked:
    """A line of the list with what exists of it; ``reason`` says why there is nothing."""

    line: ListLine
    targets: tuple[FoundTarget, ...]
    existing: Existing
    reason: str
    search: str
    """Path and query of the search that lists the exposures; "" where the line means nothing."""

    @property
    def found(self) -> bool:
        """Whether anything exists."""
        return not self.reason


def check(
    lines: Sequence[ListLine],
    actor: Actor,
    radius_arcsec: float = DEFAULT_RADIUS,
    now: datetime | None = None,
) -> list[Checked]:
    """What this actor may see of each line, in the order of the list."""
    matches = match(lines, radius_arcsec, actor)
    asked = {m.target_id for found in matches.values() for m in found}
    existing = sums(asked, actor, now or timezone.now())
    places = {
        pk: (name, ra, dec)
        for pk, name, ra, dec in Target.objects.filter(pk__in=existing).values_list("pk", "name", "ra", "dec")
    }
    return [_checked(line, matches.get(line.number, []), existing, places, radius_arcsec) for line in lines]


def _checked(
    line: ListLine,
    matches: Iterable[Match],
    existing: dict[int, Existing],
    places: dict[int, tuple[str, float | None, float | None]],
    radius: float,
) -> Checked:
    targets = tuple(
        FoundTarget(m.target_id, *places[m.target_id], m.how, m.separation, m.by_star)
        for m in matches
        if m.target_id in places
    )
    together = joined(existing[t.target_id] for t in targets)
    reason = line.problem
    if not targets and not reason:
        reason = why_nothing(line, radius)
    path = "" if line.problem else search_path(line, targets, radius)
    return Checked(line, targets, together, reason, path)


def why_nothing(line: ListLine, radius: float) -> str:
    """Why a line that was understood has no exposures."""
    by_place = f"nothing was observed within {radius:g} arcsec of RA {line.ra}°, Dec {line.dec}°"
    by_name = f"no target, pointing or known star here is named {line.name}"
    if line.ra is None:
        return by_name
    return f"{by_place}; {by_name}" if line.name else by_place


def search_path(line: ListLine, targets: Sequence[FoundTarget], radius: float) -> str:
    """The search that lists the exposures of a line."""
    by_place = bool(targets) and targets[0].how is How.POSITION
    query: dict[str, str]
    if line.ra is not None and line.dec is not None and (by_place or not targets):
        query = {"ra": repr(line.ra), "dec": repr(line.dec), "radius": f"{radius:g}"}
    elif len(targets) == 1:
        query = {"target_id": str(targets[0].target_id)}
    else:
        query = {"target_name": line.name}
    return f"{reverse('search')}?{urlencode(query)}"


AT_ONCE = 10_000
_BETWEEN = "\x1f"
"""Stands between the parts of a text that the database puts together."""


class _Distinct(Aggregate):
    """The distinct texts of a group as a JSON list: one pass over the rows, whatever is asked of them."""

    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """json_group_array."""
        return self.as_sql(compiler, connection, template="json_group_array(DISTINCT %(expressions)s)")

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """json_agg, as text."""
        return self.as_sql(compiler, connection, template="CAST(json_agg(DISTINCT %(expressions)s) AS text)")


def _together(first: str, second: str) -> _Distinct:
    parts = [Cast(name, CharField()) for name in (first, second)]
    return _Distinct(Concat(parts[0], Value(_BETWEEN), parts[1], output_field=TextField()))


def sums(targets: Iterable[int], actor: Actor, now: datetime) -> dict[int, Existing]:
    """What exists by target; a target of which the actor may see no exposure is not among them."""
    found: dict[int, Existing] = defaultdict(Existing)
    keys = sorted(targets)
    later = Q(exp_date_release__gt=now)
    for start in range(0, len(keys), AT_ONCE):
        part = keys[start : start + AT_ONCE]
        rows = Exposure.objects.visible_to(actor).filter(target__in=part).order_by().values("target_id")
        for row in rows.annotate(
            n=Count("pk"),
            science=Count("pk", filter=Q(obs_type="science")),
            first=Min("exp_mjd_start"),
            last=Max("exp_mjd_start"),
            private=Count("pk", filter=later),
            until=Max("exp_date_release", filter=later),
            nights=_together("interferometer_name", "night"),
            modes=_together("instrument_name", "instrument_mode"),
            configurations=_Distinct("configuration"),
            programmes=_together("obs_program", "obs_program_pi_coi"),
        ):
            found[row["target_id"]] = _existing(row)
        tracked = Exposure.objects.visible_to(actor).filter(ft_target__in=part).exclude(target=F("ft_target"))
        for key, n in tracked.order_by().values_list("ft_target").annotate(n=Count("pk")):
            found[key].tracked += n
    return dict(found)


def _existing(row: Mapping[str, Any]) -> Existing:
    total = Existing(exposures=row["n"], science=row["science"], calibrator=row["n"] - row["science"])
    for instrument, mode in _pairs(row["modes"]):
        total.modes.setdefault(instrument, set()).update({mode} - {""})
    total.configurations = {name for name in json.loads(row["configurations"]) if name}
    total.nights = {(site, night) for site, night in _pairs(row["nights"]) if night}
    for run, people in _pairs(row["programmes"]):
        if run:
            total.programmes[run] = total.programmes.get(run) or principal_investigator(people)
    _extend(total, row["first"], row["last"], row["private"], row["until"])
    return total


def _pairs(text: str) -> list[tuple[str, str]]:
    """The sorted pairs of texts that ``_together`` made."""
    split = (item.partition(_BETWEEN) for item in sorted(json.loads(text)) if item)
    return [(first, second) for first, _, second in split]


def _extend(
    total: Existing, first: float | None, last: float | None, private: int, until: datetime | None
) -> None:
    if first is not None:
        total.first = first if total.first is None else min(total.first, first)
    if last is not None:
        total.last = last if total.last is None else max(total.last, last)
    total.proprietary += private
    if until is not None:
        aware = until if until.tzinfo else until.replace(tzinfo=UTC)
        total.public_from = aware if total.public_from is None else max(total.public_from, aware)


def principal_investigator(people: str) -> str:
    """The first of ``PI/ CoI/ CoI``, as the archives write them."""
    return people.split("/")[0].strip()


def joined(parts: Iterable[Existing]) -> Existing:
    """The sums of several targets together."""
    total = Existing()
    for part in parts:
        total.exposures += part.exposures
        total.science += part.science
        total.calibrator += part.calibrator
        total.tracked += part.tracked
        for instrument, modes in part.modes.items():
            total.modes.setdefault(instrument, set()).update(modes)
        total.configurations |= part.configurations
        total.nights |= part.nights
        for run, pi in part.programmes.items():
            total.programmes[run] = total.programmes.get(run) or pi
        _extend(total, part.first, part.last, part.proprietary, part.public_from)
    return total
