"""How values are written on pages. A missing value is a dash."""

from __future__ import annotations

from collections.abc import Sized
from datetime import date, datetime
from typing import Any

from django import template
from django.utils.safestring import SafeString

from obsportal.exposures import angles
from obsportal.exposures.models import Exposure
from obsportal.exposures.pages.night_log import label
from obsportal.interferometry.facility import facilities
from obsportal.interferometry.times import lst_hours, mjd_to_datetime

register = template.Library()

DASH = "–"


@register.filter
def utc(mjd: float | None) -> str:
    """MJD as ``2020-01-09 03:34:07``."""
    if mjd is None:
        return DASH
    try:
        return f"{mjd_to_datetime(mjd):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return f"MJD {mjd:g}"


@register.filter
def until(end: float | None, start: float | None) -> str:
    """The end of a span to the minute: its time of day, with the date when it is a day or more later."""
    if end is None or start is None:
        return DASH
    return utc(end)[11:16] if 0 <= end - start < 1 else utc(end)[:16]


@register.filter
def listed(text: str) -> list[str]:
    """The values of a list as answers join them."""
    return [part for part in text.split(", ") if part]


@register.filter
def stamp(when: datetime | None) -> str:
    """A UTC time as ``2020-01-09 03:34:07``."""
    return DASH if when is None else f"{when:%Y-%m-%d %H:%M:%S}"


@register.filter
def ra_text(ra_deg: float | None, decimals: int = 2) -> str:
    """Right ascension as hours, minutes and seconds."""
    return DASH if ra_deg is None else angles.hms(ra_deg, decimals)


@register.filter
def dec_text(dec_deg: float | None, decimals: int = 1) -> str:
    """Declination as degrees, minutes and seconds."""
    return DASH if dec_deg is None else angles.dms(dec_deg, decimals)


@register.filter
def fixed(value: float | None, decimals: int = 1) -> str:
    """A number with so many decimals and a true minus sign."""
    return DASH if value is None else f"{value:.{int(decimals)}f}".replace("-", "−")


@register.filter
def milli(value: float | None) -> str:
    """Seconds as milliseconds with one decimal."""
    return DASH if value is None else f"{value * 1e3:.1f}"


@register.filter
def micro(value: float | None) -> str:
    """Metres as micrometres."""
    return DASH if value is None else f"{value * 1e6:.4g}"


@register.filter
def lst(exposure: Exposure) -> str:
    """Local sidereal time at the start of an exposure, ``06:05``."""
    site = facilities().get(exposure.interferometer_name)
    if site is None or exposure.exp_mjd_start is None:
        return DASH
    return angles.hours_minutes(lst_hours(exposure.exp_mjd_start, site))


@register.filter
def thousands(value: int) -> str:
    """A count with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


@register.filter
def or_dash(value: Any) -> Any:
    """The value, or a dash when it is missing."""
    return DASH if value is None or value == "" else value


@register.filter
def lookup(mapping: dict[str, Any], key: str) -> Any:
    """``mapping[key]`` with a variable key; "" when absent."""
    return mapping.get(key, "") if mapping else ""


@register.simple_tag
def inline(markup: str) -> SafeString:
    """A plot that the server drew; its words were escaped there."""
    return SafeString(markup)


@register.filter
def split(text: str) -> list[str]:
    """The words of a text, to loop over."""
    return text.split()


@register.filter
def unlocalised(value: float | None) -> str:
    """A number as a parameter of an address: all its digits, an ASCII sign."""
    return "" if value is None else repr(float(value))


@register.filter
def run_part(run: str, root: str) -> str:
    """What names a run within its programme: ``(B)``, ``.002``; all of it where that says nothing."""
    return run.removeprefix(root) or run


@register.filter
def less(total: int, shown: Sized) -> int:
    """How many are not among those shown."""
    return total - len(shown)


@register.filter
def clock(mjd: float | None) -> str:
    """MJD as the time of day, ``03:34`` UTC."""
    return DASH if mjd is None else angles.hours_minutes((mjd % 1) * 24)


@register.filter
def lst_at(mjd: float | None, interferometer: str) -> str:
    """Local sidereal time of an MJD at an interferometer, ``06:05``."""
    site = facilities().get(interferometer)
    return DASH if site is None or mjd is None else angles.hours_minutes(lst_hours(mjd, site))


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds as ``3 h 12 min``; less than ten minutes as ``4.5 min``, less than one as ``27 s``."""
    if seconds is None:
        return DASH
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    if seconds < 597:
        return f"{seconds / 60:.1f} min"
    minutes = round(seconds / 60)
    return f"{minutes // 60:,} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


@register.filter
def night_label(night: date | None) -> str:
    """A night by its evening and its morning: ``2020-01-05/06``."""
    return DASH if night is None else label(night)
