"""Directions as people write and read them: sexagesimal text beside degrees."""

from __future__ import annotations

import re

_MARKS = str.maketrans(
    {"−": "-", "–": "-", "′": "m", "″": "s", "'": "m", '"': "s", "°": "d", ",": " ", ";": " "}
)
_ANGLE = re.compile(
    r"(?P<sign>[+-]?)(?P<first>\d{1,3}(?:\.\d*)?)\s*(?P<unit>[hd:]?)"
    r"(?:\s*(?P<minutes>\d{1,2}(?:\.\d*)?)\s*[m:]?)?"
    r"(?:\s*(?P<seconds>\d{1,2}(?:\.\d*)?)\s*s?)?\s*$",
    re.ASCII,
)
_DEGREES = re.compile(r"([+-]?\d{1,3}(?:\.\d*)?)d?\s+([+-]?\d{1,2}(?:\.\d*)?)d?$", re.ASCII)


def parse_position(text: str) -> tuple[float, float] | None:
    """Right ascension and declination in degrees from one line of text; None when it is no position.

    Two decimal numbers are degrees. With minutes, right ascension is in hours: ``08 59 29.4 -43 46 02``,
    ``08:59:29.4 -43:46:02``, ``8h59m29.4s -43d46m02s``.
    """
    plain = " ".join(text.translate(_MARKS).split())[:80]
    if found := _DEGREES.match(plain):
        return _checked(float(found[1]), float(found[2]))
    halves = _halves(plain)
    if halves is None:
        return None
    ra, dec = _ANGLE.match(halves[0]), _ANGLE.match(halves[1])
    if not ra or not dec or not ra["minutes"] or not dec["minutes"]:
        return None
    if ra["sign"] == "-" or dec["unit"] == "h":
        return None
    hours, degrees = _value(ra), _value(dec)
    if hours is None or degrees is None:
        return None
    return _checked(hours if ra["unit"] == "d" else hours * 15, degrees)


def _halves(plain: str) -> tuple[str, str] | None:
    """Split at the sign of the declination, else in the middle of four or six numbers."""
    signed = re.match(r"(.+?)\s*([+-].+)$", plain)
    if signed:
        return signed[1], signed[2]
    words = plain.split()
    if len(words) in {2, 4, 6}:
        middle = len(words) // 2
        return " ".join(words[:middle]), " ".join(words[middle:])
    return None


def _value(found: re.Match[str]) -> float | None:
    minutes, seconds = float(found["minutes"] or 0), float(found["seconds"] or 0)
    if minutes >= 60 or seconds >= 60:
        return None
    size = float(found["first"]) + minutes / 60 + seconds / 3600
    return -size if found["sign"] == "-" else size


def _checked(ra: float, dec: float) -> tuple[float, float] | None:
    return (ra, dec) if 0 <= ra <= 360 and -90 <= dec <= 90 else None


def hms(ra_deg: float, decimals: int = 2) -> str:
    """Right ascension in degrees as ``hh mm ss.ss``, rounded once.

    >>> hms(134.872365)
    '08 59 29.37'
    """
    return _sexagesimal((ra_deg % 360) / 15, decimals, wrap=24)


def dms(dec_deg: float, decimals: int = 1) -> str:
    """Declination in degrees as ``±dd mm ss.s`` with a true minus sign.

    >>> dms(-43.76717)
    '−43 46 01.8'
    """
    return ("−" if dec_deg < 0 else "+") + _sexagesimal(abs(dec_deg), decimals)


def hours_minutes(hours: float) -> str:
    """Sidereal hours as ``hh:mm``."""
    minutes = round(hours * 60) % 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _sexagesimal(value: float, decimals: int, wrap: int = 0) -> str:
    scale = 10**decimals
    units = round(value * 3600 * scale)
    if wrap:
        units %= wrap * 3600 * scale
    whole, fraction = divmod(units, scale)
    text = f"{whole // 3600:02d} {whole // 60 % 60:02d} {whole % 60:02d}"
    return f"{text}.{fraction:0{decimals}d}" if decimals else text
