"""When in sidereal time a place was observed: ranges per night or instrument, and their drawing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.html import escape

from obsportal.exposures.angles import hours_minutes
from obsportal.interferometry.facility import facilities
from obsportal.interferometry.times import lst_hours

SIDEREAL = 1.0027379
"""Sidereal hours in a solar one."""
JOIN_HOURS = 0.25
"""Exposures closer than this are drawn as one bar."""
MAX_NIGHTS = 30
"""With more nights, bars are per instrument."""

COLUMNS = ("exp_mjd_start", "exp_mjd_end", "interferometer_name", "instrument_name", "night")


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of the plot: sidereal hours as (start, end), each within 0 .. 24."""

    label: str
    ranges: tuple[tuple[float, float], ...]
    exposures: int

    @property
    def words(self) -> str:
        """The ranges as text: 05:10 to 06:40."""
        return ", ".join(f"{hours_minutes(a)} to {hours_minutes(b)}" for a, b in self.ranges)


def bars(rows: Iterable[Mapping[str, Any]]) -> tuple[list[Bar], str]:
    """The observed ranges, newest night first, and what a row stands for: ``night`` or ``instrument``."""
    kept = [r for r in rows if r["exp_mjd_start"] and r["interferometer_name"] in facilities()]
    nights = {(r["night"], r["interferometer_name"]) for r in kept}
    by = "night" if len(nights) <= MAX_NIGHTS else "instrument"
    groups: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in kept:
        start = lst_hours(row["exp_mjd_start"], facilities()[row["interferometer_name"]])
        end = row["exp_mjd_end"] or row["exp_mjd_start"]
        lasted = min(24.0, max(0.0, (end - row["exp_mjd_start"]) * 24 * SIDEREAL))
        first = str(row["night"] or "night unknown") if by == "night" else row["interferometer_name"]
        groups.setdefault((first, row["instrument_name"]), []).append((start, start + lasted))
    ordered = sorted(groups.items(), key=lambda item: item[0], reverse=by == "night")
    return [Bar(" ".join(key), joined(ranges), len(ranges)) for key, ranges in ordered], by


def joined(ranges: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Ranges merged where they touch; those that cross 24 h are cut in two."""
    cut = []
    for start, end in ranges:
        cut += [(start, end)] if end <= 24 else [(start, 24.0), (0.0, end - 24)]
    merged: list[list[float]] = []
    for start, end in sorted(cut):
        if merged and start - merged[-1][1] <= JOIN_HOURS:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return tuple((start, end) for start, end in merged)


def svg(rows: list[Bar]) -> str:
    """The bars over 0 .. 24 h of local sidereal time, as one SVG element."""
    left, width, step, top = 146, 412, 22, 10
    bottom = top + step * len(rows)
    title = "Observed ranges of local sidereal time"
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" class="lst-plot" role="img"'
        f' viewBox="0 0 {left + width + 16} {bottom + 46}" aria-label="{title}"><title>{title}</title>'
    ]
    for hour in range(0, 25, 2):
        x = left + width * hour / 24
        parts.append(f'<path class="plot-grid" d="M{x:.1f} {top}V{bottom}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{hour}</text>')
    parts.append(
        f'<text x="{left + width / 2}" y="{bottom + 36}" text-anchor="middle">local sidereal time (h)</text>'
    )
    for k, bar in enumerate(rows):
        y = top + step * k
        parts.append(f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{escape(bar.label)}</text>')
        for start, end in bar.ranges:
            x, wide = left + width * start / 24, max(2.0, width * (end - start) / 24)
            parts.append(
                f'<rect class="lst-bar" x="{x:.1f}" y="{y + 3}" width="{wide:.1f}" height="{step - 6}">'
                f"<title>{escape(bar.label)}: {escape(bar.words)}, {bar.exposures} exposures</title></rect>"
            )
    parts.append(f'<rect class="plot-frame" x="{left}" y="{top}" width="{width}" height="{bottom - top}"/>')
    return "".join([*parts, "</svg>"])
