"""The checks an exposure goes through, in one table: code, level, sentence, and what to do about it.

An exposure with no error has validation level 1 in the ObsPortal contract, else 0. Every check that
ASPRO2 makes of a record is an error here, so that level 1 means that ASPRO2 will draw it.
``docs/validation.md`` is written from these tables by ``python -m obsportal.exposures.validation``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from obsportal.exposures.record import ExposureRecord, Level, Message

MJD_RANGE = (44_239.0, 88_069.0)  # 1980-01-01 to 2100-01-01
SHORTEST_EXPOSURE = 1.0  # s; ASPRO2 refuses what is not longer
LONGEST_EXPOSURE = 3_600.0  # s
ANGLE_JUMP = 10.0  # deg; ASPRO2's limit since April 2025
LENGTH_TOLERANCE = 1.0  # m
ANGLE_TOLERANCE = 3.0  # deg
CLOCK_TOLERANCE = 10.0  # s, between MJD-OBS and the time in the identifier
SEEING_RANGE = (0.1, 5.0)  # arcsec
TAU0_RANGE = (0.0002, 0.02)  # s


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its level, the sentence of its message, and a line of help."""

    level: Level
    sentence: str
    help: str


CHECKS: Mapping[str, Check] = {
    "mjd-invalid": Check(
        Level.ERROR,
        "The start of the exposure is not a valid date: MJD {mjd}",
        "MJD-OBS is missing, zero or outside the years 1980 to 2100. ASPRO2 marks such a record invalid.",
    ),
    "end-missing": Check(
        Level.ERROR,
        "The end of the exposure is not known: no integration time in the header",
        "The end is the start plus the total integration time; its keywords differ by instrument.",
    ),
    "end-not-after-start": Check(
        Level.ERROR,
        "The exposure ends at MJD {end}, not after its start at MJD {start}",
        "ASPRO2 needs an end later than the start.",
    ),
    "too-short": Check(
        Level.ERROR,
        "The exposure lasts {duration:.3f} s; ASPRO2 needs more than 1 s",
        "Often one detector integration was taken for the whole exposure.",
    ),
    "no-stations": Check(
        Level.ERROR,
        "The stations are not known",
        "No ISS CONF STATION keyword: the frame may be internal, or the array control was off.",
    ),
    "no-usable-baseline": Check(
        Level.ERROR,
        "No baseline has a length and an angle at start and end",
        "Neither the header nor stations, position and time give a point in the UV plane.",
    ),
    "angle-jump": Check(
        Level.ERROR,
        "Baseline {baseline} turns by {jump:.1f} deg within the exposure; ASPRO2 accepts 10 deg",
        "One jump on one baseline makes ASPRO2 discard the whole record.",
    ),
    "unknown-mode": Check(
        Level.ERROR,
        "The instrument mode {mode} is not one ASPRO2 knows",
        "The mode gives the wavelengths; without it ASPRO2 draws nothing. The text names the header's words.",
    ),
    "position-missing": Check(
        Level.ERROR,
        "The target has no position",
        "RA and DEC are missing, both zero, or the archive's 'undefined' number, and so is ISS REF.",
    ),
    "target-name-missing": Check(
        Level.WARNING,
        "The target has no name",
        "OBS TARG NAME is missing and OBJECT only repeats the frame type.",
    ),
    "missing-keyword": Check(
        Level.WARNING,
        "Missing '{keyword}'",
        "A keyword the rules of this instrument expect. An error of its own says what could not be known.",
    ),
    "bad-value": Check(
        Level.WARNING,
        "'{keyword}' has a value that cannot be used: {value}",
        "The value is not of the expected kind, for example a date that does not exist.",
    ),
    "station-unknown": Check(
        Level.WARNING,
        "Station {station} is not in the description of the interferometer",
        "Baselines cannot be recomputed. Add the station to the facility file if it is real.",
    ),
    "stations-incomplete": Check(
        Level.WARNING,
        "The header counts {count} telescopes but names {named} stations",
        "ISS CONF NTEL disagrees with the ISS CONF STATION keywords.",
    ),
    "baseline-disagrees": Check(
        Level.WARNING,
        "{number} projected baselines disagree with stations, time and position; "
        "worst {baseline}: header {length:.2f} m {angle:.1f} deg, computed {length2:.2f} m {angle2:.1f} deg",
        "Compared at the start; more than 1 m or 3 deg apart. Wrong stations, clock or coordinates, "
        "or a header edited by reduction software.",
    ),
    "baselines-computed": Check(
        Level.NOTE,
        "{number} of {total} projected baselines were computed from stations, time and position",
        "The header lacks them or has zeros (aborted exposure, no tracking).",
    ),
    "clock-disagrees": Check(
        Level.WARNING,
        "MJD-OBS is {seconds:+.1f} s from the time in the identifier {header_id}",
        "In raw frames both agree within 10 ms; more than 10 s is suspect.",
    ),
    "product-times": Check(
        Level.NOTE,
        "Times are those of the reduced product {category}, which may join several exposures",
        "Reduction software moves MJD-OBS and adds exposures together.",
    ),
    "product-times-moved": Check(
        Level.WARNING,
        "The reduced product begins {seconds:+.1f} s from the raw exposure {header_id}",
        "Use the raw header for times and projected baselines.",
    ),
    "product-deduced": Check(
        Level.NOTE,
        "Frame type deduced from the reduced product: {reason}",
        "Reduction software removes the DPR keywords.",
    ),
    "identifier-derived": Check(
        Level.NOTE,
        "The header names no archive identifier: {header_id} was made from instrument and date",
        "ARCFILE is missing; the archive's own identifier may differ in its last digits.",
    ),
    "position-fallback": Check(
        Level.NOTE,
        "RA and DEC are unusable ({value}): position taken from {origin}",
        "The packed user coordinates ISS REF RA/DEC stand in for the pointing.",
    ),
    "offset-missing": Check(
        Level.WARNING,
        "Dual-field exposure without offset: the science target is put at the fringe-tracker star",
        "INS SOBJ X or Y is missing.",
    ),
    "type-doubted": Check(
        Level.NOTE,
        "The header says {type}, the name of the block says otherwise: {name}",
        "Visitors often file calibrators as science. A curator can override the type.",
    ),
    "seeing-missing": Check(
        Level.NOTE,
        "No seeing was measured",
        "ISS AMBI FWHM is -1 at start and end.",
    ),
    "tau0-missing": Check(
        Level.NOTE,
        "No coherence time was measured",
        "ISS AMBI TAU0 is 0 or -1 at start and end.",
    ),
    "seeing-out-of-range": Check(
        Level.WARNING,
        "A seeing of {value:.2f} arcsec is outside 0.1 to 5",
        "The value is kept as the header gives it.",
    ),
    "tau0-out-of-range": Check(
        Level.WARNING,
        "A coherence time of {value:.4f} s is outside 0.0002 to 0.02",
        "The value is kept as the header gives it; milliseconds may have been written for seconds.",
    ),
    "too-long": Check(
        Level.WARNING,
        "The exposure lasts {duration:.0f} s, more than an hour",
        "Several exposures joined, or a wrong number of integrations.",
    ),
}
"""What can be said of an accepted exposure."""

REFUSALS: Mapping[str, str] = {
    "reduced-product": "PRO CATG says that reduction software wrote the header: raw frames are wanted. "
    "Such headers are accepted only when asked for.",
    "unknown-instrument": "INSTRUME names no instrument that has rules.",
    "not-on-sky": "DPR TYPE, or what stands in for it, names no star: dark, sky, flat, lamp...",
    "not-science-or-calibrator": "DPR CATG is neither SCIENCE nor CALIB: an acquisition or a test.",
    "not-interferometry": "DPR TECH says that light was not combined: an image, for example.",
    "photometry": "Beams were recorded one by one, without fringes: no point in the UV plane.",
    "fringe-search": "Fringes were searched for, not recorded.",
    "acquisition": "The frame belongs to the acquisition of the star.",
    "no-identifier": "Neither ARCFILE nor DP.ID nor a date: the header cannot be told from another.",
}
"""Why a header is no exposure."""

READ_ERRORS: Mapping[str, str] = {
    "empty-file": "The file has no bytes, or only blanks.",
    "not-found": "There is no such file or folder.",
    "not-a-header": "The text does not begin with a FITS card, or the HTML page holds no header.",
    "truncated": "There is no END card: the header was cut short.",
    "too-large": "The header is larger than 8 MB.",
    "card-too-long": "A card is longer than 8,191 characters.",
    "unreadable": "The operating system refused, or the file is damaged.",
    "bad-archive": "The zip, tar or gzip file is damaged, unpacks to far too much, or holds another archive.",
    "too-many-members": "The archive holds more files than are read at once; the rest was left out.",
    "archive-too-large": "The archive gives more bytes than are read at once; the rest was left out.",
    "unsupported-compression": "The file is packed in a way that is not read here: unpack it first.",
}
"""Why a file gave no header."""


def message(code: str, **values: object) -> Message:
    """The message of a check, its sentence filled in. Raises KeyError for a code not in the table."""
    check = CHECKS[code]
    return Message(code, check.level, check.sentence.format(**values))


def validation_level(record: ExposureRecord) -> int:
    """The contract's level: 1 where no message is an error, else 0."""
    return 0 if any(m.level is Level.ERROR for m in record.messages) else 1


def validate(record: ExposureRecord) -> ExposureRecord:
    """Add the messages of every check that the record fails; doing it twice adds nothing."""
    said = {m.code.replace("_", "-") for m in record.messages}
    found = [*_times(record), *_array(record), *_target(record), *_ambient(record)]
    record.messages.extend(m for m in found if m.code not in said)
    return record


def _times(record: ExposureRecord) -> list[Message]:
    start, end = record.mjd_start, record.mjd_end
    if start is None or not MJD_RANGE[0] < start < MJD_RANGE[1]:
        return [message("mjd-invalid", mjd=start)]
    if end is None or math.isnan(end):
        return [message("end-missing")]
    duration = (end - start) * 86400.0
    if duration <= 0:
        return [message("end-not-after-start", start=start, end=end)]
    if duration <= SHORTEST_EXPOSURE:
        return [message("too-short", duration=duration)]
    if duration > LONGEST_EXPOSURE:
        return [message("too-long", duration=duration)]
    return []


def _array(record: ExposureRecord) -> list[Message]:
    found = []
    if not record.stations:
        found.append(message("no-stations"))
    if not record.instrument_mode:
        found.append(message("unknown-mode", mode="(none)"))
    usable = 0
    worst, worst_name = 0.0, ""
    for b in record.baselines:
        if b.length_start is None or b.length_end is None or b.angle_start is None or b.angle_end is None:
            continue
        if b.length_start > 0 and b.length_end > 0:
            usable += 1
            jump = abs((b.angle_end - b.angle_start + 180.0) % 360.0 - 180.0)
            if jump > worst:
                worst, worst_name = jump, f"{b.first}-{b.second}"
    if not usable:
        found.append(message("no-usable-baseline"))
    if worst > ANGLE_JUMP:
        found.append(message("angle-jump", baseline=worst_name, jump=worst))
    return found


def _target(record: ExposureRecord) -> list[Message]:
    target = record.target
    found = []
    if target is None or target.ra is None or target.dec is None:
        found.append(message("position-missing"))
    if target is None or not target.name:
        found.append(message("target-name-missing"))
    return found


def _ambient(record: ExposureRecord) -> list[Message]:
    found = []
    if record.seeing is not None and not SEEING_RANGE[0] <= record.seeing <= SEEING_RANGE[1]:
        found.append(message("seeing-out-of-range", value=record.seeing))
    if record.tau0 is not None and not TAU0_RANGE[0] <= record.tau0 <= TAU0_RANGE[1]:
        found.append(message("tau0-out-of-range", value=record.tau0))
    return found


def documentation() -> str:
    """The text of ``docs/validation.md``, made from the tables."""
    lines = [
        "# Validation of exposures",
        "",
        "Written from the tables of `src/obsportal/exposures/validation.py` by",
        "`python -m obsportal.exposures.validation > docs/validation.md`; do not edit by hand.",
        "",
        "An exposure without any error has validation level 1, else 0. Warnings and notes leave the level.",
        "",
        "## Messages of an exposure",
        "",
        "| code | level | sentence | meaning |",
        "|---|---|---|---|",
    ]
    lines += [f"| `{code}` | {c.level.value} | {c.sentence} | {c.help} |" for code, c in CHECKS.items()]
    lines += ["", "## Why a header is refused", "", "| code | meaning |", "|---|---|"]
    lines += [f"| `{code}` | {help_text} |" for code, help_text in REFUSALS.items()]
    lines += ["", "## Why a file cannot be read", "", "| code | meaning |", "|---|---|"]
    lines += [f"| `{code}` | {help_text} |" for code, help_text in READ_ERRORS.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(documentation(), end="")
