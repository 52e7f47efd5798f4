"""Keeps observations and calibrator links as the exposures and the curators' decisions have them.

The rules are in :mod:`grouping` and :mod:`linking`; here is what reads and writes. A night of an
interferometer is worked out as a whole, and only what differs is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet

from obsportal.accounts.access import Visibility
from obsportal.exposures import bulk
from obsportal.exposures.bulk import parts
from obsportal.exposures.models import (
    CalibratorLink,
    Confidence,
    Exposure,
    LinkDecision,
    Observation,
    TableVersion,
)
from obsportal.exposures.observations import linking
from obsportal.exposures.observations.grouping import Frame, Group, group, utc_date
from obsportal.exposures.observations.linking import Decision, Link
from obsportal.exposures.versions import bump, lock

T = TypeVar("T")
Night = tuple[date | None, str]
"""A night and an interferometer; the UTC date where no night is known, None where no time is."""

AT_ONCE = 20_000
"""Exposures worked out in one transaction."""


@dataclass(slots=True)
class RegroupReport:
    """What a regrouping worked out, and how much of it was new."""

    nights: int = 0
    exposures: int = 0
    observations: Counter[str] = field(default_factory=Counter)
    """By basis."""
    links: Counter[str] = field(default_factory=Counter)
    """By confidence."""
    moved: int = 0
    """Exposures that were in another observation, or in none."""
    changed: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "nights": self.nights,
            "exposures": self.exposures,
            "observations": dict(sorted(self.observations.items())),
            "links": dict(sorted(self.links.items())),
            "moved": self.moved,
        }

    def sentence(self) -> str:
        """For people."""
        observations = ", ".join(f"{n} {basis}" for basis, n in sorted(self.observations.items()))
        links = ", ".join(f"{self.links[c]} {c}" for c in Confidence.values if self.links[c])
        return (
            f"{self.exposures} exposures of {self.nights} nights:"
            f" {self.observations.total()} observations ({observations or 'none'}),"
            f" {self.links.total()} calibrator links ({links or 'none'}), {self.moved} exposures moved"
        )


def night_of_row(night: date | None, mjd_start: float | None, interferometer: str) -> Night:
    """The night an exposure is worked out with."""
    return night or utc_date(mjd_start), interferometer


def nights_of(exposure_pks: Iterable[int]) -> set[Night]:
    """The nights of these exposures."""
    found: set[Night] = set()
    for part in parts(sorted(set(exposure_pks))):
        rows = Exposure.objects.filter(pk__in=part)
        columns = rows.values_list("night", "exp_mjd_start", "interferometer_name").distinct()
        found |= {night_of_row(*row) for row in columns}
    return found


def nights_of_pointings(pointing_pks: Iterable[int | None]) -> set[Night]:
    """The nights of the exposures at these pointings: they are to be regrouped when the target changes."""
    found: set[Night] = set()
    for part in parts(sorted({pk for pk in pointing_pks if pk is not None})):
        rows = Exposure.objects.filter(pointing__in=part)
        columns = rows.values_list("night", "exp_mjd_start", "interferometer_name").distinct()
        found |= {night_of_row(*row) for row in columns}
    return found


def nights_on(dates: Collection[date]) -> set[Night]:
    """The nights of these dates, of every interferometer that has exposures."""
    names = Exposure.objects.values_list("interferometer_name", flat=True).order_by().distinct()
    return {(day, name) for day in dates for name in names}


def count(nights: Collection[Night] | None) -> int:
    """About how many exposures these nights have; of all nights for None."""
    if nights is None:
        return Exposure.objects.exclude(visibility=Visibility.REPLACED).count()
    return sum(rows.exclude(visibility=Visibility.REPLACED).count() for rows in _rows_of(nights))


def waiting_nights() -> set[Night]:
    """The nights that have exposures without an observation."""
    rows = Exposure.objects.filter(observation=None).exclude(visibility=Visibility.REPLACED)
    known = rows.filter(night__isnull=False).values_list("night", "interferometer_name").distinct()
    unknown = rows.filter(night=None).values_list("night", "exp_mjd_start", "interferometer_name")
    return set(known) | {night_of_row(*row) for row in unknown}


def regroup_nights(
    nights: Collection[Night], report: RegroupReport | None = None, *, mark: bool = True
) -> RegroupReport:
    """Work the observations and links of these nights out anew, in one transaction.

    A caller that has marked the exposures as changed in its transaction says so by ``mark=False``.
    """
    report = report or RegroupReport()
    if nights:
        with transaction.atomic():
            _hold()
            asking = _regroup(nights, report) - set(nights)
            if asking:
                _regroup(asking, report)
            if report.changed and mark:
                bump("exposures")
    return report


def regroup_all(
    progress: Callable[[int], None] | None = None, nights: Collection[Night] | None = None
) -> RegroupReport:
    """Work out all nights, or those given, some at a time; what is left without exposures goes.

    Killed at any point, what was done is whole. ``progress`` receives the exposures done so far.
    """
    report = RegroupReport()
    for part in _portions(nights):
        regroup_nights(part, report)
        if progress:
            progress(report.exposures)
    if nights is None:
        with transaction.atomic():
            _hold()
            if _remove(Observation.objects.all()):
                bump("exposures")
        bulk.refresh_statistics()
    return report


def _portions(nights: Collection[Night] | None) -> Iterator[list[Night]]:
    """Nights in order of time, with about AT_ONCE exposures in each portion."""
    counts: Counter[Night] = Counter()
    rows = Exposure.objects.filter(night__isnull=False).values_list("night", "interferometer_name")
    for night, interferometer, n in rows.annotate(n=Count("pk")).order_by():
        counts[night, interferometer] += n
    unknown = Exposure.objects.filter(night=None).values_list("exp_mjd_start", "interferometer_name")
    for mjd, interferometer in unknown.order_by():
        counts[night_of_row(None, mjd, interferometer)] += 1
    wanted = counts if nights is None else nights
    portion: list[Night] = []
    size = 0
    for key in sorted(wanted, key=lambda key: (key[0] or date.min, key[1])):
        portion.append(key)
        size += counts[key]
        if size >= AT_ONCE:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _hold() -> None:
    """Let no other regrouping in until this transaction ends: it would not see what this one writes."""
    lock()
    TableVersion.objects.select_for_update().filter(name="exposures").first()


_COLUMNS = (
    "pk",
    "exp_id",
    "visibility",
    "interferometer_name",
    "instrument_name",
    "instrument_variant",
    "night",
    "exp_mjd_start",
    "exp_mjd_end",
    "obs_id",
    "obs_start",
    "template_start",
    "target_id",
    "pointing_ra",
    "pointing_dec",
    "station_set",
    "obs_type",
    "obs_program",
    "obs_container_id",
    "instrument_mode",
    "instrument_submode",
    "polarisation",
    "fringe_tracker",
    "dit",
    "exp_airmass",
)
"""In the order of a Frame. Places are the exposures' own: those of targets change as others arrive."""
_VISIBILITY, _NIGHT, _START = (_COLUMNS.index(n) for n in ("visibility", "night", "exp_mjd_start"))


def _frames(rows: QuerySet[Exposure]) -> Iterator[tuple[Frame, int | None, bool]]:
    """Frames with the observation each is in now, and whether it is one that another row replaces."""
    for *values, current in rows.values_list(*_COLUMNS, "observation_id"):
        replaced = values[_VISIBILITY] == Visibility.REPLACED
        values[_VISIBILITY] = values[_VISIBILITY] == Visibility.PUBLIC
        values[_NIGHT] = values[_NIGHT] or utc_date(values[_START])
        yield Frame._make(values), current, replaced


def _rows_of(nights: Collection[Night]) -> Iterator[QuerySet[Exposure]]:
    """The exposures of these nights, in as few statements as possible."""
    ordered = sorted(nights, key=lambda key: (key[1], key[0] or date.min))
    for interferometer, keys in groupby(ordered, key=lambda key: key[1]):
        rows = Exposure.objects.filter(interferometer_name=interferometer).order_by()
        dates = [night for night, _ in keys]
        known = [night for night in dates if night is not None]
        for part in parts(known):
            yield rows.filter(night__in=part)
        unknown = rows.filter(night=None)
        if len(known) < len(dates):
            yield unknown
        else:
            yield unknown.filter(exp_mjd_start__gte=_mjd(known[0]), exp_mjd_start__lt=_mjd(known[-1]) + 1.0)


def _mjd(day: date) -> float:
    return float(day.toordinal() - date(1858, 11, 17).toordinal())


def _regroup(nights: Collection[Night], report: RegroupReport) -> set[Night]:
    """Work nights out; answer the nights of science observations that decisions join to calibrators here."""
    wanted = set(nights)
    frames: list[Frame] = []
    now_in: dict[int, int | None] = {}
    then_in: dict[int, int | None] = {}
    for rows in _rows_of(wanted):
        for frame, observation, replaced in _frames(rows):
            if (frame.night, frame.interferometer) in wanted:
                now_in[frame.pk] = observation
                if replaced:
                    then_in[frame.pk] = None
                else:
                    frames.append(frame)
    groups = group(frames)
    ids, written = _write_observations(groups)
    for one in groups:
        for frame in one.members:
            then_in[frame.pk] = ids[one.key]
    moves = [(pk, observation) for pk, observation in then_in.items() if now_in[pk] != observation]
    bulk.set_column(Exposure, "observation_id", moves)
    left = {before for pk, _ in moves if (before := now_in[pk]) is not None} - set(ids.values())
    removed = sum(_remove(Observation.objects.filter(pk__in=part)) for part in parts(left))
    asking, relinked = _write_links(groups, ids, report)

    report.nights += len(wanted)
    report.exposures += len(frames)
    report.observations.update(one.basis for one in groups)
    report.moved += len(moves)
    report.changed |= bool(written or moves or removed or relinked)
    return asking


def _write_observations(groups: Sequence[Group]) -> tuple[dict[str, int], bool]:
    """Bring the rows of these observations up to date; answer their primary keys, and if any differed."""
    rows = {
        one.key: {
            "basis": one.basis,
            "interferometer_name": one.interferometer,
            "instrument_name": one.instrument,
            "night": one.night,
            "obs_id": one.obs_id,
            "obs_start": one.obs_start,
        }
        for one in groups
    }
    ids: dict[str, int] = {}
    written = False
    for part in parts(rows):
        for existing in Observation.objects.filter(key__in=part):
            ids[existing.key] = existing.pk
            values = rows[existing.key]
            if any(getattr(existing, name) != value for name, value in values.items()):
                Observation.objects.filter(pk=existing.pk).update(**values)
                written = True
    fresh = [key for key in rows if key not in ids]
    bulk.insert(Observation, [{"key": key} | rows[key] for key in fresh], ignore_existing=True)
    for part in parts(fresh):
        ids.update(Observation.objects.filter(key__in=part).values_list("key", "pk"))
    return ids, written or bool(fresh)


def _remove(observations: QuerySet[Observation]) -> int:
    """Delete those of these observations that have no exposure; how many."""
    empty = observations.filter(~Exists(Exposure.objects.filter(observation=OuterRef("pk"))))
    return empty.delete()[0]


_LINK_VALUES = ("basis", "confidence", "score", "gap_minutes", "separation")


def _write_links(
    groups: Sequence[Group], ids: dict[str, int], report: RegroupReport
) -> tuple[set[Night], bool]:
    """Bring the links of these science observations up to date; answer whose are asked for, and changes."""
    decisions = _decisions()
    named = [one for one in decisions if one.science in ids]
    asked_for = {one.calibrator for one in named if one.linked}
    elsewhere, foreign = _elsewhere(asked_for - ids.keys())
    elsewhere += [one for one in groups if one.key in asked_for]
    wanted: dict[tuple[int, int, str], Link] = {}
    for _, members in groupby(groups, key=lambda one: (one.night, one.interferometer)):
        for made in linking.link(list(members), named, elsewhere):
            calibrator = ids.get(made.calibrator) or foreign[made.calibrator]
            wanted[ids[made.science], calibrator, made.variant] = made
    report.links.update(made.confidence for made in wanted.values())
    unchanged: set[tuple[int, int, str]] = set()
    wrong: list[int] = []
    for part in parts(ids.values()):
        rows = CalibratorLink.objects.filter(science__in=part).values_list(
            "pk", "science_id", "calibrator_id", "instrument_variant", *_LINK_VALUES
        )
        for pk, science, calibrator, variant, *values in rows:
            made_now = wanted.get((science, calibrator, variant))
            if made_now is not None and values == list(_link_values(made_now)):
                unchanged.add((science, calibrator, variant))
            else:
                wrong.append(pk)
    for part in parts(wrong):
        CalibratorLink.objects.filter(pk__in=part).delete()
    fresh = [
        dict(zip(_LINK_VALUES, _link_values(made), strict=True))
        | {"science_id": science, "calibrator_id": calibrator, "instrument_variant": variant}
        for (science, calibrator, variant), made in wanted.items()
        if (science, calibrator, variant) not in unchanged
    ]
    bulk.insert(CalibratorLink, fresh, ignore_existing=True)
    asked = {one.science for one in decisions if one.calibrator in ids and one.science not in ids}
    return _nights_of_observations(asked), bool(wrong or fresh)


def _link_values(made: Link) -> tuple[object, ...]:
    return made.basis, made.confidence, made.score, made.gap_minutes, made.separation


def _decisions() -> list[Decision]:
    """The curators' decisions in force; of a pair, the newest."""
    rows = LinkDecision.objects.filter(withdraws=None, withdrawn_by=None).order_by("pk")
    newest = {
        (science, calibrator): kind == LinkDecision.Kind.LINK
        for science, calibrator, kind in rows.values_list("science_key", "calibrator_key", "kind")
    }
    return [Decision(science, calibrator, linked) for (science, calibrator), linked in newest.items()]


def _elsewhere(keys: set[str]) -> tuple[list[Group], dict[str, int]]:
    """The observations of these keys as they are in the records, with their primary keys."""
    if not keys:
        return [], {}
    known = {row.pk: row for row in Observation.objects.filter(key__in=keys)}
    members: dict[int, list[Frame]] = {}
    for frame, observation, replaced in _frames(Exposure.objects.filter(observation__in=known)):
        if observation is not None and not replaced:
            members.setdefault(observation, []).append(frame)
    found = [
        Group(
            row.key,
            "block" if row.basis == "block" else "run",
            row.interferometer_name,
            row.instrument_name,
            row.night,
            row.obs_id,
            row.obs_start,
            tuple(members[pk]),
        )
        for pk, row in known.items()
        if pk in members
    ]
    return found, {one.key: pk for pk, one in known.items()}


def _nights_of_observations(keys: set[str]) -> set[Night]:
    if not keys:
        return set()
    rows = Observation.objects.filter(key__in=keys)
    return set(rows.values_list("night", "interferometer_name"))
