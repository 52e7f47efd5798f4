"""Observations as they are shown: summed over the exposures a reader may see, with what calibrates them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from obsportal.exposures.bulk import parts
from obsportal.exposures.models import CalibratorLink, Exposure, Observation

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor


@dataclass(frozen=True, slots=True)
class LinkedObservation:
    """An observation at the other end of a link, and the link."""

    observation: Observation
    link: CalibratorLink


def calibrators_of(observation_ids: Collection[int], actor: Actor) -> list[LinkedObservation]:
    """The calibrator observations of these science observations that this actor may see.

    Ordered by science observation (``link.science_id``), variant and time.
    """
    found = []
    for ids in parts(dict.fromkeys(observation_ids)):
        links = CalibratorLink.objects.visible_to(actor).filter(science__in=ids).select_related("calibrator")
        ordered = links.order_by("science_id", "instrument_variant", "gap_minutes", "-score", "pk")
        found += [LinkedObservation(link.calibrator, link) for link in ordered]
    return found


def science_of(observation_ids: Collection[int], actor: Actor) -> list[LinkedObservation]:
    """The science observations that these calibrator observations serve and this actor may see.

    Ordered by calibrator observation (``link.calibrator_id``), variant and time.
    """
    found = []
    for ids in parts(dict.fromkeys(observation_ids)):
        links = CalibratorLink.objects.visible_to(actor).filter(calibrator__in=ids).select_related("science")
        ordered = links.order_by("calibrator_id", "instrument_variant", "-gap_minutes", "-score", "pk")
        found += [LinkedObservation(link.science, link) for link in ordered]
    return found


@dataclass(frozen=True, slots=True)
class ObservationSummary:
    """An observation summed over the exposures a reader may see.

    Vocabularies are in order of appearance. Times are MJD UTC, angles degrees (J2000).
    """

    observation_id: int
    target_id: int
    """The target of the earliest science exposure, else of the earliest."""
    target_name: str
    target_ra: float | None
    target_dec: float | None
    target_names: tuple[str, ...]
    """Names of all its targets."""
    obs_types: tuple[str, ...]
    interferometer_name: str
    instrument_name: str
    instrument_variants: tuple[str, ...]
    instrument_modes: tuple[str, ...]
    interferometer_stations: tuple[str, ...]
    """Station sets, sorted within each."""
    configurations: tuple[str, ...]
    programs: tuple[str, ...]
    night: date | None
    mjd_start: float | None
    mjd_end: float | None
    n_exposures: int
    n_valid: int
    n_templates: int
    """Template executions; exposures that name none count as one."""
    integration_time: float
    """s, each shutter opening once."""
    seeing: float | None
    """arcsec, mean over the exposures that have it."""
    tau0: float | None
    """s, mean over the exposures that have it."""


_COLUMNS = (
    "observation_id",
    "target_id",
    "target__name",
    "target__ra",
    "target__dec",
    "obs_type",
    "interferometer_name",
    "instrument_name",
    "instrument_variant",
    "instrument_mode",
    "station_set",
    "configuration",
    "obs_program",
    "night",
    "exp_mjd_start",
    "exp_mjd_end",
    "exp_validation_level",
    "template_start",
    "exp_time",
    "time_counted",
    "exp_seeing",
    "exp_tau0",
)


def summaries(observation_ids: Collection[int], actor: Actor) -> dict[int, ObservationSummary]:
    """Summaries by observation; one of which this actor may see no exposure has none."""
    members: dict[int, list[dict[str, object]]] = {}
    for ids in parts(dict.fromkeys(observation_ids)):
        rows = Exposure.objects.visible_to(actor).filter(observation__in=ids)
        for row in rows.order_by("exp_mjd_start", "exp_id").values_list(*_COLUMNS):
            members.setdefault(row[0], []).append(dict(zip(_COLUMNS, row, strict=True)))
    return {key: _summary(key, rows) for key, rows in members.items()}


def _summary(observation: int, rows: list[dict[str, object]]) -> ObservationSummary:
    columns = {name: [row[name] for row in rows] for name in _COLUMNS}
    first = rows[next((n for n, kind in enumerate(columns["obs_type"]) if kind == "science"), 0)]
    starts = _numbers(columns["exp_mjd_start"])
    ends = _numbers(columns["exp_mjd_end"])
    counted = [row["exp_time"] for row in rows if row["time_counted"]]
    return ObservationSummary(
        observation_id=observation,
        target_id=first["target_id"],  # type: ignore[arg-type]
        target_name=first["target__name"],  # type: ignore[arg-type]
        target_ra=first["target__ra"],  # type: ignore[arg-type]
        target_dec=first["target__dec"],  # type: ignore[arg-type]
        target_names=_distinct(columns["target__name"]),
        obs_types=_distinct(columns["obs_type"]),
        interferometer_name=str(first["interferometer_name"]),
        instrument_name=str(first["instrument_name"]),
        instrument_variants=_distinct(columns["instrument_variant"]),
        instrument_modes=_distinct(columns["instrument_mode"]),
        interferometer_stations=_distinct(columns["station_set"]),
        configurations=_distinct(columns["configuration"]),
        programs=_distinct(columns["obs_program"]),
        night=first["night"],  # type: ignore[arg-type]
        mjd_start=min(starts, default=None),
        mjd_end=max(ends, default=None),
        n_exposures=len(rows),
        n_valid=sum(1 for level in columns["exp_validation_level"] if level == 1),
        n_templates=len(set(columns["template_start"])),
        integration_time=sum(_numbers(counted)),
        seeing=_mean(columns["exp_seeing"]),
        tau0=_mean(columns["exp_tau0"]),
    )


def _distinct(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(value) for value in values if value))


def _numbers(values: Iterable[object]) -> list[float]:
    return [value for value in values if isinstance(value, float)]


def _mean(values: Iterable[object]) -> float | None:
    known = _numbers(values)
    return sum(known) / len(known) if known else None
