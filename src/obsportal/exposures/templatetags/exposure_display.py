"""How values are written on pages. A missing value is a dash."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils.safestring import SafeString

from obsportal.exposures import angles
from obsportal.exposures.models import Exposure
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
