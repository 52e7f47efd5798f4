"""The UV coverage of several instruments side by side: one small plot each, one scale of colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import escape

from obsportal.exposures.plots import uv_plots
from obsportal.exposures.plots.scale import COLOURS, UNKNOWN_COLOUR, Colours, tick_label, ticks
from obsportal.exposures.plots.uv import Coverage, Point
from obsportal.exposures.plots.uv_plots import Unit

SIDE, HALF = 240, 104
CENTRE = SIDE / 2
STRIPS = 1_200
"""Coloured pieces in one panel."""


@dataclass(frozen=True, slots=True)
class UvPanel:
    """One instrument's small plot."""

    name: str
    coverage: Coverage
    unit: Unit
    svg: str


@dataclass(frozen=True, slots=True)
class ColourScale:
    """The colours of all panels: wavelengths in micrometres at both ends and in the middle."""

    colours: tuple[str, ...]
    low: float
    middle: float
    high: float


def panels(coverages: Sequence[tuple[str, Coverage]], unit: Unit) -> list[UvPanel]:
    """A panel for each instrument; in metres where no wavelength is known."""
    colours = _colours(coverages)
    made = []
    for name, coverage in coverages:
        own = unit if coverage.band else Unit.METRES
        made.append(UvPanel(name, coverage, own, _svg(name, coverage, own, colours)))
    return made


def colour_scale(coverages: Sequence[tuple[str, Coverage]]) -> ColourScale | None:
    """What the colours of the panels mean; None when no wavelength is known."""
    colours = _colours(coverages)
    if colours is None:
        return None
    middle = (colours.low * colours.high) ** 0.5
    return ColourScale(COLOURS, colours.low * 1e6, middle * 1e6, colours.high * 1e6)


def _colours(coverages: Sequence[tuple[str, Coverage]]) -> Colours | None:
    bands = [coverage.band for _, coverage in coverages if coverage.band]
    return Colours(min(low for low, _ in bands), max(high for _, high in bands)) if bands else None


def _svg(name: str, coverage: Coverage, unit: Unit, colours: Colours | None) -> str:
    half = uv_plots.extent(coverage, unit)
    scale = HALF / half

    def place(point: Point) -> str:
        return f"{-point.u * scale:.1f} {-point.v * scale:.1f}"

    strips = max(1, min(12, STRIPS // max(1, len(coverage.tracks))))
    paths: dict[int, list[str]] = {}
    for colour, corners in uv_plots.pieces(coverage.tracks, unit, colours, strips):
        outline = "M" + "L".join(map(place, corners)) + ("Z" if len(corners) > 2 else "")
        paths.setdefault(-1 if colour is None else colour, []).append(outline)
    title = escape(f"UV coverage with {name} in {unit.label}, {coverage.read} exposures")
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" class="uv-panel" role="img"'
        f' viewBox="0 0 {SIDE} {SIDE + 18}" aria-label="{title}"><g transform="translate({CENTRE} {CENTRE})">'
    ]
    for value in ticks(half, 3):
        x = -value * scale
        kind = "plot-axis" if value == 0 else "plot-grid"
        parts.append(f'<path class="{kind}" d="M{x:.1f} {-HALF}V{HALF}M{-HALF} {x:.1f}H{HALF}"/>')
        label = tick_label(value)
        parts.append(
            f'<text class="plot-minor" x="{x:.1f}" y="{HALF + 15}" text-anchor="middle">{label}</text>'
        )
    parts.append(f'<rect class="plot-frame" x="{-HALF}" y="{-HALF}" width="{2 * HALF}" height="{2 * HALF}"/>')
    drawn = "".join(
        f'<path d="{"".join(paths[key])}" fill="{_paint(key)}" stroke="{_paint(key)}" stroke-width="1.4"/>'
        for key in sorted(paths, reverse=True)
    )
    group = f'<g stroke-linecap="round" stroke-linejoin="round" id="uv-{escape(name)}">{drawn}</g>'
    parts.append(f'{group}<use href="#uv-{escape(name)}" transform="rotate(180)"/>')
    if not paths:
        parts.append(f'<text text-anchor="middle">{escape(uv_plots.nothing(coverage, unit))}</text>')
    parts.append(
        f'</g><text x="{CENTRE}" y="{SIDE + 14}" text-anchor="middle">u, v ({unit.label})</text></svg>'
    )
    return "".join(parts)


def _paint(key: int) -> str:
    return UNKNOWN_COLOUR if key < 0 else COLOURS[key]
