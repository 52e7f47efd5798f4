"""Where the Sun stands, and when a night is dark: good to 0.02 degrees, a few seconds of time.

Low-precision formula of the Astronomical Almanac (section C, "Low precision formulas for the Sun's
coordinates"), 1950 to 2050. Angles are degrees, times MJD UTC.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

from obsportal.interferometry.times import datetime_to_mjd, lst_deg


class Place(Protocol):
    """What the height of the Sun needs of a site: its place in degrees and its IANA time zone."""

    @property
    def longitude_deg(self) -> float:
        """Longitude, degrees, east positive."""

    @property
    def latitude_deg(self) -> float:
        """Latitude, degrees."""

    @property
    def timezone(self) -> str:
        """IANA time zone name."""


class Twilight(StrEnum):
    """How deep the Sun stands below the horizon."""

    SUNSET = "sunset"
    CIVIL = "civil"
    NAUTICAL = "nautical"
    ASTRONOMICAL = "astronomical"

    @property
    def altitude_deg(self) -> float:
        """Height of the Sun's centre; that of sunset has refraction and the Sun's radius in it."""
        return {"sunset": -0.833, "civil": -6.0, "nautical": -12.0, "astronomical": -18.0}[self.value]


def sun_altitude_deg(mjd: float, site: Place) -> float:
    """Height of the Sun's centre above the horizon, without refraction."""
    days = mjd - 51544.5
    mean_longitude = 280.460 + 0.9856474 * days
    anomaly = math.radians(357.528 + 0.9856003 * days)
    longitude = math.radians(mean_longitude + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    obliquity = math.radians(23.439 - 0.0000004 * days)
    ra = math.atan2(math.cos(obliquity) * math.sin(longitude), math.cos(longitude))
    sin_dec = math.sin(obliquity) * math.sin(longitude)
    hour_angle = math.radians(lst_deg(mjd, site.longitude_deg)) - ra
    latitude = math.radians(site.latitude_deg)
    cos_dec = math.sqrt(1 - sin_dec * sin_dec)
    sine = math.sin(latitude) * sin_dec + math.cos(latitude) * cos_dec * math.cos(hour_angle)
    return math.degrees(math.asin(max(-1.0, min(1.0, sine))))


@dataclass(frozen=True, slots=True)
class Darkness:
    """A night from noon to noon, and between which times (MJD UTC) the Sun is how low.

    A twilight that the Sun does not reach, or does not leave, is missing from ``spans``.
    """

    noon: float
    next_noon: float
    spans: dict[Twilight, tuple[float, float]]

    @property
    def dark(self) -> tuple[float, float] | None:
        """From the end of astronomical twilight to its beginning."""
        return self.spans.get(Twilight.ASTRONOMICAL)


@lru_cache(maxsize=512)
def darkness(night: date, longitude_deg: float, latitude_deg: float, timezone: str) -> Darkness:
    """The darkness of the night that begins on this local date."""
    site = _Place(longitude_deg, latitude_deg, timezone)
    noon, next_noon = _noon(night, timezone), _noon(night + timedelta(days=1), timezone)
    lowest = min(
        (noon + (next_noon - noon) * k / 48 for k in range(49)), key=lambda t: sun_altitude_deg(t, site)
    )
    spans = {}
    for twilight in Twilight:
        height = twilight.altitude_deg
        if sun_altitude_deg(lowest, site) < height:
            ends = [_crossing(edge, lowest, height, site) for edge in (noon, next_noon)]
            if ends[0] is not None and ends[1] is not None:
                spans[twilight] = (ends[0], ends[1])
    return Darkness(noon, next_noon, spans)


def darkness_at(night: date, site: Place) -> Darkness:
    """The darkness of a night at a site."""
    return darkness(night, site.longitude_deg, site.latitude_deg, site.timezone)


@dataclass(frozen=True, slots=True)
class _Place:
    longitude_deg: float
    latitude_deg: float
    timezone: str


def _noon(day: date, timezone: str) -> float:
    local = datetime.combine(day, time(12), tzinfo=ZoneInfo(timezone))
    return datetime_to_mjd(local.astimezone(UTC))


def _crossing(high: float, low: float, height: float, site: Place) -> float | None:
    """When the Sun passes a height between two times, above and below it; None if it is not above."""
    if sun_altitude_deg(high, site) <= height:
        return None
    for _ in range(18):  # to a third of a second
        middle = (high + low) / 2
        if sun_altitude_deg(middle, site) > height:
            high = middle
        else:
            low = middle
    return (high + low) / 2
