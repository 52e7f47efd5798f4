"""A programme and its runs, summed over the exposures a reader may see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from django.db.models import Count, Max, Min, Q

from obsportal.exposures.kept import Kept
from obsportal.exposures.models import Exposure, Target
from obsportal.exposures.observations.sequences import calibrators_of
from obsportal.exposures.programme_id import program_root, run_number, runs_up_to_last, spellings

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor


class Row(NamedTuple):
    """What is read of an exposure, in the order of ``COLUMNS``."""

    obs_program: str
    obs_program_title: str
    obs_program_pi_coi: str
    obs_type: str
    technical: bool
    authority: str
    visibility: str
    exp_mjd_start: float | None
    exp_time: float | None
    time_counted: bool
    night: date | None
    exp_validation_level: int
    exp_date_release: datetime | None
    interferometer_name: str
    instrument_name: str
    configuration: str
    target_id: int
    observation_id: int | None


COLUMNS = Row._fields


def people(text: str) -> tuple[str, ...]:
    """The names in ESO's list of investigators, the PI first: ``A/ B/ C``. Anonymised ones are dropped."""
    names = (name.strip() for name in text.split("/"))
    return tuple(dict.fromkeys(name for name in names if name and name.upper() != "UNKNOWN"))


@dataclass(slots=True)
class Tally:
    """Sums over exposures. Seconds count each shutter opening once; times are MJD UTC."""

    exposures: int = 0
    valid: int = 0
    seconds: float = 0.0
    first: float | None = None
    last: float | None = None
    proprietary: int = 0
    release: datetime | None = None
    """When the last of them is released."""
    unreleased: int = 0
    """Exposures of which no release date is known."""
    protected: int = 0
    observations: set[int] = field(default_factory=set)
    nights: set[tuple[date, str]] = field(default_factory=set)
    targets: set[int] = field(default_factory=set)
    instruments: Counter[str] = field(default_factory=Counter)
    configurations: Counter[str] = field(default_factory=Counter)
    titles: Counter[str] = field(default_factory=Counter)
    investigators: Counter[str] = field(default_factory=Counter)

    def add(self, row: Row, now: datetime) -> None:
        """Count one more exposure."""
        self.exposures += 1
        self.valid += row.exp_validation_level > 0
        self.protected += row.visibility != "public"
        if row.exp_time and row.time_counted:
            self.seconds += row.exp_time
        if row.exp_mjd_start is not None:
            self.first = row.exp_mjd_start if self.first is None else min(self.first, row.exp_mjd_start)
            self.last = row.exp_mjd_start if self.last is None else max(self.last, row.exp_mjd_start)
        if row.exp_date_release is None:
            self.unreleased += 1
        else:
            self.proprietary += row.exp_date_release > now
            self.release = max(self.release or row.exp_date_release, row.exp_date_release)
        if row.observation_id is not None:
            self.observations.add(row.observation_id)
        if row.night is not None:
            self.nights.add((row.night, row.interferometer_name))
        self.targets.add(row.target_id)
        self.instruments[row.instrument_name] += 1
        if row.configuration:
            self.configurations[row.configuration] += 1
        if row.obs_program_title:
            self.titles[row.obs_program_title] += 1
        if people(row.obs_program_pi_coi):
            self.investigators[row.obs_program_pi_coi] += 1

    @property
    def by_instrument(self) -> list[tuple[str, int]]:
        """Instruments with their exposures, most first."""
        return [(name, self.instruments[name]) for name in _by_count(self.instruments)]

    @property
    def by_configuration(self) -> list[tuple[str, int]]:
        """Configurations with their exposures, most first."""
        return [(name, self.configurations[name]) for name in _by_count(self.configurations)]

    @property
    def instrument_names(self) -> list[str]:
        """Instruments, the one with most exposures first."""
        return _by_count(self.instruments)

    @property
    def configuration_names(self) -> list[str]:
        """Configurations, the one with most exposures first."""
        return _by_count(self.configurations)

    @property
    def share(self) -> float | None:
        """Exposures without errors among all, in percent."""
        return 100 * self.valid / self.exposures if self.exposures else None

    @property
    def hours(self) -> float:
        """Integration in hours."""
        return self.seconds / 3600

    @property
    def first_night(self) -> date | None:
        """The night of the first exposure."""
        return min((night for night, _ in self.nights), default=None)

    @property
    def last_night(self) -> date | None:
        """The night of the last exposure."""
        return max((night for night, _ in self.nights), default=None)

    @property
    def title(self) -> str:
        """The title most exposures carry."""
        return _commonest(self.titles)

    @property
    def pi(self) -> str:
        """The principal investigator most exposures name."""
        return next(iter(people(_commonest(self.investigators))), "")

    @property
    def coinvestigators(self) -> tuple[str, ...]:
        """Everybody else who is named, those of most exposures first."""
        named = [name for text in _by_count(self.investigators) for name in people(text)]
        return tuple(name for name in dict.fromkeys(named) if name != self.pi)

    @property
    def release_words(self) -> str:
        """Whether the data are public, in words; "" when no release date is known."""
        if self.release is None:
            return ""
        if not self.proprietary:
            return "public" if not self.unreleased else f"{self.exposures - self.unreleased} public"
        until = f"proprietary until {self.release:%Y-%m-%d}"
        return until if self.proprietary == self.exposures else f"{self.proprietary} {until}"


def _by_count(counted: Counter[str]) -> list[str]:
    return sorted(counted, key=lambda text: (-counted[text], text))


def _commonest(counted: Counter[str]) -> str:
    return next(iter(_by_count(counted)), "")


@dataclass(slots=True)
class Run:
    """One run; without exposures its tally is empty."""

    name: str
    tally: Tally = field(default_factory=Tally)


@dataclass(slots=True)
class ObservedTarget:
    """A target of the programme, with the calibrators linked to its observations."""

    target: Target
    tally: Tally
    calibrators: list[Target] = field(default_factory=list)


@dataclass(slots=True)
class ProgrammeNight:
    """A night of the programme."""

    night: date
    interferometer: str
    tally: Tally
    runs: list[str]


@dataclass(slots=True)
class Programme:
    """What a programme, or one run of it, has in the portal."""

    name: str
    root: str
    tally: Tally
    runs: list[Run]
    science: list[ObservedTarget]
    calibrators: list[ObservedTarget]
    nights: list[ProgrammeNight]
    technical: bool = False
    authorities: frozenset[str] = frozenset()

    @property
    def run(self) -> bool:
        """Whether this is one run of a programme."""
        return self.name != self.root


@dataclass(frozen=True, slots=True)
class OtherProgramme:
    """A programme in one line."""

    root: str
    title: str
    pi: str
    exposures: int
    first: float | None
    last: float | None


@dataclass(slots=True)
class Sums:
    """The exposures of a programme summed in one pass, however they come."""

    whole: Tally = field(default_factory=Tally)
    runs: dict[str, Tally] = field(default_factory=dict)
    targets: dict[tuple[int, bool], Tally] = field(default_factory=dict)
    """By target and whether it was observed as science."""
    nights: dict[tuple[date, str], Tally] = field(default_factory=dict)
    runs_of_night: dict[tuple[date, str], set[str]] = field(default_factory=dict)
    technical: bool = False
    authorities: set[str] = field(default_factory=set)


def summed(rows: Iterable[Row], now: datetime) -> Sums:
    """Sum exposures by run, target and night. ``now`` decides what is proprietary."""
    sums = Sums()
    for row in rows:
        sums.whole.add(row, now)
        sums.runs.setdefault(row.obs_program, Tally()).add(row, now)
        sums.targets.setdefault((row.target_id, row.obs_type == "science"), Tally()).add(row, now)
        if row.night is not None:
            key = (row.night, row.interferometer_name)
            sums.nights.setdefault(key, Tally()).add(row, now)
            sums.runs_of_night.setdefault(key, set()).add(row.obs_program)
        sums.technical |= row.technical
        sums.authorities.add(row.authority)
    return sums


def known(identifier: str, actor: Actor) -> str:
    """The identifier as exposures that the actor may see carry it, "" when none does.

    A run without exposures of a programme with some is known; so is a period padded otherwise.
    """
    for text in dict.fromkeys((identifier, identifier.upper(), *spellings(identifier.upper()))):
        root = program_root(text)
        if root != text and run_number(text) is None:
            root = text
        rows = Exposure.objects.visible_to(actor).filter(Q(obs_program_root=root) | Q(obs_program=text))
        if rows.exists():
            return text
    return ""


def find(name: str, actor: Actor, now: datetime) -> Programme:
    """The programme or run of this name with what the actor may see of it; possibly nothing."""
    root = program_root(name)
    seen = Exposure.objects.visible_to(actor).order_by()
    own = Q(obs_program=name) if root != name else Q(obs_program_root=root) | Q(obs_program=name)
    sums = summed((Row(*row) for row in seen.filter(own).values_list(*COLUMNS)), now)
    others = set(sums.runs)
    if root != name:
        others |= set(seen.filter(obs_program_root=root).values_list("obs_program", flat=True).distinct())
    runs = [Run(run, sums.runs.get(run, Tally())) for run in runs_up_to_last(root, others)]
    targets = Target.objects.visible_to(actor).in_bulk({pk for pk, _ in sums.targets})
    science, calibrators = _targets(sums, targets)
    _link(science, sums.whole.observations, actor)
    nights = [
        ProgrammeNight(night, at, tally, sorted(sums.runs_of_night[night, at]))
        for (night, at), tally in sorted(sums.nights.items(), reverse=True)
    ]
    return Programme(
        name=name,
        root=root,
        tally=sums.whole,
        runs=runs,
        science=science,
        calibrators=calibrators,
        nights=nights,
        technical=sums.technical,
        authorities=frozenset(sums.authorities),
    )


def _targets(sums: Sums, targets: dict[int, Target]) -> tuple[list[ObservedTarget], list[ObservedTarget]]:
    """The science targets and the calibrators, those with most exposures first."""
    observed = [
        (ObservedTarget(targets[pk], tally), is_science)
        for (pk, is_science), tally in sums.targets.items()
        if pk in targets
    ]
    observed.sort(key=lambda item: (-item[0].tally.exposures, item[0].target.name))
    return [t for t, is_science in observed if is_science], [
        t for t, is_science in observed if not is_science
    ]


def _link(science: Sequence[ObservedTarget], observations: set[int], actor: Actor) -> None:
    """Give each science target the calibrators that its observations are linked to."""
    of_science = {pk for target in science for pk in target.tally.observations} & observations
    links = [
        (found.link.science_id, found.link.calibrator_id)
        for found in calibrators_of(sorted(of_science), actor)
    ]
    if not links:
        return
    calibrating = {calibrator for _, calibrator in links}
    rows = Exposure.objects.visible_to(actor).filter(observation__in=calibrating, obs_type="calibrator")
    targets_of: dict[int, set[int]] = {}
    for observation, target in rows.order_by().values_list("observation_id", "target_id").distinct():
        targets_of.setdefault(observation, set()).add(target)
    stars = Target.objects.visible_to(actor).in_bulk({pk for pks in targets_of.values() for pk in pks})
    serving: dict[int, set[int]] = {}
    for of, by in links:
        serving.setdefault(of, set()).update(targets_of.get(by, ()))
    for observed in science:
        keys = set().union(*(serving.get(pk, set()) for pk in observed.tally.observations))
        observed.calibrators = sorted((stars[pk] for pk in keys if pk in stars), key=lambda star: star.name)


def _count_by_investigator(actor: Actor) -> dict[str, list[OtherProgramme]]:
    """Every programme under its PI's name in capitals, the newest first."""
    rows = Exposure.objects.visible_to(actor).exclude(obs_program_root="").exclude(obs_program_pi_coi="")
    counted = rows.order_by().values_list("obs_program_root", "obs_program_pi_coi")
    found: dict[tuple[str, str], OtherProgramme] = {}
    for root, named, n, first, last, title in counted.annotate(
        n=Count("pk"), first=Min("exp_mjd_start"), last=Max("exp_mjd_start"), title=Max("obs_program_title")
    ):
        pi = next(iter(people(named)), "")
        if not pi:
            continue
        before = found.get((pi.upper(), root))
        if before is not None:
            n += before.exposures
            first = min((t for t in (first, before.first) if t is not None), default=None)
            last = max((t for t in (last, before.last) if t is not None), default=None)
        found[pi.upper(), root] = OtherProgramme(root, title, pi, n, first, last)
    listed: dict[str, list[OtherProgramme]] = {}
    for (pi, _), programme in sorted(found.items(), key=lambda item: item[1].last or 0.0, reverse=True):
        listed.setdefault(pi, []).append(programme)
    return listed


by_investigator: Kept[dict[str, list[OtherProgramme]]] = Kept(_count_by_investigator)
"""The programmes an actor may see, by their PI's name in capitals."""


def of_same_pi(programme: Programme, actor: Actor) -> list[OtherProgramme]:
    """Other programmes of the same PI."""
    pi = programme.tally.pi.upper()
    if not pi:
        return []
    return [other for other in by_investigator(actor).get(pi, []) if other.root != programme.root]
