"""What the exposures of one target tell together: set-ups, observations, names, programmes, calibrators.

Everything is summed over exposures the reader may see. Times are MJD UTC, durations seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from obsportal.accounts.access import visible_rows
from obsportal.exposures.bulk import parts
from obsportal.exposures.criteria import CONFIGURATIONS
from obsportal.exposures.models import CalibratorLink, Confidence, Exposure, Target, TargetPointing

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor

DAY_S = 86_400.0


class Sight(NamedTuple):
    """One exposure of the target. The columns are in this order."""

    pk: int
    start: float | None
    end: float | None
    exp_time: float | None
    time_counted: bool
    obs_type: str
    valid: int
    seeing: float | None
    tau0: float | None
    interferometer: str
    instrument: str
    mode: str
    stations: str
    configuration: str
    program: str
    title: str
    pi: str
    night: date | None
    typed_name: str
    pointing_id: int | None
    observation_id: int | None
    observation_key: str | None
    visibility: str
    authority: str

    @property
    def science(self) -> bool:
        """Whether it is no calibrator."""
        return self.obs_type != "calibrator"

    @property
    def integration(self) -> float:
        """Seconds that count."""
        return self.exp_time if self.time_counted and self.exp_time else 0.0


COLUMNS = (
    "pk", "exp_mjd_start", "exp_mjd_end", "exp_time", "time_counted", "obs_type", "exp_validation_level",
    "exp_seeing", "exp_tau0", "interferometer_name", "instrument_name", "instrument_mode",
    "interferometer_stations", "configuration", "obs_program", "obs_program_title", "obs_program_pi_coi",
    "night", "target_typed_name", "pointing_id", "observation_id", "observation__key", "visibility",
    "authority",
)  # fmt: skip


def fetch(target: Target, actor: Actor) -> list[Sight]:
    """The exposures of a target that this actor may see, in order of time."""
    rows = Exposure.objects.visible_to(actor).filter(target=target)
    return [Sight._make(row) for row in rows.order_by("exp_mjd_start", "pk").values_list(*COLUMNS)]


@dataclass(slots=True)
class Tally:
    """Sums over some exposures."""

    exposures: int = 0
    valid: int = 0
    integration: float = 0.0
    nights: set[date | None] = field(default_factory=set)
    observations: set[int | None] = field(default_factory=set)
    first: float | None = None
    last: float | None = None
    protected: int = 0

    def add(self, row: Sight) -> None:
        """Count one more; rows come in order of time."""
        self.exposures += 1
        self.valid += bool(row.valid)
        self.integration += row.integration
        self.nights.add(row.night)
        self.observations.add(row.observation_id)
        self.protected += row.visibility != "public"
        if row.start is not None:
            self.first = row.start if self.first is None else self.first
            self.last = row.start


def tally(rows: Iterable[Sight]) -> Tally:
    """The sums of these rows."""
    found = Tally()
    for row in rows:
        found.add(row)
    return found


@dataclass(frozen=True, slots=True)
class SetUp:
    """One instrument's line of the matrix: sums by configuration, and of all of them."""

    interferometer: str
    instrument: str
    cells: tuple[Tally | None, ...]
    total: Tally


@dataclass(frozen=True, slots=True)
class Matrix:
    """Exposures by instrument and configuration; ``""`` stands for stations of no named configuration."""

    configurations: tuple[str, ...]
    lines: tuple[SetUp, ...]


def matrix(rows: Iterable[Sight]) -> Matrix:
    """The matrix of a target, the instrument with most exposures first."""
    cells: dict[tuple[str, str], dict[str, Tally]] = {}
    totals: dict[tuple[str, str], Tally] = {}
    for row in rows:
        key = (row.interferometer, row.instrument)
        cells.setdefault(key, {}).setdefault(row.configuration, Tally()).add(row)
        totals.setdefault(key, Tally()).add(row)
    found = {name for line in cells.values() for name in line}
    known = [name for name in CONFIGURATIONS if name in found]
    names = (*known, *sorted(found - set(known) - {""}), *([""] if "" in found else []))
    ordered = sorted(totals, key=lambda key: (-totals[key].exposures, key))
    lines = [SetUp(*key, tuple(cells[key].get(name) for name in names), totals[key]) for key in ordered]
    return Matrix(names, tuple(lines))


@dataclass(frozen=True)
class Execution:
    """One observation, as far as it is of this target."""

    rows: tuple[Sight, ...]
    partners: int = 0
    """Calibrators, or science observations it calibrates."""

    @property
    def first(self) -> Sight:
        """Its earliest exposure of the target."""
        return self.rows[0]

    @property
    def end(self) -> float | None:
        """The end of its last exposure."""
        return max((row.end for row in self.rows if row.end is not None), default=self.first.start)

    @property
    def tally(self) -> Tally:
        """Its sums."""
        return tally(self.rows)

    @property
    def modes(self) -> list[str]:
        """Its modes in order of appearance."""
        return list(dict.fromkeys(row.mode for row in self.rows if row.mode))

    @property
    def roles(self) -> list[str]:
        """Science, calibrator."""
        return list(dict.fromkeys(row.obs_type for row in self.rows))

    @property
    def seeing(self) -> float | None:
        """Mean seeing, arcsec."""
        return _mean(row.seeing for row in self.rows)

    @property
    def tau0(self) -> float | None:
        """Mean tau0, s."""
        return _mean(row.tau0 for row in self.rows)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def executions(rows: Iterable[Sight]) -> list[tuple[Sight, ...]]:
    """Exposures by observation, newest first; those without one go by night and instrument."""
    groups: dict[object, list[Sight]] = {}
    for row in rows:
        key = row.observation_id or (row.night, row.interferometer, row.instrument)
        groups.setdefault(key, []).append(row)
    return sorted(
        (tuple(g) for g in groups.values()), key=lambda g: (g[0].start or 0.0, g[0].pk), reverse=True
    )


@dataclass(frozen=True, slots=True)
class TypedName:
    """A way the target's name was typed, and why those pointings belong to it."""

    name: str
    tally: Tally
    pointings: int
    bases: tuple[str, ...]
    separation: float | None
    """The greatest, arcsec."""


def typed_names(rows: Iterable[Sight], actor: Actor) -> list[TypedName]:
    """The names under which it was observed, the most frequent first."""
    tallies: dict[str, Tally] = {}
    keys: dict[str, set[int]] = {}
    for row in rows:
        tallies.setdefault(row.typed_name, Tally()).add(row)
        if row.pointing_id is not None:
            keys.setdefault(row.typed_name, set()).add(row.pointing_id)
    wanted = {key for found in keys.values() for key in found}
    pointings: dict[int, TargetPointing] = {}
    for part in parts(sorted(wanted)):
        pointings |= {p.pk: p for p in TargetPointing.objects.filter(visible_rows(actor), pk__in=part)}
    made = []
    for name, found in tallies.items():
        own = [pointings[key] for key in sorted(keys.get(name, ())) if key in pointings]
        bases = dict.fromkeys(str(p.get_basis_display()) for p in own)
        away = max((p.separation for p in own if p.separation is not None), default=None)
        made.append(TypedName(name, found, len(own), tuple(bases), away))
    return sorted(made, key=lambda one: (-one.tally.exposures, one.name))


@dataclass(frozen=True, slots=True)
class Run:
    """What a run observed of the target."""

    program: str
    title: str
    pi: str
    instruments: tuple[str, ...]
    tally: Tally


def runs(rows: Sequence[Sight]) -> list[Run]:
    """The runs that observed it, the newest first."""
    groups: dict[str, list[Sight]] = {}
    for row in rows:
        groups.setdefault(row.program, []).append(row)
    made = [
        Run(
            program,
            next((row.title for row in found if row.title), ""),
            next((row.pi for row in found if row.pi), ""),
            tuple(dict.fromkeys(row.instrument for row in found)),
            tally(found),
        )
        for program, found in groups.items()
    ]
    return sorted(made, key=lambda run: (-(run.tally.last or 0.0), run.program))


@dataclass(slots=True)
class Partner:
    """A calibrator used for the target, or a science target it was used for."""

    target_id: int
    name: str
    observations: set[int] = field(default_factory=set)
    """Of the partner."""
    served: set[int] = field(default_factory=set)
    """Observations of the target that it was linked to."""
    confidences: Counter[str] = field(default_factory=Counter)
    instruments: set[str] = field(default_factory=set)
    last: date | None = None

    @property
    def certainty(self) -> list[tuple[str, int]]:
        """How many links there are of each confidence, the surest first."""
        return [(one.value, self.confidences[one]) for one in Confidence if self.confidences[one]]


@dataclass(frozen=True, slots=True)
class Partners:
    """Who was used with the target, most often first, and how many links each of its observations has."""

    calibrators: tuple[Partner, ...]
    sciences: tuple[Partner, ...]
    of_observation: Counter[int]


def partners(target: Target, rows: Iterable[Sight], actor: Actor) -> Partners:
    """Calibrators used for a target and science it served: links of which the actor may see both ends."""
    found = list(rows)
    science = {row.observation_id for row in found if row.science and row.observation_id}
    calibrator = {row.observation_id for row in found if not row.science and row.observation_id}
    counts: Counter[int] = Counter()
    calibrators = _partners("calibrator", "science", science, target, actor, counts)
    sciences = _partners("science", "calibrator", calibrator, target, actor, counts)
    return Partners(calibrators, sciences, counts)


def _partners(
    role: str, own: str, observations: Collection[int], target: Target, actor: Actor, counts: Counter[int]
) -> tuple[Partner, ...]:
    columns = (f"{role}_id", f"{own}_id", "confidence", f"{role}__instrument_name", f"{role}__night")
    links = []
    for part in parts(sorted(observations)):
        rows = CalibratorLink.objects.visible_to(actor).filter(**{f"{own}__in": part})
        links += list(rows.values_list(*columns))
    stars = _stars({link[0] for link in links}, role, actor)
    found: dict[int, Partner] = {}
    for other, mine, confidence, instrument, night in links:
        key, name = stars.get(other, (target.pk, ""))
        if key == target.pk:
            continue
        partner = found.setdefault(key, Partner(key, name))
        partner.observations.add(other)
        partner.served.add(mine)
        partner.confidences[confidence] += 1
        partner.instruments.add(instrument)
        partner.last = max(filter(None, (partner.last, night)), default=None)
    counts.update(mine for _, mine in {(link[0], link[1]) for link in links})
    return tuple(sorted(found.values(), key=lambda one: (-len(one.served), one.name)))


def _stars(observations: Collection[int], role: str, actor: Actor) -> dict[int, tuple[int, str]]:
    """The target of each observation: the first that was observed in this role."""
    found: dict[int, tuple[int, str]] = {}
    for part in parts(sorted(observations)):
        rows = Exposure.objects.visible_to(actor).filter(observation__in=part, obs_type=role)
        ordered = rows.order_by("observation_id", "exp_mjd_start", "pk")
        for observation, key, name in ordered.values_list("observation_id", "target_id", "target__name"):
            found.setdefault(observation, (key, name))
    return found
