"""Times: MJD, aware datetimes, sidereal time, and the night an instant belongs to.

MJD are UTC days. A night is the local civil date of the noon it begins at.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)
_ISOT = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,12}))?)?\s*(Z|[+-]00:?00)?"
)
_DAY_S = 86400


class Site(Protocol):
    """What times need of a place: longitude in degrees (east positive) and an IANA time zone."""

    @property
    def longitude_deg(self) -> float:
        """Longitude, degrees, east positive."""

    @property
    def timezone(self) -> str:
        """IANA time zone name."""


def mjd_to_datetime(mjd: float) -> datetime:
    """Convert an MJD (UTC) to an aware UTC datetime, rounded to the microsecond.

    Raises ValueError when it is not a date between the years 1 and 9999.
    """
    if not math.isfinite(mjd):
        raise ValueError(f"not a date: MJD {mjd}")
    day = math.floor(mjd)
    try:
        return _MJD_ZERO + timedelta(days=day, microseconds=round((mjd - day) * _DAY_S * 1_000_000))
    except OverflowError as error:
        raise ValueError(f"MJD {mjd} is outside the years 1 to 9999") from error


def datetime_to_mjd(when: datetime) -> float:
    """Convert an aware datetime to MJD (UTC). Raises ValueError for a naive one."""
    if when.utcoffset() is None:
        raise ValueError("a date without time zone is ambiguous: give an aware datetime")
    since = when - _MJD_ZERO
    return since.days + (since.seconds + since.microseconds * 1e-6) / _DAY_S


def parse_isot(text: str) -> datetime:
    """Read an ISO date or date and time in UTC, as headers write it, to an aware datetime.

    Accepts a blank for the T and a leap second (:60 becomes the next minute). Raises ValueError.
    """
    found = _ISOT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"not a UTC date: {text!r}; expected YYYY-MM-DDThh:mm:ss[.sss]")
    year, month, day = (int(found[k]) for k in (1, 2, 3))
    hour, minute, second = (int(found[k] or 0) for k in (4, 5, 6))
    microsecond = round(float("0." + found[7]) * 1_000_000) if found[7] else 0
    leap = 1 if second == 60 else 0
    try:
        start = datetime(year, month, day, hour, minute, second - leap, tzinfo=UTC)
        return start + timedelta(seconds=leap, microseconds=microsecond)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"not a UTC date: {text!r}: {error}") from error


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def night_of(mjd: float, site: Site) -> date:
    """Give the night of an instant: the local date of the noon before (time zone of the site).

    The wall clock decides, daylight saving included: 12:00 local and later begins the day's own night.
    """
    local = mjd_to_datetime(mjd).astimezone(_zone(site.timezone))
    return local.date() if local.hour >= 12 else local.date() - timedelta(days=1)


def gmst_deg(mjd_utc: float) -> float:
    """Greenwich mean sidereal time in degrees [0, 360), taking UT1 = UTC (error below 0.9 s, 13.5").

    IAU 1982 (Aoki et al. 1982, A&A 105, 359).
    """
    days = mjd_utc - 51544.5
    t = days / 36525.0
    turns = 280.46061837 + 360.98564736629 * days + t * t * (0.000387933 - t / 38710000.0)
    return turns % 360.0


def lst_deg(mjd_utc: float, longitude_deg: float) -> float:
    """Local mean sidereal time in degrees [0, 360) at a longitude in degrees, east positive."""
    return (gmst_deg(mjd_utc) + longitude_deg) % 360.0


def lst_hours(mjd: float, site: Site) -> float:
    """Local mean sidereal time of a site in sidereal hours [0, 24)."""
    return lst_deg(mjd, site.longitude_deg) / 15.0


def plausible_mjd(mjd: float) -> bool:
    """Whether a header's time can be one: between 1968 and 2105, far from where formulas break down."""
    return 40_000.0 <= mjd <= 90_000.0
