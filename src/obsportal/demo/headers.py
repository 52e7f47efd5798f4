"""From the plan of a night to header texts: geometry and weather for all frames at once, then the cards.

Projected baselines are those of the station coordinates, the sidereal time and the pointing that the
header itself gives, so they agree with any recomputation to the last printed digit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from obsportal.demo.cards import FrameTemplate, escape
from obsportal.demo.header_rows import Era, header_template
from obsportal.demo.nights import Site, altitude, azimuth_parallactic, date_of, lst, mjd_of, precess
from obsportal.demo.plan import FAULTS, Block, Frame
from obsportal.demo.programmes import eso_period
from obsportal.demo.stars import Sky
from obsportal.demo.weather import Weather
from obsportal.interferometry.facility import Facility
from obsportal.interferometry.geometry import earth_baselines, project_many
from obsportal.interferometry.times import mjd_to_datetime

Array = NDArray[np.float64]
Expected = Literal["exposure", "refused", "invalid"]

MILLISECONDS_PER_DAY = 86_400_000
_MJD_ZERO = np.datetime64("1858-11-17T00:00:00.000", "ms")
_YEAR_MS = 365 * MILLISECONDS_PER_DAY
_CONTAINERS_FROM = mjd_of(date(2012, 4, 1))
_WATER_VAPOUR_FROM = mjd_of(date(2014, 1, 1))
SENTINEL = -596.52323555  # what the archive writes for an undefined coordinate
UNDEFINED_CONTAINER = -999

N_BAND_DIT = 0.02  # s
_ON_SKY_CARDS = ("RA ", "DEC ", "TELESCOP", "ISS CONF", "ISS PBL", "ISS ALT", "ISS AZ", "ISS PARANG")
_UNKNOWN_MODE = {
    **{"opt1": "NEW_OPT", "speconf": "Odd_K", "opti2": "PRISM3", "opti3": "ODD"},
    **{"spec_res": "ULTRA", "dil": "ULTRA", "din": "ULTRA", "mode": "XR999"},
}
_BCD = (("OUT", "OUT"), ("IN", "IN"), ("IN", "OUT"), ("OUT", "IN"))


@dataclass(frozen=True, slots=True)
class DemoHeader:
    """A simulated header: its identifier, text, the archive's row for it, and what ingest must make of it.

    The identifier begins with ``DEMO.``; the authority it belongs to is ``demo.obsportal``.
    ``damage`` is one of FAULTS (expected invalid) or REMARKS (expected an exposure), or empty.
    """

    name: str
    text: str
    archive_row: Mapping[str, Any]
    expected: Expected
    damage: str = ""


def isot(mjd: Array) -> list[str]:
    """ISO dates without zone of MJD UTC, to the millisecond."""
    milliseconds = np.rint(np.asarray(mjd) * MILLISECONDS_PER_DAY).astype(np.int64)
    texts: list[str] = np.datetime_as_string(_MJD_ZERO + milliseconds.astype("timedelta64[ms]")).tolist()
    return texts


def sexagesimal(hours_or_degrees: float) -> float:
    """An angle packed as HHMMSS.sss or +-DDMMSS.sss, the way ISS REF RA and DEC hold it."""
    total = round(abs(hours_or_degrees) * 3_600_000)
    minutes, milliseconds = divmod(total, 60_000)
    whole, minutes = divmod(minutes, 60)
    packed = whole * 10_000 + minutes * 100 + milliseconds / 1000.0
    return -packed if hours_or_degrees < 0 else packed


def render_night(
    facility: Facility, site: Site, frames: list[Frame], sky: Sky, weather: Weather
) -> Iterator[tuple[Frame, DemoHeader]]:
    """Each frame with its header of a night at one site, array by array."""
    by_array: dict[tuple[str, ...], list[Frame]] = {}
    for frame in frames:
        by_array.setdefault(frame.block.stations, []).append(frame)
    for stations, group in by_array.items():
        shared = _array_values(facility, stations)
        blocks = _BlockValues(shared, sky)
        columns = _columns(facility, site, stations, group, weather)
        keys = tuple(columns)
        for frame, row in zip(group, zip(*columns.values(), strict=True), strict=True):
            yield frame, _header(frame, blocks, dict(zip(keys, row, strict=True)))


class _BlockValues:
    """The values and half-filled templates of blocks, made when first asked for."""

    def __init__(self, shared: Mapping[str, Any], sky: Sky) -> None:
        self._shared = shared
        self._sky = sky
        self._values: dict[tuple[int, str], dict[str, Any]] = {}
        self._templates: dict[tuple[int, str], FrameTemplate] = {}

    def values(self, frame: Frame) -> dict[str, Any]:
        """Everything the frames of a block and band share."""
        key = (id(frame.block), frame.band)
        if key not in self._values:
            values = {**self._shared, **_block_values(frame.block, self._sky)}
            if frame.band == "N":
                ndit = round(frame.block.setting.duration / N_BAND_DIT)
                values |= {"dit": N_BAND_DIT, "period": N_BAND_DIT, "exptime": N_BAND_DIT}
                values |= {"ndit": ndit, "elapsed": ndit * N_BAND_DIT}
            self._values[key] = values
        return self._values[key]

    def template(self, frame: Frame) -> FrameTemplate:
        """The header with only the frame's own fields open."""
        key = (id(frame.block), frame.band)
        if key not in self._templates:
            values = self.values(frame)
            cards = header_template(frame.block.instrument.name, frame.band, values["era"])
            self._templates[key] = cards.fill_block(values)
        return self._templates[key]


def _columns(
    facility: Facility, site: Site, stations: tuple[str, ...], frames: list[Frame], weather: Weather
) -> dict[str, list[Any]]:
    """What changes from frame to frame, computed for all frames of an array together."""
    start = np.rint(np.array([frame.start for frame in frames]) * MILLISECONDS_PER_DAY) / MILLISECONDS_PER_DAY
    start = np.round(start, 8)
    end = start + np.array([frame.duration for frame in frames]) / 86400.0
    ra, dec = np.array([f.block.ra for f in frames]), np.array([f.block.dec for f in frames])
    ra_now, dec_now = precess(ra, dec, float(start.mean()))
    columns: dict[str, Any] = {
        "mjd": start,
        "utc": np.mod(start, 1.0) * 86400.0,
        "lst": lst(start, facility.longitude_deg) * 240.0,
    }
    for name, moment in (("start", start), ("end", end)):
        heights = altitude(site, moment, ra_now, dec_now)
        azimuth, parallactic = azimuth_parallactic(site, moment, ra_now, dec_now)
        columns[f"airmass_{name}"] = 1.0 / np.sin(np.radians(heights))
        columns[f"parang_{name}"] = parallactic
        columns[f"fwhm_{name}"] = weather.at(moment, "seeing")
        columns[f"tau0_{name}"] = weather.at(moment, "tau0")
        columns[f"iwv_{name}"] = weather.at(moment, "iwv")
        if name == "start":
            columns["alt"], columns["az"] = heights, (azimuth + 180.0) % 360.0
        baselines = earth_baselines(facility, stations)
        u, v = project_many(
            [(b.x, b.y, b.z) for b in baselines], lst(moment, facility.longitude_deg), ra_now, dec_now
        )
        lengths, angles = np.hypot(u, v), np.degrees(np.arctan2(u, v)) % 360.0
        for k, (i, j) in enumerate(combinations(range(1, len(stations) + 1), 2)):
            columns[f"length{i}{j}_{name}"], columns[f"angle{i}{j}_{name}"] = lengths[k], angles[k]
    for quantity in ("temperature", "humidity", "pressure", "wind_speed", "lapse_rate"):
        columns[quantity] = weather.at(start, quantity)
    columns["wind_direction"] = weather.at(start, "wind_direction") % 360.0
    lists = {key: column.tolist() for key, column in columns.items()}
    lists["stamp"] = isot(start)
    lists["released"] = isot(start + _YEAR_MS / MILLISECONDS_PER_DAY)
    lists["modified"] = isot(start + 0.125)
    return lists


def _array_values(facility: Facility, stations: tuple[str, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {
        "site_altitude": facility.altitude_m,
        "site_latitude": facility.latitude_deg,
        "site_longitude": facility.longitude_deg,
    }
    numbers = []
    for i, name in enumerate(stations, 1):
        place = facility.station(name)
        numbers.append(name[1] if place.telescope_class == "UT" else str(i))
        telescope = {"UT": f"UT{name[1]}", "AT": f"AT{i}"}.get(place.telescope_class, name)
        values |= {
            f"station{i}": name,
            f"telescope{i}": telescope,
            **{f"t{i}x": -place.east, f"t{i}y": -place.north, f"t{i}z": place.up},
            f"pop{i}": 5 if name == "W2" else 1 + (i + len(name)) % 5,
        }
    letter = "U" if facility.stations[stations[0]].telescope_class == "UT" else "A"
    values["telescop"] = f"ESO-VLTI-{letter}{''.join(numbers)}" if facility.name == "VLTI" else facility.name
    return values


def _block_values(block: Block, sky: Sky) -> dict[str, Any]:
    """What all frames of a block share."""
    target, programme = sky.targets[block.target], block.programme
    instrument, setting = block.instrument, block.setting
    name = block.name
    values: dict[str, Any] = dict(setting.values)
    dual = setting.dual and block.role == "SCI" and target.companion is not None
    companion, east, north = target.companion if dual and target.companion else (name, 0.0, 0.0)
    ob_start, template_start = (
        mjd_to_datetime(moment).isoformat()[:19] for moment in (block.ob_start, block.template_start)
    )
    values |= {
        "era": era_of(block.template_start),
        "period_number": eso_period(date_of(int(block.template_start))),
        "ra": block.ra,
        "dec": block.dec,
        "object": escape(name),
        "target": escape(name),
        "pi": programme.pi_coi.split("/")[0],
        "pi_number": programme.pi_number,
        "prog_id": programme.prog_id,
        "container_id": block.container_id or UNDEFINED_CONTAINER,
        "container_type": "C" if block.container_id else "U",
        "ob_id": block.ob_id,
        "ob_name": escape(f"{block.role}_{name}".replace(" ", "_")),
        "ob_start": ob_start,
        "template_start": template_start,
        "exectime": round((block.template_start - block.ob_start) * 86400.0 + block.nexp * setting.duration),
        "template": instrument.template.replace("single", "dual") if dual else instrument.template,
        "template_name": "Dual Field Science" if dual else instrument.template_name,
        "nexp": block.nexp,
        "dpr_catg": "SCIENCE" if block.role == "SCI" else "CALIB",
        "dpr_tech": "INTERFEROMETRY",
        "dpr_type": instrument.science_type if block.role == "SCI" else instrument.calibrator_type,
        "chop": "F",
        "guide": "ADAPT_OPT" if block.stations[0].startswith("U") else "FIELD_STAB",
        "ref_ra": sexagesimal(block.ra / 15.0),
        "ref_dec": sexagesimal(block.dec),
        "mag": target.magnitude,
        "exptime": setting.duration,
    }
    values |= _INSTRUMENT_VALUES[instrument.name](block, values)
    if instrument.name == "GRAVITY":
        values["dpr_type"] += ",DUAL" if dual else ",SINGLE"
        values |= {
            "sobj": escape(companion),
            "robj": escape(name),
            "alpha": f"{values['ref_ra']:010.3f}",
            "delta": f"{values['ref_dec']:+011.3f}",
            "sobj_x": east,
            "sobj_y": north,
            "swap": "NO",
            "roof": "OFFAXIS" if max(abs(east), abs(north)) > 700.0 else "ONAXIS",
            "ft_sensor": "GRAVITY",
            "ft_status": "ON",
        }
    return values


def era_of(mjd: float) -> Era:
    """Which keywords were written at a date."""
    if mjd >= _WATER_VAPOUR_FROM:
        return Era.FROM_2014
    return Era.FROM_2012 if mjd >= _CONTAINERS_FROM else Era.BEFORE_2012


def _midi_values(block: Block, values: Mapping[str, Any]) -> dict[str, Any]:
    return {"nrts": "OBS_FRINGE_TRACK_DISPERSED_OFF", "ft_sensor": "MIDI", "ft_status": "OFF"}


def _amber_values(block: Block, values: Mapping[str, Any]) -> dict[str, Any]:
    finito = values["speconf"].startswith(("Medium", "High"))
    status = {"ft_sensor": "FINITO" if finito else "NONE", "ft_status": "ON" if finito else "OFF"}
    return {**status, "exptime": values["dit"]}


def _pionier_values(block: Block, values: Mapping[str, Any]) -> dict[str, Any]:
    new = values["opti2"] in ("GRISM", "FREE")
    return {
        **{"ft_sensor": "NONE", "ft_status": "OFF", "subwins": 24},
        **({"detector": "RAPID"} if new else {"detector": "PICNIC", "dpr_type": "OBJECT"}),
        "dpr_tech": "INTERFEROMETRY" if block.template_start > _CONTAINERS_FROM else "IMAGE",
    }


def _matisse_values(block: Block, values: Mapping[str, Any]) -> dict[str, Any]:
    return {"exptime": values["dit"], "elapsed": block.setting.duration}


def _plain_values(block: Block, values: Mapping[str, Any]) -> dict[str, Any]:
    return {}


_INSTRUMENT_VALUES = {
    "MIDI": _midi_values,
    "AMBER": _amber_values,
    "PIONIER": _pionier_values,
    "MATISSE": _matisse_values,
    "GRAVITY": _plain_values,
    "SPICA": _plain_values,
}


def _header(frame: Frame, blocks: _BlockValues, values: dict[str, Any]) -> DemoHeader:
    """One header; ``values`` are the frame's own."""
    instrument = frame.block.instrument
    dp_id = f"DEMO.{instrument.prefix}.{values['stamp']}"
    values["arcfile"] = f"{dp_id}.fits"
    values["date_obs"] = values["stamp"] + "0"
    values["expno"] = frame.number
    values["origfile"] = f"DEMO_{instrument.name}_{frame.band or 'OBS'}_{frame.number:04d}.fits"
    if frame.band:
        bcd = _BCD[frame.state]
        values["bcd1"], values["bcd2"] = bcd
        values["bcd"] = "-".join(bcd)
    block = blocks.values(frame)
    if frame.spare is None and not frame.damage:
        text = blocks.template(frame).fill(values)
        return DemoHeader(dp_id, text, _archive_row(frame, block, values, dp_id), "exposure")
    block = {**block, **(_spare_values(frame, block) if frame.spare else _damaged_values(frame, block))}
    if frame.damage == "no_seeing":
        values["fwhm_start"] = values["fwhm_end"] = -1.0
    text = header_template(instrument.name, frame.band, block["era"]).fill_block(block).fill(values)
    row = _archive_row(frame, block, values, dp_id)
    if frame.spare is None:
        expected: Expected = "invalid" if frame.damage in FAULTS else "exposure"
        return DemoHeader(dp_id, _broken(text, frame.damage), row, expected, frame.damage)
    return DemoHeader(dp_id, text if frame.spare.on_sky else _without_sky(text), row, "refused")


def _spare_values(frame: Frame, block: Mapping[str, Any]) -> dict[str, Any]:
    """What a frame beside the target says of itself."""
    spare, instrument = frame.spare, frame.block.instrument
    assert spare is not None
    kind = spare.dpr_type
    if instrument.name == "GRAVITY" and spare.on_sky:
        kind = f"{kind},{block['dpr_type'].split(',')[1]}"
    category = block["dpr_catg"] if spare.science else "CALIB"
    keeps_name = instrument.name == "AMBER" and spare.science  # as its darks and skies do
    return {
        "dpr_type": kind,
        "dpr_catg": category,
        "exptime": spare.duration,
        "object": block["object"] if keeps_name else kind,
    }


def _damaged_values(frame: Frame, block: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a frame's damage breaks."""
    match frame.damage:
        case "sentinel":
            nowhere = {"ra": SENTINEL, "dec": SENTINEL, "ref_ra": 0.0, "ref_dec": 0.0}
            return nowhere | {"alpha": "000000.000", "delta": "+000000.000"}
        case "short":
            return {"dit": 0.3, "ndit": 1, "exptime": 0.3, "period": 0.3, "elapsed": 0.3}
        case "unknown_mode":
            return {key: value for key, value in _UNKNOWN_MODE.items() if key in block}
    return {}


def _broken(text: str, damage: str) -> str:
    if damage != "missing_end":
        return text
    return "\n".join(card for card in text.split("\n") if not ("ISS PBL" in card and " END =" in card))


def _without_sky(text: str) -> str:
    """The text without the cards that lamp and dark frames do not have."""
    cards = ((card, card.removeprefix("HIERARCH ").removeprefix("ESO ")) for card in text.split("\n"))
    return "\n".join(card for card, keyword in cards if not keyword.startswith(_ON_SKY_CARDS))


def _archive_row(
    frame: Frame, block: Mapping[str, Any], values: Mapping[str, Any], dp_id: str
) -> dict[str, Any]:
    """The frame as a row of a table with the columns of ESO's ``dbo.raw``."""
    programme = frame.block.programme
    science = block["dpr_catg"] == "SCIENCE"
    start = values["stamp"] + "Z"
    pointed = frame.spare is None or frame.spare.on_sky
    return {
        "dp_id": dp_id,
        "instrument": frame.block.instrument.name,
        "dp_cat": block["dpr_catg"],
        "dp_type": block["dpr_type"],
        "dp_tech": block["dpr_tech"],
        "object": block["object"] if science else block["dpr_type"],
        "target": block["target"],
        "exp_start": start,
        "date_obs": values["date_obs"],
        "mjd_obs": round(values["mjd"], 3),
        "exposure": frame.duration,
        "ra": block["ra"] if pointed else SENTINEL,
        "dec": block["dec"] if pointed else SENTINEL,
        "prog_id": programme.prog_id,
        "prog_title": programme.title,
        "pi_coi": programme.pi_coi,
        "period": block["period_number"],
        "obs_mode": "v" if programme.technical else "s",
        "ob_id": frame.block.ob_id,
        "ob_name": block["ob_name"],
        "tpl_id": block["template"],
        "tpl_start": block["template_start"],
        "tpl_expno": frame.number,
        "tpl_nexp": frame.block.nexp,
        "telescope": block["telescop"],
        "origfile": values["origfile"],
        "release_date": (values["released"] + "Z") if science else start,
        "last_mod_date": values["modified"] + "Z",
    }
