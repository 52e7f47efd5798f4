"""MIRC-X and MYSTIC of CHARA: what the header of a raw frame file, about 10 s long, says.

A frame file alone makes one exposure here; a night is better grouped into blocks first, with
``exposures.chara.group_frames``. The headers hold neither programme nor PI, nor whether the star is a
calibrator; those come from the observing log (``exposures.chara.join_log``).

Source: the header conventions of the public mircx_pipeline and of the pipeline's night catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from obsportal.exposures import chara_array
from obsportal.exposures.chara_checks import message
from obsportal.exposures.instruments.context import NOTHING_MORE, Context
from obsportal.exposures.record import ExposureRecord, Level, Message, Refusal, Sighting
from obsportal.formats.chara_log import parse_angle
from obsportal.formats.fits_header import Header
from obsportal.interferometry import times

INSTRUMES: tuple[str, ...] = ("MIRC-X", "MIRCX", "MYSTIC")

UNIX_EPOCH_MJD = 40587.0
CLOCKS_APART_S = 2.0
_PRODUCT = re.compile(r"(\w+)_(MAP|MEAN|RTS|PREPROC|PROFILE|CAL)")
_NO_STAR = {"", "NOSTAR", "NONE", "UNKNOWN"}
_FILE_NAME = re.compile(r"(?i)(?:^|/)(?:mircx|mystic)\d+(?:\.|$)")  # numbered anew each night: no identifier
_LEVEL_2 = re.compile(r"CHARA_(MIRCX|MYSTIC)_L2\.(\d{4})([A-Z][a-z]{2})(\d\d)\.(.+?)(?:\.allhdu)?\.\w+$")


@dataclass(frozen=True, slots=True)
class Frame:
    """One raw frame file on a star. Times MJD UTC, angles degrees J2000."""

    header_id: str
    instrume: str  # MIRC-X or MYSTIC
    star: str  # OBJECT as the header writes it
    start: float
    end: float
    exposure_time: float | None  # s
    dit: float | None  # s
    ndit: int | None
    ra: float | None
    dec: float | None
    configuration: str  # CONF_NA without the polarisation suffix
    combiner_type: str
    polarisation: str  # SPLIT with the Wollaston prism, else ""
    gain: str
    half_wave_plate: str
    filetype: str
    pops: str
    clock: str  # which keywords gave the start
    messages: tuple[Message, ...] = ()

    @property
    def group(self) -> tuple[object, ...]:
        """What the frames of one block have in common."""
        return (
            self.instrume, self.star, self.ra, self.dec, self.configuration, self.combiner_type,
            self.polarisation, self.gain, self.half_wave_plate, self.filetype, self.pops,
        )  # fmt: skip


def describe(header: Header, context: Context = NOTHING_MORE) -> list[ExposureRecord] | Refusal:
    """The exposure of one frame file, or why it is none."""
    if "INSTRUME" not in header:
        return describe_level_2(header, context)
    frame = read_frame(header, context)
    if isinstance(frame, Refusal):
        return frame
    given = "" if _FILE_NAME.search(context.header_id) else context.header_id
    return [record_of([frame], given or frame.header_id, 1, frame.start, frame.end)]


def read_frame(header: Header, context: Context = NOTHING_MORE) -> Frame | Refusal:
    """What a raw header says, or why it is not a frame on a star."""
    instrume = "MYSTIC" if header.text("INSTRUME").upper().startswith("MYSTIC") else "MIRC-X"
    start, clock, messages = _start(header)
    if start is not None and not times.plausible_mjd(start):
        start = None
    made_id = f"{instrume.replace('-', '')}.{chara_array.iso(start)}" if start is not None else ""
    refused = _off_sky(header, context)
    if refused is None and start is None:
        refused = ("no-start", "neither TIME_S nor DATE-OBS with UTC-OBS nor MJD-OBS gives a start")
    if refused or start is None:
        code, reason = refused or ("", "")
        return Refusal(context.header_id or made_id, code, reason, instrume, start)
    ndit, dit = _frames(header, messages)
    exposure_time = ndit * dit if ndit is not None and dit is not None else None
    ra, dec = _position(header, messages)
    configuration = (header.text("CONF_NA") or header.text("INSMODE")).strip()
    wollaston = configuration.upper().endswith("_WOLL") or bool(header.number("DPOL_ROW"))
    return Frame(
        header_id=made_id,
        instrume=instrume,
        star=header.text("OBJECT").strip(),
        start=start,
        end=start + (exposure_time or 0.0) / 86400,
        exposure_time=exposure_time,
        dit=dit,
        ndit=ndit,
        ra=ra,
        dec=dec,
        configuration=re.sub(r"(?i)_WOLL$", "", configuration),
        combiner_type=header.text("MIRC COMBINER_TYPE").strip() or "ALL-IN-ONE",
        polarisation="SPLIT" if wollaston else "",
        gain=str(header.get("GAIN") or ""),
        half_wave_plate=str(header.get("MIRC HWP0 POS") or ""),
        filetype=header.text("FILETYPE").strip().upper(),
        pops=_pops(header),
        clock=clock,
        messages=tuple(messages),
    )


def record_of(
    frames: Sequence[Frame], header_id: str, index: int, start: float, end: float
) -> ExposureRecord:
    """The exposure made of consecutive frames of one group; ``index`` counts the parts of a block."""
    first = frames[0]
    record = ExposureRecord(
        header_id=header_id,
        exp_id=f"{header_id}_{index}",
        instrument_name="",
        interferometer_name=chara_array.NAME,
        target=Sighting(chara_array.star_name(first.star), first.ra, first.dec, "RA/DEC"),
        pointing_ra=first.ra,
        pointing_dec=first.dec,
        position_origin="RA/DEC" if first.ra is not None else "",
        obs_type_reason="the header does not tell a calibrator from a science target",
        stations=chara_array.STATIONS,
        pops=first.pops,
        polarisation=first.polarisation,
        dit=first.dit,
        ndit=_sum_or_none([frame.ndit for frame in frames]),
        time_origin="header" if first.filetype == "DATA" else "product",
        product_category="" if first.filetype == "DATA" else first.filetype,
    )
    seconds = [frame.exposure_time for frame in frames if frame.exposure_time is not None]
    record.exposure_time = sum(seconds) if len(seconds) == len(frames) else None
    found = chara_array.setting(chara_array.combiner(first.instrume), first.configuration)
    found.apply(record)
    record.instrument_submode = _submode(first)
    chara_array.set_times(record, start, end)
    if first.ra is not None and first.dec is not None:
        record.baselines = chara_array.baselines_between(record.stations, start, end, first.ra, first.dec)
        record.baselines_origin = "computed"
    said = {found.code: found for frame in reversed(frames) for found in frame.messages}
    record.messages.extend(said.values())
    record.messages += [
        message("role-unknown", where="The header"),
        message("stations-assumed"),
    ]
    record.provenance = {
        "mjd_start": first.clock,
        "mjd_end": "start + (LASTFR - STARTFR + 1) x EXPOSURE of the last frame file",
        "instrument_name": "INSTRUME",
        "instrument_mode": "CONF_NA, nearest ASPRO2 mode in resolving power",
        "instrument_submode": "INSTRUME, CONF_NA, MIRC COMBINER_TYPE",
        "target": "OBJECT",
        "pointing_ra": "RA (hours)",
        "pointing_dec": "DEC",
        "stations": "all six, the header names none",
        "baselines": "computed from stations, time and position",
        "exposure_time": "(LASTFR - STARTFR + 1) x EXPOSURE, summed over the frame files",
    }
    return record


def describe_level_2(header: Header, context: Context = NOTHING_MORE) -> list[ExposureRecord] | Refusal:
    """A header copy of a level 2 OIFITS file: its file name and tables say little, see below.

    The target, the times and the stations are cells of the file's tables, which a header copy does not
    hold, and INSNAME is MIRCX for MYSTIC too: instrument, date and star come from the file name.
    """
    array = re.search(r"ARRNAME\s*=\s*'CHARA", header.raw)
    day = re.search(r"DATE-OBS\s*=\s*'(\d{4}-\d\d-\d\d)", header.raw)
    table_name = re.search(r"INSNAME\s*=\s*'(\w[^']*?)\s*'", header.raw)
    name = _LEVEL_2.match(context.header_id.rsplit("/", 1)[-1])
    if not array:
        return Refusal(
            context.header_id, "unknown-instrument", "INSTRUME is missing and ARRNAME is not CHARA"
        )
    told = (("DATE-OBS", day), ("INSNAME", table_name))
    known = ", ".join(f"{keyword} {found.group(1)}" for keyword, found in told if found)
    if not context.include_products:
        return Refusal(
            context.header_id,
            "reduced-product",
            f"a level 2 OIFITS file is a reduced product ({known})",
            "MIRCX",
        )
    if not name or not day:
        return Refusal(
            context.header_id,
            "no-target",
            f"the header copy of a level 2 OIFITS file names no target ({known}); "
            "its name must be CHARA_<instrument>_L2.<date>.<star>",
            "MIRCX",
        )
    header_id = name.group(0).removesuffix(".hdr").removesuffix(".allhdu")
    instrument = chara_array.combiner(name.group(1))
    record = ExposureRecord(
        header_id=header_id,
        exp_id=f"{header_id}_1",
        instrument_name=instrument.aspro_log_name or instrument.name,
        instrument_variant=instrument.variants[0],
        instrument_submode="MYSTIC" if name.group(1) == "MYSTIC" else "MIRC-X",
        interferometer_name=chara_array.NAME,
        target=Sighting(chara_array.star_name(name.group(5)), None, None, "file name"),
        obs_type_reason="the header does not tell a calibrator from a science target",
        time_origin="product",
        product_category="OIFITS L2",
    )
    noon_mjd = times.datetime_to_mjd(times.parse_isot(day.group(1)))
    site = chara_array.array()
    record.night = times.night_of(noon_mjd + 8 / 24, site)  # 08 h UT is the middle of a CHARA night
    record.interferometer_version = site.version_at(noon_mjd + 8 / 24)
    record.messages.append(message("product-incomplete", known=known))
    record.provenance = {"target": "file name", "instrument_name": "file name", "night": "DATE-OBS"}
    return [record]


def _off_sky(header: Header, context: Context) -> tuple[str, str] | None:
    filetype = header.text("FILETYPE").strip().upper()
    star = header.text("OBJECT").strip()
    product = _PRODUCT.fullmatch(filetype)
    if product and not context.include_products:
        return "reduced-product", f"FILETYPE is {filetype}, a reduced product"
    if (product.group(1) if product else filetype) != "DATA":
        return "not-on-sky", f"FILETYPE is {filetype or 'missing'}; only DATA frames are exposures"
    if star.upper() in _NO_STAR:
        return "no-target", f"OBJECT is {star or 'missing'}"
    if star.upper() == "STS" or header.text("MIRC STS_IR_FOLD").strip().upper() == "IN":
        return "internal-source", f"OBJECT is {star}: the internal source (STS) was in the beam"
    if star.upper().endswith("_E") or header.text("MIRC ARMADA").strip().upper() == "IN":
        return "etalon", f"OBJECT is {star}: the etalon was in the beam"
    return None


def _start(header: Header) -> tuple[float | None, str, list[Message]]:
    """Start MJD by the computer's clock, else by the date keywords; and a warning when they differ."""
    messages: list[Message] = []
    seconds, nanoseconds = header.number("TIME_S"), header.number("TIME_US")
    linux = UNIX_EPOCH_MJD + (seconds + (nanoseconds or 0.0) * 1e-9) / 86400 if seconds else None
    dated = _dated(header)
    if linux is not None and dated is not None and abs(linux - dated) * 86400 > CLOCKS_APART_S:
        apart = abs(linux - dated) * 86400
        messages.append(message("clocks-differ", seconds=apart))
    if linux is not None:
        return linux, "TIME_S + TIME_US x 1e-9 (nanoseconds, whatever the name says)", messages
    if dated is not None:
        return dated, "DATE-OBS + UTC-OBS", messages
    return header.number("MJD-OBS"), "MJD-OBS", messages


def _dated(header: Header) -> float | None:
    """DATE-OBS as 2022/08/27, 08/27/2022 or 2022-08-27, with the time of UTC-OBS; MJD."""
    date_text, _, time_text = header.text("DATE-OBS").strip().partition("T")
    match = re.fullmatch(r"(\d{4})[/-](\d\d)[/-](\d\d)", date_text)
    american = re.fullmatch(r"(\d\d)/(\d\d)/(\d{4})", date_text)
    if match:
        year, month, day = match.groups()
    elif american:
        month, day, year = american.groups()
    else:
        return None
    time_text = time_text or header.text("UTC-OBS").strip()
    try:
        hour, minute, second = (float(part) for part in time_text.split(":"))
        midnight = datetime(int(year), int(month), int(day), tzinfo=UTC)
    except ValueError:
        return None
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 61):
        return None
    return times.datetime_to_mjd(midnight) + (hour * 3600 + minute * 60 + second) / 86400


def _frames(header: Header, messages: list[Message]) -> tuple[int | None, float | None]:
    """Number of detector frames and the seconds of one."""
    milliseconds, rate = header.number("EXPOSURE"), header.number("MIRC FRAME_RATE")
    dit = None
    if milliseconds and milliseconds > 0:
        dit = milliseconds / 1000
    elif rate and rate > 0:
        dit = 1 / rate
    first, last = header.integer("STARTFR"), header.integer("LASTFR")
    if last is None:
        last = header.integer("ENDFR")
    if dit is None:
        messages.append(message("frames-missing", reason="Missing 'EXPOSURE'"))
    if first is None or last is None:
        messages.append(message("frames-missing", reason="Missing 'STARTFR' or 'LASTFR'"))
        return None, dit
    if last < first:
        messages.append(message("frames-missing", reason=f"LASTFR {last} is before STARTFR {first}"))
        return None, dit
    return last - first + 1, dit


def _position(header: Header, messages: list[Message]) -> tuple[float | None, float | None]:
    ra_value, dec_value = header.get("RA"), header.get("DEC")
    try:
        ra_text, dec_text = str(ra_value).strip(), str(dec_value).strip()
        in_parts = bool(re.search(r"\d[\s:]+\d", ra_text))
        ra = parse_angle(ra_text, hours=True) * (1.0 if in_parts else 15.0)
        dec = parse_angle(dec_text, hours=False)
        if not (0 <= ra < 360 and -90 <= dec <= 90) or (ra == 0 and dec == 0):
            raise ValueError
    except ValueError:
        text = f"No position: RA {ra_value!r} is not an hour angle, or DEC {dec_value!r} not degrees"
        messages.append(Message("position-missing", Level.ERROR, text))
        return None, None
    return ra, dec


def _pops(header: Header) -> str:
    """The PoP of each of the six stations, "" unless all are known."""
    digits = [re.sub(r"\D", "", str(header.get(f"CHARA {name}_POP") or "")) for name in chara_array.STATIONS]
    return "".join(digits) if all(re.fullmatch("[1-5]", digit) for digit in digits) else ""


def _submode(frame: Frame) -> str:
    parts = [frame.instrume, frame.configuration]
    if frame.combiner_type != "ALL-IN-ONE":
        parts.append(frame.combiner_type)
    return ",".join(part for part in parts if part)


def _sum_or_none(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
