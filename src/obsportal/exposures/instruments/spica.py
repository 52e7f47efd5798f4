"""SPICA of CHARA: headers in the ESO-like tree without the word ESO (``HIERARCH ISS ...``).

No raw SPICA header is public. The keywords are those that the ObsPortal of 2022 asked for and named
in its validation log, and their ESO counterparts; each is also read with the prefix ``ESO``. What the
ObsPortal required and did not find is reported in its words. It is an error where the exposure lacks
stations or an end, as those of 2022 do, whose log then reads as it did (level 0); missing weather alone
is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from obsportal.exposures import chara_array
from obsportal.exposures.chara_checks import message
from obsportal.exposures.instruments.context import NOTHING_MORE, Context
from obsportal.exposures.record import Baseline, ExposureRecord, Level, Message, ObsType, Refusal, Sighting
from obsportal.formats.chara_log import parse_angle
from obsportal.formats.fits_header import Header
from obsportal.interferometry import times

INSTRUMES: tuple[str, ...] = ("SPICA", "SPICA-VIS")

_REQUIRED = (
    ("ISS CONF NTEL", "HIERARCH ISS CONF NTEL"),
    ("EXPTIME", "EXPTIME"),
    ("ISS AMBI TAU0 START", "HIERARCH ISS AMBI TAU0 START"),
    ("ISS AMBI TAU0 END", "HIERARCH ISS AMBI TAU0 END"),
    ("ISS AMBI TEMP", "HIERARCH ISS AMBI TEMP"),
    ("ISS AMBI FWHM START", "HIERARCH ISS AMBI FWHM START"),
    ("ISS AMBI FWHM END", "HIERARCH ISS AMBI FWHM END"),
)
_NOT_ON_SKY = re.compile(r"\b(DARK|FLAT|BIAS|LAMP|WAVE|BACKGROUND|BKG|SKY|STS|INTERNAL|P2VM|V2PM|KAPPA)\b")
_CALIBRATOR = re.compile(r"\b(STD|CAL|CAL\d|CALIB|CALIBRATOR)\b")


def describe(header: Header, context: Context = NOTHING_MORE) -> list[ExposureRecord] | Refusal:
    """The exposure of a SPICA header, or why it is none. Missing weather never refuses it."""
    start, start_rule = _start(header)
    header_id = _header_id(header, context, start)
    category, kind = _text(header, "DPR CATG").upper(), _text(header, "DPR TYPE").upper()
    reason = ""
    if start is None:
        reason = "neither MJD-OBS nor DATE-OBS gives a start"
    elif category in {"ACQUISITION", "TEST", "TECHNICAL"}:
        reason = f"DPR CATG is {category}"
    elif off_sky := _NOT_ON_SKY.search(kind):
        reason = f"DPR TYPE is {kind}: {off_sky.group(0)} is not on sky"
    elif category == "CALIB" and not _CALIBRATOR.search(kind):
        reason = f"DPR CATG is CALIB and DPR TYPE {kind or 'missing'} is not a calibrator star"
    if start is None or reason:
        code = "no-start" if start is None else "not-on-sky"
        return Refusal(header_id, code, reason, "SPICA", start)
    record = ExposureRecord(
        header_id=header_id,
        exp_id=f"{header_id}_1",
        instrument_name="SPICA",
        interferometer_name=chara_array.NAME,
        stations=_stations(header),
        program_id=_text(header, "OBS PROG ID"),
        pi_coi=_text(header, "OBS PI-COI NAME") or _text(header, "OBS PI"),
        ob_id=_number_as_int(header, "OBS ID"),
        ob_name=_text(header, "OBS NAME"),
        provenance={
            "mjd_start": start_rule,
            "instrument_name": "INSTRUME",
            "program_id": "OBS PROG ID",
            "obs_type": "DPR CATG, DPR TYPE",
            "stations": "ISS CONF STATIONn",
        },
    )
    _set_role(record, category, kind)
    record.technical = chara_array.is_technical(record.program_id)
    _set_target(record, header)
    _set_mode(record, header)
    _set_end(record, header, start)
    _set_baselines(record, header)
    _set_ambient(record, header)
    incomplete = not record.stations or record.mjd_end is None
    level = Level.ERROR if incomplete else Level.WARNING
    record.messages[:0] = [
        Message("missing-keyword", level, f"Missing '{shown}'")
        for keyword, shown in _REQUIRED
        if _value(header, keyword) is None
    ]
    return [record]


def _keywords(keyword: str) -> Iterator[str]:
    yield keyword
    yield f"ESO {keyword}"


def _value(header: Header, keyword: str) -> object:
    return next((header.get(name) for name in _keywords(keyword) if name in header), None)


def _text(header: Header, keyword: str) -> str:
    return next((text for name in _keywords(keyword) if (text := header.text(name).strip())), "")


def _number(header: Header, keyword: str) -> float | None:
    return next((n for name in _keywords(keyword) if (n := header.number(name)) is not None), None)


def _number_as_int(header: Header, keyword: str) -> int | None:
    number = _number(header, keyword)
    return int(number) if number is not None and number == int(number) else None


def _start(header: Header) -> tuple[float | None, str]:
    """Start MJD and where it was read."""
    mjd = header.number("MJD-OBS")
    if mjd is not None and times.plausible_mjd(mjd):
        return mjd, "MJD-OBS"
    try:
        return times.datetime_to_mjd(times.parse_isot(header.text("DATE-OBS"))), "DATE-OBS"
    except ValueError:
        return None, ""


def _header_id(header: Header, context: Context, start: float | None) -> str:
    """The identifier from outside, or in the header, or made of the start."""
    given = context.header_id or header.text("ARCFILE") or header.text("ORIGFILE")
    given = re.sub(r"\.(fits(\.(gz|fz|Z))?|hdr|txt)$", "", given.strip(), flags=re.IGNORECASE)
    if given:
        return given if "SPICA." in given.upper() else f"SPICA.{given}"
    return f"SPICA.{chara_array.iso(start)}" if start is not None else ""


def _set_role(record: ExposureRecord, category: str, kind: str) -> None:
    record.obs_type_header = ", ".join(part for part in (category, kind) if part)
    if category == "CALIB" or _CALIBRATOR.search(kind):
        record.obs_type = ObsType.CALIBRATOR
        record.obs_type_reason = f"DPR CATG {category or 'missing'}, DPR TYPE {kind or 'missing'}"
    else:
        record.obs_type_reason = f"DPR CATG {category}" if category else "the header has no DPR CATG: science"


def _set_target(record: ExposureRecord, header: Header) -> None:
    name = _text(header, "OBS TARG NAME") or header.text("OBJECT").strip()
    ra, dec = _angle(header, "RA", hours=True), _angle(header, "DEC", hours=False)
    if ra is None or dec is None:
        ra = dec = None
        record.messages.append(message("position-missing"))
    record.target = Sighting(chara_array.star_name(name), ra, dec, "RA/DEC" if ra is not None else "")
    record.pointing_ra, record.pointing_dec = ra, dec
    record.position_origin = "RA/DEC" if ra is not None else ""
    record.provenance |= {"target": "OBS TARG NAME or OBJECT", "pointing_ra": "RA", "pointing_dec": "DEC"}
    if not name:
        record.messages.append(message("target-name-missing"))


def _angle(header: Header, keyword: str, *, hours: bool) -> float | None:
    """Degrees from a number (degrees) or sexagesimal text; None when missing or out of range."""
    try:
        angle = parse_angle(str(header.get(keyword)), hours=hours)
    except ValueError:
        return None
    return angle if (0 <= angle < 360 if hours else -90 <= angle <= 90) else None


def _set_mode(record: ExposureRecord, header: Header) -> None:
    name = next((text for key in ("INS MODE", "INS CONF", "INSMODE") if (text := _text(header, key))), "")
    chara_array.setting(chara_array.combiner("SPICA"), name).apply(record)
    tracker = _text(header, "INS FT") or _text(header, "FT NAME")
    record.fringe_tracker = tracker
    record.provenance["instrument_mode"] = "INS MODE"


def _set_end(record: ExposureRecord, header: Header, start: float) -> None:
    """End from EXPTIME, else from MJD-END or DATE-END, else from DIT and NDIT."""
    record.dit = _number(header, "DET DIT")
    record.ndit = _number_as_int(header, "DET NDIT")
    record.exposure_time = header.number("EXPTIME")
    end, rule = header.number("MJD-END"), "MJD-END"
    if end is None and header.text("DATE-END"):
        try:
            end, rule = times.datetime_to_mjd(times.parse_isot(header.text("DATE-END"))), "DATE-END"
        except ValueError:
            end = None
    if end is None and record.exposure_time is not None:
        end, rule = start + record.exposure_time / 86400, "start + EXPTIME"
    if end is None and record.dit and record.ndit:
        end, rule = start + record.dit * record.ndit / 86400, "start + DET DIT x DET NDIT"
    chara_array.set_times(record, start, end if end is not None else start)
    record.mjd_end = end
    if end is None:
        record.messages.append(message("end-missing"))
    record.provenance["mjd_end"] = rule if end is not None else "not in the header"


def _stations(header: Header) -> tuple[str, ...]:
    found = []
    for number in range(1, 7):
        name = _text(header, f"ISS CONF STATION{number}").upper()
        if name in chara_array.STATIONS and name not in found:
            found.append(name)
    return tuple(found)


def _set_baselines(record: ExposureRecord, header: Header) -> None:
    """Lengths and angles of the header for each pair where it has them all, else computed ones."""
    if len(record.stations) < 2:
        return
    start, end = record.mjd_start, record.mjd_end
    if start is None or end is None or record.pointing_ra is None or record.pointing_dec is None:
        return
    computed = chara_array.baselines_between(
        record.stations, start, end, record.pointing_ra, record.pointing_dec
    )
    merged = []
    taken = 0
    beams = {name: number for number, name in enumerate(record.stations, start=1)}
    for baseline in computed:
        pair = f"{beams[baseline.first]}{beams[baseline.second]}"
        cells = [
            _number(header, f"ISS {key}{pair} {when}") for key in ("PBL", "PBLA") for when in ("START", "END")
        ]
        if all(cell is not None for cell in cells):
            taken += 1
            baseline = Baseline(baseline.first, baseline.second, *cells)
        merged.append(baseline)
    record.baselines = tuple(merged)
    record.baselines_origin = {0: "computed", len(merged): "header"}.get(taken, "header+computed")
    record.provenance["baselines"] = "ISS PBL and PBLA, else computed from stations, time and position"


def _set_ambient(record: ExposureRecord, header: Header) -> None:
    """tau0 (s) and seeing (arcsec) are means of START and END where positive."""
    record.tau0 = _mean(header, "ISS AMBI TAU0")
    record.seeing = _mean(header, "ISS AMBI FWHM")
    record.temperature = _number(header, "ISS AMBI TEMP")
    record.provenance |= {"tau0": "ISS AMBI TAU0", "seeing": "ISS AMBI FWHM", "temperature": "ISS AMBI TEMP"}


def _mean(header: Header, keyword: str) -> float | None:
    values = [_number(header, f"{keyword} {when}") for when in ("START", "END")]
    known = [value for value in values if value is not None and value > 0]
    return sum(known) / len(known) if known else None
