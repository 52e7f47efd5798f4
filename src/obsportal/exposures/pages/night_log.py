"""What was done in a night: its exposures by observation, observations by sequence, totals, gaps.

A sequence is the science observations of one target, programme and instrument, with their calibrators.
Times are MJD UTC, durations seconds unless named otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from obsportal.exposures.models import Exposure, Observation
from obsportal.exposures.observations import sequences
from obsportal.exposures.search_values import SearchError, shown
from obsportal.interferometry.facility import facilities

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor
    from obsportal.exposures.observations.sequences import LinkedObservation

DAY_S = 86_400.0
IDLE_S = 1800.0
"""A break at least as long is told."""


class Shot(NamedTuple):
    """One exposure, as far as the page of its night looks at it. The columns are in this order."""

    exp_id: str
    start: float | None
    end: float | None
    exp_time: float | None
    time_counted: bool
    obs_type: str
    valid: int
    seeing: float | None
    tau0: float | None
    instrument: str
    variant: str
    mode: str
    stations: str
    configuration: str
    program: str
    title: str
    pi: str
    technical: bool
    template_start: datetime | None
    observation_id: int | None
    observation_key: str | None
    basis: str | None
    target_id: int
    target_name: str
    visibility: str
    authority: str

    @property
    def science(self) -> bool:
        """Whether it is no calibrator."""
        return self.obs_type != "calibrator"


COLUMNS = (
    "exp_id", "exp_mjd_start", "exp_mjd_end", "exp_time", "time_counted", "obs_type", "exp_validation_level",
    "exp_seeing", "exp_tau0", "instrument_name", "instrument_variant", "instrument_mode",
    "interferometer_stations", "configuration", "obs_program", "obs_program_title", "obs_program_pi_coi",
    "technical", "template_start", "observation_id", "observation__key", "observation__basis", "target_id",
    "target__name", "visibility", "authority",
)  # fmt: skip


class Named(NamedTuple):
    """A target by its number, and how it was observed."""

    pk: int
    name: str
    science: bool


@dataclass(frozen=True)
class Execution:
    """One observation of the night: its exposures in order of time, and what it is linked to."""

    shots: tuple[Shot, ...]
    calibrators: list[LinkedObservation] = field(default_factory=list)
    sciences: list[LinkedObservation] = field(default_factory=list)

    @property
    def first(self) -> Shot:
        """Its earliest exposure; the earliest of science where there is one."""
        return next((shot for shot in self.shots if shot.science), self.shots[0])

    @property
    def key(self) -> str:
        """The key of the observation; "" while its exposures are not grouped."""
        return self.shots[0].observation_key or ""

    @property
    def pk(self) -> int | None:
        """The observation's number."""
        return self.shots[0].observation_id

    @property
    def start(self) -> float | None:
        """The start of its first exposure."""
        return min((s.start for s in self.shots if s.start is not None), default=None)

    @property
    def end(self) -> float | None:
        """The end of its last exposure."""
        ends = [s.end if s.end is not None else s.start for s in self.shots]
        return max((end for end in ends if end is not None), default=None)

    @property
    def science(self) -> bool:
        """Whether any of it is science."""
        return any(shot.science for shot in self.shots)

    @property
    def targets(self) -> list[Named]:
        """Its targets in order of appearance; one observed as both counts as science."""
        found: dict[int, Named] = {}
        for shot in self.shots:
            known = found.get(shot.target_id)
            science = shot.science or (known is not None and known.science)
            found[shot.target_id] = Named(shot.target_id, shot.target_name, science)
        return list(found.values())

    @property
    def modes(self) -> list[str]:
        """Its modes in order of appearance."""
        return list(dict.fromkeys(shot.mode for shot in self.shots if shot.mode))

    @property
    def integration(self) -> float:
        """Seconds on the object, each shutter opening once."""
        return integration(self.shots)

    @property
    def seeing(self) -> float | None:
        """Mean seeing, arcsec."""
        return mean(shot.seeing for shot in self.shots)

    @property
    def tau0(self) -> float | None:
        """Mean tau0, s."""
        return mean(shot.tau0 for shot in self.shots)

    @property
    def valid(self) -> int:
        """Exposures without an error."""
        return sum(1 for shot in self.shots if shot.valid)

    @property
    def guarded(self) -> bool:
        """Whether any of it is not public; only curators see such."""
        return any(shot.visibility != "public" for shot in self.shots)


@dataclass(frozen=True, slots=True)
class Strand:
    """One row of the time axis: a science target with its calibrators, or a calibrator alone."""

    first: Shot
    executions: tuple[Execution, ...]

    @property
    def science(self) -> bool:
        """Whether it has science."""
        return self.first.science

    @property
    def start(self) -> float:
        """When its own target was first observed."""
        return self.first.start or 0.0


@dataclass(frozen=True, slots=True)
class ProgrammeShare:
    """What one programme had of the night."""

    program: str
    title: str
    pi: str
    technical: bool
    targets: tuple[str, ...]
    """Science targets, else all."""
    observations: int
    exposures: int
    integration: float


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the exposures of a night that the reader may see."""

    exposures: int
    valid: int
    observations: int
    targets: int
    programmes: int
    integration: float
    busy: float
    """Seconds from the first to the last exposure of each observation, overlaps once."""
    start: float | None
    end: float | None
    seeing: float | None
    tau0: float | None


def fetch(night: date, interferometer: str, actor: Actor) -> list[Shot]:
    """The exposures of a night that this actor may see, in order of time."""
    rows = Exposure.objects.visible_to(actor).filter(night=night, interferometer_name=interferometer)
    ordered = rows.order_by("exp_mjd_start", "exp_id").values_list(*COLUMNS)
    return [Shot._make(row) for row in ordered]


def executions(shots: Iterable[Shot]) -> list[Execution]:
    """Exposures by observation, in order of time.

    Exposures without an observation go by target and instrument.
    """
    groups: dict[tuple[int, int, str], list[Shot]] = {}
    for shot in shots:
        key = (shot.observation_id, 0, "") if shot.observation_id else (0, shot.target_id, shot.instrument)
        groups.setdefault(key, []).append(shot)
    return [Execution(tuple(group)) for group in groups.values()]


def link(found: Sequence[Execution], actor: Actor) -> None:
    """Give each execution its calibrators, or the science it calibrates, as far as the actor may see."""
    by_pk = {one.pk: one for one in found if one.pk is not None}
    for linked in sequences.calibrators_of(list(by_pk), actor):
        by_pk[linked.link.science_id].calibrators.append(linked)
    served = [pk for pk, one in by_pk.items() if any(not shot.science for shot in one.shots)]
    for linked in sequences.science_of(served, actor):
        by_pk[linked.link.calibrator_id].sciences.append(linked)


def strands(found: Collection[Execution]) -> list[Strand]:
    """The rows of the time axis, in order of the first exposure of their own target."""
    by_pk = {one.pk: one for one in found if one.pk is not None}
    rows: dict[tuple[str, str, int], dict[int, Execution]] = {}
    placed: set[int] = set()
    for one in found:
        if one.science:
            first = one.first
            row = rows.setdefault((first.instrument, first.program, first.target_id), {})
            placed.add(id(one))
            for calibrator in (by_pk.get(c.observation.pk) for c in one.calibrators):
                if calibrator is not None:
                    row[id(calibrator)] = calibrator
                    placed.add(id(calibrator))
            row[id(one)] = one
    for one in found:
        if id(one) not in placed:
            key = (one.first.instrument, one.first.program, one.first.target_id)
            rows.setdefault(key, {})[id(one)] = one
    made = []
    for (_, program, target), row in rows.items():
        members = tuple(sorted(row.values(), key=lambda one: one.start or 0.0))
        own = [s for one in members for s in one.shots if s.target_id == target and s.program == program]
        made.append(Strand(next((s for s in own if s.science), own[0]), members))
    return sorted(made, key=lambda strand: (strand.start, strand.first.exp_id))


def programmes(found: Iterable[Execution]) -> list[ProgrammeShare]:
    """What each programme had, most exposures first."""
    groups: dict[str, list[Execution]] = {}
    for one in found:
        groups.setdefault(one.first.program, []).append(one)
    made = []
    for program, members in groups.items():
        shots = [shot for one in members for shot in one.shots]
        told = next((s for s in shots if s.title), shots[0])
        science = dict.fromkeys(s.target_name for s in shots if s.science)
        made.append(
            ProgrammeShare(
                program=program,
                title=told.title,
                pi=next((s.pi for s in shots if s.pi), ""),
                technical=told.technical,
                targets=tuple(science or dict.fromkeys(s.target_name for s in shots)),
                observations=len(members),
                exposures=len(shots),
                integration=integration(shots),
            )
        )
    return sorted(made, key=lambda share: (-share.exposures, share.program))


def totals(found: Collection[Execution]) -> Totals:
    """The sums of a night."""
    shots = [shot for one in found for shot in one.shots]
    return Totals(
        exposures=len(shots),
        valid=sum(1 for shot in shots if shot.valid),
        observations=len(found),
        targets=len({shot.target_id for shot in shots}),
        programmes=len({shot.program for shot in shots if shot.program}),
        integration=integration(shots),
        busy=sum(b - a for a, b in busy(found)) * DAY_S,
        start=min((one.start for one in found if one.start is not None), default=None),
        end=max((one.end for one in found if one.end is not None), default=None),
        seeing=mean(shot.seeing for shot in shots),
        tau0=mean(shot.tau0 for shot in shots),
    )


def busy(found: Iterable[Execution]) -> list[tuple[float, float]]:
    """When an observation was going on, whichever instrument: separate spans in order of time (MJD)."""
    merged: list[tuple[float, float]] = []
    for a, b in sorted(
        (one.start, one.end) for one in found if one.start is not None and one.end is not None
    ):
        if merged and a <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(b, merged[-1][1]))
        else:
            merged.append((a, max(a, b)))
    return merged


def idle(spans: Sequence[tuple[float, float]], within: tuple[float, float]) -> list[tuple[float, float]]:
    """What is left of a span of time (MJD) outside these ordered, separate ones."""
    left = []
    now, until = within
    for a, b in spans:
        if a > now and now < until:
            left.append((now, min(a, until)))
        now = max(now, b)
    if now < until:
        left.append((now, until))
    return left


def integration(shots: Iterable[Shot]) -> float:
    """Seconds on the object, each shutter opening once."""
    return sum(shot.exp_time for shot in shots if shot.time_counted and shot.exp_time)


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of what is known."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def label(night: date) -> str:
    """A night by the evening it begins and the morning it ends: ``2020-01-05/06``.

    >>> label(date(2019, 12, 31))
    '2019-12-31/2020-01-01'
    """
    morning = night + timedelta(days=1)
    if (night.year, night.month) == (morning.year, morning.month):
        return f"{night.isoformat()}/{morning.day:02d}"
    return f"{night.isoformat()}/{morning.isoformat() if night.year != morning.year else f'{morning:%m-%d}'}"


_TYPED = re.compile(r"(\d{4}-\d{2}-\d{2})(?:/[\d-]{2,10})?$", re.ASCII)


def read_night(text: str) -> date:
    """The evening a night begins on, from ``2020-01-05`` or its label ``2020-01-05/06``.

    Raises SearchError.
    """
    found = _TYPED.match(text)
    try:
        night = date.fromisoformat(found[1] if found else "")
        if text not in {night.isoformat(), label(night)}:
            raise ValueError(text)
    except (ValueError, OverflowError):
        raise SearchError(
            "night", f"night is {shown(text)}: a date such as 2020-01-26 is needed, or 2020-01-26/27"
        ) from None
    return night


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest nights with observations that the reader may see."""

    before: date | None
    after: date | None


def neighbours(night: date, actor: Actor, interferometer: str = "") -> Neighbours:
    """The nights with observations before and after this one, at one interferometer or at any."""
    rows = Observation.objects.visible_to(actor)  # far fewer than exposures, and indexed by night
    if interferometer:
        rows = rows.filter(interferometer_name=interferometer)
    nights = rows.values_list("night", flat=True)
    return Neighbours(
        nights.filter(night__lt=night).order_by("-night").first(),
        nights.filter(night__gt=night).order_by("night").first(),
    )


def interferometers(nights: Collection[date], actor: Actor) -> Mapping[date, list[str]]:
    """Where something was observed in each of these nights, in the order of the facilities."""
    rows = Exposure.objects.visible_to(actor).filter(night__in=nights).order_by()
    found: dict[date, list[str]] = {night: [] for night in nights}
    for night, name in rows.values_list("night", "interferometer_name").distinct():
        if night is not None:
            found[night].append(name)
    order = {name: k for k, name in enumerate(facilities())}
    return {night: sorted(names, key=lambda n: (order.get(n, 99), n)) for night, names in found.items()}
