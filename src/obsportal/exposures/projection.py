"""From a described exposure to the columns of its row: pure, no queries."""

from __future__ import annotations

import json
import math
from typing import Any

from obsportal.exposures.baseline_text import baselines_to_text
from obsportal.exposures.programme_id import program_root
from obsportal.exposures.record import ExposureRecord, Level
from obsportal.interferometry.sky import place
from obsportal.stars.names import normalise

AUTHORITIES = {"VLTI": "eso.org", "CHARA": "chara.gsu.edu"}
"""Who gives the identifiers of an interferometer's exposures."""


LARGEST_INTEGER = 2**31 - 1
"""Whole-number columns are 32-bit, as published; ESO's block and container numbers stay far below."""
_WIDER = frozenset({"pointing_hpx"})


def columns(record: ExposureRecord) -> dict[str, Any]:
    """The column values of a record, without its foreign keys."""
    at = (
        place(record.pointing_ra, record.pointing_dec)
        if record.pointing_ra is not None and record.pointing_dec is not None
        else None
    )
    failed = [m.text for m in record.messages if m.level is Level.ERROR]
    return _storable(
        {
            "exp_id": record.exp_id,
            "exp_header_id": record.header_id,
            "product_category": record.product_category,
            "exp_mjd_start": record.mjd_start,
            "exp_mjd_end": record.mjd_end,
            "exp_time": record.exposure_time,
            "dit": record.dit,
            "ndit": record.ndit,
            "time_origin": record.time_origin,
            "night": record.night,
            "exp_projected_baselines": baselines_to_text(record.baselines),
            "baselines_origin": record.baselines_origin,
            "exp_validation_level": 0 if failed else 1,
            "exp_validation_log": json.dumps(failed) if failed else "",
            "exp_messages": json.dumps([[m.code, m.level.value, m.text] for m in record.messages])
            if record.messages
            else "",
            "exp_date_release": record.release_date,
            "exp_tau0": record.tau0,
            "exp_seeing": record.seeing,
            "exp_temperature": record.temperature,
            "exp_humidity": record.humidity,
            "exp_wind_speed": record.wind_speed,
            "exp_wind_direction": record.wind_direction,
            "exp_iwv": record.iwv,
            "exp_airmass": record.airmass,
            "obs_id": record.ob_id,
            "obs_name": record.ob_name[:120],
            "obs_start": record.ob_start,
            "obs_container_id": record.container_id,
            "obs_container_type": record.container_type[:10],
            "obs_type": record.obs_type.value,
            "obs_type_header": record.obs_type_header[:40],
            "obs_type_reason": record.obs_type_reason[:200],
            "obs_program": record.program_id[:40],
            "obs_program_root": program_root(record.program_id)[:40],
            "obs_program_title": record.program_title,
            "obs_program_pi_coi": record.pi_coi[:300],
            "technical": record.technical,
            "template_id": record.template_id[:60],
            "template_start": record.template_start,
            "template_expno": record.template_expno,
            "template_nexp": record.template_nexp,
            "interferometer_name": record.interferometer_name,
            "interferometer_version": record.interferometer_version,
            "interferometer_stations": " ".join(record.stations)[:40],
            "station_set": " ".join(sorted(record.stations))[:40],
            "interferometer_pops": record.pops[:12],
            "interferometer_channels": record.channels[:40],
            "configuration": record.configuration[:40],
            "configuration_basis": record.configuration_basis,
            "instrument_name": record.instrument_name,
            "instrument_variant": record.instrument_variant,
            "instrument_mode": record.instrument_mode,
            "instrument_submode": record.instrument_submode[:40],
            "instrument_em_min": record.em_min,
            "instrument_em_max": record.em_max,
            "instrument_em_res_power": record.em_res_power,
            "wavelength_origin": record.wavelength_origin,
            "fringe_tracker": record.fringe_tracker[:20],
            "fringe_tracker_status": record.fringe_tracker_status[:10],
            "ao_mode": record.ao_mode[:30],
            "bcd": record.bcd[:20],
            "chopping": record.chopping,
            "polarisation": record.polarisation[:20],
            "feed": record.feed[:20],
            "target_typed_name": (record.target.name if record.target else "")[:80],
            "target_normalised_name": normalise(record.target.name) if record.target else "",
            "pointing_ra": record.pointing_ra,
            "pointing_dec": record.pointing_dec,
            "position_origin": record.position_origin[:40],
            "pointing_hpx": at.hpx if at else None,
            "pointing_x": at.x if at else None,
            "pointing_y": at.y if at else None,
            "pointing_z": at.z if at else None,
            "ft_offset_ra": record.ft_offset_ra,
            "ft_offset_dec": record.ft_offset_dec,
            "pair_key": record.pair_key[:80],
            "time_counted": record.time_counted,
            "group_key": record.group_key[:120],
        }
    )


def _storable(values: dict[str, Any]) -> dict[str, Any]:
    """NaN, infinities and whole numbers too large for a column become missing.

    NUL characters, which PostgreSQL refuses, are dropped.
    """
    for name, value in values.items():
        if isinstance(value, float):
            if not math.isfinite(value):
                values[name] = None
        elif isinstance(value, int):
            if abs(value) > LARGEST_INTEGER and name not in _WIDER:
                values[name] = None
        elif isinstance(value, str) and "\x00" in value:
            values[name] = value.replace("\x00", "")
    return values
