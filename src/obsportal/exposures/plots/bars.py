"""Counts drawn as stacked bars: SVG made here. The table beneath a plot holds the same numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.utils.html import escape

from obsportal.exposures.plots.scale import nice_step

COLOURS = (
    "#3f74bd",
    "#d9822b",
    "#3f9f78",
    "#b0589f",
    "#5aaccf",
    "#c6534c",
    "#938a35",
    "#7d6cc9",
    "#a9744f",
    "#6f8f3a",
)
"""Told apart on light and on dark paper, and by most of those who do not see all colours."""
OTHER_COLOUR = "#8a8f98"

LETTER = 6.6
"""Width of a letter of 12 px, about."""
LEGEND_STEP = 19


@dataclass(frozen=True, slots=True)
class Series:
    """One layer of the bars: its name, its colour, and a number for each bar."""

    label: str
    colour: str
    values: tuple[int, ...]


def shades(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name, the same wherever the names come in the same order."""
    listed = list(names)
    return {n: COLOURS[k] if k < len(COLOURS) else OTHER_COLOUR for k, n in enumerate(listed)}


def layers(
    counts: Mapping[str, Mapping[str, int]], labels: Sequence[str], colours: Mapping[str, str]
) -> list[Series]:
    """The layers of ``counts[bar][layer]``, in the order of the colours; empty layers are left out."""
    found = []
    for name, colour in colours.items():
        values = tuple(counts.get(label, {}).get(name, 0) for label in labels)
        if any(values):
            found.append(Series(name, colour, values))
    return found


def upright(title: str, labels: Sequence[str], series: Sequence[Series], width: int = 1000) -> str:
    """Bars that stand beside one another, as one SVG element; labels are thinned where they would touch."""
    left, right, height = 62, width - 12, 210
    legend, top = _legend(series, left, right)
    top += 12
    bottom = top + height
    highest = max((sum(s.values[k] for s in series) for k in range(len(labels))), default=0)
    step = _step(highest)
    scale = height / (max(highest, step) * 1.04)
    parts = [_opening(title, width, bottom + 30), *legend]
    value = 0
    while value <= max(highest, step) * 1.04:
        y = bottom - value * scale
        parts.append(f'<path class="plot-grid" d="M{left} {y:.1f}H{right}"/>')
        parts.append(
            f'<text class="plot-minor" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{_n(value)}</text>'
        )
        value += step
    room = (right - left) / max(1, len(labels))
    wide = min(46.0, room * 0.74)
    every = 1 + int(max((len(text) for text in labels), default=0) * LETTER // max(1.0, room - 4))
    for k, label in enumerate(labels):
        x = left + room * (k + 0.5)
        y = float(bottom)
        for layer in series:
            tall = layer.values[k] * scale
            if tall:
                y -= tall
                parts.append(_bar(x - wide / 2, y, wide, tall, layer, label, k))
        if k % every == 0:
            parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{escape(label)}</text>')
    parts.append(f'<path class="plot-axis" d="M{left} {bottom}H{right}"/></svg>')
    return "".join(parts)


def lying(title: str, labels: Sequence[str], series: Sequence[Series], width: int = 560) -> str:
    """Bars that lie below one another, as one SVG element, each with its sum at its end."""
    left = min(170.0, 14 + LETTER * max((len(text) for text in labels), default=0))
    right, step = width - 62.0, 26
    legend, top = _legend(series, 8, width - 8)
    top += 6
    highest = max((sum(s.values[k] for s in series) for k in range(len(labels))), default=0)
    scale = (right - left) / (highest or 1)
    parts = [_opening(title, width, top + step * len(labels) + 8), *legend]
    for k, label in enumerate(labels):
        y = top + step * k
        parts.append(f'<text x="{left - 8:.1f}" y="{y + 17}" text-anchor="end">{escape(label)}</text>')
        x = left
        for layer in series:
            wide = layer.values[k] * scale
            if wide:
                parts.append(_bar(x, y + 4, wide, step - 8, layer, label, k))
                x += wide
        total = sum(layer.values[k] for layer in series)
        parts.append(f'<text class="plot-minor" x="{x + 7:.1f}" y="{y + 17}">{_n(total)}</text>')
    bottom = top + step * len(labels)
    parts.append(f'<path class="plot-axis" d="M{left:.1f} {top}V{bottom}"/></svg>')
    return "".join(parts)


def _opening(title: str, width: float, height: float) -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="bar-plot" role="img"'
        f' viewBox="0 0 {width} {height}" aria-label="{escape(title)}">'
    )


def _bar(x: float, y: float, wide: float, tall: float, layer: Series, label: str, k: int) -> str:
    said = f"{label}, {layer.label}: {_n(layer.values[k])}"
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}" fill="{layer.colour}">'
        f"<title>{escape(said)}</title></rect>"
    )


def _legend(series: Sequence[Series], left: float, right: float) -> tuple[list[str], int]:
    """The colours with their names, in as many lines as they need, and the y where the plot may begin."""
    if len(series) < 2:
        return [], 0
    return list(_legend_parts(series, left, right)), LEGEND_STEP * _legend_lines(series, left, right) + 4


def _legend_places(series: Sequence[Series], left: float, right: float) -> Iterator[tuple[float, int]]:
    x, line = left, 0
    for layer in series:
        wide = 34 + LETTER * 1.08 * len(layer.label)
        if x > left and x + wide - 12 > right:
            x, line = left, line + 1
        yield x, line
        x += wide


def _legend_lines(series: Sequence[Series], left: float, right: float) -> int:
    return max(line for _, line in _legend_places(series, left, right)) + 1


def _legend_parts(series: Sequence[Series], left: float, right: float) -> Iterator[str]:
    for layer, (x, line) in zip(series, _legend_places(series, left, right), strict=True):
        y = LEGEND_STEP * line + 4
        yield f'<rect x="{x:.1f}" y="{y}" width="11" height="11" rx="2" fill="{layer.colour}"/>'
        yield f'<text x="{x + 16:.1f}" y="{y + 10}">{escape(layer.label)}</text>'


def _step(highest: int) -> int:
    return max(1, round(nice_step(highest, 4)))


def _n(value: int) -> str:
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
