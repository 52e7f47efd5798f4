"""What every rule about CHARA data shares: modes, baselines, the turn limit, names and roles."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from obsportal.exposures.chara_checks import message
from obsportal.exposures.record import Baseline, ExposureRecord, Message, ObsType
from obsportal.interferometry import times
from obsportal.interferometry.array import Facility, Instrument, Mode, plain
from obsportal.interferometry.facility import facility
from obsportal.interferometry.geometry import Projected, project

NAME = "CHARA"
STATIONS = ("S1", "S2", "E1", "E2", "W1", "W2")
MAX_TURN_DEG = 9.0
"""ASPRO2 drops a whole record when one baseline turns by more than 10 degrees; this leaves a margin."""
SHORTEST_PART_S = 10.0
"""An interval is not cut below this length, about that of one raw frame file."""

_ROLES = {
    "OBJ": (ObsType.SCIENCE, "log TYPE OBJ is the object of the programme"),
    "CAL1": (ObsType.CALIBRATOR, "log TYPE CAL1 is the first calibrator"),
    "CAL2": (ObsType.CALIBRATOR, "log TYPE CAL2 is the second calibrator"),
    "CHK": (ObsType.CALIBRATOR, "log TYPE CHK is a check star, observed to verify the calibration"),
    "UNKNO": (ObsType.SCIENCE, "log TYPE UNKNO says nothing; taken as science"),
}

_INSTRUMENT_SPELLINGS = {
    "MIRC4": "MIRC", "MIRC4T": "MIRC", "MIRC6": "MIRC", "MIRC6T": "MIRC",
    "MIRCX6": "MIRCX", "MYSTIC6T": "MYSTIC", "FLUOR": "JOUFLU",
    "CLASSIC1": "CLASSIC", "CLASSIC2": "CLASSIC", "CLIMB1": "CLIMB", "CLIMB2": "CLIMB",
}  # fmt: skip

_BROAD_BAND = {
    "K": "K-Prime", "KP": "K-Prime", "KC": "K-Cont", "KCONTINUUM": "K-Cont",
    "BRG": "B-gamma", "BRGAMMA": "B-gamma", "BRACKETTGAMMA": "B-gamma",
}  # fmt: skip

# Modes by nominal resolving power, as ASPRO2 names them (CHARA configuration of October 2025).
_LADDERS = {
    ("MIRC", "H"): {"Low_H": 41, "Medium_H": 150, "High_H": 400},
    ("MIRC", "K"): {"Low_K": 40, "Medium_K": 150, "High_K": 400},
    ("MIRCX", "H"): {"Low_H": 40, "Medium_H": 190, "High_H": 1035},
    ("MIRCX", "J"): {"Low_J": 37, "Med_J": 190, "High_J": 1035},
    ("MYSTIC", "K"): {"Low_K": 52, "Med_K": 300, "High_K": 900},
}
_OWN_BAND = {"MIRC": "H", "MIRCX": "H", "MYSTIC": "K"}
_TECHNICAL = {"ENG", "ENGINEERING", "TECH", "TECHNICAL", "TEST", "TESTS", "COMMISSIONING"}
_FAR = 1.5  # a resolving power further than this factor from the mode's is worth a warning
_DISPERSER = re.compile(r"(?:(JH|J|H|K)[_ -]*)?(PRISM|GRISM)[_ -]*(\d{1,4})?")


@dataclass(frozen=True, slots=True)
class Setting:
    """An instrument and mode as ASPRO2 knows them, found from what a header or log says."""

    instrument: Instrument
    mode: Mode | None
    resolution: float | None  # of the disperser when its name states it, else of the mode
    messages: tuple[Message, ...] = ()

    def apply(self, record: ExposureRecord) -> None:
        """Fill the record's instrument fields; lengths in metres.

        MYSTIC is served under ASPRO2's entry MIRCX-MYSTIC: ASPRO2 resolves an instrument when the
        name of one of its entries starts with the logged name, and no entry starts with MYSTIC.
        """
        record.instrument_name = self.instrument.aspro_log_name or self.instrument.name
        record.messages.extend(self.messages)
        record.instrument_variant = self.instrument.variants[0]
        if self.mode is None:
            return
        record.instrument_mode = self.mode.name
        record.em_min = self.mode.wavelength_min
        record.em_max = self.mode.wavelength_max
        record.em_res_power = self.resolution or self.mode.resolution
        record.wavelength_origin = "mode"


def array() -> Facility:
    """The CHARA facility."""
    return facility(NAME)


def combiner(text: str) -> Instrument:
    """The CHARA instrument of a COMBINER or INSTRUME value in its usual spellings.

    Raises LookupError naming the known ones.
    """
    spelling = plain(text)
    return array().instrument(_INSTRUMENT_SPELLINGS.get(spelling, text))


def setting(instrument: Instrument, filter_text: str) -> Setting:
    """The ASPRO2 mode for a FILTER or CONF_NA value; mode None and an error when it is not known."""
    spelling = plain(filter_text).removesuffix("BAND")
    names = [filter_text.strip(), spelling, _BROAD_BAND.get(spelling, "")]
    if instrument.name == "VEGA":
        names.append(_vega_name(spelling))
    if instrument.name == "PAVO" and spelling in {"", "OPEN", "NONE", "PAVO"}:
        names.append("R")
    for name in names:
        try:
            mode = instrument.mode(name) if name and not name.isdecimal() else None
        except LookupError:
            continue
        if mode is not None:
            return Setting(instrument, mode, mode.resolution)
    return _dispersed(instrument, filter_text.strip())


def _vega_name(spelling: str) -> str:
    """VEGA writes the resolution and the wavelength in nm: MR656 is ASPRO2's R2656, HR656 its R1656."""
    match = re.fullmatch(r"(MR|HR)(\d{3})", spelling)
    if match is None:
        return ""
    return ("R2" if match.group(1) == "MR" else "R1") + match.group(2)


def _dispersed(instrument: Instrument, text: str) -> Setting:
    """MIRC, MIRC-X and MYSTIC name the disperser and its resolving power: the nearest mode in log R."""
    match = _DISPERSER.match(text.upper())
    band = ((match.group(1) or "") if match else "").replace("JH", "J") or _OWN_BAND.get(instrument.name, "")
    ladder = _LADDERS.get((instrument.name, band))
    known = ", ".join(instrument.modes)
    unknown = message("unknown-mode", mode=f"{text!r} of {instrument.name} (known: {known})")
    if match is None or ladder is None or not (match.group(3) or match.group(2) == "PRISM"):
        return Setting(instrument, None, None, (unknown,))
    stated = float(match.group(3)) if match.group(3) else None
    resolution = stated or min(ladder.values())
    if not 10 <= resolution <= 3000:
        return Setting(instrument, None, None, (unknown,))
    name = min(ladder, key=lambda each: abs(math.log(resolution / ladder[each])))
    far = max(resolution / ladder[name], ladder[name] / resolution) > _FAR
    nearest = message("mode-nearest", mode=name, expected=ladder[name], setting=text, stated=resolution)
    return Setting(instrument, instrument.mode(name), stated, (nearest,) if far else ())


def role(type_value: str) -> tuple[ObsType, str]:
    """Science or calibrator for a log TYPE (OBJ, CAL1, CAL2, CHK, UNKNO), with the reason."""
    return _ROLES[type_value]


def star_name(text: str) -> str:
    """A star's name as name services know it: underscores are blanks."""
    return " ".join(text.replace("_", " ").split())


def name_candidates(text: str) -> list[str]:
    """Spellings to look a star up by: as written, with blanks, and without a component suffix."""
    blank = star_name(text)
    spellings = [text, blank]
    for name in (text, blank):
        spellings.append(re.sub(r"(?:[_ ][A-C]|A[abc])$", "", name))
    return [name for name in dict.fromkeys(spellings) if name]


def name_key(text: str) -> str:
    """What two spellings of one star have in common: HD_698, HD 698 and hd698."""
    return re.sub(r"[\s_*-]+", "", text).upper()


def is_technical(programme: str) -> bool:
    """Whether a programme's own name says that it is engineering or a test."""
    return bool(set(re.split(r"[^A-Z]+", programme.upper())) & _TECHNICAL)


def lookup_angles(stations: Sequence[str], mjd: float, ra: float, dec: float) -> list[Projected]:
    """Projected baselines of all pairs at one time; metres and degrees."""
    return project(array(), tuple(stations), mjd, ra, dec)


def baselines_between(
    stations: Sequence[str], start: float, end: float, ra: float, dec: float
) -> tuple[Baseline, ...]:
    """Projected baselines of all pairs at two MJDs, for a J2000 position in degrees."""
    return tuple(
        Baseline(a.first, a.second, a.length, b.length, a.angle, b.angle)
        for a, b in zip(
            lookup_angles(stations, start, ra, dec), lookup_angles(stations, end, ra, dec), strict=True
        )
    )


def largest_turn(before: Sequence[Projected], after: Sequence[Projected]) -> float:
    """The largest change of position angle over all baselines, degrees from 0 to 180."""
    return max(
        (abs((b.angle - a.angle + 180) % 360 - 180) for a, b in zip(before, after, strict=True)), default=0.0
    )


def parts(
    marks: Sequence[float], stations: Sequence[str], ra: float, dec: float, *, inside: bool = True
) -> list[tuple[int, float]]:
    """Where to cut a block so that no baseline turns by more than MAX_TURN_DEG within a part.

    ``marks`` are MJDs in rising order: the start of each frame or line and the end of the last.
    Cuts fall on marks and, with ``inside``, within an interval that turns too far by itself.
    Returns the start of each part as (index of the mark at or before it, MJD).
    """
    cuts = [(0, marks[0])]
    origin = lookup_angles(stations, marks[0], ra, dec)
    for index in range(1, len(marks)):
        cut = marks[index - 1]
        steps = _steps(cut, marks[index], stations, ra, dec) if inside else [marks[index]]
        for mjd in steps:
            after = lookup_angles(stations, mjd, ra, dec)
            if largest_turn(origin, after) > MAX_TURN_DEG and cut > cuts[-1][1]:
                cuts.append((index - 1, cut))
                origin = lookup_angles(stations, cut, ra, dec)
            cut = mjd
    return cuts


def _steps(start: float, end: float, stations: Sequence[str], ra: float, dec: float) -> list[float]:
    """The end of an interval, preceded by equal steps when it turns too far to be one part."""
    count = 1
    while (end - start) * 86400 / (2 * count) >= SHORTEST_PART_S:
        marks = [start + (end - start) * k / (2 * count) for k in range(2 * count + 1)]
        angles = [lookup_angles(stations, mjd, ra, dec) for mjd in marks]
        if count == 1:
            enough = max(largest_turn(angles[0], after) for after in angles[1:]) <= MAX_TURN_DEG
        else:
            enough = max(map(largest_turn, angles, angles[1:])) <= MAX_TURN_DEG / 4
        if enough:
            break
        count *= 2
    return [start + (end - start) * k / count for k in range(1, count)] + [end]


def set_times(record: ExposureRecord, start: float, end: float) -> None:
    """Start, end, night, semester and configuration of a record; MJD UTC."""
    site = array()
    record.mjd_start, record.mjd_end = start, end
    record.night = times.night_of(start, site)
    if record.stations:
        match = site.configuration(record.stations, start, record.instrument_name)
        record.interferometer_version = match.version
        record.configuration, record.configuration_basis = match.name, match.basis
    else:
        record.interferometer_version = site.version_at(start)


def iso(mjd: float) -> str:
    """ISO 8601 UTC to the millisecond, without a zone: the tail of a header id."""
    return times.mjd_to_datetime(mjd + 0.5e-3 / 86400).isoformat(timespec="milliseconds")[:23]
