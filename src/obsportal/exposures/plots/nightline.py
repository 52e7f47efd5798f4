"""A night drawn on an axis of time: one row a sequence, the weather beneath, the Sun behind.

The drawing is as wide as its page: places across are in per cent, heights in pixels. The names of the
rows stand beside it as HTML, in rows of the same height.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.html import escape

from obsportal.exposures.angles import hours_minutes
from obsportal.exposures.pages.night_log import Execution, Shot, Strand
from obsportal.exposures.plots.scale import nice_step, tick_label
from obsportal.interferometry.facility import Facility
from obsportal.interferometry.sun import Darkness
from obsportal.interferometry.times import lst_hours

ROW = 36
"""Height of a row, px."""
TOP = 44
"""Height of the axis above the rows, px."""
BOTTOM = 26
PANEL = 84
"""Height of a panel of the weather, px."""
EDGE = 20 / 1440
"""Days shown before and after what there is."""
SIDEREAL_DAY = 1 / 1.0027379
MAX_HOURS = 30


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity of the weather along the night: its value of an exposure, in the unit it is shown in."""

    label: str
    unit: str
    kind: str
    """The class of its marks."""
    points: tuple[tuple[float, float], ...]
    """MJD, value."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """The finished drawing, and what stands beside it."""

    svg: str
    height: int
    strands: tuple[Strand, ...]
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """The span of time that is drawn, MJD."""

    start: float
    end: float

    def percent(self, mjd: float) -> float:
        """Where a time is drawn; what lies outside is at the edge."""
        return 100 * min(1.0, max(0.0, (mjd - self.start) / (self.end - self.start)))


def axis(found: Iterable[Execution], sun: Darkness | None) -> Axis | None:
    """From before sunset to after sunrise, and farther where something was observed; None without times."""
    times = [t for one in found for t in (one.start, one.end) if t is not None]
    if not times:
        return None
    if sun:
        times = [min(max(t, sun.noon), sun.next_noon) for t in times]
        for edges in sun.spans.values():
            times += edges
    start, end = min(times) - EDGE, max(times) + EDGE
    return Axis(start, min(end, start + MAX_HOURS / 24))


def panels(shots: Iterable[Shot]) -> tuple[Panel, ...]:
    """Seeing and tau0 where any exposure has them."""
    timed = [shot for shot in shots if shot.start is not None]
    seeing = tuple((s.start, s.seeing) for s in timed if s.start is not None and s.seeing is not None)
    tau0 = tuple((s.start, s.tau0 * 1e3) for s in timed if s.start is not None and s.tau0 is not None)
    both = (Panel("Seeing", "″", "mark-seeing", seeing), Panel("τ0", "ms", "mark-tau0", tau0))
    return tuple(panel for panel in both if panel.points)


def draw(
    rows: Sequence[Strand], found: Sequence[Execution], site: Facility | None, sun: Darkness | None
) -> Drawing | None:
    """The night as one SVG element; None when no time is known."""
    across = axis(found, sun)
    if across is None:
        return None
    weather = panels(shot for one in found for shot in one.shots)
    floor = TOP + ROW * len(rows)
    height = floor + PANEL * len(weather) + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="nightline-plot" role="img" height="{height}"'
        f' aria-label="The night on an axis of time; the table of observations holds the same">'
    ]
    parts += _sky(across, sun, height)
    parts += _hours(across, site, height)
    for k in range(len(rows) + 1):
        parts.append(_line(0, 100, TOP + ROW * k, "plot-grid"))
    for k, strand in enumerate(rows):
        parts += _bars(across, strand, TOP + ROW * k)
    for k, panel in enumerate(weather):
        parts += _panel(across, panel, floor + PANEL * k)
    parts.append("</svg>")
    return Drawing("".join(parts), height, tuple(rows), weather)


def _line(left: float, right: float, y: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{left:.2f}%" x2="{right:.2f}%" y1="{y:.1f}" y2="{y:.1f}"/>'


def _sky(across: Axis, sun: Darkness | None, height: int) -> Iterator[str]:
    """One veil before and after each twilight: the lower the Sun, the darker what they leave free."""
    for name, (begins, ends) in sun.spans.items() if sun else ():
        left, right = across.percent(begins), across.percent(ends)
        for x, wide in ((0.0, left), (right, 100 - right)):
            if wide > 0:
                tall = height - BOTTOM - TOP
                yield f'<rect class="sky" x="{x:.2f}%" y="{TOP}" width="{wide:.2f}%" height="{tall}"/>'
        if name in {"sunset", "astronomical"}:
            for x, mjd in ((left, begins), (right, ends)):
                said = f"{_sun_words(name, mjd == begins)} {clock(mjd)} UTC"
                yield (
                    f'<line class="dusk" x1="{x:.2f}%" x2="{x:.2f}%" y1="{TOP - 4}" y2="{height - BOTTOM}">'
                    f"<title>{said}</title></line>"
                )


def _sun_words(name: str, begins: bool) -> str:
    if name == "sunset":
        return "Sunset" if begins else "Sunrise"
    return "End of astronomical twilight" if begins else "Beginning of astronomical twilight"


def _hours(across: Axis, site: Facility | None, height: int) -> Iterator[str]:
    """UTC beneath and above, sidereal time on top."""
    first = math.ceil(across.start * 24 - 1e-9)
    for hour in range(first, math.floor(across.end * 24) + 1):
        x = across.percent(hour / 24)
        yield f'<line class="plot-grid" x1="{x:.2f}%" x2="{x:.2f}%" y1="{TOP}" y2="{height - BOTTOM}"/>'
        if 1.5 < x < 98.5:
            for y in (TOP - 7, height - 9):
                yield f'<text x="{x:.2f}%" y="{y}" text-anchor="middle">{hour % 24:02d}</text>'
    if site:
        begin = lst_hours(across.start, site)
        for hour in range(math.ceil(begin), math.ceil(begin) + MAX_HOURS):
            mjd = across.start + (hour - begin) / 24 * SIDEREAL_DAY
            if mjd > across.end:
                break
            x = across.percent(mjd)
            if 1.5 < x < 98.5:
                yield f'<text class="plot-minor" x="{x:.2f}%" y="17" text-anchor="middle">{hour % 24}</text>'


def _bars(across: Axis, strand: Strand, top: int) -> Iterator[str]:
    for one in strand.executions:
        if one.start is None or one.end is None:
            continue
        left, right = across.percent(one.start), across.percent(one.end)
        address = reverse("observation", args=[one.key]) if one.key else ""
        opening = f'<a href="{escape(address)}" tabindex="-1">' if address else "<g>"
        yield opening
        yield f"<title>{escape(_said(one))}</title>"
        yield (
            f'<rect class="span" x="{left:.2f}%" width="{max(right - left, 0.25):.2f}%" y="{top + 8}"'
            f' height="{ROW - 16}" rx="3"/>'
        )
        for shot in one.shots:
            if shot.start is not None:
                x = across.percent(shot.start)
                wide = max(0.18, across.percent(shot.end if shot.end is not None else shot.start) - x)
                kind = "science" if shot.science else "calibrator"
                flawed = "" if shot.valid else " flawed"
                yield (
                    f'<rect class="bar {kind}{flawed}" x="{x:.2f}%" width="{wide:.2f}%" y="{top + 8}"'
                    f' height="{ROW - 16}"/>'
                )
        yield "</a>" if address else "</g>"


def _said(one: Execution) -> str:
    """What the bar of an observation tells."""
    assert one.start is not None
    assert one.end is not None
    names = ", ".join(f"{t.name} ({'science' if t.science else 'calibrator'})" for t in one.targets)
    count = len(one.shots)
    parts = [
        names,
        f"{clock(one.start)} to {clock(one.end)} UTC",
        f"{one.first.instrument} {', '.join(one.modes)}".strip(),
        f"{count} exposure{'s' if count != 1 else ''}",
    ]
    if one.first.program:
        parts.append(one.first.program)
    if one.valid < count:
        parts.append(f"{count - one.valid} with errors")
    return "\n".join(parts)


def clock(mjd: float) -> str:
    """UTC as ``01:46``, for a time whose day is plain from its night."""
    return hours_minutes((mjd % 1) * 24)


def _panel(across: Axis, panel: Panel, top: int) -> Iterator[str]:
    """Dots from zero at the bottom to a nice value at the top."""
    highest = max(value for _, value in panel.points)
    step = nice_step(highest * 1.1, 2)
    most = step * max(1, math.ceil(highest * 1.04 / step))
    floor, room = top + PANEL - 8, PANEL - 24

    def level(value: float) -> float:
        return floor - room * max(0.0, value) / most

    for k in range(round(most / step) + 1):
        y = level(k * step)
        yield _line(0, 100, y, "plot-axis" if k == 0 else "plot-grid")
        if k:
            yield f'<text class="plot-name" x="4" y="{y - 3:.1f}">{tick_label(round(k * step, 6))}</text>'
    for mjd, value in panel.points:
        said = f"{clock(mjd)} UTC: {panel.label} {value:.2f} {panel.unit}"
        yield (
            f'<circle class="{panel.kind}" cx="{across.percent(mjd):.2f}%" cy="{level(value):.1f}" r="2.4">'
            f"<title>{said}</title></circle>"
        )
