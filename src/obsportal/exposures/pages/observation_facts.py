"""What the exposures of one observation tell together: templates, conditions, findings, links.

Times are MJD UTC, durations seconds. Everything is worked out from exposures the reader may see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from obsportal.exposures.models import CalibratorLink, Exposure, Observation
from obsportal.exposures.observations import sequences
from obsportal.exposures.observations.sequences import LinkedObservation, ObservationSummary
from obsportal.exposures.pages import facts

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor

MAX_OTHERS = 50
"""Other executions listed of a block."""


@dataclass(frozen=True, slots=True)
class TemplateExecution:
    """One execution of a template, or the exposures that name none."""

    template: str
    start: datetime | None
    exposures: tuple[Exposure, ...]

    @property
    def taken(self) -> int:
        """How many exposures of the template there are; those of one shutter opening count once."""
        numbers = {row.template_expno or row.exp_header_id for row in self.exposures}
        return len(numbers)

    @property
    def planned(self) -> int | None:
        """How many the template announced."""
        return max((row.template_nexp for row in self.exposures if row.template_nexp), default=None)

    @property
    def incomplete(self) -> bool:
        """Whether fewer are here than announced."""
        return self.planned is not None and self.taken < self.planned

    @property
    def modes(self) -> list[str]:
        """Its modes in order of appearance."""
        return distinct(row.instrument_mode for row in self.exposures)

    @property
    def targets(self) -> list[str]:
        """Names of its targets in order of appearance."""
        return distinct(row.target.name for row in self.exposures)

    @property
    def obs_types(self) -> list[str]:
        """Science, calibrator."""
        return distinct(row.obs_type for row in self.exposures)

    @property
    def integration(self) -> float:
        """Seconds on the object."""
        return sum(row.exp_time or 0.0 for row in self.exposures if row.time_counted)


@dataclass(frozen=True, slots=True)
class Condition:
    """One quantity of the atmosphere over the observation, in the unit it is shown in."""

    label: str
    unit: str
    decimals: int
    first: float
    last: float
    lowest: float
    mean: float
    highest: float
    known: int
    """Exposures that have it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding of the validation, and how many exposures have it."""

    level: str
    code: str
    text: str
    """As the first of them says it."""
    exposures: int


@dataclass(frozen=True, slots=True)
class Linked:
    """An observation at the other end of a calibrator link, in words."""

    observation: Observation
    link: CalibratorLink
    summary: ObservationSummary
    when: str
    variants: tuple[str, ...]
    """Instrument variants of which the same is said."""

    @property
    def basis(self) -> str:
        """Why they belong together."""
        return str(self.link.get_basis_display())


QUANTITIES: tuple[tuple[str, str, int, Callable[[Exposure], float | None]], ...] = (
    ("Seeing", "″", 2, lambda row: row.exp_seeing),
    ("τ0", "ms", 1, lambda row: None if row.exp_tau0 is None else row.exp_tau0 * 1e3),
    ("Airmass", "", 2, lambda row: row.exp_airmass),
    ("Water vapour", "mm", 1, lambda row: row.exp_iwv),
    ("Humidity", "%", 0, lambda row: row.exp_humidity),
    ("Wind", "m/s", 1, lambda row: row.exp_wind_speed),
    ("Temperature", "°C", 1, lambda row: row.exp_temperature),
)


def distinct(values: Iterable[str]) -> list[str]:
    """What is not empty, once, in order of appearance."""
    return list(dict.fromkeys(value for value in values if value))


def templates(rows: Iterable[Exposure]) -> list[TemplateExecution]:
    """Exposures by execution of their template, in order of appearance."""
    groups: dict[tuple[str, datetime | None], list[Exposure]] = {}
    for row in rows:
        groups.setdefault((row.template_id, row.template_start), []).append(row)
    return [TemplateExecution(name, start, tuple(found)) for (name, start), found in groups.items()]


def conditions(rows: Sequence[Exposure]) -> list[Condition]:
    """The atmosphere over exposures in order of time; a quantity that none has is left out."""
    found = []
    for label, unit, decimals, read in QUANTITIES:
        values = [value for row in rows if (value := read(row)) is not None]
        if values:
            mean = sum(values) / len(values)
            found.append(
                Condition(
                    label, unit, decimals, values[0], values[-1], min(values), mean, max(values), len(values)
                )
            )
    return found


def findings(rows: Iterable[Exposure]) -> list[Finding]:
    """What the validation found, by code: errors first, then the most frequent."""
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    for row in rows:
        for key, text in {(remark.level, remark.code): remark.text for remark in facts.remarks(row)}.items():
            counts[key] += 1
            first.setdefault(key, text)
    made = [Finding(level, code, first[level, code], n) for (level, code), n in counts.items()]
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(made, key=lambda one: (order.get(one.level, 3), -one.exposures, one.code))


def calibrators(observations: Collection[int], actor: Actor) -> list[Linked]:
    """The calibrators of science observations, in words."""
    return _in_words(sequences.calibrators_of(observations, actor), actor, calibrator=True)


def sciences(observations: Collection[int], actor: Actor) -> list[Linked]:
    """The science that calibrator observations serve, in words."""
    return _in_words(sequences.science_of(observations, actor), actor, calibrator=False)


def _in_words(found: Collection[LinkedObservation], actor: Actor, *, calibrator: bool) -> list[Linked]:
    summaries = sequences.summaries({one.observation.pk for one in found}, actor)
    groups: dict[tuple[object, ...], list[LinkedObservation]] = {}
    for one in found:
        link = one.link
        gap = None if link.gap_minutes is None else round(link.gap_minutes)
        key = (link.science_id, link.calibrator_id, link.basis, link.confidence, round(link.score, 2), gap)
        groups.setdefault(key, []).append(one)
    return [
        Linked(
            one.observation,
            one.link,
            summaries[one.observation.pk],
            gap_words(one.link, calibrator=calibrator),
            tuple(other.link.instrument_variant for other in same if other.link.instrument_variant),
        )
        for same in groups.values()
        if (one := same[0]).observation.pk in summaries
    ]


def gap_words(link: CalibratorLink, *, calibrator: bool) -> str:
    """When the other end was observed: ``12 min before``. ``calibrator`` says that it is the calibrator."""
    if link.gap_minutes is None:
        return ""
    minutes = round(abs(link.gap_minutes))
    if link.gap_minutes == 0:
        return "at the same time"
    length = f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
    if minutes == 0:
        length = "directly"
    return f"{length} {'before' if (link.gap_minutes < 0) == calibrator else 'after'}"


def other_executions(observation: Observation, actor: Actor) -> list[tuple[Observation, ObservationSummary]]:
    """Other executions of the same block, newest first."""
    if observation.obs_id is None:
        return []
    rows = Observation.objects.visible_to(actor).filter(
        obs_id=observation.obs_id, interferometer_name=observation.interferometer_name
    )
    found = list(rows.exclude(pk=observation.pk).order_by("-night", "-obs_start", "pk")[:MAX_OTHERS])
    summaries = sequences.summaries([one.pk for one in found], actor)
    return [(one, summaries[one.pk]) for one in found if one.pk in summaries]
