"""The observing log of a selection: a row per observation, or per target and night, as papers print it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from obsportal.exposures.models import Confidence, Exposure
from obsportal.exposures.observations.sequences import calibrators_of
from obsportal.exposures.search import Search
from obsportal.exposures.search_values import SearchError, shown
from obsportal.interferometry.times import mjd_to_datetime

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor

MOST_EXPOSURES = 20_000
"""A log of more is no table for a paper, and is refused."""


class Per(StrEnum):
    """What a row of the log is."""

    OBSERVATION = "observation"
    TARGET_NIGHT = "target-night"

    @property
    def label(self) -> str:
        """The words shown to people."""
        return {"observation": "observation", "target-night": "target and night"}[self.value]


def per_of(params: Mapping[str, str]) -> Per:
    """What ``per=`` asks for. Raises SearchError."""
    text = params.get("per", "").strip().lower() or Per.OBSERVATION.value
    try:
        return Per(text)
    except ValueError:
        raise SearchError(
            "per", f"per is {shown(text)}: allowed are {', '.join(p.value for p in Per)}"
        ) from None


@dataclass(frozen=True, slots=True)
class LogRow:
    """A row of the log. Times MJD UTC, integration s, seeing arcsec, tau0 s; text may list several."""

    start: float | None
    night: date | None
    target: str
    configuration: str
    stations: str
    instrument: str
    mode: str
    exposures: int
    """Each shutter opening once."""
    integration: float
    calibrators: tuple[str, ...]
    seeing: float | None
    tau0: float | None
    programme: str
    obs_type: str

    @property
    def date(self) -> str:
        """UTC date and time of the first exposure, to the minute."""
        return "" if self.start is None else f"{mjd_to_datetime(self.start):%Y-%m-%d %H:%M}"

    @property
    def tau0_ms(self) -> float | None:
        """tau0 in ms."""
        return None if self.tau0 is None else self.tau0 * 1e3


@dataclass(frozen=True, slots=True)
class Log:
    """A log and what it leaves out."""

    rows: tuple[LogRow, ...]
    per: Per
    words: str
    """The selection in words."""
    programmes: tuple[str, ...]
    interferometers: tuple[str, ...]
    exposures: int
    calibrator_rows: int
    """Exposures of calibrators that have no row of their own."""


_COLUMNS = (
    "pk",
    "observation_id",
    "target_id",
    "target__name",
    "night",
    "exp_mjd_start",
    "obs_type",
    "interferometer_name",
    "instrument_name",
    "instrument_variant",
    "instrument_mode",
    "interferometer_stations",
    "configuration",
    "obs_program",
    "exp_time",
    "time_counted",
    "exp_seeing",
    "exp_tau0",
    "obs_id",
    "obs_start",
    "template_start",
)


@dataclass(slots=True)
class _Gathered:
    rows: list[dict[str, Any]] = field(default_factory=list)

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(str(row[name]) for row in self.rows if row[name]))

    def mean(self, name: str) -> float | None:
        known = [row[name] for row in self.rows if row[name] is not None]
        return sum(known) / len(known) if known else None


def log(search: Search, actor: Actor, per: Per = Per.OBSERVATION) -> Log:
    """The log of the exposures of a search that this actor may see, in order of time.

    Calibrators stand beside the science they serve; they have rows of their own only where the search
    asks for their type or finds nothing else. Raises SearchError for a selection too large.
    """
    found = search.exposures(actor).order_by("exp_mjd_start", "exp_id").values(*_COLUMNS)
    rows = list(found[: MOST_EXPOSURES + 1])
    if len(rows) > MOST_EXPOSURES:
        raise SearchError(
            "limit",
            f"the selection has more than {MOST_EXPOSURES} exposures, the most for an observing log:"
            " choose a target, a programme, an instrument or shorter dates",
        )
    kept = rows
    if not any(c.parameter == "obs_type" for c in search.criteria):
        science = [row for row in rows if row["obs_type"] == "science"]
        kept = science or rows
    groups: dict[tuple[Any, ...], _Gathered] = defaultdict(_Gathered)
    for row in kept:
        groups[_key(row, per)].rows.append(row)
    names = _calibrator_names({row["observation_id"] for row in kept} - {None}, actor)
    made = [_row(group, names) for group in groups.values()]
    made.sort(key=lambda row: (row.start is None, row.start or 0.0, row.target))
    return Log(
        rows=tuple(made),
        per=per,
        words=search.words,
        programmes=tuple(sorted({row["obs_program"] for row in kept if row["obs_program"]})),
        interferometers=tuple(sorted({row["interferometer_name"] for row in kept})),
        exposures=len(kept),
        calibrator_rows=len(rows) - len(kept),
    )


def _key(row: Mapping[str, Any], per: Per) -> tuple[Any, ...]:
    """What exposures of one row share; without an observation, the block or template execution."""
    if per is Per.TARGET_NIGHT:
        return (
            row["target_id"],
            row["interferometer_name"],
            row["night"] or row["pk"],
            row["instrument_name"],
        )
    if row["observation_id"]:
        return (row["observation_id"], row["target_id"])
    execution = row["obs_start"] or row["template_start"]
    if execution is None:
        return ("alone", row["pk"])
    return (row["interferometer_name"], row["obs_id"], execution, row["target_id"])


def _row(group: _Gathered, calibrators: Mapping[int, Sequence[str]]) -> LogRow:
    first = group.rows[0]
    counted = [row for row in group.rows if row["time_counted"]]
    named: dict[str, None] = {}
    for observation in dict.fromkeys(row["observation_id"] for row in group.rows):
        named |= dict.fromkeys(calibrators.get(observation, ()))
    return LogRow(
        start=first["exp_mjd_start"],
        night=first["night"],
        target=first["target__name"],
        configuration=", ".join(group.words("configuration")),
        stations=", ".join(group.words("interferometer_stations")),
        instrument=", ".join(group.words("instrument_name")),
        mode=", ".join(group.words("instrument_mode")),
        exposures=len(counted) or len(group.rows),
        integration=sum(row["exp_time"] or 0.0 for row in counted or group.rows),
        calibrators=tuple(named) if first["obs_type"] == "science" else (),
        seeing=group.mean("exp_seeing"),
        tau0=group.mean("exp_tau0"),
        programme=", ".join(group.words("obs_program")),
        obs_type=first["obs_type"],
    )


def _calibrator_names(observations: Iterable[int], actor: Actor) -> dict[int, list[str]]:
    """Names of the calibrators by science observation; links of low confidence only where no other is."""
    linked = calibrators_of(sorted(observations), actor)
    names: dict[int, list[str]] = defaultdict(list)
    wanted = sorted({found.observation.pk for found in linked})
    for start in range(0, len(wanted), 5_000):
        rows = Exposure.objects.visible_to(actor).filter(observation__in=wanted[start : start + 5_000])
        rows = rows.order_by("exp_mjd_start", "pk")
        for key, name, kind in rows.values_list("observation_id", "target__name", "obs_type"):
            if kind == "calibrator" and name not in names[key]:
                names[key].append(name)
    sure: dict[int, dict[str, None]] = defaultdict(dict)
    unsure: dict[int, dict[str, None]] = defaultdict(dict)
    for found in linked:
        side = unsure if found.link.confidence == Confidence.LOW else sure
        side[found.link.science_id] |= dict.fromkeys(names[found.observation.pk])
    return {key: list(sure.get(key) or unsure[key]) for key in sure.keys() | unsure.keys()}
