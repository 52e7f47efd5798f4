"""UV coverage drawn: SVG made here for pages, PNG and PDF by matplotlib.

Equal axes, north up, east to the left as on the sky. The colour is the wavelength. Each track is drawn
with its conjugate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from io import BytesIO
from itertools import pairwise
from typing import Any

from django.utils.html import escape

from obsportal.exposures.plots.scale import COLOURS, UNKNOWN_COLOUR, Colours, tick_label, ticks
from obsportal.exposures.plots.uv import Coverage, Point, Track, in_mega_lambda

SIZE = 560
CENTRE_X, CENTRE_Y, HALF = 316, 262, 236
HEIGHT = 610
LABELLED_TRACKS = 15
"""Up to this many tracks are named at their middle."""
LETTER = 7.2
"""Width of a letter of a track's name, about."""
MAX_STRIPS = 4_000
"""Coloured pieces in one SVG; with many tracks, each gets fewer."""

STANDALONE_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1d2733}.plot-minor,.plot-name{fill:#5a6675}"
    ".plot-name{paint-order:stroke;stroke:#fff;stroke-width:3px}"
    ".plot-frame{fill:none;stroke:#5a6675}.plot-grid{stroke:#dfe4ea;fill:none}.plot-axis{stroke:#b4bdc8}"
)


class Unit(StrEnum):
    """What the axes show."""

    METRES = "m"
    MEGA_LAMBDA = "mlambda"

    @property
    def label(self) -> str:
        """As written on an axis."""
        return {"m": "m", "mlambda": "Mλ"}[self.value]

    @property
    def other(self) -> Unit:
        """The unit to switch to."""
        return Unit.MEGA_LAMBDA if self is Unit.METRES else Unit.METRES


Piece = tuple[int | None, tuple[Point, ...]]
"""A colour index (None: wavelength unknown) and the corners of what it fills."""


def pieces(tracks: Iterable[Track], unit: Unit, colours: Colours | None, strips: int) -> Iterator[Piece]:
    """What to draw: a line per track in metres, strips of wavelength in Mλ (nothing without a band)."""
    for track in tracks:
        middle = track.wavelength
        if unit is Unit.METRES:
            colour = colours.index(middle) if colours and middle else None
            yield colour, (track.start, track.end)
        elif track.em_min and track.em_max and colours:
            yield from _strips(track, colours, strips)


def _strips(track: Track, colours: Colours, strips: int) -> Iterator[Piece]:
    assert track.em_min
    assert track.em_max
    spanned = colours.index(track.em_max) - colours.index(track.em_min) + 1
    count = max(1, min(strips, spanned * 2))
    edges = [1 / track.em_max + (1 / track.em_min - 1 / track.em_max) * k / count for k in range(count + 1)]
    for low, high in pairwise(edges):
        corners = (
            in_mega_lambda(track.start, 1 / low),
            in_mega_lambda(track.start, 1 / high),
            in_mega_lambda(track.end, 1 / high),
            in_mega_lambda(track.end, 1 / low),
        )
        yield colours.index(2 / (low + high)), corners


def extent(coverage: Coverage, unit: Unit) -> float:
    """Half the width of the plot, in the unit: a little beyond the farthest point."""
    farthest = 0.0
    for track in coverage.tracks:
        scale = 1.0 if unit is Unit.METRES else 1e-6 / track.em_min if track.em_min else 0.0
        farthest = max(farthest, math.hypot(*track.start) * scale, math.hypot(*track.end) * scale)
    return farthest * 1.08 or 1.0


def svg(coverage: Coverage, unit: Unit, *, standalone: bool = False) -> str:
    """The coverage as one SVG element; ``standalone`` makes it a document with its own colours."""
    half = extent(coverage, unit)
    scale = HALF / half
    band = coverage.band
    colours = Colours(*band) if band else None

    def place(point: Point) -> str:
        return f"{CENTRE_X - point.u * scale:.1f} {CENTRE_Y - point.v * scale:.1f}"

    paths: dict[int | None, list[str]] = {}
    for colour, corners in pieces(coverage.tracks, unit, colours, _strip_count(coverage)):
        paths.setdefault(colour, []).append(
            "M" + "L".join(place(corner) for corner in corners) + ("Z" if len(corners) > 2 else "")
        )
    count = len({t.exp_id for t in coverage.tracks})
    title = f"UV coverage in {unit.label}: {coverage.words}"
    about = f"{len(coverage.tracks)} tracks of {count} exposures, each with its conjugate. {coverage.note}"
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="uv-plot" viewBox="0 0 {SIZE} {HEIGHT}" role="img"'
        f' aria-label="{escape(title)}"'
    )
    parts = [opening + (f' width="{SIZE}" height="{HEIGHT}">' if standalone else ">")]
    parts.append(f"<title>{escape(title)}</title><desc>{escape(about)}</desc>")
    if standalone:
        parts.append(f'<style>{STANDALONE_STYLE}</style><rect width="{SIZE}" height="{HEIGHT}" fill="#fff"/>')
    parts += _axes(half, scale, unit)
    thin = _thin(len(coverage.tracks)) * (1.4 if unit is Unit.METRES else 1)
    drawn = "".join(
        f'<path d="{"".join(paths[colour])}" fill="{_colour(colour)}" stroke="{_colour(colour)}"'
        f' stroke-width="{_width(colour, unit, thin):.1f}"/>'
        for colour in sorted(paths, key=_order)
    )
    group = 'stroke-linecap="round" stroke-linejoin="round"'
    parts.append(f"<g {group}>{drawn}</g>")
    parts.append(f'<g {group} transform="rotate(180 {CENTRE_X} {CENTRE_Y})">{drawn}</g>')
    parts += _labels(coverage, unit, place)
    if not paths:
        words = escape(nothing(coverage, unit))
        parts.append(f'<text x="{CENTRE_X}" y="{CENTRE_Y - 12}" text-anchor="middle">{words}</text>')
    parts += _colour_bar(colours) if colours and paths else []
    if coverage.note:
        place_of_note = f'x="{SIZE - 8}" y="{HEIGHT - 4}" text-anchor="end"'
        parts.append(f'<text class="plot-minor" {place_of_note}>{escape(coverage.note)}</text>')
    parts.append("</svg>")
    return "".join(parts)


def _thin(tracks: int) -> float:
    """The narrowest line: a few short tracks are seen, many do not hide one another."""
    return 3.0 if tracks <= 60 else 2.0 if tracks <= 300 else 1.3


def nothing(coverage: Coverage, unit: Unit) -> str:
    """Why a plot is empty."""
    if not coverage.found:
        return "no exposures"
    if coverage.tracks and unit is Unit.MEGA_LAMBDA:
        return "no wavelengths known: see the plot in metres"
    return "no baselines in the headers"


def _colour(index: int | None) -> str:
    return UNKNOWN_COLOUR if index is None else COLOURS[index]


def _axes(half: float, scale: float, unit: Unit) -> Iterator[str]:
    left, right, top, bottom = CENTRE_X - HALF, CENTRE_X + HALF, CENTRE_Y - HALF, CENTRE_Y + HALF
    for value in ticks(half):
        x, y = CENTRE_X - value * scale, CENTRE_Y - value * scale
        kind = "plot-axis" if value == 0 else "plot-grid"
        yield f'<path class="{kind}" d="M{x:.1f} {top}V{bottom}M{left} {y:.1f}H{right}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{tick_label(value)}</text>'
        yield f'<text x="{left - 7}" y="{y + 4:.1f}" text-anchor="end">{tick_label(value)}</text>'
    yield f'<rect class="plot-frame" x="{left}" y="{top}" width="{2 * HALF}" height="{2 * HALF}"/>'
    yield (
        f'<text x="{CENTRE_X}" y="{bottom + 36}" text-anchor="middle">'
        f"u ({unit.label}), east to the left</text>"
    )
    yield (
        f'<text transform="translate(20 {CENTRE_Y}) rotate(-90)" text-anchor="middle">'
        f"v ({unit.label}), north up</text>"
    )


def _labels(coverage: Coverage, unit: Unit, place: Callable[[Point], str]) -> Iterator[str]:
    """The name of each track at its outer end, or where something is there already, at its inner one."""
    if len(coverage.tracks) > LABELLED_TRACKS or len({t.exp_id for t in coverage.tracks}) > 1:
        return
    ends: list[tuple[str, tuple[float, float], tuple[float, float]]] = []
    taken: list[tuple[float, float]] = []
    for track in coverage.tracks:
        if unit is Unit.MEGA_LAMBDA and not (track.em_min and track.em_max):
            continue
        drawn = [track.start, track.end]
        if unit is Unit.MEGA_LAMBDA:
            drawn = [in_mega_lambda(p, em or 1) for p in drawn for em in (track.em_min, track.em_max)]
        points = [_pixel(place(point)) for point in drawn]
        points.append((sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)))
        taken += points + [_opposite(point) for point in points]
        points.sort(key=lambda p: math.dist(p, (CENTRE_X, CENTRE_Y)))
        ends.append((track.baseline, points[-1], points[0]))
    for name, outer, inner in ends:
        wide = LETTER * len(name)
        corners = [_label_corner(outer, wide, 1), _label_corner(inner, wide, -1)]
        corners += [_label_corner(_opposite(outer), wide, 1), _label_corner(_opposite(inner), wide, -1)]
        x, y = next((c for c in corners if not _covers(c, wide, taken)), corners[0])
        taken += [(x + wide * k / 4, y - 4) for k in range(5)]
        yield f'<text class="plot-name" x="{x:.1f}" y="{y:.1f}">{escape(name)}</text>'


def _pixel(text: str) -> tuple[float, float]:
    x, y = text.split()
    return float(x), float(y)


def _opposite(point: tuple[float, float]) -> tuple[float, float]:
    return 2 * CENTRE_X - point[0], 2 * CENTRE_Y - point[1]


def _label_corner(point: tuple[float, float], wide: float, outward: int) -> tuple[float, float]:
    """Where a name of this width begins: away from the plot's centre (1) or towards it (-1), in its frame."""
    away = math.dist(point, (CENTRE_X, CENTRE_Y)) or 1.0
    across, down = ((p - c) / away * outward for p, c in zip(point, (CENTRE_X, CENTRE_Y), strict=True))
    left = point[0] + 9 * across - wide * (1 - across) / 2
    inside = min(max(left, CENTRE_X - HALF + 4), CENTRE_X + HALF - 4 - wide)
    below = point[1] + 15 * down + 4 - (10 if inside != left else 0)
    return inside, min(max(below, CENTRE_Y - HALF + 13), CENTRE_Y + HALF - 5)


def _covers(corner: tuple[float, float], wide: float, points: Iterable[tuple[float, float]]) -> bool:
    x, y = corner
    return any(x - 3 < px < x + wide + 3 and y - 14 < py < y + 5 for px, py in points)


def _colour_bar(colours: Colours) -> Iterator[str]:
    left, top, width = CENTRE_X - HALF, HEIGHT - 62, 2 * HALF
    piece = width / len(COLOURS)
    for k, colour in enumerate(COLOURS):
        x, wide = left + k * piece, piece + 0.4
        yield f'<rect x="{x:.1f}" y="{top}" width="{wide:.1f}" height="9" fill="{colour}"/>'
    middle = math.sqrt(colours.low * colours.high)
    for place, value, anchor in (
        (left, colours.low, "start"),
        (CENTRE_X, middle, "middle"),
        (left + width, colours.high, "end"),
    ):
        yield f'<text x="{place}" y="{top + 23}" text-anchor="{anchor}">{value * 1e6:.3g}</text>'
    yield f'<text x="{CENTRE_X}" y="{top + 41}" text-anchor="middle">wavelength (µm)</text>'


def figure(coverage: Coverage, unit: Unit, form: str) -> bytes:
    """The coverage as ``png`` or ``pdf``, drawn by matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, LogNorm
    from matplotlib.figure import Figure
    from matplotlib.patches import PathPatch

    half = extent(coverage, unit)
    band = coverage.band
    colours = Colours(*band) if band else None
    drawing = Figure(figsize=(7.0, 6.4), dpi=150)
    FigureCanvasAgg(drawing)
    axes = drawing.add_axes((0.12, 0.12, 0.72, 0.7875))
    shapes = _shapes(pieces(coverage.tracks, unit, colours, _strip_count(coverage)))
    for colour, path in shapes:
        shade = _colour(colour)
        width = _width(colour, unit, 1.2)
        axes.add_artist(PathPatch(path, fc=shade, ec=shade, linewidth=width, capstyle="round"))
    axes.set(xlim=(half, -half), ylim=(-half, half), aspect="equal")
    axes.set_xlabel(f"u ({unit.label}), east to the left")
    axes.set_ylabel(f"v ({unit.label}), north up")
    axes.set_title(_plain_title(coverage), fontsize=10, parse_math=False)
    axes.grid(color="#dfe4ea", linewidth=0.6)
    axes.set_axisbelow(True)
    if not shapes:
        axes.text(0, 0, nothing(coverage, unit), ha="center")
    elif colours and colours.high > colours.low:
        mapped = ScalarMappable(LogNorm(colours.low * 1e6, colours.high * 1e6), ListedColormap(COLOURS))
        beside = drawing.add_axes((0.87, 0.12, 0.025, 0.7875))
        bar = drawing.colorbar(mapped, cax=beside, label="wavelength (µm)")
        marks = [colours.low * 1e6, math.sqrt(colours.low * colours.high) * 1e6, colours.high * 1e6]
        bar.ax.minorticks_off()
        bar.set_ticks(marks, labels=[f"{mark:.3g}" for mark in marks])
    if coverage.note:
        drawing.text(0.98, 0.015, coverage.note, fontsize=8, color="#5a6675", ha="right", parse_math=False)
    stream = BytesIO()
    drawing.savefig(stream, format=form, metadata={"Creator": "obsportal"} if form == "pdf" else None)
    return stream.getvalue()


def _shapes(drawn: Iterable[Piece]) -> list[tuple[int | None, Any]]:
    """One compound matplotlib path for each colour, conjugates included."""
    from matplotlib.path import Path

    corners: dict[int | None, list[tuple[float, float]]] = {}
    codes: dict[int | None, list[Any]] = {}
    for colour, points in drawn:
        closed = len(points) > 2
        moves = [Path.MOVETO, *[Path.LINETO] * (len(points) - 1), *[Path.CLOSEPOLY] * closed]
        for sign in (1, -1):
            outline = [(sign * p.u, sign * p.v) for p in points]
            corners.setdefault(colour, []).extend(outline + outline[:1] * closed)
            codes.setdefault(colour, []).extend(moves)
    return [(colour, Path(corners[colour], codes[colour])) for colour in sorted(corners, key=_order)]


def _order(colour: int | None) -> int:
    """Long wavelengths below short ones, for bands that saw the same baseline; unknown ones lowest."""
    return -len(COLOURS) if colour is None else -colour


def _width(colour: int | None, unit: Unit, thin: float) -> float:
    """In metres the tracks of several bands coincide: the longer the wavelength, the broader its line."""
    if unit is Unit.MEGA_LAMBDA or colour is None:
        return thin
    return thin * (1 + colour / len(COLOURS))


def _strip_count(coverage: Coverage) -> int:
    return max(1, min(24, MAX_STRIPS // max(1, len(coverage.tracks))))


def _plain_title(coverage: Coverage) -> str:
    words = "".join(c if c.isprintable() else " " for c in coverage.words)
    return words if len(words) <= 90 else words[:89] + "…"
