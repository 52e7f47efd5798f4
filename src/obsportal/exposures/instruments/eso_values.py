"""Values of ESO headers: identifiers, dates, packed coordinates, means with no-data values."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)
UNDEFINED_POSITION = -596.52323555
"""What ESO's archive writes for a coordinate that is not defined."""

_DP_ID = re.compile(r"[A-Z][A-Z0-9_]{1,9}\.(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)")


def is_archive_id(text: str) -> bool:
    """Whether a text is an identifier of ESO's archive, such as GRAVI.2020-01-27T03:39:22.003."""
    return _DP_ID.fullmatch(text) is not None


def time_of_id(header_id: str) -> float | None:
    """The MJD written in an archive identifier; None for another kind of identifier."""
    match = _DP_ID.fullmatch(header_id)
    when = instant(match[1]) if match else None
    return None if when is None else mjd_of(when)


def instant(text: str) -> datetime | None:
    """An ISO date and time as aware UTC, a missing time zone standing for UTC; None for anything else."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        return when.replace(tzinfo=UTC)
    try:
        return when.astimezone(UTC)
    except OverflowError:
        return None


def mjd_of(when: datetime) -> float:
    """MJD (UTC days) of an aware date."""
    since = when - MJD_ZERO
    return since.days + (since.seconds + since.microseconds * 1e-6) / 86400.0


def unpack(value: object, *, hours: bool) -> float | None:
    """Degrees of a packed sexagesimal number or text: HHMMSS.s or +-DDMMSS.s, leading zeros optional.

    The sign counts for the whole angle, also in -003012.5 and in a number between -1 and 0. None for
    anything that is no such number, or out of range (24 h, 90 deg).
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    if not math.isfinite(number) or isinstance(value, bool):
        return None
    size = abs(number)
    whole = int(size)
    seconds = whole % 100 + (size - whole)
    minutes = whole // 100 % 100
    degrees = whole // 10_000 + minutes / 60.0 + seconds / 3600.0
    if minutes >= 60 or seconds >= 60.0 + 1e-6 or degrees > (24.0 if hours else 90.0):
        return None
    degrees *= 15.0 if hours else 1.0
    return math.copysign(degrees, number)


def usable_position(ra: float | None, dec: float | None) -> bool:
    """Whether two degrees are a position: not missing, not 0/0, not the archive's undefined number."""
    return (
        ra is not None
        and dec is not None
        and 0.0 <= ra <= 360.0
        and -90.0 <= dec <= 90.0
        and not (ra == 0.0 and dec == 0.0)
    )


def mean_of_positive(start: float | None, end: float | None) -> float | None:
    """Mean of two measurements where zero and below mean no data; one alone stands for both."""
    first = start is not None and start > 0
    second = end is not None and end > 0
    if first and second:
        return 0.5 * (start + end)  # type: ignore[operator]
    if first:
        return start
    return end if second else None


def wrapped(degrees: float) -> float:
    """An angle difference brought to -180..180 degrees."""
    return (degrees + 180.0) % 360.0 - 180.0
