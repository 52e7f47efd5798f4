"""The observing log of the CHARA Array: CSV text to typed lines and refused lines.

The layout is the one OiDB imports: UT-DATE, STAR, PI, PROGRAM, COMBINER, TYPE, MJD, FILTER, SCOPES,
B1, B2, B3, T0_OBS, T0_500nm, one data set a line. Columns are found by name, in any order; RA, DEC,
POPS and DURATION may be added. Lengths are metres, times MJD UTC, angles degrees (ICRS, J2000),
coherence times seconds (the file writes milliseconds).
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

MAX_BYTES = 64 * 1024 * 1024
STATIONS = ("S1", "S2", "E1", "E2", "W1", "W2")
FIRST_MJD = 51179.0  # 1999-01-01: first fringes of the Array were in 1999
LAST_MJD = 88069.0  # 2100-01-01
LONGEST_BASELINE_M = 331.0
T0_SECONDS_BELOW = 0.25  # no fringes are seen at 0.25 ms, so a smaller number is in seconds
T0_MAX_S = 1.0
MAX_DURATION_S = 43200.0

REQUIRED = (
    "UT-DATE", "STAR", "PI", "PROGRAM", "COMBINER", "TYPE", "MJD", "FILTER", "SCOPES",
    "B1", "B2", "B3", "T0_OBS", "T0_500nm",
)  # fmt: skip
OPTIONAL = ("RA", "DEC", "POPS", "DURATION")

_ALIASES = {
    "UT-DATE": ("UTDATE", "DATE", "DATEOBS", "UT"),
    "STAR": ("STAR", "STARNAME", "OBJECT", "TARGET", "NAME"),
    "PI": ("PI", "PINAME"),
    "PROGRAM": ("PROGRAM", "PROGRAMME", "PROG", "PROGID", "PROGRAMID"),
    "COMBINER": ("COMBINER", "BEAMCOMBINER", "INSTRUMENT"),
    "TYPE": ("TYPE", "OBJTYPE", "STARTYPE"),
    "MJD": ("MJD", "MJDOBS", "MJDSTART", "JD"),
    "FILTER": ("FILTER", "MODE", "BAND"),
    "SCOPES": ("SCOPES", "SCOPE", "TELESCOPES", "STATIONS"),
    "B1": ("B1", "BASELINE1"),
    "B2": ("B2", "BASELINE2"),
    "B3": ("B3", "BASELINE3"),
    "T0_OBS": ("T0OBS",),
    "T0_500nm": ("T0500NM", "T0500"),
    "RA": ("RA", "RAJ2000", "RADEG"),
    "DEC": ("DEC", "DECJ2000", "DEJ2000", "DECDEG"),
    "POPS": ("POPS", "POP"),
    "DURATION": ("DURATION", "EXPTIME"),
}
_COLUMN_OF = {alias: column for column, aliases in _ALIASES.items() for alias in aliases}


class StarType(StrEnum):
    """What a line's star was observed for, as the log writes it."""

    OBJECT = "OBJ"
    CALIBRATOR_1 = "CAL1"
    CALIBRATOR_2 = "CAL2"
    CHECK = "CHK"
    UNKNOWN = "UNKNO"


_STAR_TYPES = {
    "OBJ": StarType.OBJECT, "OBJECT": StarType.OBJECT, "SCI": StarType.OBJECT, "TARGET": StarType.OBJECT,
    "CAL": StarType.CALIBRATOR_1, "CAL1": StarType.CALIBRATOR_1, "CAL2": StarType.CALIBRATOR_2,
    "CHK": StarType.CHECK, "CHECK": StarType.CHECK,
    "UNKNO": StarType.UNKNOWN, "UNKNOWN": StarType.UNKNOWN,
}  # fmt: skip


class CharaLogError(ValueError):
    """The file as a whole cannot be read; ``code`` is stable, the text says what is allowed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was refused: where, which column, what it held and what is allowed there."""

    line: int
    column: str
    value: str
    allowed: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.value!r} is not {self.allowed}"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log: one data set on one star."""

    line: int  # 1 for the first line of the file
    star: str
    pi: str
    program: str
    combiner: str
    type: StarType
    type_text: str  # as written
    mjd: float
    filter: str
    stations: tuple[str, ...]  # in the order of SCOPES
    lengths: tuple[float, ...]  # m, the logged projected baselines that are not 0
    ut_date: date | None = None
    t0_obs: float | None = None  # s, at the wavelength of the observation
    t0_500nm: float | None = None  # s, at 500 nm
    ra: float | None = None  # deg
    dec: float | None = None  # deg
    pops: str = ""  # one digit a station, "" when not logged
    duration: float | None = None  # s
    remarks: tuple[str, ...] = ()  # what was read with a doubt or left out


@dataclass(frozen=True, slots=True)
class CharaLog:
    """What a log file held: its good lines in file order, and the refused ones."""

    lines: tuple[LogLine, ...]
    refused: tuple[BadLine, ...]


class _LineError(Exception):
    """Internal: ends the reading of one line."""

    def __init__(self, column: str, value: str, allowed: str) -> None:
        super().__init__(column)
        self.column, self.value, self.allowed = column, value[:80], allowed


def read_chara_log(data: bytes | str) -> CharaLog:
    """Read a log; bad lines are collected, not raised.

    Raises CharaLogError when the file is empty, too large, or lacks or repeats a column.
    """
    if len(data) > MAX_BYTES:
        raise CharaLogError("log-too-large", f"the log has {len(data)} bytes; {MAX_BYTES} are allowed")
    numbered = _content_lines(_decode(data))
    first = next(numbered, None)
    if first is None:
        raise CharaLogError("log-empty", f"the log is empty; its first line must name {', '.join(REQUIRED)}")
    delimiter = max(",;\t", key=first[1].count)
    try:
        names = _split(first[1].lstrip("# "), delimiter)
    except _LineError as bad:
        raise CharaLogError("log-unreadable", f"the first line is not {bad.allowed}") from bad
    columns = _columns(names)
    lines: list[LogLine] = []
    refused: list[BadLine] = []
    for number, text in numbered:
        try:
            if text.startswith("#"):
                continue
            lines.append(_line(number, _split(text, delimiter), len(names), columns))
        except _LineError as bad:
            refused.append(BadLine(number, bad.column, bad.value, bad.allowed))
    return CharaLog(tuple(lines), tuple(refused))


def parse_scopes(text: str) -> tuple[str, ...]:
    """Station names in the order written: 'S1/E1', 'S1 E1', 'S1-E1-W1', 'S1S2E1E2W1W2'.

    Raises ValueError for anything that is not two or more different CHARA stations.
    """
    names = re.findall(r"[SEW][12]", text.upper())
    rest = re.sub(r"[SEW][12]", "", text.upper())
    if rest.strip(" /,;:+&_-\t") or len(names) < 2 or len(set(names)) != len(names):
        raise ValueError(f"two or more different stations of {', '.join(STATIONS)}, such as S1/E1")
    return tuple(names)


def parse_angle(text: str, hours: bool) -> float:
    """Degrees from decimal degrees or, when it has three parts, sexagesimal hours or degrees.

    Raises ValueError when it is neither, or when minutes or seconds reach 60.
    """
    parts = re.split(r"[\s:]+|(?<=\d)[hdmsHDMS°'\"]+\s*", text.strip())
    parts = [part for part in parts if part]
    if len(parts) == 1:
        return _finite(parts[0])
    if len(parts) != 3:
        raise ValueError("decimal degrees or three sexagesimal parts")
    units, minutes, seconds = (_finite(part) for part in parts)
    if not (0 <= minutes < 60 and 0 <= seconds < 60):
        raise ValueError("minutes and seconds from 0 to below 60")
    size = abs(units) + minutes / 60 + seconds / 3600
    return math.copysign(size, -1.0 if parts[0].startswith("-") else 1.0) * (15.0 if hours else 1.0)


def _decode(data: bytes | str) -> str:
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _content_lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        if line.strip(" ,;\t"):
            yield number, line


def _split(text: str, delimiter: str) -> list[str]:
    try:
        fields = next(csv.reader([text], delimiter=delimiter, skipinitialspace=True))
    except csv.Error as error:
        raise _LineError("(whole line)", text, f"a CSV line ({error})") from error
    return [" ".join(field.split()) for field in fields]


@dataclass(frozen=True, slots=True)
class _Columns:
    index: dict[str, int]
    t0_in_seconds: frozenset[str]


def _columns(names: list[str]) -> _Columns:
    index: dict[str, int] = {}
    in_seconds = set()
    for position, name in enumerate(names):
        unit = re.search(r"[(\[]\s*(\w+)\s*[)\]]", name)
        plain = re.sub(r"[(\[].*?[)\]]|[\s_.-]+", "", name.upper())
        column = _COLUMN_OF.get(plain)
        if column is None:
            continue
        if column in index:
            raise CharaLogError(
                "log-column-twice",
                f"columns {names[index[column]]!r} and {name!r} both mean {column}; one is allowed",
            )
        index[column] = position
        if unit and unit.group(1) == "s":
            in_seconds.add(column)
    missing = [column for column in REQUIRED if column not in index]
    if missing:
        raise CharaLogError(
            "log-column-missing",
            f"the first line lacks {', '.join(missing)}; it must name {', '.join(REQUIRED)}"
            f" and may add {', '.join(OPTIONAL)}; it names {', '.join(names)[:300]}",
        )
    return _Columns(index, frozenset(in_seconds))


def _line(number: int, fields: list[str], width: int, columns: _Columns) -> LogLine:
    while len(fields) > width and not fields[-1]:
        fields.pop()
    if len(fields) != width:
        raise _LineError("(whole line)", f"{len(fields)} fields", f"{width} fields, as the first line has")
    cell = {column: fields[position] for column, position in columns.index.items()}
    remarks: list[str] = []
    kind = _STAR_TYPES.get(cell["TYPE"].upper())
    if kind is None:
        allowed = ", ".join(member.value for member in StarType)
        raise _LineError("TYPE", cell["TYPE"], f"one of {allowed}")
    ut_date = _date(cell["UT-DATE"], remarks)
    mjd = _mjd(cell["MJD"], ut_date, remarks)
    stations = _require("SCOPES", cell["SCOPES"], parse_scopes)
    position = _position(cell.get("RA", ""), cell.get("DEC", ""), remarks)
    return LogLine(
        line=number,
        star=_text(cell, "STAR"),
        pi=cell["PI"],
        program=cell["PROGRAM"],
        combiner=_text(cell, "COMBINER"),
        type=kind,
        type_text=cell["TYPE"],
        mjd=mjd,
        filter=cell["FILTER"],
        stations=stations,
        lengths=_lengths(cell),
        ut_date=ut_date,
        t0_obs=_coherence_time("T0_OBS", cell, columns, remarks),
        t0_500nm=_coherence_time("T0_500nm", cell, columns, remarks),
        ra=position[0] if position else None,
        dec=position[1] if position else None,
        pops=_pops(cell.get("POPS", ""), len(stations), remarks),
        duration=_duration(cell.get("DURATION", ""), remarks),
        remarks=tuple(remarks),
    )


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a finite number")
    return value


def _require(column: str, value: str, parse: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    try:
        return parse(value)
    except ValueError as error:
        raise _LineError(column, value, str(error)) from error


def _text(cell: dict[str, str], column: str) -> str:
    if not cell[column]:
        raise _LineError(column, "", "a name (it is empty)")
    return cell[column]


def _date(text: str, remarks: list[str]) -> date | None:
    """The UT date as 2012-05-03, 2012/05/03, 2012_05_03, 20120503 or 05/03/2012 (American)."""
    if not text:
        return None
    match = re.match(r"(\d{4})[-/_ .]?(\d\d)[-/_ .]?(\d\d)(?!\d)", text)
    american = re.match(r"(\d\d?)/(\d\d?)/(\d{4})(?!\d)", text)
    try:
        if match:
            year, month, day = match.groups()
        elif american:
            month, day, year = american.groups()
        else:
            raise ValueError
        return date(int(year), int(month), int(day))
    except ValueError:
        remarks.append(
            f"UT-DATE {text[:40]!r} is not a date such as 2012-05-03 and was not compared with MJD"
        )
        return None


def _mjd(text: str, ut_date: date | None, remarks: list[str]) -> float:
    allowed = f"an MJD from {FIRST_MJD:.0f} to {LAST_MJD:.0f}, or the same as a JD"
    try:
        value = _finite(text)
    except ValueError as error:
        raise _LineError("MJD", text, allowed) from error
    if value > 2400000.5:
        value -= 2400000.5
        remarks.append(f"MJD {text} was read as a JD")
    if not FIRST_MJD <= value <= LAST_MJD:
        raise _LineError("MJD", text, allowed)
    if ut_date is not None:
        logged = ut_date.toordinal() - date(1858, 11, 17).toordinal()
        apart = math.floor(value) - logged
        if abs(apart) > 1:
            raise _LineError("MJD", text, f"within a day of UT-DATE {ut_date} (MJD {logged})")
        if apart:
            remarks.append(
                f"MJD {text} falls on the day {'after' if apart > 0 else 'before'} UT-DATE {ut_date}"
            )
    return value


def _lengths(cell: dict[str, str]) -> tuple[float, ...]:
    lengths = []
    for column in ("B1", "B2", "B3"):
        text = cell[column]
        allowed = f"a projected baseline from 0 to {LONGEST_BASELINE_M:.0f} m"
        try:
            value = _finite(text) if text else 0.0
        except ValueError as error:
            raise _LineError(column, text, allowed) from error
        if not 0 <= value <= LONGEST_BASELINE_M:
            raise _LineError(column, text, allowed)
        lengths.append(value)
    if sum(lengths) <= 0:
        value_text = ", ".join(cell[column] or "(empty)" for column in ("B1", "B2", "B3"))
        raise _LineError("B1, B2, B3", value_text, "a set of lengths with a sum above 0 m")
    return tuple(value for value in lengths if value > 0)


def _coherence_time(column: str, cell: dict[str, str], columns: _Columns, remarks: list[str]) -> float | None:
    """Seconds; None for an empty, zero, negative or -99 like cell, which all mean not measured."""
    text = cell[column]
    if not text or text.upper() in {"NAN", "NA", "N/A", "NULL", "NONE", "-", "--"}:
        return None
    try:
        value = _finite(text)
    except ValueError:
        remarks.append(f"{column} {text[:40]!r} is not a number and was left out")
        return None
    if value <= 0:
        return None
    in_seconds = column in columns.t0_in_seconds
    if not in_seconds and value < T0_SECONDS_BELOW:
        in_seconds = True
        remarks.append(f"{column} {text} was read as seconds: as milliseconds no fringe could be seen")
    seconds = value if in_seconds else value / 1000
    if seconds > T0_MAX_S:
        remarks.append(f"{column} {text} is above {T0_MAX_S:g} s and was left out")
        return None
    return seconds


def _position(ra_text: str, dec_text: str, remarks: list[str]) -> tuple[float, float] | None:
    if not ra_text and not dec_text:
        return None
    try:
        ra, dec = parse_angle(ra_text, hours=True), parse_angle(dec_text, hours=False)
    except ValueError:
        ra, dec = math.nan, math.nan
    if not (0 <= ra < 360 and -90 <= dec <= 90):
        remarks.append(
            f"RA {ra_text[:40]!r}, DEC {dec_text[:40]!r} are not a position (degrees, or hours and degrees"
            " in three parts) and were left out"
        )
        return None
    return ra, dec


def _pops(text: str, stations: int, remarks: list[str]) -> str:
    digits = re.sub(r"P(?:OP)?|[\s,/_-]", "", text.upper())
    if not digits:
        return ""
    if re.fullmatch(r"[1-5]+", digits) and len(digits) == stations:
        return digits
    remarks.append(f"POPS {text[:40]!r} is not one digit from 1 to 5 for each station and was left out")
    return ""


def _duration(text: str, remarks: list[str]) -> float | None:
    if not text:
        return None
    try:
        value = _finite(text)
    except ValueError:
        value = math.nan
    if 0 < value <= MAX_DURATION_S:
        return value
    remarks.append(f"DURATION {text[:40]!r} is not a number of seconds up to {MAX_DURATION_S:.0f}; left out")
    return None
