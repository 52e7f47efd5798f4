"""What all ESO interferometric instruments write alike: programme, target, array, ambient, times.

Keywords from ESO's data interface control document and the VLTI dictionaries (ISS, DEL, COU, OBS,
TPL). Each instrument's module adds its own mode, integration time and oddities.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from obsportal.exposures.instruments.context import Context
from obsportal.exposures.instruments.eso_array import read_array
from obsportal.exposures.instruments.eso_frame import SCIENCE, Frame
from obsportal.exposures.instruments.eso_values import (
    instant,
    mean_of_positive,
    mjd_of,
    unpack,
    usable_position,
)
from obsportal.exposures.programme_id import is_technical
from obsportal.exposures.record import ExposureRecord, ObsType, Sighting
from obsportal.exposures.validation import CLOCK_TOLERANCE, message
from obsportal.formats.fits_header import Header
from obsportal.interferometry.array import Facility, Mode, UnknownName
from obsportal.interferometry.facility import facility, find_mode
from obsportal.interferometry.times import night_of, plausible_mjd

DIT_KEYWORDS = {  # of the detector that sees the object, where they are not DET DIT and DET NDIT
    "GRAVITY": ("ESO DET2 SEQ1 DIT", "ESO DET2 NDIT"),
    "MATISSE": ("ESO DET SEQ1 DIT", "ESO DET NDIT"),
}
LONGEST_EXPOSURE = 86_400.0  # s; more is no exposure of one star in one night
ARRAY = "VLTI"

PROVENANCE = {
    "header_id": "ARCFILE",
    "mjd_start": "MJD-OBS",
    "mjd_end": "MJD-OBS + exposure_time",
    "night": "mjd_start",
    "target": "ESO OBS TARG NAME",
    "pointing_ra": "RA",
    "pointing_dec": "DEC",
    "obs_type": "ESO DPR CATG",
    "program_id": "ESO OBS PROG ID",
    "ob_id": "ESO OBS ID",
    "ob_name": "ESO OBS NAME",
    "ob_start": "ESO OBS START",
    "container_id": "ESO OBS CONTAINER ID",
    "container_type": "ESO OBS CONTAINER TYPE",
    "template_id": "ESO TPL ID",
    "template_start": "ESO TPL START",
    "template_expno": "ESO TPL EXPNO",
    "template_nexp": "ESO TPL NEXP",
    "stations": "ESO ISS CONF STATIONi",
    "configuration": "stations, mjd_start",
    "baselines": "ESO ISS PBLij, ESO ISS PBLAij",
    "fringe_tracker": "ESO DEL FT SENSOR",
    "fringe_tracker_status": "ESO DEL FT STATUS",
    "ao_mode": "ESO COU AO SYSTEM, ESO COU GUID MODE",
    "chopping": "ESO ISS CHOP ST",
    "tau0": "ESO ISS AMBI TAU0 START, END",
    "seeing": "ESO ISS AMBI FWHM START, END",
    "temperature": "ESO ISS AMBI TEMP",
    "humidity": "ESO ISS AMBI RHUM",
    "wind_speed": "ESO ISS AMBI WINDSP",
    "wind_direction": "ESO ISS AMBI WINDDIR",
    "iwv": "ESO ISS AMBI IWV START, END",
    "airmass": "ESO ISS AIRM START, END",
}
"""Keyword or rule of each field, where nothing unusual happened."""

_NO_NAME = {"", "NO NAME", "NONE", "UNKNOWN", "N/A"}
_FRAME_WORDS = {"OBJECT", "STD", "SKY", "LAMP", "DARK", "FLAT", "WAVE", "OTHER"}


@dataclass(frozen=True, slots=True)
class Integration:
    """Time on the object: total and single integration in seconds, their number, and the keywords."""

    total: float | None
    dit: float | None = None
    ndit: int | None = None
    origin: str = ""
    missing: tuple[str, ...] = ()  # keywords without which the total is not known


def begin(header: Header, context: Context, frame: Frame, instrument: str) -> ExposureRecord:
    """A record with everything that does not depend on the instrument, but for times and array."""
    text, integer = header.text, header.integer
    record = ExposureRecord(
        header_id=frame.header_id,
        exp_id=f"{frame.header_id}_1",
        instrument_name=instrument,
        interferometer_name=ARRAY,
        obs_type=ObsType.SCIENCE if frame.category == SCIENCE else ObsType.CALIBRATOR,
        obs_type_reason=frame.category_reason,
        obs_type_header=frame.category_header,
        program_id=text("ESO OBS PROG ID"),
        pi_coi=_person(text("PI-COI")) or _person(text("ESO OBS PI-COI NAME")),
        ob_id=integer("ESO OBS ID") or None,
        ob_name=text("ESO OBS NAME"),
        container_id=_container(integer("ESO OBS CONTAINER ID")),
        template_id=text("ESO TPL ID"),
        template_expno=integer("ESO TPL EXPNO"),
        template_nexp=integer("ESO TPL NEXP"),
        fringe_tracker=_unless_none(text("ESO DEL FT SENSOR")),
        fringe_tracker_status=text("ESO DEL FT STATUS"),
        ao_mode=_ao_mode(header),
        chopping=_chopping(header),
        product_category=frame.product,
        messages=frame.messages,
        provenance=dict(PROVENANCE),
    )
    if record.container_id is not None:
        record.container_type = text("ESO OBS CONTAINER TYPE")
    record.ob_start = _date(header, "ESO OBS START", record)
    record.template_start = _date(header, "ESO TPL START", record)
    if frame.id_origin != "ARCFILE":
        record.provenance["header_id"] = frame.id_origin
    if context.archive_row is not None:
        _from_archive(record, context.archive_row)
    record.technical = is_technical(record.program_id)
    if not record.program_id:
        missing(record, "ESO OBS PROG ID")
    _position(header, record)
    record.target = Sighting(
        target_name(header, frame), record.pointing_ra, record.pointing_dec, record.position_origin
    )
    _ambient(header, record)
    _doubt_type(record)
    return record


def finish(header: Header, record: ExposureRecord, frame: Frame, integration: Integration) -> ExposureRecord:
    """Set times, night, array and baselines, which need the instrument's integration time."""
    vlti = facility(ARRAY)
    for keyword in integration.missing:
        missing(record, keyword)
    if integration.total is not None and not 0.0 <= integration.total <= LONGEST_EXPOSURE:
        said = f"{integration.total:g}"
        record.messages.append(message("bad-value", keyword=integration.origin, value=said))
        integration = replace(integration, total=None)
    record.exposure_time, record.dit, record.ndit = integration.total, integration.dit, integration.ndit
    record.provenance["exposure_time"] = integration.origin
    dit, ndit = DIT_KEYWORDS.get(record.instrument_name, ("ESO DET DIT", "ESO DET NDIT"))
    if integration.dit is not None:
        record.provenance["dit"] = dit
    if integration.ndit is not None:
        record.provenance["ndit"] = ndit
    start = _start(header, record)
    end = None if start is None or integration.total is None else start + integration.total / 86400.0
    if frame.product:
        record.time_origin = "product"
        record.messages.append(message("product-times", category=frame.product))
        last = header.number("MJD-END")
        if start is not None and last is not None and last > start:
            end = last
            record.provenance["mjd_end"] = "MJD-END"
    record.mjd_start, record.mjd_end = start, end
    instant_of_pointing = start
    if start is not None:
        if frame.id_time is not None:
            apart = (start - frame.id_time) * 86400.0
            if abs(apart) > CLOCK_TOLERANCE:
                code = "product-times-moved" if frame.product else "clock-disagrees"
                record.messages.append(message(code, seconds=apart, header_id=frame.header_id))
            if frame.product:
                instant_of_pointing = frame.id_time  # the projected baselines stay those of the raw frame
        _night(record, vlti, start)
    read_array(header, record, vlti, instant_of_pointing, integration.total)
    return record


def set_mode(record: ExposureRecord, instrument: str, name: str, said: str = "") -> Mode | None:
    """Set mode, variant and wavelengths by ASPRO2's name; an unknown name leaves the mode empty.

    ``said`` is what the header wrote, for the message.
    """
    try:
        mode = find_mode(instrument, name) if name else None
    except UnknownName:
        mode = None
    if mode is None:
        record.messages.append(message("unknown-mode", mode=repr(said or name or "(none)")))
        return None
    record.instrument_mode = mode.name
    record.instrument_variant = mode.variant
    record.em_min, record.em_max = mode.wavelength_min, mode.wavelength_max
    record.em_res_power = mode.resolution
    record.wavelength_origin = "mode"
    return mode


def target_name(header: Header, frame: Frame) -> str:
    """The star's name as it was typed; "" where the header only repeats the frame type."""
    name = header.text("ESO OBS TARG NAME")
    if name.upper() not in _NO_NAME:
        return name
    name = header.text("OBJECT")
    plain = name.upper()
    if plain in _NO_NAME or plain in _FRAME_WORDS or "," in name or plain.replace(" ", "") == frame.kind:
        return ""
    return name


def missing(record: ExposureRecord, keyword: str) -> None:
    """Note a keyword that should be there, in the words of the ObsPortal."""
    shown = f"HIERARCH {keyword}" if " " in keyword else keyword
    record.messages.append(message("missing-keyword", keyword=shown))


def dit_times_ndit(header: Header, dit: str, ndit: str) -> Integration:
    """Total time as single integration times their number."""
    single, number = header.number(dit), header.integer(ndit)
    if single is None or number is None:
        absent = tuple(k for k, v in ((dit, single), (ndit, number)) if v is None)
        return Integration(None, single, number, f"{dit} * {ndit}", absent)
    return Integration(single * number, single, number, f"{dit} * {ndit}")


def _from_archive(record: ExposureRecord, row: Any) -> None:
    """What only the archive's table of raw frames knows."""
    for field, column in (("release_date", "release_date"), ("last_modified", "last_mod_date")):
        value = row.get(column)
        when = value if isinstance(value, datetime) else instant(str(value)) if value else None
        if when is not None:
            setattr(record, field, when)
            record.provenance[field] = f"archive {column}"
    for field, column in (("program_title", "prog_title"), ("pi_coi", "pi_coi"), ("program_id", "prog_id")):
        value = str(row.get(column) or "").strip()
        if value and not (field == "program_id" and record.program_id):
            setattr(record, field, value)
            record.provenance[field] = f"archive {column}"
    if record.ob_id is None and row.get("ob_id"):
        try:
            record.ob_id = int(row["ob_id"]) or None
        except (TypeError, ValueError):
            return
        record.provenance["ob_id"] = "archive ob_id"


def _person(name: str) -> str:
    return "" if name.upper() in ("UNKNOWN", "UNDEFINED", "NONE") else name


def _unless_none(name: str) -> str:
    return "" if name.upper() in ("NONE", "UNDEFINED") else name


def _container(number: int | None) -> int | None:
    return None if number in (-999, 0) else number


def _ao_mode(header: Header) -> str:
    system = _unless_none(header.text("ESO COU AO SYSTEM"))
    guiding = _unless_none(header.text("ESO COU GUID MODE"))
    return f"{system} {guiding}".strip()


def _chopping(header: Header) -> bool | None:
    """ISS CHOP ST is text, 'T' or 'F'; DET CHOP ST a logical."""
    value = header.get("ESO ISS CHOP ST")
    if value is None:
        value = header.get("ESO DET CHOP ST")
    if isinstance(value, bool):
        return value
    return {"T": True, "F": False}.get(str(value).strip().upper())


def _date(header: Header, keyword: str, record: ExposureRecord) -> datetime | None:
    text = header.text(keyword)
    if not text:
        return None
    when = instant(text)
    if when is None:
        record.messages.append(message("bad-value", keyword=f"HIERARCH {keyword}", value=repr(text[:40])))
    return when


def _start(header: Header, record: ExposureRecord) -> float | None:
    start = header.number("MJD-OBS")
    if start is None:
        missing(record, "MJD-OBS")
    elif plausible_mjd(start):
        return start
    else:
        record.messages.append(message("bad-value", keyword="MJD-OBS", value=f"{start:g}"))
    when = instant(header.text("DATE-OBS"))
    if when is None:
        return None
    record.provenance["mjd_start"] = "DATE-OBS"
    start = mjd_of(when)
    return start if plausible_mjd(start) else None


def _night(record: ExposureRecord, vlti: Facility, start: float) -> None:
    try:
        record.night = night_of(start, vlti)
    except (ValueError, OverflowError):
        record.night = None


def _position(header: Header, record: ExposureRecord) -> None:
    ra, dec = header.number("RA"), header.number("DEC")
    if usable_position(ra, dec):
        record.pointing_ra, record.pointing_dec, record.position_origin = ra, dec, "RA/DEC"
        return
    for keyword, value in (("RA", ra), ("DEC", dec)):
        if value is None:
            missing(record, keyword)
    ra = unpack(header.get("ESO ISS REF RA"), hours=True)
    dec2 = unpack(header.get("ESO ISS REF DEC"), hours=False)
    if usable_position(ra, dec2):
        said = f"{header.text('RA', 'missing')}/{header.text('DEC', 'missing')}"
        record.messages.append(message("position-fallback", value=said, origin="ISS REF RA/DEC"))
        record.pointing_ra, record.pointing_dec, record.position_origin = ra, dec2, "ISS REF"
        record.provenance["pointing_ra"] = "ESO ISS REF RA"
        record.provenance["pointing_dec"] = "ESO ISS REF DEC"


def _ambient(header: Header, record: ExposureRecord) -> None:
    """Means of start and end. -1 stands for no data, 0 too but for temperature and wind."""
    number = header.number
    first, last = number("ESO ISS AMBI FWHM START"), number("ESO ISS AMBI FWHM END")
    if first is None:
        missing(record, "ESO ISS AMBI FWHM START")
    if last is None:
        missing(record, "ESO ISS AMBI FWHM END")
    record.seeing = mean_of_positive(first, last)
    if record.seeing is None and first is not None:
        record.messages.append(message("seeing-missing"))
    first, last = number("ESO ISS AMBI TAU0 START"), number("ESO ISS AMBI TAU0 END")
    if first is None:
        missing(record, "ESO ISS AMBI TAU0 START")
    if last is None:
        missing(record, "ESO ISS AMBI TAU0 END")
    record.tau0 = mean_of_positive(first, last)
    if record.tau0 is None and first is not None:
        record.messages.append(message("tau0-missing"))
    record.temperature = number("ESO ISS AMBI TEMP")
    if record.temperature is None:
        missing(record, "ESO ISS AMBI TEMP")
    record.humidity = mean_of_positive(number("ESO ISS AMBI RHUM"), None)
    speed, direction = number("ESO ISS AMBI WINDSP"), number("ESO ISS AMBI WINDDIR")
    record.wind_speed = speed if speed is not None and speed >= 0 else None
    record.wind_direction = direction if direction is not None and direction >= 0 else None
    record.iwv = mean_of_positive(number("ESO ISS AMBI IWV START"), number("ESO ISS AMBI IWV END"))
    record.airmass = mean_of_positive(number("ESO ISS AIRM START"), number("ESO ISS AIRM END"))


def _doubt_type(record: ExposureRecord) -> None:
    """Say so where the block's name begins like the other type (SCI_..., CAL_...)."""
    beginning = record.ob_name[:4].upper()
    named = {"CAL_": ObsType.CALIBRATOR, "SCI_": ObsType.SCIENCE}.get(beginning)
    if named is not None and named is not record.obs_type:
        record.messages.append(message("type-doubted", type=record.obs_type.value, name=repr(record.ob_name)))
