"""Exposures for tests, made without headers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import count
from typing import Any

from obsportal.accounts.access import Visibility
from obsportal.exposures.gather import pointings, targets
from obsportal.exposures.gather.pointings import Claims
from obsportal.exposures.models import CalibratorLink, Exposure, Observation, Target, TargetPointing
from obsportal.exposures.projection import program_root
from obsportal.exposures.record import Sighting
from obsportal.interferometry.sky import place
from obsportal.stars.names import normalise

_numbers = count(1)

BASELINES = (
    "{'U1-U2': {'length': {'start': '55.9040', 'end': '55.8970'},"
    " 'angle': {'start': '3.3000', 'end': '4.0000'}}}"
)


def make_target(
    name: str = "HD 58647", ra: float | None = 111.483684, dec: float | None = -14.17878
) -> Target:
    """The target of a name and place, found or made as ingest does."""
    return make_pointing(name, ra, dec).target


def make_pointing(
    name: str = "HD 58647",
    ra: float | None = 111.483684,
    dec: float | None = -14.17878,
    *,
    visibility: str = Visibility.PUBLIC,
    instrument: str = "GRAVITY",
    mjd: float | None = None,
    target: Target | None = None,
) -> TargetPointing:
    """The pointing of a name and place, found or made as ingest does; of a given target where asked."""
    claims = Claims()
    key = claims.add(Sighting(name, ra, dec), visibility, instrument, mjd)
    if target is None:
        targets.settle(claims, {"": (key, None)}, datetime(2020, 2, 1, 12, tzinfo=UTC))
    elif not TargetPointing.objects.filter(key=key).exists():
        row = claims.rows[key]
        row.target_id = target.pk
        pointings.write([row])
    return TargetPointing.objects.select_related("target").get(key=key)


def make_exposure(
    *, name: str = "HD 58647", ra: float | None = 111.483684, dec: float | None = -14.17878, **values: Any
) -> Exposure:
    """A sound GRAVITY exposure at a place; any column can be given."""
    number = next(_numbers)
    pointing = make_pointing(
        name,
        ra,
        dec,
        visibility=values.get("visibility", Visibility.PUBLIC),
        instrument=values.get("instrument_name", "GRAVITY"),
        mjd=values.get("exp_mjd_start", 58875.152338 + number * 0.004),
        target=values.get("target"),
    )
    tracked = values.get("ft_target")
    at = place(ra, dec) if ra is not None and dec is not None else None
    program = values.get("obs_program", "0104.C-0567(A)")
    columns: dict[str, Any] = {
        "exp_id": f"GRAVI.2020-01-27T03:39:{number:09.3f}_1",
        "exp_header_id": f"GRAVI.2020-01-27T03:39:{number:09.3f}",
        "authority": "eso.org",
        "exp_mjd_start": 58875.152338 + number * 0.004,
        "exp_mjd_end": 58875.152338 + number * 0.004 + 300 / 86400,
        "exp_time": 300.0,
        "night": date(2020, 1, 26),
        "exp_projected_baselines": BASELINES,
        "exp_date_updated": datetime(2020, 2, 1, 12, tzinfo=UTC),
        "exp_date_release": datetime(2021, 1, 27, tzinfo=UTC),
        "exp_tau0": 0.0049675,
        "exp_seeing": 0.71,
        "exp_temperature": 12.3,
        "obs_id": 2728776,
        "obs_type": "science",
        "obs_program": program,
        "obs_program_root": program_root(program),
        "interferometer_name": "VLTI",
        "interferometer_version": "Period 104",
        "interferometer_stations": "U1 U2 U3 U4",
        "station_set": "U1 U2 U3 U4",
        "configuration": "UTs",
        "instrument_name": "GRAVITY",
        "instrument_variant": "GRAVITY",
        "instrument_mode": "HIGH-COMBINED",
        "instrument_submode": "SINGLE",
        "instrument_em_min": 1.9697e-6,
        "instrument_em_max": 2.4003e-6,
        "instrument_em_res_power": 4134.0,
        "fringe_tracker": "GRAVITY",
        "target": pointing.target,
        "pointing": pointing,
        "ft_pointing": tracked.pointings.order_by("pk").first() if tracked else None,
        "target_typed_name": name,
        "target_normalised_name": normalise(name),
        "pointing_ra": ra,
        "pointing_dec": dec,
        "pointing_hpx": at.hpx if at else None,
        "pointing_x": at.x if at else None,
        "pointing_y": at.y if at else None,
        "pointing_z": at.z if at else None,
    }
    return Exposure.objects.create(**(columns | values))


def observe(key: str, *exposures: Exposure, **values: Any) -> Observation:
    """An observation of these exposures; what is not given is as the first of them has it."""
    first = exposures[0]
    columns = {
        "basis": "block",
        "interferometer_name": first.interferometer_name,
        "instrument_name": first.instrument_name,
        "night": first.night,
        "obs_id": first.obs_id,
    }
    made = Observation.objects.create(key=key, **(columns | values))
    for exposure in exposures:
        exposure.observation = made
        exposure.save(update_fields=["observation"])
    return made


def calibrate(science: Observation, calibrator: Observation, **values: Any) -> CalibratorLink:
    """A link between two observations."""
    columns = {
        "instrument_variant": "GRAVITY",
        "basis": "container",
        "confidence": "high",
        "score": 0.93,
        "gap_minutes": -12.0,
        "separation": 3.4,
    }
    return CalibratorLink.objects.create(science=science, calibrator=calibrator, **(columns | values))
