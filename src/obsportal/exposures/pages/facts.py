"""An exposure's values in groups: label, value as text, unit, and where each came from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from obsportal.exposures.angles import dms, hms, hours_minutes
from obsportal.exposures.models import Exposure
from obsportal.interferometry.facility import facilities
from obsportal.interferometry.times import lst_hours, mjd_to_datetime


@dataclass(frozen=True, slots=True)
class Fact:
    """One value to show."""

    label: str
    column: str
    value: str
    unit: str
    origin: str


@dataclass(frozen=True, slots=True)
class Field:
    """How a column is shown. ``record`` names it in the provenance; ``scale`` turns it into ``unit``."""

    label: str
    column: str
    unit: str = ""
    record: str = ""
    scale: float = 1.0
    show: Callable[[Any], str] | None = None


HALF_A_MILLISECOND = timedelta(microseconds=500)
"""Added before digits are cut, so that they are rounded."""


def _utc(mjd: float) -> str:
    try:
        return f"{mjd_to_datetime(mjd) + HALF_A_MILLISECOND:%Y-%m-%d %H:%M:%S.%f}"[:-3]
    except ValueError:
        return f"MJD {mjd:g}"


def _micrometres(metres: float) -> str:
    return f"{metres * 1e6:.4f}"


def _mjd(mjd: float) -> str:
    return f"{mjd:.8f}"


GROUPS: dict[str, tuple[Field, ...]] = {
    "Time": (
        Field("Start", "exp_mjd_start", "UTC", "mjd_start", show=_utc),
        Field("End", "exp_mjd_end", "UTC", "mjd_end", show=_utc),
        Field("Start", "exp_mjd_start", "MJD, d", "mjd_start", show=_mjd),
        Field("End", "exp_mjd_end", "MJD, d", "mjd_end", show=_mjd),
        Field("Night beginning", "night", "local date", "night"),
        Field("Integration on the object", "exp_time", "s", "exposure_time"),
        Field("DIT", "dit", "s", "dit"),
        Field("NDIT", "ndit", "", "ndit"),
        Field("Times read from", "time_origin"),
        Field("Counted as open-shutter time", "time_counted"),
    ),
    "Target and pointing": (
        Field("Name as typed", "target_typed_name", record="target"),
        Field("Pointing RA", "pointing_ra", "h m s", "pointing_ra", show=lambda v: hms(v, 3)),
        Field("Pointing Dec", "pointing_dec", "° ′ ″", "pointing_dec", show=lambda v: dms(v, 2)),
        Field("Pointing RA", "pointing_ra", "deg, J2000", "pointing_ra"),
        Field("Pointing Dec", "pointing_dec", "deg, J2000", "pointing_dec"),
        Field("Position read from", "position_origin"),
        Field("Offset from tracked star, east", "ft_offset_ra", "mas"),
        Field("Offset from tracked star, north", "ft_offset_dec", "mas"),
    ),
    "Programme and block": (
        Field("Programme", "obs_program", record="program_id"),
        Field("Title", "obs_program_title", record="program_title"),
        Field("PI and co-investigators", "obs_program_pi_coi", record="pi_coi"),
        Field("Technical time", "technical"),
        Field("Observing block", "obs_id", record="ob_id"),
        Field("Name of the block", "obs_name", record="ob_name"),
        Field("Start of the block", "obs_start", "UTC", "ob_start"),
        Field("Container", "obs_container_id", record="container_id"),
        Field("Container type", "obs_container_type", record="container_type"),
        Field("Template", "template_id"),
        Field("Start of the template", "template_start", "UTC"),
        Field("Exposure of the template", "template_expno"),
        Field("Exposures in the template", "template_nexp"),
    ),
    "Array": (
        Field("Interferometer", "interferometer_name"),
        Field("Version", "interferometer_version"),
        Field("Stations in beam order", "interferometer_stations", record="stations"),
        Field("Configuration", "configuration"),
        Field("Basis of the configuration", "configuration_basis", record="configuration"),
        Field("PoPs", "interferometer_pops", record="pops"),
        Field("Channels", "interferometer_channels", record="channels"),
        Field("Baselines read from", "baselines_origin", record="baselines"),
    ),
    "Instrument": (
        Field("Instrument", "instrument_name"),
        Field("ASPRO2 entry", "instrument_variant"),
        Field("Mode", "instrument_mode"),
        Field("Submode", "instrument_submode"),
        Field("Shortest wavelength", "instrument_em_min", "µm", "em_min", show=_micrometres),
        Field("Longest wavelength", "instrument_em_max", "µm", "em_max", show=_micrometres),
        Field("Spectral resolution", "instrument_em_res_power", "λ/Δλ", "em_res_power"),
        Field("Wavelengths read from", "wavelength_origin"),
        Field("Fringe tracker", "fringe_tracker"),
        Field("Fringe tracker status", "fringe_tracker_status"),
        Field("Adaptive optics", "ao_mode"),
        Field("Beam commuting device", "bcd"),
        Field("Chopping", "chopping"),
        Field("Polarisation", "polarisation"),
        Field("Feed", "feed"),
    ),
    "Atmosphere (means of start and end)": (
        Field("Seeing", "exp_seeing", "arcsec", "seeing"),
        Field("τ0", "exp_tau0", "ms", "tau0", 1e3),
        Field("Airmass", "exp_airmass", "", "airmass"),
        Field("Temperature", "exp_temperature", "°C", "temperature"),
        Field("Humidity", "exp_humidity", "%", "humidity"),
        Field("Wind speed", "exp_wind_speed", "m/s", "wind_speed"),
        Field("Wind direction", "exp_wind_direction", "deg", "wind_direction"),
        Field("Water vapour", "exp_iwv", "mm", "iwv"),
    ),
    "Identity and bookkeeping": (
        Field("Exposure", "exp_id"),
        Field("Header", "exp_header_id", record="header_id"),
        Field("Naming authority", "authority"),
        Field("Product read", "product_category"),
        Field("Data release", "exp_date_release", "UTC", "release_date"),
        Field("Row updated", "exp_date_updated", "UTC"),
        Field("Visibility", "visibility"),
    ),
}


def groups(exposure: Exposure) -> list[tuple[str, list[Fact]]]:
    """The known values of an exposure by group; missing ones are left out."""
    origins = exposure.provenance.origins if exposure.provenance else {}
    found = []
    for title, fields in GROUPS.items():
        facts = []
        for field in fields:
            value = getattr(exposure, field.column)
            if value is None or value == "":
                continue
            origin = origins.get(field.record or field.column, "")
            facts.append(Fact(field.label, field.column, _text(field, value), field.unit, origin))
        if title == "Time":
            facts += _sidereal(exposure)
        found.append((title, facts))
    return [(title, facts) for title, facts in found if facts]


def _sidereal(exposure: Exposure) -> list[Fact]:
    site = facilities().get(exposure.interferometer_name)
    if site is None:
        return []
    return [
        Fact(label, f"lst_{name}", hours_minutes(lst_hours(mjd, site)), "LST, h:m", "computed")
        for label, name, mjd in (
            ("Start", "start", exposure.exp_mjd_start),
            ("End", "end", exposure.exp_mjd_end),
        )
        if mjd is not None
    ]


def _text(field: Field, value: Any) -> str:
    if field.show:
        return field.show(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value * field.scale:.12g}".replace("-", "−")
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return value.isoformat() if isinstance(value, date) else str(value)


@dataclass(frozen=True, slots=True)
class Remark:
    """One line of a validation log."""

    code: str
    level: str
    text: str


def remarks(exposure: Exposure) -> list[Remark]:
    """The validation log, errors first."""
    rows = json.loads(exposure.exp_messages) if exposure.exp_messages else []
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted((Remark(*map(str, row[:3])) for row in rows), key=lambda r: order.get(r.level, 3))
