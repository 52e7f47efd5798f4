"""How the state of runs and their times are written on pages."""

from __future__ import annotations

from datetime import datetime

from django import template

from obsportal.sync.source import ESO

register = template.Library()

BADGES = {"done": "good", "running": "warning", "cancelled": "warning", "failed": "error", "killed": "error"}


@register.filter
def span(seconds: float | None) -> str:
    """A length of time in its largest unit: 0.4 s, 48 s, 12 min, 5.2 h, 3.1 d."""
    if seconds is None:
        return "–"
    for unit, length in (("d", 86_400.0), ("h", 3600.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    if seconds >= 120:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{max(seconds, 0.1):.1f} s"


@register.filter
def badge(status: str) -> str:
    """Style of the badge of a run's end."""
    return BADGES.get(status, "")


@register.filter
def moment(iso: str | None) -> datetime | None:
    """A time from its ISO text."""
    return datetime.fromisoformat(iso) if iso else None


@register.filter
def source_name(name: str) -> str:
    """A source as people call it."""
    return "ESO archive" if name == ESO else name
