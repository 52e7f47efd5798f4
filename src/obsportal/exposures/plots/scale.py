"""Axes and colours shared by the plots."""

from __future__ import annotations

import math
from dataclasses import dataclass

COLOURS = (
    "#3a5fd9",
    "#5457d6",
    "#6e50d0",
    "#8749c8",
    "#9e44bb",
    "#b241a9",
    "#c24293",
    "#cd477c",
    "#d44f66",
    "#d85a50",
    "#d7673b",
    "#d27628",
)
"""From the short to the long end of the band: blue, violet, red, orange; readable on light and dark."""

UNKNOWN_COLOUR = "#8a8f98"


@dataclass(frozen=True, slots=True)
class Colours:
    """Wavelength to colour, logarithmic between the shortest and the longest of a plot (m)."""

    low: float
    high: float

    def index(self, wavelength: float) -> int:
        """Which of ``COLOURS`` stands for a wavelength."""
        if self.high <= self.low:
            return 0
        place = math.log(wavelength / self.low) / math.log(self.high / self.low)
        return min(len(COLOURS) - 1, max(0, int(place * len(COLOURS))))


def nice_step(extent: float, wanted: int = 4) -> float:
    """A step of 1, 2 or 5 times a power of ten that divides 0 .. extent in about ``wanted`` parts."""
    if extent <= 0:
        return 1.0
    rough = extent / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    return power * next((factor for factor in (1, 2, 5) if rough / power <= factor), 10)


def ticks(extent: float, wanted: int = 5) -> list[float]:
    """Nice values from -extent to extent, zero among them."""
    step = nice_step(extent, wanted)
    count = math.floor(extent / step + 1e-9)
    return [k * step for k in range(-count, count + 1)]


def tick_label(value: float) -> str:
    """A tick as text, with a true minus sign."""
    return f"{value:g}".replace("-", "−")
